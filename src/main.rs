//! Arguments in, exit code out.

use std::process::ExitCode;

use iacsh::cli::{self, Action};
use iacsh::error::{Error, Exit};

fn main() -> ExitCode {
    let invocation = match cli::parse(std::env::args_os().skip(1), &|name| std::env::var(name).ok()) {
        Ok(invocation) => invocation,
        Err(error) => return fail(&error),
    };
    match invocation.action {
        Action::Show(text) => {
            anstream::print!("{text}");
            ExitCode::SUCCESS
        }
        _ => fail(&Error::new(Exit::Failed, "running is not there yet")),
    }
}

fn fail(error: &Error) -> ExitCode {
    anstream::eprintln!("error: {error}");
    if let Some(help) = error.help() {
        anstream::eprintln!("help: {help}");
    }
    ExitCode::from(error.exit() as u8)
}
