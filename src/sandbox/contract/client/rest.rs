//! Requests of the restXml protocol: members in the path, in the query string, and in an XML document.
//!
//! Source: Smithy 2.0, "AWS restXml protocol", "HTTP bindings".

use quick_xml::escape::escape;
use serde_json::{Map, Value};

use super::Wire;
use super::encode::unknown;
use crate::sandbox::aws::model::{Kind, Location, Member, Model, Operation, Shape};

pub fn encode(
    model: &Model,
    operation: &Operation,
    shape: Option<&Shape>,
    members: &Map<String, Value>,
) -> Result<Wire, String> {
    let http = operation.http.as_ref().ok_or("the model has no path for it")?;
    let mut path = http.request_uri.clone();
    let mut query = form_urlencoded::Serializer::new(String::new());
    let (mut queried, mut document) = (false, String::new());
    for name in members.keys() {
        if shape.is_none_or(|shape| !shape.members.contains_key(name)) {
            return Err(unknown(name));
        }
    }
    for (name, member) in shape.into_iter().flat_map(|shape| &shape.members) {
        let wire = member.location_name.as_deref().unwrap_or(name);
        let Some(value) = members.get(name) else {
            continue;
        };
        match member.location {
            Some(Location::Uri) => path = path.replace(&format!("{{{wire}}}"), &percent(&plain(value))),
            Some(Location::Querystring) => {
                query.append_pair(wire, &plain(value));
                queried = true;
            }
            Some(Location::Header) => return Err(format!("{name} is a header, which is not sent")),
            None => element(&mut document, model, wire, member, value)?,
        }
    }
    // A label without a value: the path is sent with the label's name, as a client does that checks nothing.
    let mut path = path.replace(['{', '}'], "");
    if queried {
        path = format!("{path}?{}", query.finish());
    }
    let body = match operation.input_name.as_str() {
        "" => String::new(),
        root => format!("<{root} xmlns=\"{}\">{document}</{root}>", model.metadata.xml_namespace),
    };
    Ok(Wire {
        method: http.method.clone(),
        path,
        headers: match body.is_empty() {
            true => Vec::new(),
            false => vec![("content-type", "text/xml".to_owned())],
        },
        body: body.into_bytes(),
    })
}

fn structure(out: &mut String, model: &Model, shape: &Shape, members: &Map<String, Value>) -> Result<(), String> {
    for name in members.keys() {
        if !shape.members.contains_key(name) {
            return Err(unknown(name));
        }
    }
    for (name, member) in &shape.members {
        if let Some(value) = members.get(name) {
            let wire = member.location_name.as_deref().unwrap_or(name);
            element(out, model, wire, member, value)?;
        }
    }
    Ok(())
}

fn element(out: &mut String, model: &Model, wire: &str, member: &Member, value: &Value) -> Result<(), String> {
    let shape = model.shape(&member.shape);
    if let (Some(shape), Value::Array(items)) = (shape, value) {
        let Some(inner) = &shape.member else {
            return Err(format!("{wire} is not a list in the model"));
        };
        let flat = shape.flattened || member.flattened;
        let item_name = inner
            .location_name
            .as_deref()
            .unwrap_or(if flat { wire } else { "member" });
        if !flat {
            out.push_str(&format!("<{wire}>"));
        }
        for item in items {
            element(out, model, item_name, inner, item)?;
        }
        if !flat {
            out.push_str(&format!("</{wire}>"));
        }
        return Ok(());
    }
    out.push_str(&format!("<{wire}>"));
    match (shape, value) {
        (Some(shape), Value::Object(members)) if shape.kind == Kind::Structure => {
            structure(out, model, shape, members)?;
        }
        (_, Value::Object(_)) => return Err(format!("{wire} cannot be sent as {value}")),
        _ => out.push_str(&escape(plain(value).as_str())),
    }
    out.push_str(&format!("</{wire}>"));
    Ok(())
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A label's value: everything but unreserved characters with percent signs.
fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::encode;

    #[test]
    fn members_stand_in_path_query_and_document() {
        let change = json!({ "Action": "UPSERT", "ResourceRecordSet": { "Name": "a.example.", "Type": "TXT", "TTL": 60,
            "ResourceRecords": [{ "Value": "\"a & b\"" }] } });
        let input = json!({ "HostedZoneId": "Z1/2", "ChangeBatch": { "Changes": [change] } });
        let (_, wire) = encode("route53", "ChangeResourceRecordSets", &input).unwrap();
        assert_eq!(
            (wire.method.as_str(), wire.path.as_str()),
            ("POST", "/2013-04-01/hostedzone/Z1%2F2/rrset/")
        );
        assert_eq!(
            String::from_utf8(wire.body).unwrap(),
            "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch>\
             <Changes><Change><Action>UPSERT</Action><ResourceRecordSet><Name>a.example.</Name><Type>TXT</Type>\
             <TTL>60</TTL><ResourceRecords><ResourceRecord><Value>&quot;a &amp; b&quot;</Value></ResourceRecord>\
             </ResourceRecords></ResourceRecordSet></Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"
        );
        let (_, wire) = encode(
            "route53",
            "ListResourceRecordSets",
            &json!({ "HostedZoneId": "Z1", "MaxItems": "1" }),
        )
        .unwrap();
        assert_eq!(wire.path, "/2013-04-01/hostedzone/Z1/rrset?maxitems=1");
        assert!(wire.body.is_empty());
    }
}
