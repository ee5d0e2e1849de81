//! `iacsh unlock`: takes the environment from a run that hangs.

use super::Run;
use crate::error::{Error, Result};
use crate::map;
use crate::output::progress::human;
use crate::resource::Engine;
use crate::resource::lease::Found;
use crate::value::{Map, Value};

impl Run<'_> {
    /// Shows who has the environment, and asks. Nobody having it is no error.
    pub fn unlock(self) -> Result<u8> {
        let engine = &self.session.engine;
        let (found, unlocked) = self.runtime.block_on(self.take(engine))?;
        if self.printer.json() {
            let row = found.as_ref().filter(|found| !found.is_free).map(row);
            let document = Value::Map(map! {
                "environment" => engine.scope().environment.as_str(),
                "holder" => row.map_or(Value::Null, Value::Map),
                "unlocked" => unlocked,
            });
            self.printer.document(&document.to_json())?;
        }
        Ok(0)
    }

    async fn take(&self, engine: &Engine) -> Result<(Option<Found>, bool)> {
        let name = engine.scope().environment.clone();
        engine.pass_gate().await?;
        let found = engine.lease().look().await?;
        let Some(held) = found.as_ref().filter(|found| !found.is_free) else {
            self.printer
                .message(&format!("nobody holds {name}: the next run can have it as it is"));
            return Ok((found, false));
        };
        let since = &held.record.since;
        let renewed = held.age.map(|age| format!(", renewed {} ago", human(age)));
        self.printer.message(&format!(
            "{name} is held by {} since {since}{}",
            held.record.holder.words(),
            renewed.unwrap_or_default()
        ));
        // A protected environment is refused before anybody is asked.
        engine.may_write()?;
        if !self
            .printer
            .confirm(&format!("Take {name} from that run?"), self.options.yes)?
        {
            return Err(Error::declined(format!("{name} is still held by that run")));
        }
        engine.lease().unlock(held).await?;
        self.printer.message(&format!(
            "{name} is free. That run stops at its next look, within 15 seconds; the next run finishes what it left"
        ));
        Ok((found, true))
    }
}

fn row(found: &Found) -> Map {
    let holder = &found.record.holder;
    map! {
        "by" => holder.by.as_str(),
        "host" => holder.host.as_str(),
        "process" => i64::from(holder.process),
        "run" => holder.run.as_str(),
        "since" => found.record.since.as_str(),
        "renewed_seconds" => found.age.map(|age| i64::try_from(age.as_secs()).unwrap_or(i64::MAX)),
    }
}
