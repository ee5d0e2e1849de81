//! Arguments in, exit code out.

use std::panic::{catch_unwind, set_hook};
use std::process::ExitCode;

fn main() -> ExitCode {
    // A panic is told as an error below, or by whoever catches it; its place is for the log.
    set_hook(Box::new(|panic| tracing::error!("{panic}")));
    let outcome =
        catch_unwind(
            || match iacsh::cli::parse(std::env::args_os().skip(1), &|name| std::env::var(name).ok()) {
                Ok(invocation) => iacsh::commands::run(invocation),
                Err(error) => iacsh::commands::refuse(&error),
            },
        );
    outcome.unwrap_or_else(|panic| iacsh::commands::refuse(&iacsh::output::error::of_panic(&*panic)))
}
