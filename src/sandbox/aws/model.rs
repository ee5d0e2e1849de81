//! The service models: which operations there are, what their parameters look like, and how they are called on the wire.
//!
//! They are trimmed extracts of botocore's models (see `models/NOTICE` and `models/extract.py`), embedded deflated, and
//! read when the first call of a service comes.

use std::collections::HashMap;
use std::io::Read;
use std::sync::{LazyLock, OnceLock};

use fancy_regex::Regex;
use indexmap::IndexMap;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub struct Model {
    pub metadata: Metadata,
    pub operations: HashMap<String, Operation>,
    shapes: HashMap<String, Shape>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    pub protocol: Protocol,
    /// What a form says as its `Version`.
    #[serde(default)]
    pub api_version: String,
    /// For XML.
    #[serde(default)]
    pub xml_namespace: String,
    /// What comes before the operation in `X-Amz-Target`.
    #[serde(default)]
    pub target_prefix: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Form in, XML out, lists without wrapper: EC2 alone.
    Ec2,
    /// Form in, XML out.
    Query,
    /// AWS JSON 1.1.
    Json,
    /// Method and path name the operation; XML in and out.
    #[serde(rename = "rest-xml")]
    RestXml,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Operation {
    pub input: Option<String>,
    /// Of a REST protocol.
    pub http: Option<Http>,
    /// What the document of a REST request is called; empty where the request has none.
    pub input_name: String,
    pub output: Option<String>,
    pub result_wrapper: Option<String>,
    /// The shapes of the errors that it declares.
    pub errors: Vec<String>,
}

/// How a REST operation is called.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Http {
    pub method: String,
    /// `/2013-04-01/hostedzone/{Id}`
    pub request_uri: String,
    /// The status of an answer, where it is not 200.
    pub response_code: Option<u16>,
}

/// Where a REST protocol carries a member, when that is not the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Location {
    /// A label of the path.
    Uri,
    Querystring,
    Header,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Structure,
    List,
    Map,
    String,
    Integer,
    Long,
    Double,
    Float,
    Boolean,
    Timestamp,
    Blob,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shape {
    #[serde(rename = "type")]
    pub kind: Kind,
    #[serde(default)]
    pub members: IndexMap<String, Member>,
    #[serde(default)]
    pub required: Vec<String>,
    #[serde(default, rename = "enum")]
    pub values: Vec<String>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pattern: Option<String>,
    /// Of a list.
    pub member: Option<Member>,
    /// Of a map.
    pub key: Option<Member>,
    pub value: Option<Member>,
    #[serde(default)]
    pub flattened: bool,
    /// Its values are never repeated in messages.
    #[serde(default)]
    pub sensitive: bool,
    /// What an error is called on the wire, where that is not its name.
    pub error: Option<ErrorTrait>,
    #[serde(skip)]
    regex: OnceLock<Option<Regex>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    pub shape: String,
    pub location_name: Option<String>,
    pub location: Option<Location>,
    /// EC2's own name in requests, where it is not the location name.
    pub query_name: Option<String>,
    #[serde(default)]
    pub flattened: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorTrait {
    pub code: Option<String>,
    pub http_status_code: Option<u16>,
}

impl Model {
    pub fn shape(&self, name: &str) -> Option<&Shape> {
        self.shapes.get(name)
    }

    /// The error of that code which the operation declares: by its wire code or by its shape's name.
    pub fn error<'a>(&'a self, operation: &'a Operation, code: &str) -> Option<(&'a str, Option<u16>)> {
        operation.errors.iter().find_map(|name| {
            let error = self.shape(name).and_then(|shape| shape.error.as_ref());
            let wire = error.and_then(|error| error.code.as_deref()).unwrap_or(name);
            (name == code || wire == code).then_some((wire, error.and_then(|error| error.http_status_code)))
        })
    }
}

impl Member {
    /// What it is called on the wire.
    pub fn wire<'a>(&'a self, name: &'a str) -> &'a str {
        self.location_name.as_deref().unwrap_or(name)
    }
}

impl Shape {
    /// The pattern, if there is one that is understood. Some of AWS's look around, which needs more than `regex`.
    pub fn pattern(&self) -> Option<(&str, &Regex)> {
        let pattern = self.pattern.as_deref()?;
        let regex = self.regex.get_or_init(|| Regex::new(&format!("^(?:{pattern})$")).ok());
        Some((pattern, regex.as_ref()?))
    }
}

macro_rules! models {
    ($($service:literal),* $(,)?) => {
        /// The services of the sandbox, as requests for them are signed.
        pub const SERVICES: &[&str] = &[$($service),*];

        /// The model of a service, with the service's name as a constant.
        pub fn of(service: &str) -> Option<(&'static str, &'static Model)> {
            match service {
                $($service => {
                    static MODEL: LazyLock<Model> =
                        LazyLock::new(|| read(include_bytes!(concat!("models/", $service, ".json.z"))));
                    Some(($service, &*MODEL))
                })*
                _ => None,
            }
        }
    };
}

models!(
    "acm",
    "ec2",
    "ecr",
    "ecs",
    "elasticache",
    "elasticloadbalancing",
    "iam",
    "logs",
    "rds",
    "route53",
    "secretsmanager",
    "ssm",
    "sts",
    "tagging",
);

/// The extracts are part of the program, and a test reads every one of them: they cannot be wrong at run time.
fn read(packed: &[u8]) -> Model {
    let mut text = Vec::new();
    flate2::read::ZlibDecoder::new(packed)
        .read_to_end(&mut text)
        .expect("the embedded models are deflated");
    serde_json::from_slice(&text).expect("the embedded models are JSON of this form")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_is_whole() {
        for service in SERVICES {
            let (_, model) = of(service).unwrap();
            assert!(!model.operations.is_empty(), "{service}");
            for operation in model.operations.values() {
                let roots = operation.input.iter().chain(&operation.output).chain(&operation.errors);
                assert!(roots.into_iter().all(|shape| model.shape(shape).is_some()), "{service}");
            }
            for (name, operation) in &model.operations {
                let input = operation.input.as_deref().and_then(|input| model.shape(input));
                let bound = |location| {
                    let members = input.into_iter().flat_map(|input| input.members.values());
                    members.filter(move |member| member.location == Some(location)).count()
                };
                let labels = operation
                    .http
                    .as_ref()
                    .map_or(0, |http| http.request_uri.matches('{').count());
                assert_eq!(bound(Location::Uri), labels, "{service}:{name}");
                assert_eq!(bound(Location::Header), 0, "{service}:{name}: headers are not read");
            }
            for (name, shape) in &model.shapes {
                let members = shape
                    .members
                    .values()
                    .chain(&shape.member)
                    .chain(&shape.key)
                    .chain(&shape.value);
                for member in members {
                    assert!(model.shape(&member.shape).is_some(), "{service} {name}");
                }
                if let Some(pattern) = &shape.pattern {
                    assert!(shape.pattern().is_some(), "{service} {name}: {pattern} is not checked");
                }
            }
        }
    }
}
