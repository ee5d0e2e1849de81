//! `plan("scripts/recreate.rhai")`: what a run of another script would do, for scripts that judge it.

use std::sync::Arc;

use rhai::{Engine as Rhai, ImmutableString, NativeCallContext};

use super::engine::Shared;
use crate::error::Result;
use crate::value::{Map, Value};

pub fn register(rhai: &mut Rhai, shared: &Arc<Shared>) {
    let s = shared.clone();
    rhai.register_fn("plan", move |cx: NativeCallContext, file: ImmutableString| {
        s.give(cx.call_position(), s.plan(&file, &Map::new()))
    });
    let s = shared.clone();
    rhai.register_fn(
        "plan",
        move |cx: NativeCallContext, file: ImmutableString, parameters: rhai::Map| {
            let known = s.known(&parameters.into());
            let planned = known.and_then(|known| s.plan(&file, known.as_map().unwrap_or(&Map::new())));
            s.give(cx.call_position(), planned)
        },
    );
}

impl Shared {
    fn plan(&self, file: &str, parameters: &Map) -> Result<Value> {
        let planned = self.context.interface.plan(file, parameters);
        planned.map_err(|error| error.context(format!("plan(\"{file}\")")))
    }
}
