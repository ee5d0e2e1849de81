//! What a script can call beside `ensure` and the listings: plain verbs, described without any Rhai type.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use schemars::{JsonSchema, Schema};

use super::engine::{Engine, Origin};
use super::report::{Outcome, Record};
use crate::error::{Exit, Result};
use crate::value::{Part, Text, Unknown, Value};

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
#[derive(Clone)]
pub struct VerbContext {
    pub engine: Engine,
    pub origin: Origin,
}

type Run = Arc<dyn Fn(VerbContext, Vec<Value>) -> VerbFuture + Send + Sync>;

/// What an acting verb would do.
pub struct Foreseen {
    /// [`Outcome::Unchanged`] when there is nothing to do, else [`Outcome::Acted`] with what there is, and its lines. One
    /// for each resource where it is about several.
    pub records: Vec<Record>,
    /// What it would give, as far as that is known.
    pub value: Value,
}

pub type ForeseenFuture = Pin<Box<dyn Future<Output = Result<Foreseen>> + Send>>;

type Foresee = Arc<dyn Fn(VerbContext, Vec<Value>) -> ForeseenFuture + Send + Sync>;

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
    /// The API actions that it uses beside those of the kinds it looks up: `ecs:UpdateService`.
    pub actions: &'static [&'static str],
    pub run: Run,
    /// How an acting verb tells what it would do, where it can be known.
    pub foresee: Option<Foresee>,
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
            actions: &[],
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
            actions: &[],
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
    actions: &'static [&'static str],
}

impl VerbBuilder {
    /// The API actions that it uses beside those of the kinds it looks up.
    pub fn actions(mut self, actions: &'static [&'static str]) -> Self {
        self.actions = actions;
        self
    }

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
            actions: self.actions,
            run: Arc::new(move |cx, args| Box::pin(run(cx, args))),
            foresee: None,
        }
    }
}

impl Verb {
    /// Tells in a plan what it would do. Only reads.
    pub fn foreseen<F, Fut>(mut self, foresee: F) -> Self
    where
        F: Fn(VerbContext, Vec<Value>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Foreseen>> + Send + 'static,
    {
        self.foresee = Some(Arc::new(move |cx, args| Box::pin(foresee(cx, args))));
        self
    }

    /// Calls it with resolved arguments. In a plan a verb that reads is called as ever, as far as its arguments are
    /// known, and one that acts is told.
    pub async fn call(&self, cx: VerbContext, args: Vec<Value>) -> Result<Value> {
        match (self.effect, cx.engine.is_plan()) {
            (Effect::Reads, false) => (self.run)(cx, args).await,
            (Effect::Acts, false) => {
                if let Some(expectation) = cx.engine.expectation() {
                    let records = self.look_ahead(&cx, &args).await?.records;
                    for record in records.iter().filter(|record| record.outcome.is_change()) {
                        // Of a call whose arguments it did not know, the plan knows only that it would be made.
                        let (own, call) = (format!("{}/{}", record.kind, record.name), self.call_label(&cx));
                        let is_own = expectation.knows(&own);
                        let label = if is_own { own } else { call };
                        // And nothing of what it does.
                        let lines = if is_own { record.lines.as_slice() } else { &[] };
                        expectation.check(&label, &record.outcome, lines, cx.origin.at.as_ref())?;
                    }
                }
                (self.run)(cx, args).await
            }
            (Effect::Reads, true) => {
                if args.iter().any(|argument| argument.unknown().is_some()) {
                    return Ok(self.unknown());
                }
                match (self.run)(cx, args).await {
                    Err(error) if error.exit() == Exit::Changes => Ok(self.unknown()),
                    known => known,
                }
            }
            (Effect::Acts, true) => {
                let Foreseen { records, value } = self.look_ahead(&cx, &args).await?;
                for mut record in records {
                    record.section.clone_from(&cx.origin.section);
                    cx.engine.record(record);
                }
                Ok(value)
            }
        }
    }

    fn full_name(&self) -> String {
        format!("{}::{}", self.module, self.name)
    }

    fn call_label(&self, cx: &VerbContext) -> String {
        format!("{}/{}", self.full_name(), place(cx))
    }

    fn unknown(&self) -> Value {
        let unknown = Unknown::new(format!("{}(...)", self.full_name()));
        Value::Text(Text(vec![Part::Unknown(unknown)]))
    }

    /// What a call would do. Of one whose arguments are not known, only that it would be made.
    async fn look_ahead(&self, cx: &VerbContext, args: &[Value]) -> Result<Foreseen> {
        let is_known = !args.iter().any(|argument| argument.unknown().is_some());
        if is_known && let Some(foresee) = &self.foresee {
            match foresee(cx.clone(), args.to_vec()).await {
                Err(error) if error.exit() == Exit::Changes => {}
                foreseen => return foreseen,
            }
        }
        let shown = |(argument, param): (&Value, &Param)| {
            let shown = match argument {
                Value::Object(object) => match object.promise() {
                    Some(promise) => promise.resource().to_owned(),
                    None => object.type_name(),
                },
                other => other.to_string(),
            };
            format!("{}: {shown}", param.name)
        };
        Ok(Foreseen {
            records: vec![Record {
                kind: self.full_name(),
                name: place(cx),
                outcome: Outcome::Acted(self.about.split(['.', ':']).next().unwrap_or_default().to_owned()),
                lines: args.iter().zip(&self.params).map(shown).collect(),
                ..Record::default()
            }],
            value: self.unknown(),
        })
    }
}

/// Where a call stands: `scripts/recreate.rhai:12`. Without the column, which a person does not look for.
fn place(cx: &VerbContext) -> String {
    let at = cx.origin.at.as_ref();
    at.map(|at| format!("{}:{}", at.file, at.line)).unwrap_or_default()
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
