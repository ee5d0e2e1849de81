//! Parsing REST requests: method and path name the operation, path and query string carry some members, an XML document
//! the others.
//!
//! Source: Smithy 2.0, "AWS restXml protocol" and "HTTP bindings". A document that breaks the schema is refused as Route
//! 53 does it, with `InvalidInput` and a validator's words (aws/aws-cli issue 152, flexera-public/right_aws_api issue 30).

use std::borrow::Cow;

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use serde_json::{Map, Value};

use super::super::Request;
use super::super::call::Fault;
use super::super::model::{Kind, Location, Member, Model, Operation, Shape};

/// More elements in each other than any model has.
const DEEPEST: usize = 40;
/// How much of an unknown path is repeated in a message.
const LONGEST_TOLD: usize = 200;

/// The operation that method and path name; where there is none, method and path, for the message.
pub fn operation(model: &Model, request: Request<'_>) -> String {
    let (path, _) = parts(request.uri);
    let found = model.operations.iter().filter_map(|(name, operation)| {
        let http = operation.http.as_ref().filter(|http| http.method == request.method)?;
        Some((labels(&http.request_uri, path)?.len(), name))
    });
    // Of several the one with fewer labels says more about the path.
    match found.min() {
        Some((_, name)) => name.clone(),
        None => format!("{} {path}", request.method)
            .chars()
            .take(LONGEST_TOLD)
            .collect(),
    }
}

/// Path and query of an address, with or without its host.
fn parts(uri: &str) -> (&str, &str) {
    let path = match uri.split_once("://") {
        Some((_, rest)) if !uri.starts_with('/') => rest.find('/').map_or("/", |start| &rest[start..]),
        _ => uri,
    };
    path.split_once('?').unwrap_or((path, ""))
}

/// The values of the template's labels in the path; `None` when the path is not of that form. A slash at the end does
/// not count: of Route 53's templates some have one and some have none.
fn labels<'t>(template: &'t str, path: &str) -> Option<Vec<(&'t str, String)>> {
    let mut wanted = template.trim_matches('/').split('/');
    let mut given = path.trim_matches('/').split('/');
    let mut found = Vec::new();
    loop {
        let (wanted, given) = match (wanted.next(), given.next()) {
            (None, None) => return Some(found),
            (wanted, given) => (wanted?, given?),
        };
        match wanted.strip_prefix('{').and_then(|label| label.strip_suffix('}')) {
            Some(label) if !given.is_empty() => found.push((label, decoded(given))),
            None if wanted == given => {}
            _ => return None,
        }
    }
}

/// Without percent signs. A plus sign is one: this is a path, not a form.
fn decoded(text: &str) -> String {
    let quoted = text.replace('+', "%2B");
    let pair = format!("={quoted}");
    let value = form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value);
    value.map(Cow::into_owned).unwrap_or_default()
}

/// Reads a request's members.
pub fn parse(
    model: &Model,
    operation: &Operation,
    shape: &Shape,
    request: Request<'_>,
) -> Result<Map<String, Value>, Fault> {
    let reader = Reader { model };
    let (path, query) = parts(request.uri);
    let labels = operation
        .http
        .as_ref()
        .and_then(|http| labels(&http.request_uri, path))
        .unwrap_or_default();
    let mut found = Map::new();
    for (label, text) in labels {
        if let Some((name, member)) = bound(shape, Location::Uri, label) {
            found.insert(name.clone(), reader.text(member, &text)?);
        }
    }
    for (key, text) in form_urlencoded::parse(query.as_bytes()) {
        let Some((name, member)) = bound(shape, Location::Querystring, &key) else {
            return Err(invalid(format!("The parameter {key} is not recognized")));
        };
        found.insert(name.clone(), reader.text(member, &text)?);
    }
    if !operation.input_name.is_empty() {
        let document = document(model, &operation.input_name, request.body)?;
        found.extend(reader.structure(shape, document)?);
    } else if !request.body.is_empty() {
        return Err(malformed("a document was sent where none is expected"));
    }
    Ok(found)
}

/// The member that this part of the address carries.
fn bound<'a>(shape: &'a Shape, location: Location, wire: &str) -> Option<(&'a String, &'a Member)> {
    shape
        .members
        .iter()
        .find(|(name, member)| member.location == Some(location) && member.wire(name) == wire)
}

/// The members of an answer that travel in headers.
pub fn headers(shape: Option<&Shape>, answer: &Value) -> Vec<(&'static str, String)> {
    let members = shape.into_iter().flat_map(|shape| &shape.members);
    members
        .filter(|(_, member)| member.location == Some(Location::Header))
        .filter_map(|(name, member)| {
            let value = answer.get(name)?.as_str()?.to_owned();
            // The only one that the services here answer.
            member
                .wire(name)
                .eq_ignore_ascii_case("location")
                .then_some(("location", value))
        })
        .collect()
}

#[derive(Default)]
struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

/// The root element of a body, which must have this name and the service's namespace.
fn document(model: &Model, name: &str, body: &[u8]) -> Result<Element, Fault> {
    let text = std::str::from_utf8(body).map_err(|_| malformed("the document is not UTF-8"))?;
    let mut reader = quick_xml::Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        let (start, empty) = match reader.read_event().map_err(malformed)? {
            Event::Start(start) => (start, false),
            Event::Empty(start) => (start, true),
            Event::End(_) => {
                let done = open
                    .pop()
                    .ok_or_else(|| malformed("an element ends that never began"))?;
                match open.last_mut() {
                    Some(parent) => parent.children.push(done),
                    None => root = Some(done),
                }
                continue;
            }
            Event::Text(text) => {
                add(&mut open, &text.xml10_content())?;
                continue;
            }
            Event::CData(text) => {
                add(&mut open, &text.xml10_content())?;
                continue;
            }
            Event::GeneralRef(reference) => {
                match reference.resolve_char_ref().map_err(malformed)? {
                    Some(letter) => add(&mut open, letter.encode_utf8(&mut [0; 4]))?,
                    // No entities of one's own: that is what a bomb of entities is made of.
                    None => match resolve_predefined_entity(&reference) {
                        Some(text) => add(&mut open, text)?,
                        None => return Err(malformed("an entity that XML does not define")),
                    },
                }
                continue;
            }
            Event::DocType(_) => return Err(malformed("a document type is not allowed")),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => continue,
            Event::Eof => break,
        };
        if open.len() >= DEEPEST {
            return Err(malformed("elements are nested too deeply"));
        }
        let element = start.local_name().as_ref().to_owned();
        if open.is_empty() {
            if root.is_some() {
                return Err(malformed("a document has one root element"));
            }
            let namespace = start.attributes().flatten().any(|attribute| {
                attribute.key.as_ref().starts_with("xmlns") && attribute.value == model.metadata.xml_namespace.as_str()
            });
            if element != name {
                // aws/aws-cli issue 152.
                return Err(malformed(format!("{element} is not valid, expected {name}")));
            }
            if !namespace {
                return Err(invalid(format!(
                    "Invalid XML ; cvc-elt.1: Cannot find the declaration of element '{element}'."
                )));
            }
        }
        let element = Element {
            name: element,
            ..Element::default()
        };
        match (empty, open.last_mut()) {
            (true, Some(parent)) => parent.children.push(element),
            (true, None) => root = Some(element),
            (false, _) => open.push(element),
        }
    }
    match (root, open.is_empty()) {
        (Some(root), true) => Ok(root),
        _ => Err(malformed("the document is not complete")),
    }
}

/// Text belongs to the element that is open. Outside of the root there can only be space.
fn add(open: &mut [Element], text: &str) -> Result<(), Fault> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(malformed("text outside of the root element")),
    }
    Ok(())
}

struct Reader<'a> {
    model: &'a Model,
}

impl Reader<'_> {
    /// The members that the document carries.
    fn structure(&self, shape: &Shape, element: Element) -> Result<Map<String, Value>, Fault> {
        let mut found = Map::new();
        for child in element.children {
            let member = shape
                .members
                .iter()
                .find(|(name, member)| member.location.is_none() && member.wire(name) == child.name);
            let Some((name, member)) = member else {
                return Err(unexpected(&child.name));
            };
            let flat = self
                .model
                .shape(&member.shape)
                .filter(|list| list.flattened || member.flattened);
            match flat.and_then(|list| list.member.as_ref()) {
                Some(item) => {
                    let value = self.value(item, child)?;
                    let list = found.entry(name.clone()).or_insert_with(|| Value::Array(Vec::new()));
                    if let Value::Array(items) = list {
                        items.push(value);
                    }
                }
                None => {
                    let element = child.name.clone();
                    if found.insert(name.clone(), self.value(member, child)?).is_some() {
                        return Err(unexpected(&element));
                    }
                }
            }
        }
        Ok(found)
    }

    fn value(&self, member: &Member, element: Element) -> Result<Value, Fault> {
        let Some(shape) = self.model.shape(&member.shape) else {
            return Err(unexpected(&element.name));
        };
        match (shape.kind, &shape.member) {
            (Kind::Structure, _) => self.structure(shape, element).map(Value::Object),
            (Kind::List, Some(item)) => {
                let wanted = item.wire("member");
                let mut items = Vec::new();
                for child in element.children {
                    if child.name != wanted {
                        return Err(unexpected(&child.name));
                    }
                    items.push(self.value(item, child)?);
                }
                Ok(Value::Array(items))
            }
            _ => match element.children.first() {
                Some(child) => Err(unexpected(&child.name)),
                None => self.text(member, &element.text),
            },
        }
    }

    /// A value that is text on the wire.
    fn text(&self, member: &Member, text: &str) -> Result<Value, Fault> {
        let kind = self.model.shape(&member.shape).map_or(Kind::String, |shape| shape.kind);
        let trimmed = text.trim();
        let (parsed, wanted) = match kind {
            Kind::Boolean => (
                match trimmed {
                    "true" | "1" => Some(Value::Bool(true)),
                    "false" | "0" => Some(Value::Bool(false)),
                    _ => None,
                },
                "boolean",
            ),
            Kind::Integer => (trimmed.parse::<i32>().ok().map(Value::from), "integer"),
            Kind::Long => (trimmed.parse::<i64>().ok().map(Value::from), "long"),
            Kind::Double | Kind::Float => (
                trimmed
                    .parse()
                    .ok()
                    .and_then(serde_json::Number::from_f64)
                    .map(Value::Number),
                "double",
            ),
            Kind::Timestamp => (
                trimmed
                    .parse::<jiff::Timestamp>()
                    .ok()
                    .and_then(|time| serde_json::Number::from_f64(time.as_millisecond() as f64 / 1000.0))
                    .map(Value::Number),
                "dateTime",
            ),
            _ => (Some(Value::String(text.to_owned())), "string"),
        };
        parsed.ok_or_else(|| {
            invalid(format!(
                "Invalid XML ; cvc-datatype-valid.1.2.1: '{trimmed}' is not a valid value for '{wanted}'."
            ))
        })
    }
}

fn unexpected(element: &str) -> Fault {
    invalid(format!(
        "Invalid XML ; cvc-complex-type.2.4.a: Invalid content was found starting with element '{element}'."
    ))
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidInput", message)
}

fn malformed(message: impl ToString) -> Fault {
    Fault::new("MalformedInput", message.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(template: &str, path: &str) -> Option<Vec<String>> {
        Some(labels(template, path)?.into_iter().map(|(_, value)| value).collect())
    }

    #[test]
    fn a_path_is_read_by_its_template() {
        let zone = "/2013-04-01/hostedzone/{Id}";
        assert_eq!(values(zone, "/2013-04-01/hostedzone/Z1"), Some(vec!["Z1".to_owned()]));
        assert_eq!(
            values(zone, "/2013-04-01/hostedzone/Z%2B+1/"),
            Some(vec!["Z++1".to_owned()])
        );
        assert_eq!(values(zone, "/2013-04-01/hostedzone/"), None);
        assert_eq!(values(zone, "/2013-04-01/hostedzone//"), None);
        assert_eq!(values(zone, "/2013-04-01/hostedzone/Z1/rrset"), None);
        assert_eq!(values(zone, "/2012-12-12/hostedzone/Z1"), None);
    }

    #[test]
    fn an_address_is_path_and_query_with_or_without_its_host() {
        assert_eq!(parts("https://route53.amazonaws.com/a/b?c=d"), ("/a/b", "c=d"));
        assert_eq!(parts("https://route53.amazonaws.com"), ("/", ""));
        assert_eq!(parts("/a?next=http://x/y"), ("/a", "next=http://x/y"));
    }
}
