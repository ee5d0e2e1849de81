//! A sandbox for the tests of the services: state in memory, a clock that the test moves, calls by name.

use std::cell::Cell;

use rusqlite::Connection;
use serde_json::{Map, Value};

use super::call::{Answer, Call, Fault};
use super::store::{SCHEMA, Store};
use crate::sandbox::vault::Vault;

pub const ACCOUNT: &str = "123456789012";
pub const REGION: &str = "eu-central-1";

pub struct Cloud {
    pub connection: Connection,
    vault: Vault,
    _dir: tempfile::TempDir,
    now: Cell<i64>,
    scale: u32,
}

impl Cloud {
    /// Durations as in AWS: a test moves the clock.
    pub fn new() -> Self {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(dir.path()).unwrap();
        Self { connection, vault, _dir: dir, now: Cell::new(1_800_000_000_000), scale: 1 }
    }

    pub fn now(&self) -> i64 {
        self.now.get()
    }

    pub fn wait(&self, seconds: i64) {
        self.now.set(self.now.get() + seconds * 1000);
    }

    /// Runs `work` with a call, as the dispatcher makes one.
    pub fn with<T>(&self, service: &'static str, operation: &str, input: Value, work: impl FnOnce(&mut Call<'_>) -> T) -> T {
        let region = if service == "iam" { "aws-global" } else { REGION };
        let store = Store { connection: &self.connection, account: ACCOUNT, region };
        let input = match input {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        let mut call = Call {
            service,
            operation,
            input,
            account: ACCOUNT,
            region,
            now: self.now.get(),
            time_scale: self.scale,
            store: &store,
            vault: &self.vault,
        };
        work(&mut call)
    }

    pub fn call(&self, service: &'static str, operation: &str, input: Value) -> Answer {
        self.with(service, operation, input, |call| match service {
            "ssm" => super::ssm::handle(call),
            "secretsmanager" => super::secrets::handle(call),
            "logs" => super::logs::handle(call),
            "ecr" => super::ecr::handle(call),
            "iam" => super::iam::handle(call),
            "elasticloadbalancing" => super::elb::handle(call),
            "elasticache" => super::elasticache::handle(call),
            "ecs" => super::ecs::handle(call),
            other => panic!("no service {other}"),
        })
    }

    /// The answer of a call that works.
    #[track_caller]
    pub fn ok(&self, service: &'static str, operation: &str, input: Value) -> Value {
        match self.call(service, operation, input) {
            Ok(value) => value,
            Err(fault) => panic!("{service}:{operation}: {}: {}", fault.code, fault.message),
        }
    }

    /// The fault of a call that does not.
    #[track_caller]
    pub fn fault(&self, service: &'static str, operation: &str, input: Value) -> Fault {
        match self.call(service, operation, input) {
            Ok(value) => panic!("{service}:{operation} answered {value}"),
            Err(fault) => fault,
        }
    }
}
