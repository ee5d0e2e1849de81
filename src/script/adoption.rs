//! `adopt` and `moved`: whose a resource is, and what it is called.

use std::sync::Arc;

use rhai::{Dynamic, Engine as Rhai, ImmutableString, NativeCallContext};

use super::engine::Shared;
use crate::value::Value;

pub fn register(rhai: &mut Rhai, shared: &Arc<Shared>) {
    let s = shared.clone();
    rhai.register_fn(
        "adopt",
        move |cx: NativeCallContext, kind: ImmutableString, id: Dynamic, options: rhai::Map| {
            let position = cx.call_position();
            let adopted = s.known(&id).and_then(|id| {
                let options = s.values.value_of(&options.into())?;
                let interface = s.context.interface.clone();
                let confirm = move |question: &str| interface.confirm(question);
                s.wait(
                    s.engine
                        .adopt(&kind, &id.to_string(), options, s.origin(position), &confirm),
                )
            });
            s.give(position, adopted.map(|handle| handle.into_value()))
        },
    );
    let s = shared.clone();
    rhai.register_fn(
        "moved",
        move |cx: NativeCallContext, from: ImmutableString, to: ImmutableString| {
            let position = cx.call_position();
            let moved = s.wait(s.engine.moved(&from, &to, s.origin(position)));
            s.give(position, moved.map(Value::Bool))
        },
    );
}
