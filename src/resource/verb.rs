//! What a script can call beside `ensure` and the listings: plain verbs, described without any Rhai type.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use schemars::{JsonSchema, Schema};

use super::engine::{Engine, Origin};
use crate::error::Result;
use crate::value::Value;

/// What a verb does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Reads,
    /// Waits for its inputs and finishes before the next statement.
    Acts,
}

/// One parameter of a verb.
#[derive(Clone, Debug)]
pub struct Param {
    pub name: &'static str,
    pub about: &'static str,
    pub schema: Schema,
    pub optional: bool,
}

pub type VerbFuture = Pin<Box<dyn Future<Output = Result<Value>> + Send>>;

/// What a verb gets beside its arguments.
pub struct VerbContext {
    pub engine: Engine,
    pub origin: Origin,
}

type Run = Arc<dyn Fn(VerbContext, Vec<Value>) -> VerbFuture + Send + Sync>;

/// A function of a module: `ecs::scale(service, 3)`. Its arguments have been checked against the schemas and resolved:
/// no output in them is unknown. Optional arguments that were not given are missing at the end.
#[derive(Clone)]
pub struct Verb {
    pub module: &'static str,
    pub name: &'static str,
    pub effect: Effect,
    /// What it is for, what it gives, which errors it has.
    pub about: &'static str,
    pub params: Vec<Param>,
    pub run: Run,
}

impl Verb {
    /// A verb that only reads.
    pub fn reads(module: &'static str, name: &'static str, about: &'static str) -> VerbBuilder {
        VerbBuilder {
            module,
            name,
            effect: Effect::Reads,
            about,
            params: Vec::new(),
        }
    }

    /// A verb that changes something.
    pub fn acts(module: &'static str, name: &'static str, about: &'static str) -> VerbBuilder {
        VerbBuilder {
            module,
            name,
            effect: Effect::Acts,
            about,
            params: Vec::new(),
        }
    }
}

/// A verb that still lacks parameters and what it does.
pub struct VerbBuilder {
    module: &'static str,
    name: &'static str,
    effect: Effect,
    about: &'static str,
    params: Vec<Param>,
}

impl VerbBuilder {
    /// A parameter that must be given. `T` is read with [`Value::read`]; use [`Anything`] for a handle.
    pub fn param<T: JsonSchema>(mut self, name: &'static str, about: &'static str) -> Self {
        self.params.push(Param {
            name,
            about,
            schema: crate::schema::of::<T>(),
            optional: false,
        });
        self
    }

    /// A parameter that may be left out, after those that may not.
    pub fn optional<T: JsonSchema>(mut self, name: &'static str, about: &'static str) -> Self {
        self.params.push(Param {
            name,
            about,
            schema: crate::schema::of::<T>(),
            optional: true,
        });
        self
    }

    pub fn run<F, Fut>(self, run: F) -> Verb
    where
        F: Fn(VerbContext, Vec<Value>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Value>> + Send + 'static,
    {
        Verb {
            module: self.module,
            name: self.name,
            effect: self.effect,
            about: self.about,
            params: self.params,
            run: Arc::new(move |cx, args| Box::pin(run(cx, args))),
        }
    }
}

/// The schema of a parameter that takes any value, such as a handle.
pub struct Anything;

impl JsonSchema for Anything {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Anything".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> Schema {
        schemars::json_schema!({})
    }
}
