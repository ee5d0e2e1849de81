//! Arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    match iacsh::cli::parse(std::env::args_os().skip(1), &|name| std::env::var(name).ok()) {
        Ok(invocation) => iacsh::commands::run(invocation),
        Err(error) => iacsh::commands::refuse(&error),
    }
}
