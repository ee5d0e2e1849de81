//! From a response to the members of an output shape, or to an error.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value, json};

use super::{Answer, Refusal, Response};
use crate::sandbox::aws::model::{self, Kind, Member, Model, Protocol, Shape};

/// Reads a response to an operation.
///
/// # Errors
/// The response has not the form that the protocol gives it.
pub fn decode(service: &str, operation: &str, response: &Response) -> Result<Answer, String> {
    let (_, model) = model::of(service).ok_or_else(|| format!("there is no model of {service}"))?;
    let known = model.operations.get(operation);
    let known = known.ok_or_else(|| format!("{service} has no operation {operation} in its model"))?;
    let shape = known.output.as_deref().and_then(|name| model.shape(name));
    let failed = response.status >= 300;
    match model.metadata.protocol {
        Protocol::Json => {
            let body = match response.body.as_slice() {
                [] => json!({}),
                body => serde_json::from_slice(body)
                    .map_err(|error| format!("status {}, and the body is not JSON: {error}", response.status))?,
            };
            if failed {
                return json_refusal(response, &body).map(Answer::Refused);
            }
            Ok(Answer::Done(match shape {
                Some(shape) => json_structure(model, shape, &body),
                None => json!({}),
            }))
        }
        // Some operations answer nothing at all.
        _ if !failed && response.body.is_empty() => Ok(Answer::Done(json!({}))),
        protocol => {
            let root = Element::parse(&String::from_utf8_lossy(&response.body))
                .map_err(|error| format!("status {}, and the body is not XML: {error}", response.status))?;
            if failed {
                return xml_refusal(response, &root).map(Answer::Refused);
            }
            let inner = match (&known.result_wrapper, protocol) {
                (Some(wrapper), _) => root.child(wrapper).unwrap_or(&EMPTY),
                (None, _) => &root,
            };
            Ok(Answer::Done(match shape {
                Some(shape) => Xml { model }.structure(shape, inner),
                None => json!({}),
            }))
        }
    }
}

fn json_refusal(response: &Response, body: &Value) -> Result<Refusal, String> {
    // `__type` can have a namespace before a `#`, the header a URL behind a `:`.
    let code = body["__type"].as_str().or(response.error_type.as_deref());
    let code = code.ok_or_else(|| format!("status {}, and no error code", response.status))?;
    let code = code.rsplit('#').next().unwrap_or(code);
    let code = code.split(':').next().unwrap_or(code);
    let message = body["message"].as_str().or(body["Message"].as_str());
    Ok(Refusal {
        code: code.to_owned(),
        message: message.unwrap_or_default().to_owned(),
        status: response.status,
    })
}

fn xml_refusal(response: &Response, root: &Element) -> Result<Refusal, String> {
    // Route 53 has one error that lists its messages: InvalidChangeBatch, Messages, Message.
    if let Some(messages) = root.child("Messages") {
        let messages: Vec<_> = messages.children.iter().map(|child| child.text.as_str()).collect();
        return Ok(Refusal {
            code: root.name.clone(),
            message: messages.join("; "),
            status: response.status,
        });
    }
    // EC2 wraps once more: Response, Errors, Error.
    let error = root.child("Error").or_else(|| root.child("Errors")?.child("Error"));
    let error = error.ok_or_else(|| format!("status {}, and no error in the body", response.status))?;
    let text = |name| error.child(name).map(|child| child.text.clone()).unwrap_or_default();
    Ok(Refusal {
        code: text("Code"),
        message: text("Message"),
        status: response.status,
    })
}

fn json_structure(model: &Model, shape: &Shape, given: &Value) -> Value {
    let mut found = Map::new();
    for (name, member) in &shape.members {
        let wire = member.location_name.as_ref().unwrap_or(name);
        if let Some(value) = given.get(wire).filter(|value| !value.is_null()) {
            found.insert(name.clone(), json_value(model, member, value));
        }
    }
    Value::Object(found)
}

fn json_value(model: &Model, member: &Member, given: &Value) -> Value {
    let inner = |member: &Option<Member>, given: &Value| match member {
        Some(member) => json_value(model, member, given),
        None => given.clone(),
    };
    match (model.shape(&member.shape), given) {
        (Some(shape), Value::Object(_)) if shape.kind == Kind::Structure => json_structure(model, shape, given),
        (Some(shape), Value::Array(items)) => items.iter().map(|item| inner(&shape.member, item)).collect(),
        (Some(shape), Value::Object(entries)) => {
            let entries = entries
                .iter()
                .map(|(key, given)| (key.clone(), inner(&shape.value, given)));
            Value::Object(entries.collect())
        }
        _ => given.clone(),
    }
}

/// An XML element: its text, and its children in their order.
#[derive(Debug, Default)]
struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

static EMPTY: Element = Element {
    name: String::new(),
    text: String::new(),
    children: Vec::new(),
};

impl Element {
    fn parse(body: &str) -> Result<Self, String> {
        let named = |start: &BytesStart<'_>| Self {
            name: start.local_name().as_ref().to_owned(),
            ..Self::default()
        };
        let mut reader = Reader::from_str(body);
        // The outermost holds the document's element.
        let mut open = vec![Self::default()];
        let nothing_open = || "an end without a beginning".to_owned();
        loop {
            match reader.read_event().map_err(|error| error.to_string())? {
                Event::Start(start) => open.push(named(&start)),
                Event::Empty(start) => open.last_mut().ok_or_else(nothing_open)?.children.push(named(&start)),
                Event::End(_) => {
                    let done = open.pop().ok_or_else(nothing_open)?;
                    open.last_mut().ok_or_else(nothing_open)?.children.push(done);
                }
                Event::Text(text) => open
                    .last_mut()
                    .ok_or_else(nothing_open)?
                    .text
                    .push_str(&text.xml10_content()),
                Event::CData(text) => open
                    .last_mut()
                    .ok_or_else(nothing_open)?
                    .text
                    .push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => {
                    let character = match reference.resolve_char_ref().map_err(|error| error.to_string())? {
                        Some(character) => character,
                        None => match reference.xml10_content().as_ref() {
                            "lt" => '<',
                            "gt" => '>',
                            "amp" => '&',
                            "quot" => '"',
                            "apos" => '\'',
                            other => return Err(format!("the entity {other} is unknown")),
                        },
                    };
                    open.last_mut().ok_or_else(nothing_open)?.text.push(character);
                }
                Event::Eof => break,
                _ => {}
            }
        }
        match (open.pop(), open.is_empty()) {
            (Some(mut document), true) => document.children.pop().ok_or_else(|| "it is empty".to_owned()),
            _ => Err("it ends too early".to_owned()),
        }
    }

    fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }
}

struct Xml<'a> {
    model: &'a Model,
}

impl Xml<'_> {
    fn structure(&self, shape: &Shape, element: &Element) -> Value {
        let mut by_name: BTreeMap<&str, Vec<&Element>> = BTreeMap::new();
        for child in &element.children {
            by_name.entry(&child.name).or_default().push(child);
        }
        let mut found = Map::new();
        for (name, member) in &shape.members {
            let Some(inner) = self.model.shape(&member.shape) else {
                continue;
            };
            let flat = inner.kind == Kind::List && (inner.flattened || member.flattened);
            let item = inner.member.as_ref().and_then(|item| item.location_name.as_deref());
            let default = item.filter(|_| flat).unwrap_or(name);
            let wire = member.location_name.as_deref().unwrap_or(default);
            if let Some(elements) = by_name.get(wire) {
                found.insert(name.clone(), self.value(inner, flat, elements));
            }
        }
        Value::Object(found)
    }

    fn value(&self, shape: &Shape, flat: bool, elements: &[&Element]) -> Value {
        let first = elements.first().copied().unwrap_or(&EMPTY);
        match shape.kind {
            Kind::List => {
                let item = shape.member.as_ref().and_then(|item| self.model.shape(&item.shape));
                let read = |element: &Element| match item {
                    Some(item) => self.value(item, false, &[element]),
                    None => Value::String(element.text.clone()),
                };
                match flat {
                    true => elements.iter().map(|element| read(element)).collect(),
                    false => first.children.iter().map(read).collect(),
                }
            }
            Kind::Structure => self.structure(shape, first),
            Kind::Map => {
                let named = |part: &Option<Member>, default: &str| {
                    let name = part.as_ref().and_then(|part| part.location_name.clone());
                    name.unwrap_or_else(|| default.to_owned())
                };
                let (key, value) = (named(&shape.key, "key"), named(&shape.value, "value"));
                let inner = shape.value.as_ref().and_then(|value| self.model.shape(&value.shape));
                let entries = first.children.iter().filter_map(|entry| {
                    let (key, value) = (entry.child(&key)?, entry.child(&value)?);
                    Some((key.text.clone(), self.value(inner?, false, &[value])))
                });
                Value::Object(entries.collect())
            }
            kind => scalar(kind, &first.text),
        }
    }
}

/// Text that does not have the type which the model gives stays text, so that a case can tell.
fn scalar(kind: Kind, text: &str) -> Value {
    let typed = match kind {
        Kind::Boolean => text.parse().ok().map(Value::Bool),
        Kind::Integer | Kind::Long => text.parse::<i64>().ok().map(Value::from),
        Kind::Double | Kind::Float => text.parse::<f64>().ok().map(Value::from),
        _ => None,
    };
    typed.unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xml(service: &str, operation: &str, status: u16, body: &str) -> Answer {
        let response = Response {
            status,
            body: body.as_bytes().to_vec(),
            ..Response::default()
        };
        decode(service, operation, &response).unwrap()
    }

    #[test]
    fn an_answer_of_ec2_is_read_by_the_model() {
        let body = "<?xml version=\"1.0\"?><DescribeVpcsResponse xmlns=\"x\"><requestId>1</requestId><vpcSet><item>\
                    <vpcId>vpc-1</vpcId><isDefault>false</isDefault><tagSet/></item></vpcSet></DescribeVpcsResponse>";
        let wanted = json!({ "Vpcs": [{ "VpcId": "vpc-1", "IsDefault": false, "Tags": [] }] });
        assert_eq!(xml("ec2", "DescribeVpcs", 200, body), Answer::Done(wanted));
    }

    #[test]
    fn an_answer_of_the_query_protocol_has_a_wrapper() {
        let body = "<GetRoleResponse><GetRoleResult><Role><RoleName>a&amp;b</RoleName><MaxSessionDuration>3600\
                    </MaxSessionDuration></Role></GetRoleResult></GetRoleResponse>";
        let wanted = json!({ "Role": { "RoleName": "a&b", "MaxSessionDuration": 3600 } });
        assert_eq!(xml("iam", "GetRole", 200, body), Answer::Done(wanted));
    }

    #[test]
    fn errors_are_read_in_all_forms() {
        let refused = |code: &str, message: &str, status| {
            Answer::Refused(Refusal {
                code: code.to_owned(),
                message: message.to_owned(),
                status,
            })
        };
        let body = "<Response><Errors><Error><Code>A</Code><Message>b</Message></Error></Errors></Response>";
        assert_eq!(xml("ec2", "DescribeVpcs", 400, body), refused("A", "b", 400));
        let body = "<ErrorResponse><Error><Code>A</Code><Message>b</Message></Error></ErrorResponse>";
        assert_eq!(xml("iam", "GetRole", 404, body), refused("A", "b", 404));
        let body = r#"{"__type":"com.amazonaws.ecs#A","Message":"b"}"#;
        assert_eq!(xml("ecs", "ListServices", 400, body), refused("A", "b", 400));
    }

    #[test]
    fn what_is_not_of_the_protocol_is_told() {
        let broken = |service: &str, operation: &str, status, body: &str| {
            let response = Response {
                status,
                body: body.as_bytes().to_vec(),
                ..Response::default()
            };
            decode(service, operation, &response).unwrap_err()
        };
        assert!(broken("ec2", "DescribeVpcs", 200, "<a><b></a>").contains("not XML"));
        assert!(broken("ec2", "DescribeVpcs", 500, "<html/>").contains("no error"));
        assert!(broken("ecs", "ListServices", 500, "{}").contains("no error code"));
        assert!(broken("ecs", "ListServices", 200, "oops").contains("not JSON"));
    }
}
