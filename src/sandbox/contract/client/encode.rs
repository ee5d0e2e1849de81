//! From the members of an input shape to a request.

use serde_json::{Map, Value};

use super::{Wire, rest};
use crate::sandbox::aws::model::{self, Kind, Member, Model, Protocol, Shape};

/// Tokens that a client must make, as every SDK does. "If you don't use the SDK and instead generate a raw HTTP request to
/// the Secrets Manager service endpoint, then you must generate a ClientRequestToken", Secrets Manager API reference.
const TOKENS: [(&str, &str, &str); 3] = [
    ("secretsmanager", "CreateSecret", "ClientRequestToken"),
    ("secretsmanager", "PutSecretValue", "ClientRequestToken"),
    ("secretsmanager", "UpdateSecret", "ClientRequestToken"),
];

/// The request for an operation. A value that has not the model's type is sent as it is, as far as the protocol can.
///
/// # Errors
/// Service, operation or a member is not in the models.
pub fn encode(service: &str, operation: &str, input: &Value) -> Result<(&'static str, Wire), String> {
    let (service, model) = model::of(service).ok_or_else(|| format!("there is no model of {service}"))?;
    let known = model
        .operations
        .get(operation)
        .ok_or_else(|| format!("{service} has no operation {operation} in its model"))?;
    let shape = known.input.as_deref().and_then(|name| model.shape(name));
    let mut members = match input {
        Value::Object(members) => members.clone(),
        Value::Null => Map::new(),
        _ => return Err("the input is not a structure".to_owned()),
    };
    if let Some((.., token)) = TOKENS.iter().find(|(of, name, _)| *of == service && *name == operation) {
        let token = members.entry(*token);
        token.or_insert_with(|| Value::from(uuid::Uuid::new_v4().to_string()));
    }
    let members = &members;
    let wire = match model.metadata.protocol {
        Protocol::Json => {
            let body = match shape {
                Some(shape) => json(model, shape, members)?,
                None => Value::Object(Map::new()),
            };
            Wire {
                method: "POST".to_owned(),
                path: "/".to_owned(),
                headers: vec![
                    ("content-type", "application/x-amz-json-1.1".to_owned()),
                    ("x-amz-target", format!("{}.{operation}", model.metadata.target_prefix)),
                ],
                body: body.to_string().into_bytes(),
            }
        }
        Protocol::RestXml => rest::encode(model, known, shape, members)?,
        protocol => {
            let mut form = Form {
                model,
                protocol,
                pairs: form_urlencoded::Serializer::new(String::new()),
            };
            form.pairs.append_pair("Action", operation);
            form.pairs.append_pair("Version", &model.metadata.api_version);
            if let Some(shape) = shape {
                form.structure("", shape, members)?;
            }
            Wire {
                method: "POST".to_owned(),
                path: "/".to_owned(),
                headers: vec![(
                    "content-type",
                    "application/x-www-form-urlencoded; charset=utf-8".to_owned(),
                )],
                body: form.pairs.finish().into_bytes(),
            }
        }
    };
    Ok((service, wire))
}

pub(super) fn unknown(name: &str) -> String {
    format!("the model has no member {name} there")
}

fn json(model: &Model, shape: &Shape, members: &Map<String, Value>) -> Result<Value, String> {
    let mut sent = Map::new();
    for (name, value) in members {
        let member = shape.members.get(name).ok_or_else(|| unknown(name))?;
        let wire = member.location_name.as_ref().unwrap_or(name);
        sent.insert(wire.clone(), json_value(model, member, value)?);
    }
    Ok(Value::Object(sent))
}

fn json_value(model: &Model, member: &Member, value: &Value) -> Result<Value, String> {
    let Some(shape) = model.shape(&member.shape) else {
        return Ok(value.clone());
    };
    match (shape.kind, value) {
        (Kind::Structure, Value::Object(members)) => json(model, shape, members),
        (Kind::List, Value::Array(items)) => match &shape.member {
            Some(member) => items.iter().map(|item| json_value(model, member, item)).collect(),
            None => Ok(value.clone()),
        },
        _ => Ok(value.clone()),
    }
}

/// A form in the making.
struct Form<'a> {
    model: &'a Model,
    protocol: Protocol,
    pairs: form_urlencoded::Serializer<'static, String>,
}

impl Form<'_> {
    fn structure(&mut self, path: &str, shape: &Shape, members: &Map<String, Value>) -> Result<(), String> {
        for (name, value) in members {
            let member = shape.members.get(name).ok_or_else(|| unknown(name))?;
            let path = join(path, &self.name(name, member));
            self.value(&path, member, value)?;
        }
        Ok(())
    }

    /// EC2's requests have names of their own: the query name, else the location name with a capital letter.
    fn name(&self, name: &str, member: &Member) -> String {
        let given = member.location_name.as_deref();
        if self.protocol != Protocol::Ec2 {
            return given.unwrap_or(name).to_owned();
        }
        match (&member.query_name, given) {
            (Some(query), _) => query.clone(),
            (None, Some(location)) => {
                let (first, rest) = location.split_at(location.chars().next().map_or(0, char::len_utf8));
                first.to_uppercase() + rest
            }
            (None, None) => name.to_owned(),
        }
    }

    fn value(&mut self, path: &str, member: &Member, value: &Value) -> Result<(), String> {
        let shape = self.model.shape(&member.shape);
        match (shape, value) {
            (Some(shape), Value::Object(members)) if shape.kind == Kind::Structure => {
                self.structure(path, shape, members)
            }
            (Some(shape), Value::Object(entries)) if shape.kind == Kind::Map => {
                let flat = shape.flattened || member.flattened;
                let named = |part: &Option<Member>, default: &str| {
                    let name = part.as_ref().and_then(|part| part.location_name.clone());
                    name.unwrap_or_else(|| default.to_owned())
                };
                for (number, (key, value)) in (1..).zip(entries) {
                    let path = if flat {
                        format!("{path}.{number}")
                    } else {
                        format!("{path}.entry.{number}")
                    };
                    self.pairs.append_pair(&join(&path, &named(&shape.key, "key")), key);
                    if let Some(member) = &shape.value {
                        self.value(&join(&path, &named(&shape.value, "value")), member, value)?;
                    }
                }
                Ok(())
            }
            (Some(shape), Value::Array(items)) => {
                // A list that is there and empty is told from one that is not there, except by EC2.
                if items.is_empty() && self.protocol != Protocol::Ec2 {
                    self.pairs.append_pair(path, "");
                }
                let Some(inner) = &shape.member else {
                    return Err(format!("{path} is not a list in the model"));
                };
                let flat = self.protocol == Protocol::Ec2 || shape.flattened || member.flattened;
                let wrapper = inner.location_name.as_deref().unwrap_or("member");
                for (number, item) in (1..).zip(items) {
                    let path = if flat {
                        format!("{path}.{number}")
                    } else {
                        format!("{path}.{wrapper}.{number}")
                    };
                    self.value(&path, inner, item)?;
                }
                Ok(())
            }
            (_, Value::String(text)) => {
                self.pairs.append_pair(path, text);
                Ok(())
            }
            (_, Value::Bool(_) | Value::Number(_)) => {
                self.pairs.append_pair(path, &value.to_string());
                Ok(())
            }
            _ => Err(format!("{path} cannot be sent as {value}")),
        }
    }
}

fn join(path: &str, part: &str) -> String {
    match path {
        "" => part.to_owned(),
        path => format!("{path}.{part}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form(service: &str, operation: &str, input: Value) -> String {
        let (_, wire) = encode(service, operation, &input).unwrap();
        let pairs = form_urlencoded::parse(&wire.body).skip(2);
        let pairs: Vec<_> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("&")
    }

    #[test]
    fn ec2_has_names_of_its_own_and_no_wrappers() {
        let tags = json!([{ "ResourceType": "vpc", "Tags": [{ "Key": "a", "Value": "1" }] }]);
        assert_eq!(
            form(
                "ec2",
                "CreateVpc",
                json!({ "CidrBlock": "10.0.0.0/16", "TagSpecifications": tags })
            ),
            "CidrBlock=10.0.0.0/16&TagSpecification.1.ResourceType=vpc&TagSpecification.1.Tag.1.Key=a&\
             TagSpecification.1.Tag.1.Value=1"
        );
    }

    #[test]
    fn query_lists_have_a_wrapper_and_can_be_empty() {
        assert_eq!(
            form(
                "elasticloadbalancing",
                "DescribeLoadBalancers",
                json!({ "Names": ["a", "b"] })
            ),
            "Names.member.1=a&Names.member.2=b"
        );
        assert_eq!(
            form("elasticache", "CreateCacheSubnetGroup", json!({ "SubnetIds": ["s"] })),
            "SubnetIds.SubnetIdentifier.1=s"
        );
        assert_eq!(
            form("elasticloadbalancing", "DescribeLoadBalancers", json!({ "Names": [] })),
            "Names="
        );
    }

    #[test]
    fn values_of_a_wrong_type_are_sent_and_unknown_members_are_not() {
        assert_eq!(
            form("ec2", "DescribeVpcs", json!({ "MaxResults": "many" })),
            "MaxResults=many"
        );
        assert!(encode("ec2", "DescribeVpcs", &json!({ "Nonsense": 1 })).is_err());
        let (_, wire) = encode("ecs", "ListServices", &json!({ "maxResults": "many" })).unwrap();
        assert_eq!(wire.body, br#"{"maxResults":"many"}"#);
    }
}
