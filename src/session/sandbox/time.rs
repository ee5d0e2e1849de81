//! The sandbox's time.

use jiff::Timestamp;

use super::opened;
use crate::environment::{Environment, Wait};
use crate::error::{Error, Result, nearest};
use crate::map;
use crate::resource::Verb;
use crate::sandbox::aws::durations::{self, Changed};
use crate::sandbox::{Clock, Sandbox};
use crate::value::{Map, Value};

pub fn all(sandbox: Option<&Sandbox>) -> Vec<Verb> {
    vec![now(sandbox), elapsed(sandbox), advance(sandbox), usual(sandbox)]
}

/// What the environment's file says of durations.
pub fn durations(environment: &Environment) -> Result<Changed> {
    let mut changed = Changed::new();
    let mut errors = Vec::new();
    let place = |name: &str| {
        format!(
            "environments/{}.toml, `{name}` of [sandbox.durations]",
            environment.name
        )
    };
    for (name, time) in &environment.sandbox.durations {
        let names = durations::ALL.iter().map(|usual| usual.name.to_lowercase());
        let names: Vec<_> = names.collect();
        if !names.contains(name) {
            let error = Error::invalid(format!("{}: there is no such duration", place(name)));
            errors.push(match nearest(name, names.iter().map(String::as_str)) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint("sandbox::durations() lists them"),
            });
        } else if let Some(time) = time.parse() {
            changed.insert(name.clone(), time);
        } else {
            let error = Error::invalid(format!("{}: `{}` is no time", place(name), time.as_str()));
            errors.push(error.hint("times are written as `30s`, `10m`, `1h 30m`"));
        }
    }
    Error::all(errors).map_or(Ok(changed), Err)
}

fn now(sandbox: Option<&Sandbox>) -> Verb {
    let sandbox = sandbox.cloned();
    Verb::reads("sandbox", "now", "The sandbox's time, as `2027-01-31T12:00:00Z`.").run(move |_, _| {
        let sandbox = sandbox.clone();
        async move { moment(opened(sandbox.as_ref())?.aws().now()?) }
    })
}

fn elapsed(sandbox: Option<&Sandbox>) -> Verb {
    // What another process moves on is seen only in the state, and only a clock that is moved needs it.
    let now = |sandbox: &Sandbox| match sandbox.aws().options().clock {
        Clock::Virtual => sandbox.aws().now(),
        ref clock => Ok(clock.now()),
    };
    let sandbox = sandbox.cloned();
    let began = sandbox.as_ref().map(now);
    Verb::reads(
        "sandbox",
        "elapsed",
        "How many seconds have passed since the run began, by the sandbox's time. In a test that is how long AWS would have \
         taken.",
    )
    .run(move |_, _| {
        let (sandbox, began) = (sandbox.clone(), began.clone());
        async move {
            let now = now(opened(sandbox.as_ref())?)?;
            let began = began.unwrap_or(Ok(now))?;
            // Milliseconds of a run are far below what a float holds exactly.
            Ok(Value::Float((now - began) as f64 / 1000.0))
        }
    })
}

fn advance(sandbox: Option<&Sandbox>) -> Verb {
    let sandbox = sandbox.cloned();
    Verb::acts(
        "sandbox",
        "advance",
        "Moves the sandbox's time on, and gives it: `sandbox::advance(\"10m\")`. What would begin or end meanwhile does, \
         in its order. The environment must say `clock = \"virtual\"` in [sandbox]; in a test it is always so.",
    )
    .param::<String>("time", "how long, as `30s`, `10m` or `1h 30m`")
    .run(move |_, args| {
        let sandbox = sandbox.clone();
        async move {
            let text: String = args.into_iter().next().unwrap_or_default().read()?;
            let time = Wait::new(&text).parse().ok_or_else(|| {
                Error::failed(format!("`{text}` is no time")).hint("times are written as `30s`, `10m`, `1h 30m`")
            })?;
            let aws = opened(sandbox.as_ref())?.aws();
            if let Clock::Runtime { .. } = aws.options().clock {
                tokio::time::sleep(time).await;
                return moment(aws.now()?);
            }
            moment(aws.advance(time)?)
        }
    })
}

fn usual(sandbox: Option<&Sandbox>) -> Verb {
    let sandbox = sandbox.cloned();
    Verb::reads(
        "sandbox",
        "durations",
        "How long things usually take in AWS and how long here, with the source of each number.",
    )
    .run(move |_, _| {
        let sandbox = sandbox.clone();
        async move {
            let options = opened(sandbox.as_ref())?.aws().options();
            let rows = durations::ALL.iter().map(|usual| {
                let millis = |time: std::time::Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
                let here = match options.time_scale {
                    0 => 0,
                    scale => millis(usual.here(&options.durations)) / i64::from(scale),
                };
                let millis = millis(usual.time);
                let row: Map = map! {
                    "name" => usual.name.to_lowercase(),
                    "service" => usual.service(),
                    "seconds" => millis / 1000,
                    "here_ms" => here,
                    "about" => usual.about(),
                };
                Value::Map(row)
            });
            Ok(Value::List(rows.collect()))
        }
    })
}

fn moment(milliseconds: i64) -> Result<Value> {
    let time = Timestamp::from_millisecond(milliseconds)
        .map_err(|error| Error::failed(format!("the sandbox's time is out of range: {error}")))?;
    Ok(Value::text(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()))
}
