//! The wire protocols: from a request to a call's input, and from an answer or a fault to a response.
//!
//! Source: Smithy 2.0, "AWS EC2 query protocol", "AWS query protocol", "AWS JSON 1.1 protocol", "AWS
//! restXml protocol".

mod json;
mod query;
pub mod rest;
mod validate;
mod xml;

use serde_json::{Map, Value};

use super::Request;
use super::call::Fault;
use super::model::{Kind, Model, Operation, Protocol};

/// A response before it becomes HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// What a request asks for: a service's model, and the operation by name. The operation need not be in the model.
pub struct Asked<'a> {
    pub service: &'static str,
    pub model: &'static Model,
    pub operation: &'a str,
    pub id: &'a str,
}

impl Asked<'_> {
    fn known(&self) -> Option<&'static Operation> {
        self.model.operations.get(self.operation)
    }

    /// Parses and checks the parameters.
    pub fn input(&self, operation: &Operation, request: Request<'_>) -> Result<Map<String, Value>, Fault> {
        let Some(shape) = operation.input.as_deref().and_then(|name| self.model.shape(name)) else {
            return Ok(Map::new());
        };
        let input = match self.model.metadata.protocol {
            Protocol::Json => json::parse(self.model, shape, request.body)?,
            Protocol::RestXml => rest::parse(self.model, operation, shape, request)?,
            protocol => query::parse(self.model, shape, protocol, request.body)?,
        };
        validate::check(self.service, self.model, shape, &input)?;
        Ok(input)
    }

    /// The response of a call that worked.
    pub fn answer(&self, operation: &Operation, answer: &Value) -> Result<Reply, Fault> {
        let shape = operation.output.as_deref().and_then(|name| self.model.shape(name));
        match self.model.metadata.protocol {
            Protocol::Json => Ok(self.json(200, json::answer(self.model, shape, answer)?)),
            protocol => {
                let body = xml::answer(self, protocol, operation, shape, answer)?;
                let http = operation.http.as_ref();
                let mut reply = self.xml(http.and_then(|http| http.response_code).unwrap_or(200), body);
                reply.headers.extend(rest::headers(shape, answer));
                Ok(reply)
            }
        }
    }

    /// The response of a call that failed. The code is the one on the wire or the name of the model's error; where the
    /// model gives a status and the fault has none of its own, the model's is used.
    pub fn fault(&self, fault: &Fault) -> Reply {
        let declared = self
            .known()
            .and_then(|operation| self.model.error(operation, &fault.code));
        let code = declared.map_or(fault.code.as_str(), |(code, _)| code);
        let status = match (fault.status, declared) {
            (400, Some((_, Some(status)))) => status,
            (status, _) => status,
        };
        match self.model.metadata.protocol {
            Protocol::Json => {
                let mut reply = self.json(status, serde_json::json!({ "__type": code, "message": fault.message }));
                reply.headers.push(("x-amzn-errortype", code.to_owned()));
                reply
            }
            protocol => {
                let body = xml::fault(self, protocol, code, status, &fault.message);
                self.xml(status, body)
            }
        }
    }

    fn json(&self, status: u16, body: Value) -> Reply {
        let headers = vec![
            ("content-type", "application/x-amz-json-1.1".to_owned()),
            ("x-amzn-requestid", self.id.to_owned()),
        ];
        Reply {
            status,
            headers,
            body: body.to_string().into_bytes(),
        }
    }

    fn xml(&self, status: u16, body: String) -> Reply {
        let headers = vec![
            ("content-type", "text/xml;charset=UTF-8".to_owned()),
            ("x-amzn-requestid", self.id.to_owned()),
        ];
        Reply {
            status,
            headers,
            body: body.into_bytes(),
        }
    }
}

/// An answer that does not have the form which the model gives: a mistake of the sandbox, not of its user.
fn not_that(path: &str, kind: Kind, value: &Value) -> Fault {
    Fault::new(
        "InternalFailure",
        format!("the sandbox's answer has {value} at `{path}`, where the service's model wants a {kind:?}"),
    )
    .status(500)
}

/// The first letter in lower case, as AWS names parameters in messages.
pub fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map(|first| first.to_ascii_lowercase().to_string() + letters.as_str())
        .unwrap_or_default()
}
