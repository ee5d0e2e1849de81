//! The command line.
//!
//! iacsh's own options are understood before and after the script's name. Every other `--name value` behind it is a
//! parameter of the script, and is split off before clap sees the line. Which options are iacsh's own is asked of clap,
//! so that there is one list of them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::error::{Error, Result, nearest};

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// No script: the prompt.
    Prompt,
    /// Run a script.
    Script(PathBuf),
    /// Show a script's parameters without running it.
    ScriptHelp(PathBuf),
    /// Evaluate an expression: `-c`.
    Expression(String),
    /// Run what standard input holds: `-`.
    Stdin,
    /// `iacsh destroy`
    Destroy,
    /// `iacsh env check [NAME]`
    EnvCheck(Option<String>),
    /// `iacsh env list`
    EnvList,
    /// `iacsh sandbox reset`
    SandboxReset,
    /// Print this text: the help, the version. It holds colour codes, which the printer takes out where they do not belong.
    Show(String),
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// The options of iacsh.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Options {
    /// The environment: `--env`, else `IACSH_ENV`, else `sandbox`.
    pub env: String,
    pub json: bool,
    pub color: Color,
    /// 0, 1 for `-v`, 2 for `-vv`.
    pub verbose: u8,
    pub step: bool,
    pub yes: bool,
    /// The protected environment that may be changed.
    pub confirm: Option<String>,
    /// The parts of the environment that are meant; empty for all of it.
    pub only: Vec<String>,
    /// The resources that may be replaced.
    pub allow_replace: Vec<String>,
    /// The resources whose data may be lost.
    pub with_data: Vec<String>,
    pub purge_secrets: bool,
}

/// One command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    pub action: Action,
    pub options: Options,
    /// Parameters of the script in the order of the line: `--name value`, `--name=value`, or `--name` alone.
    pub parameters: Vec<(String, Option<String>)>,
}

/// Subcommands that the design names and that do not work yet.
const LATER_COMMANDS: [&str; 7] = ["iam", "runs", "unlock", "test", "check", "learn", "doc"];

/// Options of which the same is true.
const LATER_OPTIONS: [&str; 5] = ["plan", "prune", "out", "expect", "markdown"];

const EXAMPLES: &str = "\
Examples:
  iacsh                                  the prompt, on the sandbox: no account, no server
  iacsh scripts/recreate.rhai            create what is missing, change what differs
  iacsh scripts/recreate.rhai --step     the same, asking before each step
  iacsh scripts/recreate.rhai --help     the parameters of a script
  iacsh scripts/recreate.rhai --env staging
  iacsh -c 'ecs::services()' --json      one expression, as JSON
  echo 'ecs::services()' | iacsh -       standard input
  iacsh env check staging                what an environment needs, and what is missing
  iacsh destroy                          delete everything disposable of an environment
";

const AFTER: &str = "\
Exit codes:
    0  done
    1  the script failed while running
   64  the command line is wrong
   65  a file is missing or invalid: nothing was done
   75  another run holds the environment
   77  declined, quit, or refused by a guard
   78  configuration is missing: a variable, credentials, a permission
  130  interrupted: run the same command again, and it finishes the job
    n  the script said exit(n)

Environment variables:
  IACSH_ENV      the environment when --env is not given
  IACSH_SANDBOX  where the embedded cloud is kept (ROOT/.sandbox when not given)
  NO_COLOR       no colour

Results go to standard output; progress, questions and messages go to standard error.";

/// The command line as clap knows it.
fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .help(help)
            .action(ArgAction::SetTrue)
            .global(true)
    };
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help).global(true)
    };
    let many =
        |name: &'static str, value: &'static str, help: &'static str| text(name, value, help).action(ArgAction::Append);
    let name = Arg::new("NAME").help("The environment (the one of --env when not given)");
    Command::new("iacsh")
        .about(env!("CARGO_PKG_DESCRIPTION"))
        .version(env!("CARGO_PKG_VERSION"))
        .help_template("{about}\n\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}")
        .before_help(EXAMPLES)
        .after_help(AFTER)
        .override_usage("iacsh [OPTIONS] [SCRIPT] [--PARAMETER VALUE]...\n       iacsh [OPTIONS] COMMAND")
        .max_term_width(100)
        .disable_help_subcommand(true)
        .subcommand_value_name("COMMAND")
        .args_conflicts_with_subcommands(false)
        .arg(Arg::new("SCRIPT").help("A script, or - for standard input. `iacsh SCRIPT --help` shows its parameters"))
        .arg(
            Arg::new("expression")
                .short('c')
                .value_name("EXPRESSION")
                .help("Evaluate an expression and print its value")
                .allow_hyphen_values(true)
                .conflicts_with("SCRIPT"),
        )
        .arg(text(
            "env",
            "NAME",
            "Which environments/NAME.toml [default: IACSH_ENV, else sandbox]",
        ))
        .arg(flag(
            "step",
            "Show each step, then ask: run, skip, inspect, continue, quit",
        ))
        .arg(flag("yes", "Yes to every ordinary question"))
        .arg(text("confirm", "ENV", "Allow changes of this protected environment"))
        .arg(many("only", "NAME", "Only this part of the environment (repeatable)"))
        .arg(many(
            "allow-replace",
            "NAME",
            "Allow that this resource is replaced (repeatable)",
        ))
        .arg(many(
            "with-data",
            "NAME",
            "Allow that this resource's data is lost (repeatable)",
        ))
        .arg(flag(
            "purge-secrets",
            "Delete secrets at once, without a recovery window",
        ))
        .arg(flag("json", "One JSON document on standard output"))
        .arg(
            text("color", "WHEN", "When to use colour")
                .value_parser(PossibleValuesParser::new(["auto", "always", "never"]))
                .default_value("auto"),
        )
        .arg(
            Arg::new("verbose")
                .short('v')
                .long("verbose")
                .help("What is called, and how long it took; -vv for more")
                .action(ArgAction::Count)
                .global(true),
        )
        .arg(flag("plan", "").hide(true))
        .arg(flag("prune", "").hide(true))
        .arg(flag("markdown", "").hide(true))
        .arg(text("out", "FILE", "").hide(true))
        .arg(text("expect", "FILE", "").hide(true))
        .subcommand(Command::new("destroy").about("Delete everything disposable of an environment"))
        .subcommand(
            Command::new("env")
                .about("Environments: list, check")
                .subcommand_required(true)
                .disable_help_subcommand(true)
                .subcommand(Command::new("list").about("The environments there are"))
                .subcommand(
                    Command::new("check")
                        .about("What an environment needs, and what is missing")
                        .arg(name),
                ),
        )
        .subcommand(
            Command::new("sandbox")
                .about("The embedded cloud: reset")
                .subcommand_required(true)
                .disable_help_subcommand(true)
                .subcommand(Command::new("reset").about("Delete everything that the embedded cloud keeps")),
        )
}

/// Whether a parameter of a script may not have this name because an option of iacsh has it.
pub fn is_option(name: &str) -> bool {
    name == "help" || name == "version" || command().get_arguments().any(|arg| arg.get_long() == Some(name))
}

/// Reads a command line without the program's name. `variable` looks up an environment variable.
pub fn parse(
    args: impl IntoIterator<Item = OsString>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Invocation> {
    let args = args
        .into_iter()
        .map(|arg| {
            arg.into_string()
                .map_err(|arg| Error::usage(format!("`{}` is not UTF-8", arg.to_string_lossy())))
        })
        .collect::<Result<Vec<_>>>()?;
    let mut command = command();
    let split = Split::new(&command, args)?;
    if split.help
        && let Some(script) = &split.script
        && script != "-"
    {
        return Ok(Invocation {
            action: Action::ScriptHelp(script.into()),
            options: Options::default(),
            parameters: split.parameters,
        });
    }
    let own = std::iter::once("iacsh".to_owned()).chain(split.own);
    let matches = match command.try_get_matches_from_mut(own) {
        Ok(matches) => matches,
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                return Ok(Invocation {
                    action: Action::Show(error.render().ansi().to_string()),
                    options: Options::default(),
                    parameters: Vec::new(),
                });
            }
            _ => return Err(usage(&command, &error)),
        },
    };
    if let Some(later) = LATER_OPTIONS
        .iter()
        .find(|name| matches.value_source(name) == Some(clap::parser::ValueSource::CommandLine))
    {
        return Err(not_yet(&format!("--{later}")));
    }
    let options = options(&matches, variable);
    let action = action(&matches)?;
    if options.step && !matches!(action, Action::Script(_)) {
        return Err(Error::usage("`--step` needs a script").hint("iacsh scripts/recreate.rhai --step"));
    }
    Ok(Invocation {
        action,
        options,
        parameters: split.parameters,
    })
}

fn options(matches: &ArgMatches, variable: &dyn Fn(&str) -> Option<String>) -> Options {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let many = |name: &str| {
        matches
            .get_many::<String>(name)
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    };
    Options {
        env: text("env")
            .or_else(|| variable("IACSH_ENV").filter(|name| !name.is_empty()))
            .unwrap_or_else(|| "sandbox".into()),
        json: matches.get_flag("json"),
        color: match text("color").as_deref() {
            Some("always") => Color::Always,
            Some("never") => Color::Never,
            _ => Color::Auto,
        },
        verbose: matches.get_count("verbose"),
        step: matches.get_flag("step"),
        yes: matches.get_flag("yes"),
        confirm: text("confirm"),
        only: many("only"),
        allow_replace: many("allow-replace"),
        with_data: many("with-data"),
        purge_secrets: matches.get_flag("purge-secrets"),
    }
}

fn action(matches: &ArgMatches) -> Result<Action> {
    if let Some(expression) = matches.get_one::<String>("expression") {
        if matches.subcommand_name().is_some() {
            return Err(Error::usage("`-c` and a command exclude each other"));
        }
        return Ok(Action::Expression(expression.clone()));
    }
    Ok(match matches.subcommand() {
        Some(("destroy", _)) => Action::Destroy,
        Some(("env", matches)) => match matches.subcommand() {
            Some(("check", matches)) => Action::EnvCheck(matches.get_one::<String>("NAME").cloned()),
            _ => Action::EnvList,
        },
        Some(("sandbox", _)) => Action::SandboxReset,
        _ => match matches.get_one::<String>("SCRIPT").map(String::as_str) {
            Some("-") => Action::Stdin,
            Some(script) => Action::Script(script.into()),
            None => Action::Prompt,
        },
    })
}

/// The line, divided between iacsh and the script.
#[derive(Default)]
struct Split {
    own: Vec<String>,
    script: Option<String>,
    parameters: Vec<(String, Option<String>)>,
    /// `--help` stands somewhere in it.
    help: bool,
}

impl Split {
    fn new(command: &Command, args: Vec<String>) -> Result<Self> {
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
                    None => return Err(unknown_option(command, long)),
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

    /// The rest of the line belongs to a subcommand, which has no parameters.
    fn command(&mut self, command: &Command, name: &str, rest: impl Iterator<Item = String>) -> Result<()> {
        self.own.push(name.to_owned());
        for arg in rest {
            if name == "sandbox" && arg == "serve" {
                return Err(not_yet("iacsh sandbox serve"));
            }
            if let Some(long) = arg.strip_prefix("--").filter(|long| !long.is_empty()) {
                let long = long.split_once('=').map_or(long, |(long, _)| long);
                let known = ["help", "version"].contains(&long)
                    || command.get_arguments().any(|option| option.get_long() == Some(long));
                if !known {
                    return Err(unknown_option(command, long));
                }
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

fn unknown_option(command: &Command, long: &str) -> Error {
    let error = Error::usage(format!("there is no option `--{long}`"));
    let known = command.get_arguments().filter(|option| !option.is_hide_set());
    match nearest(long, known.filter_map(Arg::get_long).chain(["help", "version"])) {
        Some(near) => error.hint(format!("did you mean `--{near}`?")),
        None => error.hint("parameters of a script come behind its name; `iacsh --help` shows the options"),
    }
}

fn not_yet(what: &str) -> Error {
    Error::usage(format!("`{what}` is not there yet")).hint("`iacsh --help` shows what is")
}

/// What clap found, in the words of all other errors.
fn usage(command: &Command, error: &clap::Error) -> Error {
    let context = |kind| {
        error.get(kind).map(|value| match value {
            ContextValue::Strings(several) => several.join(", "),
            one => one.to_string(),
        })
    };
    let arg = context(ContextKind::InvalidArg).unwrap_or_default();
    let value = context(ContextKind::InvalidValue).unwrap_or_default();
    let near = context(ContextKind::SuggestedValue).or_else(|| context(ContextKind::SuggestedSubcommand));
    let known = context(ContextKind::ValidValue).or_else(|| context(ContextKind::ValidSubcommand));
    let known = known.filter(|known| !known.is_empty());
    let told = match error.kind() {
        ErrorKind::InvalidValue if value.is_empty() => Error::usage(format!("`{arg}` needs a value")),
        ErrorKind::InvalidValue => Error::usage(format!("`{value}` is no value of `{arg}`")),
        ErrorKind::InvalidSubcommand => {
            let word = context(ContextKind::InvalidSubcommand).unwrap_or_default();
            Error::usage(format!("there is no command `{word}` here"))
        }
        ErrorKind::MissingSubcommand => Error::usage("a command is missing"),
        ErrorKind::UnknownArgument => match arg.strip_prefix("--") {
            Some(long) => return unknown_option(command, long),
            None => Error::usage(format!("`{arg}` is not expected here")),
        },
        ErrorKind::ArgumentConflict => {
            let other = context(ContextKind::PriorArg).unwrap_or_default();
            match other == arg {
                true => Error::usage(format!("`{arg}` is there twice")),
                false => Error::usage(format!("`{arg}` and `{other}` exclude each other")),
            }
        }
        _ => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            Error::usage(line.trim_start_matches("error: "))
        }
    };
    match (near, known) {
        (Some(near), _) => told.hint(format!("did you mean `{near}`?")),
        (None, Some(known)) => told.hint(format!("known here: {known}")),
        (None, None) => told.hint("`iacsh --help` shows the options"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &[&str]) -> Result<Invocation> {
        parse(words.iter().map(OsString::from), &|_| None)
    }

    fn line(line: &str) -> Invocation {
        parse_words(&line.split_whitespace().collect::<Vec<_>>()).unwrap()
    }

    fn refused(line: &str) -> String {
        let error = parse_words(&line.split_whitespace().collect::<Vec<_>>()).unwrap_err();
        assert_eq!(error.exit(), crate::error::Exit::Usage, "{line}");
        let hint = error.help().map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{}{hint}", error.message())
    }

    #[test]
    fn clap_finds_its_own_description_consistent() {
        command().debug_assert();
    }

    #[test]
    fn each_line_means_one_action() {
        let table = [
            ("", Action::Prompt),
            ("--env staging", Action::Prompt),
            ("a.rhai", Action::Script("a.rhai".into())),
            ("--json a.rhai --yes", Action::Script("a.rhai".into())),
            ("a.rhai --help", Action::ScriptHelp("a.rhai".into())),
            ("-h a.rhai", Action::ScriptHelp("a.rhai".into())),
            ("-", Action::Stdin),
            ("-c 1+1", Action::Expression("1+1".into())),
            ("-vc -1", Action::Expression("-1".into())),
            ("-c --json", Action::Expression("--json".into())),
            ("destroy --yes", Action::Destroy),
            ("--yes destroy", Action::Destroy),
            ("env list", Action::EnvList),
            ("env check", Action::EnvCheck(None)),
            ("env check staging --json", Action::EnvCheck(Some("staging".into()))),
            ("sandbox reset", Action::SandboxReset),
        ];
        for (text, action) in table {
            assert_eq!(line(text).action, action, "{text}");
        }
    }

    #[test]
    fn options_stand_before_and_behind_the_script() {
        let wanted = Options {
            env: "staging".into(),
            json: true,
            color: Color::Never,
            verbose: 2,
            step: true,
            yes: true,
            confirm: Some("staging".into()),
            only: vec!["redis".into(), "ecs".into()],
            allow_replace: vec!["redis".into()],
            with_data: vec!["db".into()],
            purge_secrets: true,
        };
        let options = "--env staging --json --color=never -vv --step --yes --confirm staging --only redis --only=ecs \
                       --allow-replace redis --with-data db --purge-secrets";
        assert_eq!(line(&format!("{options} a.rhai")).options, wanted);
        assert_eq!(line(&format!("a.rhai {options}")).options, wanted);
    }

    #[test]
    fn everything_else_behind_the_script_is_its_own() {
        let parsed = line("a.rhai --count 3 --json --name=x=y --offset -5 --dry --yes --last");
        let parameters: Vec<_> = parsed
            .parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
            .collect();
        assert_eq!(
            parameters,
            [
                ("count", Some("3")),
                ("name", Some("x=y")),
                ("offset", Some("-5")),
                ("dry", None),
                ("last", None)
            ]
        );
        assert!(parsed.options.json && parsed.options.yes);
        assert_eq!(line("- --count 3").parameters.len(), 1);
    }

    #[test]
    fn the_environment_comes_from_the_option_then_the_variable() {
        let variable = |name: &str| (name == "IACSH_ENV").then(|| "staging".to_owned());
        let env = |args: &[&str]| parse(args.iter().map(OsString::from), &variable).unwrap().options.env;
        assert_eq!(env(&[]), "staging");
        assert_eq!(env(&["--env", "production"]), "production");
        assert_eq!(line("").options.env, "sandbox");
    }

    #[test]
    fn a_wrong_line_says_what_would_be_right() {
        let table = [
            ("--jsn", "there is no option `--jsn` (did you mean `--json`?)"),
            ("destroy --jsn", "there is no option `--jsn` (did you mean `--json`?)"),
            (
                "--count 3 a.rhai",
                "there is no option `--count` (parameters of a script come behind its name; `iacsh --help` shows the \
                 options)",
            ),
            (
                "destory",
                "there is no command and no script `destory` (did you mean `destroy`?)",
            ),
            (
                "a.rhai b",
                "`b` is not expected here (parameters of a script are written --NAME VALUE)",
            ),
            ("-c 1 a.rhai", "`-c` and `a.rhai` exclude each other"),
            (
                "--color sometimes",
                "`sometimes` is no value of `--color <WHEN>` (known here: auto, always, never)",
            ),
            (
                "--env",
                "`--env <NAME>` needs a value (`iacsh --help` shows the options)",
            ),
            ("env chek", "there is no command `chek` here (did you mean `check`?)"),
            ("-x", "`-x` is not expected here (`iacsh --help` shows the options)"),
            (
                "-c 1 --step",
                "`--step` needs a script (iacsh scripts/recreate.rhai --step)",
            ),
            (
                "a.rhai --plan",
                "`--plan` is not there yet (`iacsh --help` shows what is)",
            ),
            (
                "a.rhai --out x",
                "`--out` is not there yet (`iacsh --help` shows what is)",
            ),
            (
                "iam policy",
                "`iacsh iam` is not there yet (`iacsh --help` shows what is)",
            ),
            (
                "sandbox serve",
                "`iacsh sandbox serve` is not there yet (`iacsh --help` shows what is)",
            ),
            (
                "a.rhai --4 x",
                "`--4` cannot be a parameter (a parameter's name has letters, digits, _ and -)",
            ),
        ];
        for (line, told) in table {
            assert_eq!(refused(line), told, "{line}");
        }
    }

    #[test]
    fn the_help_teaches_and_hides_what_does_not_work() {
        for text in ["--help", "-h"] {
            let Action::Show(help) = line(text).action else {
                panic!()
            };
            let help = anstream::adapter::strip_str(&help).to_string();
            assert!(help.find("Examples:").unwrap() < help.find("Usage:").unwrap());
            for wanted in ["destroy", "--purge-secrets", "Exit codes:", "IACSH_ENV"] {
                assert!(help.contains(wanted), "{wanted} in\n{help}");
            }
            for hidden in LATER_OPTIONS {
                assert!(!help.contains(&format!("--{hidden}")), "{hidden} in\n{help}");
            }
        }
        assert!(matches!(line("env --help").action, Action::Show(_)));
        assert_eq!(refused("env"), "a command is missing (known here: list, check)");
        assert!(matches!(line("--version").action, Action::Show(text) if text.contains(env!("CARGO_PKG_VERSION"))));
    }

    #[test]
    fn option_names_are_taken() {
        assert!(is_option("env") && is_option("plan") && is_option("help"));
        assert!(!is_option("count"));
    }
}
