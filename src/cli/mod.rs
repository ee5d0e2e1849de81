//! The command line.
//!
//! iacsh's own options are understood before and after the script's name. Every other `--name value` behind it is a
//! parameter of the script, and is split off before clap sees the line. Which options are iacsh's own is asked of clap,
//! so that there is one list of them.

mod description;
mod line;
mod split;

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgMatches, Command};

use crate::error::{Error, Result, nearest};

use description::command;
use split::Split;

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
    /// `iacsh iam policy`; with `--adopt`, for runs that adopt.
    IamPolicy(bool),
    /// `iacsh runs`; whether all of them
    Runs(bool),
    /// `iacsh runs show N`
    RunsShow(String),
    /// `iacsh unlock`
    Unlock,
    /// `iacsh env check [NAME]`
    EnvCheck(Option<String>),
    /// `iacsh env diff A B`
    EnvDiff(EnvDiff),
    /// `iacsh env list`
    EnvList,
    /// `iacsh test [FILE...]`
    Test(Test),
    /// `iacsh sandbox conformance`; whether also what is slow
    SandboxConformance(bool),
    /// `iacsh sandbox reset`
    SandboxReset,
    /// `iacsh sandbox save NAME`
    SandboxSave(String),
    /// `iacsh sandbox load NAME`
    SandboxLoad(String),
    /// `iacsh sandbox list`
    SandboxList,
    /// `iacsh sandbox show`
    SandboxShow,
    /// `iacsh sandbox serve`
    SandboxServe(Serve),
    /// Print this text: the help, the version. It holds colour codes, which the printer takes out where they do not belong.
    Show(String),
}

/// Which environments are compared, and whether only their files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvDiff {
    pub first: String,
    pub second: String,
    pub files: bool,
}

/// Which tests of scripts are run, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Test {
    /// Files and folders; empty for the folder `tests/` of the project.
    pub files: Vec<PathBuf>,
    /// Where the results go as JUnit's XML.
    pub junit: Option<PathBuf>,
    /// How many run at once; `None` for as many as there are cores.
    pub jobs: Option<NonZeroUsize>,
    /// How long each may take, by the clock on the wall.
    pub timeout: Duration,
    /// Nothing is run: only what would be.
    pub list: bool,
    /// Also what tests print that pass.
    pub show_output: bool,
}

/// How the sandbox is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serve {
    pub host: IpAddr,
    /// 0: any free one.
    pub port: u16,
    /// Of the SQL Server.
    pub sql_port: u16,
    /// The same access key every time.
    pub keep_key: bool,
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
    /// Delete what the script no longer names.
    pub prune: bool,
    /// Tell what a run would do, and write nothing.
    pub plan: bool,
    /// Where the plan is kept.
    pub out: Option<PathBuf>,
    /// The plan that a run is held to.
    pub expect: Option<PathBuf>,
    /// The plan as Markdown.
    pub markdown: bool,
}

/// One command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    pub action: Action,
    pub options: Options,
    /// Parameters of the script in the order of the line: `--name value`, `--name=value`, or `--name` alone.
    pub parameters: Vec<(String, Option<String>)>,
    /// The line as the journal keeps it.
    pub line: String,
}

/// Subcommands that the design names and that do not work yet.
const LATER_COMMANDS: [&str; 3] = ["check", "learn", "doc"];

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
    let line = line::kept(&args);
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
            line,
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
                    line,
                });
            }
            _ => return Err(usage(&command, &error)),
        },
    };
    let options = options(&matches, variable);
    let action = action(&matches)?;
    if options.step && !matches!(action, Action::Script(_)) {
        return Err(Error::usage("`--step` needs a script").hint("iacsh scripts/recreate.rhai --step"));
    }
    fits_plan(&options, &action)?;
    Ok(Invocation {
        action,
        options,
        parameters: split.parameters,
        line,
    })
}

/// The options that belong to a plan, and those that exclude it.
fn fits_plan(options: &Options, action: &Action) -> Result<()> {
    let runs = matches!(
        action,
        Action::Script(_) | Action::Expression(_) | Action::Stdin | Action::Destroy
    );
    let example = "iacsh scripts/recreate.rhai --plan --out FILE, and then iacsh scripts/recreate.rhai --expect FILE";
    // The policy that a plan needs.
    match action {
        Action::IamPolicy(true) if options.plan => {
            return Err(Error::usage(
                "`--plan` and `--adopt` exclude each other: a plan adopts nothing",
            ));
        }
        Action::IamPolicy(_) if options.plan => return Ok(()),
        _ => {}
    }
    if (options.plan || options.expect.is_some()) && !runs {
        let option = if options.plan { "--plan" } else { "--expect" };
        return Err(Error::usage(format!("`{option}` needs a script or destroy")).hint(example));
    }
    if options.plan && options.step {
        return Err(Error::usage(
            "`--plan` and `--step` exclude each other: a plan asks nothing",
        ));
    }
    if options.plan && options.expect.is_some() {
        return Err(Error::usage("`--plan` makes a plan and `--expect` holds a run to one").hint(example));
    }
    if options.markdown && options.json {
        return Err(Error::usage("`--markdown` and `--json` exclude each other"));
    }
    for (given, option) in [(options.out.is_some(), "--out"), (options.markdown, "--markdown")] {
        if given && !options.plan {
            return Err(Error::usage(format!("`{option}` belongs to `--plan`")).hint(example));
        }
    }
    Ok(())
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
        prune: matches.get_flag("prune"),
        plan: matches.get_flag("plan"),
        out: text("out").map(PathBuf::from),
        expect: text("expect").map(PathBuf::from),
        markdown: matches.get_flag("markdown"),
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
        Some(("iam", matches)) => {
            let policy = matches.subcommand_matches("policy");
            Action::IamPolicy(policy.is_some_and(|matches| matches.get_flag("adopt")))
        }
        Some(("runs", matches)) => match matches.subcommand() {
            Some(("show", matches)) => Action::RunsShow(required(matches, "RUN")),
            _ => Action::Runs(matches.get_flag("all")),
        },
        Some(("unlock", _)) => Action::Unlock,
        Some(("env", matches)) => match matches.subcommand() {
            Some(("check", matches)) => Action::EnvCheck(matches.get_one::<String>("NAME").cloned()),
            Some(("diff", matches)) => Action::EnvDiff(EnvDiff {
                first: required(matches, "A"),
                second: required(matches, "B"),
                files: matches.get_flag("files"),
            }),
            _ => Action::EnvList,
        },
        Some(("test", matches)) => Action::Test(test(matches)),
        Some(("sandbox", matches)) => match matches.subcommand() {
            Some(("conformance", matches)) => Action::SandboxConformance(matches.get_flag("slow")),
            Some(("serve", matches)) => Action::SandboxServe(serve(matches)?),
            Some(("save", matches)) => Action::SandboxSave(required(matches, "NAME")),
            Some(("load", matches)) => Action::SandboxLoad(required(matches, "NAME")),
            Some(("list", _)) => Action::SandboxList,
            Some(("show", _)) => Action::SandboxShow,
            _ => Action::SandboxReset,
        },
        _ => match matches.get_one::<String>("SCRIPT").map(String::as_str) {
            Some("-") => Action::Stdin,
            Some(script) => Action::Script(script.into()),
            None => Action::Prompt,
        },
    })
}

/// An argument without which clap refuses the line.
fn required(matches: &ArgMatches, name: &str) -> String {
    matches.get_one::<String>(name).cloned().unwrap_or_default()
}

fn test(matches: &ArgMatches) -> Test {
    let files = matches.get_many::<String>("FILE").into_iter().flatten();
    Test {
        files: files.map(PathBuf::from).collect(),
        junit: matches.get_one::<String>("junit").map(PathBuf::from),
        jobs: matches.get_one::<NonZeroUsize>("jobs").copied(),
        timeout: matches.get_one::<Duration>("timeout").copied().unwrap_or_default(),
        list: matches.get_flag("list"),
        show_output: matches.get_flag("show-output"),
    }
}

fn serve(matches: &ArgMatches) -> Result<Serve> {
    let port = |name: &str| matches.get_one::<u16>(name).copied().unwrap_or_default();
    let host = match matches.get_one::<String>("host").map(String::as_str) {
        None | Some("localhost") => Some(IpAddr::from(Ipv4Addr::LOCALHOST)),
        Some(text) => text.parse().ok(),
    };
    Ok(Serve {
        host: host
            .ok_or_else(|| Error::usage("`--host` needs an address of this machine, such as 127.0.0.1 or ::1"))?,
        port: port("port"),
        sql_port: port("sql-port"),
        keep_key: matches.get_flag("keep-key"),
    })
}

/// `commands` are those whose options can stand here.
fn unknown_option<'a>(commands: impl IntoIterator<Item = &'a Command>, long: &str) -> Error {
    let error = Error::usage(format!("there is no option `--{long}`"));
    let known = commands.into_iter().flat_map(Command::get_arguments);
    let known = known.filter(|option| !option.is_hide_set()).filter_map(Arg::get_long);
    match nearest(long, known.chain(["help", "version"])) {
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
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            Error::usage(format!("`{value}` is no value of `{arg}`"))
        }
        ErrorKind::InvalidSubcommand => {
            let word = context(ContextKind::InvalidSubcommand).unwrap_or_default();
            Error::usage(format!("there is no command `{word}` here"))
        }
        ErrorKind::MissingSubcommand => Error::usage("a command is missing"),
        ErrorKind::UnknownArgument => match arg.strip_prefix("--") {
            Some(long) => return unknown_option([command], long),
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
        // What the option's own reader said.
        (None, None) => match std::error::Error::source(error) {
            Some(why) => told.hint(why.to_string()),
            None => told.hint("`iacsh --help` shows the options"),
        },
    }
}

#[cfg(test)]
mod tests;
