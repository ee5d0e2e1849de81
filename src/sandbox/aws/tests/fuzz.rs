//! Whatever comes over the wire, an answer comes back that the protocol's clients can read, and never a panic.
//!
//! `IACSH_FUZZ=100000 cargo test --lib fuzz -- --nocapture` sends so many requests; every test run sends a sample, always
//! the same one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use quick_xml::events::Event;
use serde_json::{Map, Value, json};

use super::super::model::{self, Kind, Location, Member, Model, Operation, Protocol, Shape};
use super::super::protocol::Reply;
use super::super::{Aws, Request};
use super::*;
use crate::sandbox::testing::times;

/// An answer takes no longer, also on a busy machine and in a debug build.
const LONGEST: Duration = Duration::from_secs(10);

/// A request that owns what it is made of.
#[derive(Clone, Debug, Default)]
struct Sent {
    method: String,
    uri: String,
    authorization: String,
    target: String,
    body: Vec<u8>,
}

impl Sent {
    fn to(service: &str) -> Self {
        let scope = format!("20270115/eu-central-1/{service}/aws4_request");
        Self {
            method: "POST".into(),
            uri: "/".into(),
            authorization: format!("AWS4-HMAC-SHA256 Credential=AKIASANDBOX/{scope}, Signature=0"),
            ..Self::default()
        }
    }

    /// A call of an operation with an empty body.
    fn call(service: &str, model: &Model, name: &str) -> Self {
        let mut sent = Self::to(service);
        match model.metadata.protocol {
            Protocol::Json => sent.target = format!("{}.{name}", model.metadata.target_prefix),
            Protocol::RestXml => {
                if let Some(http) = &model.operations[name].http {
                    sent.method.clone_from(&http.method);
                    sent.uri.clone_from(&http.request_uri);
                }
            }
            Protocol::Ec2 | Protocol::Query => sent.body = format!("Action={name}&Version=1").into_bytes(),
        }
        sent
    }

    fn answer(&self, aws: &Aws) -> Reply {
        let began = Instant::now();
        let answer = catch_unwind(AssertUnwindSafe(|| {
            aws.answer(Request {
                method: &self.method,
                uri: &self.uri,
                authorization: &self.authorization,
                target: &self.target,
                body: &self.body,
            })
        }));
        let reply = answer.unwrap_or_else(|_| panic!("a panic at {}", self.shown()));
        assert!(began.elapsed() < LONGEST, "{:?} for {}", began.elapsed(), self.shown());
        self.check(&reply);
        reply
    }

    fn check(&self, reply: &Reply) {
        let text = String::from_utf8(reply.body.clone()).unwrap_or_else(|_| panic!("no UTF-8 for {}", self.shown()));
        let told = || format!("{} {}\nfor {}", reply.status, clip(&text), self.shown());
        assert!((200..500).contains(&reply.status), "{}", told());
        // What is repeated of a request can be longer than it: escaped, or named by its path.
        assert!(
            text.len() < 8 * self.body.len() + self.uri.len() * 8 + self.target.len() * 8 + (1 << 20),
            "{}",
            told()
        );
        let header = |name: &str| {
            reply
                .headers
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value)
        };
        assert!(
            header("x-amzn-requestid").is_some_and(|id| !id.is_empty()),
            "{}",
            told()
        );
        for (_, value) in &reply.headers {
            assert!(
                value.chars().all(|c| c.is_ascii() && !c.is_ascii_control()),
                "{value:?} {}",
                told()
            );
        }
        let code = match header("content-type").map(String::as_str) {
            Some("application/x-amz-json-1.1") => {
                let answer: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {}", told()));
                assert!(answer.is_object(), "{}", told());
                answer["__type"].as_str().unwrap_or_default().to_owned()
            }
            _ => code_of_xml(&text).unwrap_or_else(|error| panic!("{error}: {}", told())),
        };
        if reply.status >= 400 {
            assert!(
                !code.is_empty() && code.chars().all(|c| c.is_ascii_alphanumeric() || c == '.'),
                "{}",
                told()
            );
        }
    }

    fn shown(&self) -> String {
        format!(
            "{} {} {:?} {:?} {}",
            self.method,
            clip(&self.uri),
            clip(&self.authorization),
            clip(&self.target),
            clip(&String::from_utf8_lossy(&self.body))
        )
    }
}

fn clip(text: &str) -> String {
    let clipped: String = text.chars().take(1500).collect();
    match clipped.len() < text.len() {
        true => format!("{clipped}... ({} bytes)", text.len()),
        false => clipped,
    }
}

/// The text of the element Code, of a document that is whole.
fn code_of_xml(text: &str) -> Result<String, String> {
    let mut reader = quick_xml::Reader::from_str(text);
    let (mut open, mut code): (Vec<String>, _) = (Vec::new(), String::new());
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(start) => open.push(start.name().as_ref().to_owned()),
            Event::End(_) => drop(open.pop()),
            Event::Text(found) if open.ends_with(&["Error".to_owned(), "Code".to_owned()]) => {
                code = found.xml10_content().into_owned();
            }
            Event::Eof if open.is_empty() => return Ok(code),
            Event::Eof => return Err(format!("{open:?} is not closed")),
            _ => {}
        }
    }
}

/// Makes inputs from a number: the same one always makes the same.
struct Maker<'a> {
    model: &'a Model,
    state: u64,
    /// Texts that name something that exists.
    known: &'a [String],
}

impl Maker<'_> {
    fn number(&mut self, below: u64) -> u64 {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % below.max(1)
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.number(many) == 0
    }

    fn pick<'t>(&mut self, from: &'t [&'t str]) -> &'t str {
        from[self.number(from.len() as u64) as usize]
    }

    fn structure(&mut self, shape: &Shape, depth: usize) -> Value {
        let mut made = Map::new();
        for (name, member) in &shape.members {
            let wanted = match shape.required.contains(name) {
                true => !self.one_in(12),
                false => self.one_in(5),
            };
            if wanted {
                let value = self.value(member, depth);
                made.insert(name.clone(), value);
            }
        }
        if self.one_in(20) {
            let value = self.anything();
            made.insert("Colour".into(), value);
        }
        Value::Object(made)
    }

    fn value(&mut self, member: &Member, depth: usize) -> Value {
        let Some(shape) = self.model.shape(&member.shape) else {
            return Value::Null;
        };
        if self.one_in(15) || depth > 6 {
            return self.anything();
        }
        match shape.kind {
            Kind::Structure => self.structure(shape, depth + 1),
            Kind::List => {
                let count = match self.number(12) {
                    0 => 0,
                    1 => 60,
                    more => more % 3 + 1,
                };
                let Some(item) = &shape.member else { return json!([]) };
                (0..count).map(|_| self.value(item, depth + 1)).collect()
            }
            Kind::Map => {
                let (Some(key), Some(value)) = (&shape.key, &shape.value) else {
                    return json!({});
                };
                let entries = (0..self.number(3)).map(|_| {
                    let key = self.value(key, depth + 1);
                    let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                    (key, self.value(value, depth + 1))
                });
                Value::Object(entries.collect())
            }
            Kind::Boolean => json!(self.one_in(2)),
            Kind::Integer | Kind::Long => self.whole(),
            Kind::Double | Kind::Float => json!(self.number(1000) as f64 / 7.0),
            Kind::Timestamp => json!(1_800_000_000_i64 + self.number(1 << 40) as i64 - (1 << 39)),
            Kind::Blob => json!(self.pick(&["", "aGVsbG8=", "no base64!", "AA"])),
            Kind::String => {
                if !shape.values.is_empty() && !self.one_in(10) {
                    let place = self.number(shape.values.len() as u64) as usize;
                    return json!(shape.values[place]);
                }
                json!(self.text())
            }
        }
    }

    fn whole(&mut self) -> Value {
        let whole = [
            0,
            1,
            2,
            3,
            5,
            20,
            80,
            100,
            443,
            6379,
            -1,
            65_535,
            65_536,
            i32::MAX.into(),
            i64::MAX,
            i64::MIN,
        ];
        json!(whole[self.number(whole.len() as u64) as usize])
    }

    fn text(&mut self) -> String {
        if !self.known.is_empty() && !self.one_in(3) {
            return self.known[self.number(self.known.len() as u64) as usize].clone();
        }
        if self.one_in(60) {
            return "x".repeat(70_000);
        }
        self.pick(&[
            "",
            "a",
            "web",
            "main",
            "/a/b",
            "*",
            "default",
            "10.0.0.0/16",
            "10.0.0.0/99",
            "10.0.0.7",
            "::1",
            "tcp",
            "-1",
            "true",
            "256",
            "vpc-00000000000000000",
            "arn:aws:ecs:eu-central-1:000000000000:service/main/web",
            "arn:aws:iam::000000000000:role/task",
            "arn:::::",
            ":",
            "a:1",
            "cache.t4g.micro",
            "{}",
            r#"{"Statement":[]}"#,
            "é😀\u{202e}",
            "\u{0}",
            "\r\n\t",
            "<a>&amp;]]>",
            "%00%ff",
            "../../etc",
            "' OR 1=1 --",
            "2027-01-01T00:00:00Z",
            "9999999999999999999999",
        ])
        .to_owned()
    }

    fn anything(&mut self) -> Value {
        match self.number(9) {
            0 => Value::Null,
            1 => json!(true),
            2 => self.whole(),
            3 => json!(1e300),
            4 => json!([]),
            5 => json!({}),
            6 => json!([[[{ "a": [1] }]]]),
            7 => json!({ "a": { "b": null } }),
            _ => json!(self.text()),
        }
    }
}

/// How a client of the protocol would send an input. Nothing here is the codec's.
fn encode(model: &Model, operation: &Operation, sent: &mut Sent, shape: &Shape, input: &Value) {
    match model.metadata.protocol {
        Protocol::Json => sent.body = json_wire(model, shape, input).to_string().into_bytes(),
        Protocol::RestXml => {
            let mut body = String::new();
            for (name, member) in &shape.members {
                let value = &input[name];
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let quoted: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
                match member.location {
                    Some(Location::Uri) => {
                        sent.uri = sent.uri.replace(&format!("{{{}}}", member.wire(name)), &quoted);
                    }
                    Some(Location::Querystring) if !value.is_null() => {
                        let mark = if sent.uri.contains('?') { '&' } else { '?' };
                        sent.uri += &format!("{mark}{}={quoted}", member.wire(name));
                    }
                    None if !value.is_null() => element(model, &mut body, member.wire(name), member, value),
                    _ => {}
                }
            }
            if !operation.input_name.is_empty() {
                let (name, namespace) = (&operation.input_name, &model.metadata.xml_namespace);
                sent.body = format!("<{name} xmlns=\"{namespace}\">{body}</{name}>").into_bytes();
            }
        }
        protocol => {
            let mut pairs = Vec::new();
            form(model, protocol, shape, input, "", &mut pairs);
            let mut text = form_urlencoded::Serializer::new(String::from_utf8_lossy(&sent.body).into_owned());
            text.extend_pairs(pairs);
            sent.body = text.finish().into_bytes();
        }
    }
}

fn json_wire(model: &Model, shape: &Shape, value: &Value) -> Value {
    let of = |member: &Option<Member>| member.as_ref().and_then(|member| model.shape(&member.shape));
    match value {
        Value::Object(members) if shape.kind == Kind::Structure => {
            let wire = members.iter().map(|(name, value)| match shape.members.get(name) {
                Some(member) => {
                    let value = model
                        .shape(&member.shape)
                        .map_or(value.clone(), |shape| json_wire(model, shape, value));
                    (member.wire(name).to_owned(), value)
                }
                None => (name.clone(), value.clone()),
            });
            Value::Object(wire.collect())
        }
        Value::Array(items) => match of(&shape.member) {
            Some(shape) => items.iter().map(|item| json_wire(model, shape, item)).collect(),
            None => value.clone(),
        },
        Value::Object(entries) => match of(&shape.value) {
            Some(shape) => {
                let wire = entries
                    .iter()
                    .map(|(key, value)| (key.clone(), json_wire(model, shape, value)));
                Value::Object(wire.collect())
            }
            None => value.clone(),
        },
        value => value.clone(),
    }
}

fn element(model: &Model, out: &mut String, wire: &str, member: &Member, value: &Value) {
    out.push_str(&format!("<{wire}>"));
    let shape = model.shape(&member.shape);
    match (value, shape) {
        (Value::Object(members), Some(shape)) => {
            for (name, value) in members {
                match shape.members.get(name) {
                    Some(member) => element(model, out, member.wire(name), member, value),
                    None => out.push_str(&format!("<{name}/>")),
                }
            }
        }
        (Value::Array(items), Some(shape)) => {
            for item in items {
                if let Some(member) = &shape.member {
                    element(model, out, member.wire("member"), member, item);
                }
            }
        }
        (Value::String(text), _) => out.push_str(&quick_xml::escape::escape(text.as_str())),
        (other, _) => out.push_str(&quick_xml::escape::escape(other.to_string())),
    }
    out.push_str(&format!("</{wire}>"));
}

fn form(model: &Model, protocol: Protocol, shape: &Shape, value: &Value, path: &str, out: &mut Vec<(String, String)>) {
    let under = |part: &str| match path {
        "" => part.to_owned(),
        path => format!("{path}.{part}"),
    };
    let of = |member: &Option<Member>| member.as_ref().and_then(|member| model.shape(&member.shape));
    match value {
        Value::Object(members) if shape.kind == Kind::Structure => {
            for (name, value) in members {
                let Some(member) = shape.members.get(name) else {
                    out.push((under(name), value.to_string()));
                    continue;
                };
                let wire = member.wire(name);
                let wire = match (protocol, &member.query_name) {
                    (Protocol::Ec2, Some(query)) => query.clone(),
                    (Protocol::Ec2, None) => wire[..1].to_uppercase() + &wire[1..],
                    _ => wire.to_owned(),
                };
                if let Some(shape) = model.shape(&member.shape) {
                    form(model, protocol, shape, value, &under(&wire), out);
                }
            }
        }
        Value::Array(items) if shape.kind == Kind::List => {
            let Some(item) = of(&shape.member) else { return };
            let wrapper = shape.member.as_ref().map_or("member", |member| member.wire("member"));
            let flat = protocol == Protocol::Ec2 || shape.flattened;
            let path = if flat { path.to_owned() } else { under(wrapper) };
            for (number, value) in (1..).zip(items) {
                form(model, protocol, item, value, &format!("{path}.{number}"), out);
            }
        }
        Value::Object(entries) => {
            for (number, (key, value)) in (1..).zip(entries) {
                out.push((under(&format!("entry.{number}.key")), key.clone()));
                if let Some(shape) = of(&shape.value) {
                    form(
                        model,
                        protocol,
                        shape,
                        value,
                        &under(&format!("entry.{number}.value")),
                        out,
                    );
                }
            }
        }
        Value::Null => {}
        Value::String(text) => out.push((path.to_owned(), text.clone())),
        other => out.push((path.to_owned(), other.to_string())),
    }
}

/// Texts of an answer that can name something: they make later requests reach further.
fn harvest(reply: &Reply, known: &mut Vec<String>) {
    fn walk(value: &Value, known: &mut Vec<String>) {
        match value {
            Value::String(text) if (3..200).contains(&text.len()) => known.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| walk(item, known)),
            Value::Object(members) => members.values().for_each(|member| walk(member, known)),
            _ => {}
        }
    }
    let text = String::from_utf8_lossy(&reply.body);
    match serde_json::from_str::<Value>(&text) {
        Ok(value) => walk(&value, known),
        Err(_) => {
            let texts = text.split('<').filter_map(|part| part.split_once('>'));
            let named = texts
                .map(|(_, text)| text)
                .filter(|text| (3..200).contains(&text.len()));
            known.extend(named.take(20).map(str::to_owned));
        }
    }
    known.sort_unstable();
    known.dedup();
    // Not only the newest, so that what exists is mixed.
    while known.len() > 300 {
        known.swap_remove(known.len() / 2);
    }
}

fn runner(cases: u32) -> TestRunner {
    let config = Config {
        cases,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

fn operations() -> Vec<(&'static str, &'static Model, &'static str)> {
    let mut all = Vec::new();
    for service in model::SERVICES {
        let (service, model) = model::of(service).unwrap();
        let mut names: Vec<&str> = model.operations.keys().map(String::as_str).collect();
        names.sort_unstable();
        all.extend(names.into_iter().map(|name| (service, model, name)));
    }
    all
}

/// The sandbox of a run, with something in it.
fn furnished() -> (tempfile::TempDir, Sandbox) {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::open(dir.path(), Options::default()).unwrap();
    (dir, sandbox)
}

#[test]
fn fuzz_every_operation_with_what_its_model_says_and_what_it_does_not() {
    let (_dir, sandbox) = furnished();
    let all = operations();
    let cases = times("IACSH_FUZZ", 2 * all.len() as u32);
    let known = std::cell::RefCell::new(Vec::new());
    let turn = std::cell::Cell::new(0_usize);
    let worked = std::cell::Cell::new(0_u32);
    let course = runner(cases).run(&any::<u64>(), |seed| {
        let (service, model, name) = all[turn.get() % all.len()];
        turn.set(turn.get() + 1);
        let operation = &model.operations[name];
        let mut sent = Sent::call(service, model, name);
        if let Some(shape) = operation.input.as_deref().and_then(|shape| model.shape(shape)) {
            let known = known.borrow();
            let mut maker = Maker {
                model,
                state: seed,
                known: &known,
            };
            let input = maker.structure(shape, 0);
            encode(model, operation, &mut sent, shape, &input);
        }
        let reply = sent.answer(sandbox.aws());
        if reply.status < 300 {
            worked.set(worked.get() + 1);
            harvest(&reply, &mut known.borrow_mut());
        }
        Ok(())
    });
    course.unwrap();
    println!("{cases} requests, of which {} worked", worked.get());
    assert!(
        worked.get() > cases / 20,
        "most requests must get past the first check: {}",
        worked.get()
    );
}

#[test]
fn fuzz_bodies_that_are_cut_changed_or_of_another_protocol() {
    let (_dir, sandbox) = furnished();
    let all = operations();
    let strategy = (
        0..all.len(),
        any::<u64>(),
        proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        proptest::option::of(any::<prop::sample::Index>()),
        0_u8..8,
    );
    let course = runner(times("IACSH_FUZZ", 400)).run(&strategy, |(place, seed, changes, cut, other)| {
        let (service, model, name) = all[place];
        let operation = &model.operations[name];
        let mut sent = Sent::call(service, model, name);
        if let Some(shape) = operation.input.as_deref().and_then(|shape| model.shape(shape)) {
            let mut maker = Maker {
                model,
                state: seed,
                known: &[],
            };
            let input = maker.structure(shape, 0);
            encode(model, operation, &mut sent, shape, &input);
        }
        for (index, byte) in changes {
            if !sent.body.is_empty() {
                let place = index.index(sent.body.len());
                sent.body[place] = byte;
            }
        }
        if let Some(cut) = cut {
            let length = cut.index(sent.body.len() + 1);
            sent.body.truncate(length);
        }
        match other {
            0 => sent.body = b"<xml/>".to_vec(),
            1 => sent.body = b"[1,2]".to_vec(),
            2 => sent.target.clear(),
            3 => sent.target = format!("Other.{name}"),
            4 => sent.uri = format!("/{name}?Action={name}"),
            _ => {}
        }
        sent.answer(sandbox.aws());
        Ok(())
    });
    course.unwrap();
}

#[test]
fn fuzz_headers_and_addresses() {
    let (_dir, sandbox) = furnished();
    let text = "(\\PC|[\\x00-\\x1f]){0,60}";
    let strategy = (
        text,
        text,
        "/?(\\PC|[\\x00-\\x1f]){0,60}",
        proptest::collection::vec(any::<u8>(), 0..200),
        0..14_usize,
    );
    let course = runner(times("IACSH_FUZZ", 300)).run(&strategy, |(authorization, target, uri, body, place)| {
        let mut sent = Sent::to(model::SERVICES.get(place).copied().unwrap_or("nothing"));
        if authorization.len() % 3 == 0 {
            sent.authorization = authorization;
        }
        (sent.target, sent.uri, sent.body) = (target, uri, body);
        sent.answer(sandbox.aws());
        Ok(())
    });
    course.unwrap();
}

#[test]
fn fuzz_what_is_huge_or_deep() {
    let (_dir, sandbox) = furnished();
    let deep = |open: &str, close: &str, count: usize| format!("{}{}", open.repeat(count), close.repeat(count));
    let form = |part: &str, count: usize| part.repeat(count);
    for service in model::SERVICES {
        let (service, model) = model::of(service).unwrap();
        let name = operations().into_iter().find(|(of, ..)| *of == service).unwrap().2;
        let call = Sent::call(service, model, name);
        let bodies: Vec<String> = match model.metadata.protocol {
            Protocol::Json => vec![
                deep("[", "]", 200_000),
                deep("{\"a\":", "}", 200_000),
                format!("{{\"a\":\"{}\"}}", "x".repeat(4 << 20)),
                format!("[{}1]", "1,".repeat(500_000)),
                "{\"a\":1e999999}".to_owned(),
                format!("{{\"a\":{}}}", "9".repeat(100_000)),
            ],
            Protocol::RestXml => vec![
                deep("<a>", "</a>", 200_000),
                format!("<a>{}</a>", "x".repeat(4 << 20)),
                format!("<a {}/>", "b=\"c\" ".repeat(100_000)),
                "<!DOCTYPE a [<!ENTITY b \"&b;&b;\">]><a>&b;</a>".to_owned(),
            ],
            Protocol::Ec2 | Protocol::Query => vec![
                format!("Action={name}&{}=1", form("A.", 200_000)),
                format!("Action={name}{}", form("&A.1.B=1", 200_000)),
                format!(
                    "Action={name}{}",
                    (0..50_000).map(|number| format!("&A.{number}=1")).collect::<String>()
                ),
                format!("Action={name}&A={}", "x".repeat(4 << 20)),
                format!("Action={}", "A".repeat(1 << 20)),
                form("%", 500_000),
                form("&=", 500_000),
            ],
        };
        for body in bodies {
            let sent = Sent {
                body: body.into_bytes(),
                ..call.clone()
            };
            sent.answer(sandbox.aws());
        }
        for (target, uri) in [
            ("A".repeat(1 << 20), "/".to_owned()),
            (String::new(), "/a".repeat(1 << 18)),
        ] {
            let sent = Sent {
                target,
                uri,
                ..call.clone()
            };
            sent.answer(sandbox.aws());
        }
    }
}
