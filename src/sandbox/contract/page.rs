//! The page `docs/sandbox.md`: each operation of each service, with what it does and what it does not do.
//!
//! It is made from the tests, so that it says only what was seen. What an operation does are the cases that check it.
//! What it does not do is found by asking it: each of the model's operations is called, and each of its optional
//! parameters given to it, and what the sandbox refuses by name is written down.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::suite::{Case, Suite};
use crate::sandbox::aws::model::{self, Kind, Member, Model, Shape};
use crate::sandbox::{Options, Sandbox};

const TITLES: &[(&str, &str)] = &[
    ("acm", "AWS Certificate Manager"),
    ("ec2", "Amazon EC2 and VPC"),
    ("ecr", "Amazon ECR"),
    ("ecs", "Amazon ECS"),
    ("elasticache", "Amazon ElastiCache"),
    ("elasticloadbalancing", "Elastic Load Balancing"),
    ("iam", "AWS IAM"),
    ("logs", "Amazon CloudWatch Logs"),
    ("rds", "Amazon RDS"),
    ("route53", "Amazon Route 53"),
    ("secretsmanager", "AWS Secrets Manager"),
    ("ssm", "AWS Systems Manager Parameter Store"),
    ("sts", "AWS STS"),
    ("tagging", "Resource Groups Tagging API"),
];

const HEAD: &str = "\
<!-- Made by a test from the contract cases and the answers of the sandbox. IACSH_BLESS=1 cargo test --lib \
the_page_is_up_to_date writes it anew. -->

# What the embedded AWS does, and what it does not

The sandbox answers the operations below as AWS documents them. Each line under an operation is a case of the contract
suite: calls and the answers that AWS's documentation promises. The cases run on the sandbox in every test run, on moto (a
foreign implementation) where it is right, and in an account of yours with `iacsh sandbox conformance --env NAME`, which
prints where the real answers differ.

Requests are checked as the service's own model says: required members, enums, lengths, ranges, patterns. What the sandbox
cannot do is an error that begins with \"not in the sandbox\" and names it: an operation, or a parameter. Of parameters
only the optional ones of the first level are listed here; required ones are always taken.

How long things take, and how to make them go wrong on purpose, is in [sandbox-rules.md](sandbox-rules.md).

";

/// What the sandbox says to an operation's parameters.
struct Found {
    /// Whether somebody answers it.
    there: bool,
    /// The optional parameters that are refused by name.
    refused: Vec<String>,
}

/// The whole page. `gaps` are the cases in which the sandbox is known to differ, each with its reason.
pub fn page(suite: &Suite, gaps: &BTreeMap<String, String>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::open(folder.path(), Options::default()).unwrap();
    let mut page = HEAD.to_owned();
    let mut whole = 0;
    let mut body = String::new();
    for (service, title) in TITLES {
        let (_, model) = model::of(service).unwrap();
        let mut names: Vec<&String> = model.operations.keys().collect();
        names.sort();
        let (mut there, mut missing) = (Vec::new(), Vec::new());
        for name in names {
            let found = ask(&sandbox, service, model, name);
            match found.there {
                true => there.push((name.as_str(), found)),
                false => missing.push(name.as_str()),
            }
        }
        whole += there.len();
        let by_operation = cases_of(suite, service);
        let _ = write!(body, "## {title} (`{service}`)\n\n");
        for (name, found) in &there {
            let _ = write!(body, "### {name}\n\n");
            for case in by_operation.get(name).into_iter().flatten() {
                let gap = gaps.get(&case.title()).map(|why| format!(" **Not yet: {why}**"));
                let _ = writeln!(body, "- {}.{}", case.name, gap.unwrap_or_default());
            }
            let used = uses(suite, service, name);
            match by_operation.contains_key(name) {
                true => body.push('\n'),
                false if used > 0 => {
                    let plural = if used == 1 { "a case" } else { "cases" };
                    let _ = write!(body, "Checked within {plural} of other operations.\n\n");
                }
                false => body.push_str("Not checked by a case.\n\n"),
            }
            if !found.refused.is_empty() {
                let _ = write!(body, "Not in the sandbox: `{}`.\n\n", found.refused.join("`, `"));
            }
        }
        if !missing.is_empty() {
            let _ = write!(body, "Known and not in the sandbox: {}.\n\n", missing.join(", "));
        }
    }
    let _ = write!(
        page,
        "There are {whole} operations of {} services, and {} cases.\n\n",
        TITLES.len(),
        suite.cases.len()
    );
    page.push_str(&body);
    page
}

/// The cases of a service by the operation that they are about: the one that their source names, or whose name has the
/// data type that it names; else the first of their own steps that expects something.
fn cases_of<'a>(suite: &'a Suite, service: &str) -> IndexMap<&'a str, Vec<&'a Case>> {
    let mut found: IndexMap<&str, Vec<&Case>> = IndexMap::new();
    for case in suite.cases.iter().filter(|case| case.service == service) {
        let steps = || case.steps.iter().filter(|step| step.names().0 == service);
        let own: Vec<&str> = steps().map(|step| step.names().1).collect();
        let checks = steps().find(|step| !step.expect.is_empty() || step.error.is_some());
        let named = case.source.split([':', ',', ';']).next().unwrap_or_default().trim();
        let about = own
            .iter()
            .find(|name| **name == named)
            .or_else(|| own.iter().find(|name| name.contains(named)))
            .copied()
            .or_else(|| checks.map(|step| step.names().1))
            .or_else(|| own.first().copied());
        if let Some(about) = about {
            found.entry(about).or_default().push(case);
        }
    }
    found
}

/// How many cases call an operation in steps of their own.
fn uses(suite: &Suite, service: &str, operation: &str) -> usize {
    let calls = |case: &&Case| {
        suite
            .plan(case)
            .is_ok_and(|plan| plan.steps.iter().any(|step| step.names() == (service, operation)))
    };
    suite.cases.iter().filter(calls).count()
}

fn ask(sandbox: &Sandbox, service: &'static str, model: &Model, operation: &str) -> Found {
    let refusal = |input: Map<String, Value>| -> String {
        match sandbox.aws().probe(service, operation, input) {
            Err(fault) => fault.message,
            Ok(_) => String::new(),
        }
    };
    let there = !refusal(Map::new()).starts_with(&format!("not in the sandbox: {service}:{operation}"));
    let shape = model
        .operations
        .get(operation)
        .and_then(|operation| model.shape(operation.input.as_deref()?));
    let mut refused = Vec::new();
    if let (true, Some(shape)) = (there, shape) {
        for (name, member) in optional(shape) {
            let input = Map::from_iter([(name.clone(), sample(model, member, 0))]);
            if refusal(input).starts_with(&format!("not in the sandbox: the parameter {name} of")) {
                refused.push(name.clone());
            }
        }
    }
    Found { there, refused }
}

fn optional(shape: &Shape) -> impl Iterator<Item = (&String, &Member)> {
    shape.members.iter().filter(|(name, _)| !shape.required.contains(name))
}

/// Some value of a member's type that is not empty.
fn sample(model: &Model, member: &Member, depth: usize) -> Value {
    let Some(shape) = model.shape(&member.shape).filter(|_| depth < 4) else {
        return json!("x");
    };
    match shape.kind {
        Kind::Structure => {
            let first = shape.members.iter().next();
            Value::Object(
                first
                    .map(|(name, member)| (name.clone(), sample(model, member, depth + 1)))
                    .into_iter()
                    .collect(),
            )
        }
        Kind::List => match &shape.member {
            Some(member) => json!([sample(model, member, depth + 1)]),
            None => json!(["x"]),
        },
        Kind::Map => json!({ "x": shape.value.as_ref().map_or(json!("x"), |value| sample(model, value, depth + 1)) }),
        Kind::String => json!(shape.values.first().map_or("x", String::as_str)),
        Kind::Integer | Kind::Long => json!(shape.min.map_or(1, |min| min as i64).max(1)),
        Kind::Double | Kind::Float | Kind::Timestamp => json!(1.0),
        Kind::Boolean => json!(true),
        Kind::Blob => json!("eA=="),
    }
}

/// Optional parameters that are neither refused by name nor mentioned in the service's source: nobody looks at them, so
/// the sandbox would say yes and do nothing.
pub fn ignored() -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::open(folder.path(), Options::default()).unwrap();
    let mut ignored = Vec::new();
    for (service, _) in TITLES {
        let (_, model) = model::of(service).unwrap();
        let source = source(service);
        let mut names: Vec<&String> = model.operations.keys().collect();
        names.sort();
        for operation in names {
            let found = ask(&sandbox, service, model, operation);
            let shape = model.operations[operation]
                .input
                .as_deref()
                .and_then(|name| model.shape(name));
            for (name, _) in shape.into_iter().flat_map(optional).filter(|_| found.there) {
                if !found.refused.contains(name) && !source.contains(&format!("\"{name}\"")) {
                    ignored.push(format!("{service}:{operation} {name}"));
                }
            }
        }
    }
    ignored
}

/// The text of the files of a service.
fn source(service: &str) -> String {
    let name = match service {
        "elasticloadbalancing" => "elb",
        "secretsmanager" => "secrets",
        name => name,
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sandbox/aws");
    let (mut text, mut folders) = (String::new(), vec![root.join(name)]);
    let file = root.join(format!("{name}.rs"));
    text.extend(std::fs::read_to_string(file));
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => text.extend(std::fs::read_to_string(path)),
            }
        }
    }
    text
}
