//! The embedded AWS as a client's peer, with a clock that moves when somebody waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;

use super::{Client, Response, Wire};
use crate::error::Result;
use crate::sandbox::aws::{ACCOUNT, Request};
use crate::sandbox::{Clock, Options, Sandbox};

const REGION: &str = "eu-central-1";

/// A sandbox of its own. Its durations are the real ones, and a pause costs nothing: it moves the clock on.
pub struct Embedded {
    sandbox: Sandbox,
    clock: Arc<AtomicI64>,
}

impl Embedded {
    /// Opens a sandbox in `folder`.
    pub fn open(folder: &std::path::Path) -> Result<Self> {
        let clock = Arc::new(AtomicI64::new(Clock::System.now()));
        let options = Options {
            clock: Clock::Manual(clock.clone()),
            time_scale: 1,
            ..Options::default()
        };
        Ok(Self {
            sandbox: Sandbox::open(folder, options)?,
            clock,
        })
    }
}

impl Client for Embedded {
    fn send<'a>(&'a self, service: &'static str, wire: Wire) -> BoxFuture<'a, Result<Response, String>> {
        Box::pin(async move {
            let scope = format!("AWS4-HMAC-SHA256 Credential=AKIA/20260101/{REGION}/{service}/aws4_request");
            let target = wire.headers.iter().find(|(name, _)| *name == "x-amz-target");
            let reply = self.sandbox.aws().answer(Request {
                method: &wire.method,
                uri: &wire.path,
                authorization: &scope,
                target: target.map_or("", |(_, target)| target),
                body: &wire.body,
            });
            let error_type = reply.headers.iter().find(|(name, _)| *name == "x-amzn-errortype");
            Ok(Response {
                status: reply.status,
                error_type: error_type.map(|(_, value)| value.clone()),
                body: reply.body,
            })
        })
    }

    fn pause(&self, time: Duration) -> BoxFuture<'_, ()> {
        let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        self.clock.fetch_add(millis, Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }

    fn now(&self) -> i64 {
        self.clock.load(Ordering::SeqCst)
    }

    fn region(&self) -> &str {
        REGION
    }

    fn account(&self) -> &str {
        ACCOUNT
    }
}
