//! `ensure`: one resource in the background.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Engine, Entry, Origin, lock};
use crate::error::{Error, Result};
use crate::resource::any_kind::AnyKind;
use crate::resource::converge::Wanted;
use crate::resource::handle::Handle;
use crate::resource::kind::{KEEP, name_in};
use crate::resource::report::{Outcome, Record};
use crate::resource::{keep, plan};
use crate::schema;
use crate::value::{Promise, Value};

impl Engine {
    /// Finds, creates or changes a resource in the background. Asking twice for the same is one resource; asking twice
    /// for different things under one name is an error.
    pub fn ensure(&self, kind: &str, options: Value, origin: Origin) -> Result<Handle> {
        if self.cancel().is_cancelled() {
            return Err(Error::interrupted());
        }
        let kind = self.kind(kind)?.clone();
        let about = kind.about();
        self.check_options(kind.as_ref(), &options)?;
        let name = name_in(&options)?;
        let label = format!("{}/{name}", about.kind);
        if let Some(end) = lock(&self.0.end).clone() {
            return Err(end);
        }

        let handle = Handle {
            about,
            name: name.clone(),
            promise: Promise::new(&label),
            is_reference: false,
        };
        {
            let mut entries = lock(&self.0.entries);
            if let Some(entry) = entries.get(&label) {
                if entry.options.is_asked_like(&options) {
                    return Ok(entry.handle.clone());
                }
                let error = Error::failed(format!("{label} is wanted twice, with different options"));
                return Err(match &entry.at {
                    Some(at) => error.note(format!("first at {at}")),
                    None => error,
                });
            }
            entries.insert(
                label.clone(),
                Entry {
                    handle: handle.clone(),
                    options: options.clone(),
                    section: origin.section.clone(),
                    at: origin.at.clone(),
                },
            );
        }
        lock(&self.0.records).insert(label.clone(), None);
        self.0.trace.asked(&label, about.kind, &options);
        if kind.needs_intent() {
            self.lease().expect(&label);
        }

        let (engine, promise) = (self.clone(), handle.promise.clone());
        let task = self.0.options.runtime.spawn(async move {
            // Whatever happens in here, those who wait for the outputs must hear of it.
            let guard = Abandoned(promise);
            engine.ensure_now(kind, name, label, options, origin, &guard.0).await;
        });
        lock(&self.0.tasks).push(task);
        Ok(handle)
    }

    async fn ensure_now(
        &self,
        kind: Arc<dyn AnyKind>,
        name: String,
        label: String,
        options: Value,
        origin: Origin,
        promise: &Promise,
    ) {
        let record = |id: &str, outcome: Outcome, took: Duration, lines: Vec<String>, remarks: Vec<String>| {
            self.record(Record {
                kind: kind.about().kind.to_owned(),
                name: name.clone(),
                id: id.to_owned(),
                section: origin.section.clone(),
                outcome,
                took,
                lines,
                remarks,
            });
        };
        let options = match options.resolve().await {
            Ok(options) => options,
            // The error is told once, where it happened.
            Err(error) => {
                self.lease().expect_no_more(&label);
                let outcome = Outcome::NotStarted(error.message().to_owned());
                record("", outcome, Duration::ZERO, Vec::new(), Vec::new());
                promise.settle(Err(error));
                return;
            }
        };
        if !self.is_plan() {
            self.progress().started(&label);
        }
        self.0.trace.began(&label);
        let began = Instant::now();
        let (options, keep) = split_keep(options);
        let shown = self.is_plan().then(|| options.clone());
        let wanted = Wanted {
            name: name.clone(),
            options,
            keep,
            section: origin.section.clone(),
            at: origin.at.clone(),
        };
        let converged = match self.is_plan() {
            true => kind.foresee(self, wanted).await,
            false => kind.converge(self, wanted).await,
        };
        let took = began.elapsed();
        match converged {
            Ok(converged) => {
                self.lease().close(&label);
                // Nothing is finished in a plan.
                if !self.is_plan() {
                    let words = converged.outcome.words();
                    self.progress().finished(&label, &words, took, true);
                    self.0.trace.known_as(&label, &converged.id, &converged.outputs);
                }
                let lines = match (&converged.outcome, shown) {
                    (Outcome::Created, Some(options)) => plan::lines(&options),
                    _ => Vec::new(),
                };
                record(&converged.id, converged.outcome, took, lines, converged.remarks);
                promise.settle(Ok(converged.outputs));
            }
            Err(error) => {
                self.lease().expect_no_more(&label);
                let mut error = error.context(&label);
                if let Some(at) = origin.at {
                    error = error.at(at);
                }
                if !self.is_plan() {
                    self.progress()
                        .finished(&label, error.message_about(&label), took, false);
                }
                self.journal("failed", kind.about().kind, &name, error.message());
                let outcome = Outcome::Failed(error.message_about(&label).to_owned());
                record("", outcome, took, Vec::new(), Vec::new());
                lock(&self.0.errors).push(error.clone());
                promise.settle(Err(error));
            }
        }
    }

    /// One error for everything that is wrong with an option map.
    pub(in crate::resource) fn check_options(&self, kind: &dyn AnyKind, options: &Value) -> Result<()> {
        let about = kind.about();
        let Some(schema) = self.schema(about.kind) else {
            return Ok(());
        };
        let mut problems = schema::check(schema, options).into_iter();
        let Some(first) = problems.next() else {
            return keep::check(kind, schema, options);
        };
        let place = |path: &[String]| match path.is_empty() {
            true => String::new(),
            false => format!("`{}`: ", path.join(".")),
        };
        let function = format!("{}::ensure_{}", about.module, about.noun);
        let mut error = Error::failed(format!("{function}: {}{}", place(&first.path), first.message));
        if let Some(hint) = first.hint {
            error = error.hint(hint);
        }
        for problem in problems {
            error = error.note(format!("{}{}", place(&problem.path), problem.message));
        }
        Err(error)
    }
}

/// The option that every kind has, apart from the kind's own.
pub(in crate::resource) fn split_keep(options: Value) -> (Value, Vec<String>) {
    let Value::Map(mut map) = options else {
        return (options, Vec::new());
    };
    let keep = match map.shift_remove(KEEP) {
        Some(Value::List(fields)) => fields.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    (Value::Map(map), keep)
}

/// Settles a promise that nobody else settled, when its task ends by a panic.
struct Abandoned(Promise);

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0
            .settle(Err(Error::failed(format!("{} was abandoned", self.0.resource()))));
    }
}
