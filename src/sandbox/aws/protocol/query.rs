//! Parsing forms: the EC2 and the Query protocol. `Filter.1.Value.2=x` is a path in a tree, and the model says what the
//! tree means.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::call::Fault;
use super::super::model::{Kind, Member, Model, Protocol, Shape};

/// More parts than any model's path has.
const DEEPEST: usize = 40;

#[derive(Default)]
struct Node {
    text: Option<String>,
    children: BTreeMap<String, Node>,
}

pub fn parse(model: &Model, shape: &Shape, protocol: Protocol, body: &[u8]) -> Result<Map<String, Value>, Fault> {
    let mut root = Node::default();
    for (path, text) in form_urlencoded::parse(body) {
        if path == "Action" || path == "Version" {
            continue;
        }
        if path.split('.').count() > DEEPEST {
            return Err(Fault::new(
                "MalformedQueryString",
                "The query string contains a parameter nested too deeply.",
            ));
        }
        let mut node = &mut root;
        for part in path.split('.') {
            node = node.children.entry(part.to_owned()).or_default();
        }
        node.text = Some(text.into_owned());
    }
    let reader = Reader { model, protocol };
    reader.structure(shape, root, "")
}

struct Reader<'a> {
    model: &'a Model,
    protocol: Protocol,
}

impl Reader<'_> {
    fn value(&self, member: &Member, node: Node, path: &str) -> Result<Value, Fault> {
        let Some(shape) = self.model.shape(&member.shape) else {
            return Err(self.unknown(path));
        };
        match shape.kind {
            Kind::Structure => self.structure(shape, node, path).map(Value::Object),
            Kind::List => self.list(member, shape, node, path),
            Kind::Map => self.map(shape, node, path),
            kind => match node.text {
                Some(text) if node.children.is_empty() => self.scalar(kind, text, path),
                _ => Err(self.unknown(path)),
            },
        }
    }

    fn structure(&self, shape: &Shape, mut node: Node, path: &str) -> Result<Map<String, Value>, Fault> {
        let mut found = Map::new();
        for (name, member) in &shape.members {
            let wire = self.wire(name, member);
            if let Some(child) = node.children.remove(&wire) {
                found.insert(name.clone(), self.value(member, child, &join(path, &wire))?);
            }
        }
        // AWS EC2 refuses what it does not know; so does the sandbox for every service that is called with a form.
        match node.children.into_keys().next() {
            Some(unknown) => Err(self.unknown(&join(path, &unknown))),
            None => Ok(found),
        }
    }

    fn list(&self, list: &Member, shape: &Shape, mut node: Node, path: &str) -> Result<Value, Fault> {
        let Some(member) = &shape.member else {
            return Err(self.unknown(path));
        };
        let flat = self.protocol == Protocol::Ec2 || shape.flattened || list.flattened;
        let wrapper = member.location_name.as_deref().unwrap_or("member");
        if !flat && !node.children.is_empty() {
            // botocore and the SDKs name the wrapper as the model does; `member` is what others send.
            let inner = node.children.remove(wrapper).or_else(|| node.children.remove("member"));
            if let Some(unknown) = node.children.into_keys().next() {
                return Err(self.unknown(&join(path, &unknown)));
            }
            node = inner.unwrap_or_default();
        }
        let mut items = Vec::new();
        for (key, child) in node.children {
            let number: u32 = key.parse().map_err(|_| self.unknown(&join(path, &key)))?;
            items.push((number, child));
        }
        items.sort_by_key(|(number, _)| *number);
        items
            .into_iter()
            .map(|(number, child)| self.value(member, child, &join(path, &number.to_string())))
            .collect::<Result<_, _>>()
            .map(Value::Array)
    }

    fn map(&self, shape: &Shape, mut node: Node, path: &str) -> Result<Value, Fault> {
        let entries = node.children.remove("entry").unwrap_or_default();
        let mut found = Map::new();
        for (number, mut entry) in entries.children {
            let path = join(path, &number);
            let key = entry.children.remove("key").and_then(|key| key.text);
            let (Some(key), Some(value), Some(member)) = (key, entry.children.remove("value"), &shape.value) else {
                return Err(self.unknown(&path));
            };
            found.insert(key, self.value(member, value, &path)?);
        }
        Ok(Value::Object(found))
    }

    fn scalar(&self, kind: Kind, text: String, path: &str) -> Result<Value, Fault> {
        let parsed = match kind {
            Kind::Boolean => text.to_ascii_lowercase().parse().ok().map(Value::Bool),
            Kind::Integer => text.parse::<i32>().ok().map(Value::from),
            Kind::Long => text.parse::<i64>().ok().map(Value::from),
            Kind::Double | Kind::Float => text
                .parse()
                .ok()
                .and_then(serde_json::Number::from_f64)
                .map(Value::Number),
            Kind::Timestamp => text
                .parse::<jiff::Timestamp>()
                .ok()
                .and_then(|time| serde_json::Number::from_f64(time.as_millisecond() as f64 / 1000.0))
                .map(Value::Number),
            _ => Some(Value::String(text.clone())),
        };
        parsed.ok_or_else(|| match self.protocol {
            Protocol::Ec2 => Fault::new(
                "InvalidParameterValue",
                format!("Invalid value '{text}' for {path}: must be of the type {kind:?}"),
            ),
            _ => Fault::new(
                "MalformedInput",
                format!("{path} must be of the type {kind:?}, and '{text}' is not"),
            ),
        })
    }

    /// What a member is called in a request.
    fn wire(&self, name: &str, member: &Member) -> String {
        match self.protocol {
            Protocol::Ec2 => member.query_name.clone().unwrap_or_else(|| {
                let name = member.location_name.as_deref().unwrap_or(name);
                let mut letters = name.chars();
                letters
                    .next()
                    .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
                    .unwrap_or_default()
            }),
            _ => member.location_name.clone().unwrap_or_else(|| name.to_owned()),
        }
    }

    fn unknown(&self, path: &str) -> Fault {
        let code = if self.protocol == Protocol::Ec2 {
            "UnknownParameter"
        } else {
            "MalformedInput"
        };
        Fault::new(code, format!("The parameter {path} is not recognized"))
    }
}

fn join(path: &str, part: &str) -> String {
    if path.is_empty() {
        part.to_owned()
    } else {
        format!("{path}.{part}")
    }
}
