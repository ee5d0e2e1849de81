//! Divides a line between iacsh and the script.

use std::path::Path;

use clap::Command;

use super::{LATER_COMMANDS, not_yet, unknown_option};
use crate::error::{Error, Result, nearest};

/// The line, divided between iacsh and the script.
#[derive(Default)]
pub(super) struct Split {
    pub(super) own: Vec<String>,
    pub(super) script: Option<String>,
    pub(super) parameters: Vec<(String, Option<String>)>,
    /// `--help` stands somewhere in it.
    pub(super) help: bool,
}

impl Split {
    pub(super) fn new(command: &Command, args: Vec<String>) -> Result<Self> {
        let mut split = Self::default();
        let mut args = args.into_iter().peekable();
        while let Some(arg) = args.next() {
            if arg == "--" && split.script.is_some() {
                // Behind it are parameters only: an option's name there is told by the script's own check.
                while let Some(arg) = args.next() {
                    match arg.strip_prefix("--") {
                        Some(name) => split.parameter(name, &mut args)?,
                        None => return Err(unexpected(&arg)),
                    }
                }
            } else if let Some(name) = arg.strip_prefix("--").filter(|name| !name.is_empty()) {
                let (long, given) = match name.split_once('=') {
                    Some((long, _)) => (long, true),
                    None => (name, false),
                };
                let known = command.get_arguments().find(|option| option.get_long() == Some(long));
                match known {
                    Some(option) => {
                        let value = option.get_action().takes_values() && !given;
                        split.own.push(arg);
                        split.own.extend(value.then(|| args.next()).flatten());
                    }
                    None if long == "help" || long == "version" => {
                        split.help |= long == "help";
                        split.own.push(arg);
                    }
                    None if split.script.is_some() => split.parameter(name, &mut args)?,
                    None => return Err(unknown_option([command], long)),
                }
            } else if arg.len() > 1 && arg.starts_with('-') {
                split.help |= arg == "-h";
                // `-c EXPRESSION`, also at the end of `-vc`.
                let value = arg.ends_with('c');
                split.own.push(arg);
                split.own.extend(value.then(|| args.next()).flatten());
            } else if split.script.is_some() {
                return Err(unexpected(&arg));
            } else if split
                .own
                .iter()
                .any(|own| own.starts_with('-') && !own.starts_with("--") && own.ends_with('c'))
            {
                return Err(Error::usage(format!("`-c` and `{arg}` exclude each other")));
            } else if command.find_subcommand(&arg).is_some() {
                split.command(command, &arg, args)?;
                return Ok(split);
            } else {
                is_script(command, &arg)?;
                split.script = Some(arg.clone());
                split.own.push(arg);
            }
        }
        Ok(split)
    }

    /// `--name=value`, `--name value` or `--name`. A value that begins with a hyphen is one only if it is a number.
    fn parameter(&mut self, name: &str, args: &mut std::iter::Peekable<impl Iterator<Item = String>>) -> Result<()> {
        let (name, value) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => {
                let value = args.next_if(|next| !next.starts_with('-') || next.parse::<f64>().is_ok());
                (name, value)
            }
        };
        let first = name.chars().next().is_some_and(|first| first.is_ascii_alphabetic());
        if !first
            || !name
                .chars()
                .all(|char| char.is_ascii_alphanumeric() || char == '-' || char == '_')
        {
            return Err(Error::usage(format!("`--{name}` cannot be a parameter"))
                .hint("a parameter's name has letters, digits, _ and -"));
        }
        self.parameters.push((name.to_owned(), value));
        Ok(())
    }

    /// The rest of the line belongs to a subcommand, which has no parameters. Its own options are known behind its name.
    fn command(&mut self, command: &Command, name: &str, rest: impl Iterator<Item = String>) -> Result<()> {
        self.own.push(name.to_owned());
        let mut inner = command.find_subcommand(name);
        for arg in rest {
            if let Some(long) = arg.strip_prefix("--").filter(|long| !long.is_empty()) {
                let long = long.split_once('=').map_or(long, |(long, _)| long);
                let has = |command: &Command| command.get_arguments().any(|option| option.get_long() == Some(long));
                if !["help", "version"].contains(&long) && !has(command) && !inner.is_some_and(has) {
                    return Err(unknown_option(inner.into_iter().chain([command]), long));
                }
            } else if let Some(found) = inner.and_then(|inner| inner.find_subcommand(&arg)) {
                inner = Some(found);
            }
            self.own.push(arg);
        }
        Ok(())
    }
}

/// Refuses a word that is neither a command nor looks like a file nor is one.
fn is_script(command: &Command, word: &str) -> Result<()> {
    if LATER_COMMANDS.contains(&word) && !Path::new(word).is_file() {
        return Err(not_yet(&format!("iacsh {word}")));
    }
    if word == "-" || word.contains(['/', '\\', '.']) || Path::new(word).exists() {
        return Ok(());
    }
    let error = Error::usage(format!("there is no command and no script `{word}`"));
    Err(match nearest(word, command.get_subcommands().map(Command::get_name)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint("`iacsh --help` shows the commands"),
    })
}

fn unexpected(arg: &str) -> Error {
    Error::usage(format!("`{arg}` is not expected here")).hint("parameters of a script are written --NAME VALUE")
}
