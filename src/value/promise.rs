//! The outputs of a resource that is still being made.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use super::{Map, Value};
use crate::error::{Error, Result};

/// The outputs of one resource: not known, known, or never to be known because it failed.
#[derive(Clone)]
pub struct Promise(Arc<PromiseInner>);

struct PromiseInner {
    /// `vpc/main`: the resource whose outputs these are.
    resource: String,
    state: watch::Sender<Option<Result<Arc<Map>>>>,
}

impl Promise {
    pub fn new(resource: impl Into<String>) -> Self {
        Self(Arc::new(PromiseInner {
            resource: resource.into(),
            state: watch::Sender::new(None),
        }))
    }

    /// One whose outputs are known from the beginning: a reference.
    pub fn known(resource: impl Into<String>, outputs: Map) -> Self {
        let promise = Self::new(resource);
        promise.settle(Ok(outputs));
        promise
    }

    pub fn resource(&self) -> &str {
        &self.0.resource
    }

    /// Makes the outputs known. Only the first call has an effect.
    pub fn settle(&self, outputs: Result<Map>) {
        self.0.state.send_if_modified(|state| {
            let first = state.is_none();
            if first {
                *state = Some(outputs.map(Arc::new));
            }
            first
        });
    }

    /// The outputs if they are known, the error if it failed, `None` while the work goes on.
    pub fn peek(&self) -> Option<Result<Arc<Map>>> {
        self.0.state.borrow().clone()
    }

    pub async fn wait(&self) -> Result<Arc<Map>> {
        let mut receiver = self.0.state.subscribe();
        match receiver.wait_for(Option::is_some).await {
            Ok(state) => match &*state {
                Some(outcome) => outcome.clone(),
                None => Err(Error::failed(format!("{} was abandoned", self.resource()))),
            },
            Err(_) => Err(Error::failed(format!("{} was abandoned", self.resource()))),
        }
    }

    pub fn same(&self, other: &Promise) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Promise({})", self.resource())
    }
}

/// One field of a resource's outputs.
#[derive(Clone, Debug)]
pub struct Output {
    pub promise: Promise,
    pub field: String,
}

impl Output {
    /// The value if it is known.
    pub fn peek(&self) -> Option<Result<Value>> {
        self.promise.peek().map(|outputs| self.pick(&*outputs?))
    }

    pub async fn wait(&self) -> Result<Value> {
        self.pick(&*self.promise.wait().await?)
    }

    fn pick(&self, outputs: &Map) -> Result<Value> {
        outputs.get(&self.field).cloned().ok_or_else(|| {
            let fields: Vec<_> = outputs.keys().map(String::as_str).collect();
            Error::failed(format!("{} has no field `{}`", self.promise.resource(), self.field))
                .hint(format!("it has: {}", fields.join(", ")))
        })
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.promise.resource(), self.field)
    }
}
