//! Answers as XML: the EC2, the Query and the REST protocol.

use quick_xml::escape::escape;
use serde_json::Value;

use super::super::call::Fault;
use super::super::model::{Kind, Member, Model, Operation, Protocol, Shape};
use super::{Asked, not_that};

/// The whole document of an answer.
pub fn answer(
    asked: &Asked<'_>,
    protocol: Protocol,
    operation: &Operation,
    shape: Option<&Shape>,
    answer: &Value,
) -> Result<String, Fault> {
    let mut body = String::new();
    if let Some(shape) = shape {
        let writer = Writer {
            model: asked.model,
            protocol,
        };
        writer.structure(&mut body, shape, answer, "")?;
    }
    let (name, id, namespace) = (asked.operation, asked.id, &asked.model.metadata.xml_namespace);
    Ok(match protocol {
        // EC2 has no wrapper, and its namespace ends with a slash in answers.
        Protocol::Ec2 => format!(
            "{DECLARATION}<{name}Response xmlns=\"{}/\"><requestId>{id}</requestId>{body}</{name}Response>",
            namespace.trim_end_matches('/')
        ),
        Protocol::RestXml => format!("{DECLARATION}<{name}Response xmlns=\"{namespace}\">{body}</{name}Response>"),
        _ => {
            let wrapped = match &operation.result_wrapper {
                Some(wrapper) => format!("<{wrapper}>{body}</{wrapper}>"),
                None => body,
            };
            format!(
                "{DECLARATION}<{name}Response xmlns=\"{namespace}\">{wrapped}<ResponseMetadata><RequestId>{id}\
                 </RequestId></ResponseMetadata></{name}Response>"
            )
        }
    })
}

/// The whole document of an error.
pub fn fault(asked: &Asked<'_>, protocol: Protocol, code: &str, status: u16, message: &str) -> String {
    let (code, message, id) = (text(code), text(message), asked.id);
    match protocol {
        Protocol::Ec2 => format!(
            "{DECLARATION}<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
             <RequestID>{id}</RequestID></Response>"
        ),
        _ => {
            let side = if status < 500 { "Sender" } else { "Receiver" };
            format!(
                "{DECLARATION}<ErrorResponse xmlns=\"{}\"><Error><Type>{side}</Type><Code>{code}</Code><Message>\
                 {message}</Message></Error><RequestId>{id}</RequestId></ErrorResponse>",
                asked.model.metadata.xml_namespace
            )
        }
    }
}

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// Escaped, and without the control characters that XML 1.0 cannot carry in any form.
fn text(raw: &str) -> String {
    let allowed = |c: &char| !matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}');
    // A parser turns a bare carriage return into a line feed.
    escape(raw.chars().filter(allowed).collect::<String>()).replace('\r', "&#13;")
}

struct Writer<'a> {
    model: &'a Model,
    protocol: Protocol,
}

impl Writer<'_> {
    fn structure(&self, out: &mut String, shape: &Shape, given: &Value, path: &str) -> Result<(), Fault> {
        let members = match given {
            Value::Object(members) => members,
            other => return Err(not_that(path, Kind::Structure, other)),
        };
        for (name, member) in &shape.members {
            if let Some(given) = members
                .get(name)
                .filter(|given| !given.is_null() && member.location.is_none())
            {
                self.element(out, member.wire(name), member, given, &format!("{path}.{name}"))?;
            }
        }
        Ok(())
    }

    fn element(&self, out: &mut String, wire: &str, member: &Member, given: &Value, path: &str) -> Result<(), Fault> {
        let Some(shape) = self.model.shape(&member.shape) else {
            return Ok(());
        };
        if let (Kind::List, Some(item), Value::Array(items)) = (shape.kind, &shape.member, given) {
            let flat = shape.flattened || member.flattened;
            let default = if self.protocol == Protocol::Ec2 {
                "item"
            } else {
                "member"
            };
            let name = item
                .location_name
                .as_deref()
                .unwrap_or(if flat { wire } else { default });
            if !flat {
                out.push_str(&format!("<{wire}>"));
            }
            for given in items {
                self.element(out, name, item, given, path)?;
            }
            if !flat {
                out.push_str(&format!("</{wire}>"));
            }
            return Ok(());
        }
        out.push_str(&format!("<{wire}>"));
        match (shape.kind, given) {
            (Kind::Structure, given) => self.structure(out, shape, given, path)?,
            (Kind::Map, Value::Object(entries)) => {
                for (key, given) in entries {
                    if let Some(value) = &shape.value {
                        out.push_str(&format!("<entry><key>{}</key>", text(key)));
                        self.element(out, "value", value, given, path)?;
                        out.push_str("</entry>");
                    }
                }
            }
            (Kind::Timestamp, Value::Number(seconds)) => {
                let millis = (seconds.as_f64().unwrap_or_default() * 1000.0).round() as i64;
                let time = jiff::Timestamp::from_millisecond(millis).map_err(|_| not_that(path, shape.kind, given))?;
                out.push_str(&format!("{time:.3}"));
            }
            (Kind::String | Kind::Blob, Value::String(given)) => out.push_str(&text(given)),
            (Kind::Boolean, Value::Bool(given)) => out.push_str(if *given { "true" } else { "false" }),
            (Kind::Integer | Kind::Long, Value::Number(given)) if given.as_i64().is_some() => {
                out.push_str(&given.to_string());
            }
            (Kind::Double | Kind::Float, Value::Number(given)) => out.push_str(&given.to_string()),
            (kind, given) => return Err(not_that(path, kind, given)),
        }
        out.push_str(&format!("</{wire}>"));
        Ok(())
    }
}
