//! `parallel([...])` and `par_map(list, f)`: closures side by side, for what is not a matter of outputs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{Array, Dynamic, Engine as Rhai, EvalAltResult, FnPtr, NativeCallContext};

use super::diagnostics::{Ended, Thrown};
use super::engine::{Shared, bug};
use crate::error::Error;

/// How many run at once. They wait for services, so it is more than there are cores.
const WORKERS: usize = 16;

/// The stack of each. A call within starts at the depth of the call around it, so the limit of depth holds here too.
const STACK: usize = 256 << 20;

type Outcome<T> = Result<T, Box<EvalAltResult>>;

pub fn register(rhai: &mut Rhai, shared: &Arc<Shared>) {
    let s = shared.clone();
    rhai.register_fn("parallel", move |cx: NativeCallContext, jobs: Array| {
        let mut closures = Vec::with_capacity(jobs.len());
        for job in jobs {
            match job.flatten().try_cast::<FnPtr>() {
                Some(closure) => closures.push((closure, None)),
                None => {
                    let error = Error::failed("parallel([...]) takes a list of closures: parallel([|| f(), || g()])");
                    return Err(s.raise(cx.call_position(), error));
                }
            }
        }
        run(&s, &cx, closures)
    });
    let s = shared.clone();
    rhai.register_fn("par_map", move |cx: NativeCallContext, items: Array, closure: FnPtr| {
        let jobs = items.into_iter().map(|item| (closure.clone(), Some(item))).collect();
        run(&s, &cx, jobs)
    });
}

/// Runs all jobs and returns their results in order. All errors are told.
fn run(shared: &Arc<Shared>, cx: &NativeCallContext, jobs: Vec<(FnPtr, Option<Dynamic>)>) -> Outcome<Array> {
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Option<Outcome<Dynamic>>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
    let (engine, name, position) = (cx.engine(), cx.fn_name(), cx.call_position());
    let (source, global) = (cx.fn_source(), cx.global_runtime_state());
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let (Some((closure, item)), Some(place)) = (jobs.get(number), done.get(number)) else {
                return;
            };
            let cx = NativeCallContext::new_with_all_fields(engine, name, source, global, position);
            let call = || match item {
                Some(item) => closure.call_within_context::<Dynamic>(&cx, (item.clone(),)),
                None => closure.call_within_context::<Dynamic>(&cx, ()),
            };
            let result = catch_unwind(AssertUnwindSafe(call))
                .unwrap_or_else(|panic| Err(shared.raise(position, bug(panic.as_ref()))));
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        }
    };
    let driver = &shared.context.runtime;
    let beside = || driver.beside_others(work);
    std::thread::scope(|threads| {
        for _ in 0..jobs.len().min(WORKERS) {
            let thread = std::thread::Builder::new().name("parallel".into()).stack_size(STACK);
            if thread.spawn_scoped(threads, beside).is_err() {
                // Fewer threads do the same work more slowly; without any, this one does it.
                break;
            }
        }
    });
    work();

    let mut results = Array::with_capacity(jobs.len());
    let mut failures = Vec::new();
    for place in done {
        match place.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(Ok(result)) => results.push(result),
            Some(Err(error)) => failures.push(error),
            None => {}
        }
    }
    let stop = |error: &EvalAltResult| matches!(error, EvalAltResult::ErrorTerminated(..));
    if let Some(at) = failures.iter().position(|error| stop(error)) {
        return Err(failures.swap_remove(at));
    }
    if failures.len() <= 1 {
        return failures.pop().map_or(Ok(results), Err);
    }
    let errors = failures.into_iter().filter_map(|error| match shared.explain(*error) {
        Ended::Failed(error) => Some(error),
        Ended::Exit(..) => None,
    });
    match Error::all(errors.collect()) {
        Some(error) => {
            let thrown = Dynamic::from(Thrown { error, here: false });
            Err(EvalAltResult::ErrorRuntime(thrown, position).into())
        }
        None => Ok(results),
    }
}
