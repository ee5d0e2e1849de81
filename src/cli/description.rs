//! The options and commands, and the help that teaches them.

use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command};

use crate::environment::Wait;

const EXAMPLES: &str = "\
Examples:
  iacsh                                  the prompt, on the sandbox: no account, no server
  iacsh scripts/recreate.rhai --plan     what it would do; nothing is written
  iacsh scripts/recreate.rhai            create what is missing, change what differs
  iacsh scripts/recreate.rhai --step     the same, asking before each step
  iacsh scripts/recreate.rhai --help     the parameters of a script
  iacsh scripts/recreate.rhai --env staging
  iacsh -c 'ecs::services()' --json      one expression, as JSON
  echo 'ecs::services()' | iacsh -       standard input
  iacsh scripts/drift.rhai               what was changed behind the scripts' back: exit code 2 when something was
  iacsh env check staging                what an environment needs, and what is missing
  iacsh env diff staging production      what differs between two environments
  iacsh destroy                          delete everything disposable of an environment
  iacsh test                             run the tests of the scripts, each in a sandbox of its own
  iacsh iam policy --env staging         what AWS has to allow
  iacsh runs                             what was done, when, and by whom
  iacsh unlock --env staging             take an environment from a run that hangs
";

const AFTER: &str = "\
Exit codes:
    0  done
    1  the script failed while running; a test failed
    2  --plan found changes, or cannot see to the end of the script
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
pub(super) fn command() -> Command {
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
            "plan",
            "Tell what a run would do, and write nothing: exit code 0 or 2",
        ))
        .arg(text("out", "FILE", "With --plan: keep the plan for --expect"))
        .arg(flag("markdown", "With --plan: as Markdown, for a pull request"))
        .arg(text(
            "expect",
            "FILE",
            "Do what this plan says; stop where it would be something else",
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
        .arg(flag("prune", "Delete what the script no longer names"))
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
        .subcommand(Command::new("destroy").about("Delete everything disposable of an environment"))
        .subcommand(test())
        .subcommand(
            Command::new("unlock")
                .about("Take an environment from a run that hangs")
                .long_about(UNLOCK),
        )
        .subcommand(
            Command::new("env")
                .about("Environments: list, check, diff")
                .subcommand_required(true)
                .disable_help_subcommand(true)
                .subcommand(Command::new("list").about("The environments there are"))
                .subcommand(
                    Command::new("check")
                        .about("What an environment needs, and what is missing")
                        .arg(name),
                )
                .subcommand(diff()),
        )
        .subcommand(iam())
        .subcommand(runs())
        .subcommand(
            Command::new("sandbox")
                .about("The embedded cloud: serve, show, save, load, list, reset, conformance")
                .subcommand_required(true)
                .disable_help_subcommand(true)
                .subcommand(serve())
                .subcommand(conformance())
                .subcommand(Command::new("show").about("What the embedded cloud holds: resources, rules, size, clock"))
                .subcommand(
                    Command::new("save")
                        .about("Put a copy of everything in the embedded cloud aside")
                        .after_help(SAVE_EXAMPLES)
                        .arg(saved("The name of the copy: letters, digits, - _ and .")),
                )
                .subcommand(
                    Command::new("load")
                        .about("Make the embedded cloud what was saved under a name")
                        .after_help(SAVE_EXAMPLES)
                        .arg(saved("The name it was saved under")),
                )
                .subcommand(Command::new("list").about("The copies that were saved"))
                .subcommand(
                    Command::new("reset").about("Delete everything that the embedded cloud keeps; saved copies stay"),
                ),
        )
}

const DIFF: &str = "\
Compares two environments: their files, with the defaults filled in, and what exists of each, read with its own profile \
and account. Nothing is changed.

Of what exists, resources are compared by kind and name, and then field by field. Ids, ARNs, host names, addresses and \
times are left out, and so are states of the moment; an id that leads to another resource of the environment counts as \
that resource. Secrets are compared by name only.

Exit code 0: nothing differs; 2: something does. An environment that cannot be read is an error.";

const DIFF_EXAMPLES: &str = "\
Examples:
  iacsh env diff staging production
  iacsh env diff staging production --files    the files alone; no call is made
  iacsh env diff staging production --json";

fn diff() -> Command {
    let name = |name: &'static str, help: &'static str| Arg::new(name).help(help).required(true);
    Command::new("diff")
        .about("What differs between two environments, in their files and in what exists")
        .long_about(DIFF)
        .after_help(DIFF_EXAMPLES)
        .arg(name("A", "The one environment"))
        .arg(name("B", "The other"))
        .arg(
            Arg::new("files")
                .long("files")
                .help("Compare the files only")
                .action(ArgAction::SetTrue),
        )
}

const TEST: &str = "\
Runs every function `test_*` of the files, each in an empty sandbox of its own, as many at once
as there are cores. A folder means all *.rhai in it and below; without FILE it is tests/ of the
project.

Time is simulated: what is waited for takes as long as on AWS by the test's clock, and no time
by yours. A test has everything that a script has, and:

  assert(x), assert_eq(a, b), assert_ne(a, b)   a text as last argument says what is meant
  assert_contains(whole, part)                  text in text, an item in a list, a key in a map
  assert_throws(|| ..., \"part of the error\")    gives the error
  run(FILE, #{ parameters }, #{ options })      a whole script as a run of its own: its value,
                                                printed, created, changed, deleted, unchanged,
                                                summary, resources, seconds
  sandbox::fail(...), sandbox::throttle(...)    what goes wrong on purpose
  sandbox::advance(\"10m\"), sandbox::elapsed()   the test's clock

Options of run(): env, only, with_data, allow_replace, purge_secrets, confirm, yes, plan, and
environment: #{ network: #{ nat: true } }, which changes the environment's file for this run.
With plan: true it gives changes (true or false), actions, summary and horizon.

What a test prints is shown when it fails. One that takes longer than --timeout, by the clock on the wall, is ended and has
failed; the others go on.";

const TEST_EXAMPLES: &str = "\
Examples:
  iacsh test
  iacsh test tests/redis.rhai --only failover   tests whose FILE::NAME contains `failover`
  iacsh test --junit report.xml                 for a build server
  iacsh test --list

Exit code 0: all passed; 1: some failed; 64: there are no such tests; 65: a file is invalid, and nothing was run.";

fn test() -> Command {
    Command::new("test")
        .about("Run the tests of scripts, each in a sandbox of its own")
        .long_about(TEST)
        .after_help(TEST_EXAMPLES)
        .arg(
            Arg::new("FILE")
                .help("Scripts with functions `test_*`, or folders of them")
                .num_args(0..),
        )
        .arg(
            Arg::new("junit")
                .long("junit")
                .value_name("FILE")
                .help("Write the results as JUnit's XML too"),
        )
        .arg(
            Arg::new("jobs")
                .long("jobs")
                .value_name("N")
                .help("How many run at once [default: one for each core]")
                .value_parser(clap::value_parser!(std::num::NonZeroUsize)),
        )
        .arg(
            Arg::new("timeout")
                .long("timeout")
                .value_name("TIME")
                .help("How long one test may take by the clock on the wall, as 90s or 10m; one that takes longer has failed")
                .default_value("5m")
                .value_parser(time),
        )
        .arg(
            Arg::new("list")
                .long("list")
                .help("Show which tests there are, and run none")
                .action(ArgAction::SetTrue),
        )
        .arg(
            Arg::new("show-output")
                .long("show-output")
                .help("Show also what tests print that pass")
                .action(ArgAction::SetTrue),
        )
}

/// A time as environments write it.
fn time(text: &str) -> std::result::Result<Duration, String> {
    let time = Wait::new(text).parse();
    time.ok_or_else(|| "a time is written 90s, 10m or 1h 30m, and is at most a week".to_owned())
}

const IAM: &str = "\
Prints the least that AWS has to allow whoever runs iacsh in an environment, as policies for IAM. They are made from the \
actions that each kind of resource and each function lists, and bound to the environment's resources by name and tags. \
What is about all resources is told with the reason. No call is sent, and no credentials are needed.

With --plan: what a plan needs, which only reads.

With --adopt: what `adopt` needs beside that for VPCs, subnets, security groups and all else of EC2, whose ids say nothing \
of whose they are: to tag what carries the tags of no environment. Whoever may do that can make anything of EC2 in the \
region that nobody manages with iacsh this environment's, and then change and delete it. Attach it for the adoption only.";

const IAM_EXAMPLES: &str = "\
Examples:
  iacsh iam policy --env staging > policy.json
  iacsh iam policy --env staging --plan      for pull requests and nightly jobs
  iacsh iam policy --env staging --adopt     for the run that takes over what was clicked together
  iacsh iam policy --env staging --json      names, sizes, and why something is about all resources";

fn iam() -> Command {
    Command::new("iam")
        .about("What AWS has to allow: policy")
        .subcommand_required(true)
        .disable_help_subcommand(true)
        .subcommand(
            Command::new("policy")
                .about("The least-privilege policies of an environment; with --plan those of a plan")
                .arg(
                    Arg::new("adopt")
                        .long("adopt")
                        .help("Also allow to tag what EC2 has and no environment does")
                        .action(ArgAction::SetTrue),
                )
                .long_about(IAM)
                .after_help(IAM_EXAMPLES),
        )
}

const RUNS: &str = "\
Shows the runs of this project that left something in the journal, `.iacsh/journal.jsonl`: who, when, what it changed, \
and how it ended. The newest is number 1 and stands last. Expressions and prompts that only looked around are left out.

`runs show N` tells all of one run: by whom and from which commit, each call that wrote, with the service's id of the \
request, and what became of each resource.";

const RUNS_EXAMPLES: &str = "\
Examples:
  iacsh runs
  iacsh runs show 1
  iacsh runs show 1 --json

The journal is for people and for estimates. It can be deleted at any time.";

fn runs() -> Command {
    Command::new("runs")
        .about("The runs so far: who, when, what they changed; show")
        .long_about(RUNS)
        .after_help(RUNS_EXAMPLES)
        .disable_help_subcommand(true)
        .arg(
            Arg::new("all")
                .long("all")
                .help("All of them, not only the last 20")
                .action(ArgAction::SetTrue),
        )
        .subcommand(
            Command::new("show")
                .about("One run: each call that wrote, and what became of each resource")
                .after_help(RUNS_EXAMPLES)
                .arg(
                    Arg::new("RUN")
                        .help("Its number, 1 being the newest, or its id")
                        .required(true),
                ),
        )
}

const UNLOCK: &str = "\
One run changes one environment at a time; a second one ends with exit code 75 and names the first. A run that was killed
on this machine is replaced at once, one on another machine when it has not said for 75 seconds that it lives. This is for
a run that lives and hangs: it shows who has the environment, and asks.

The run that had it finds that out at its next look, within 15 seconds, and stops. The next run finishes what it left.";

const SAVE_EXAMPLES: &str = "\
Examples:
  iacsh sandbox save before-upgrade      also while a prompt or a server is open
  iacsh scripts/destroy.rhai
  iacsh sandbox load before-upgrade      nobody else may have it open
  iacsh sandbox show --json

A copy holds the state, the databases and the key that opens its secrets. Whoever can read it can open them.";

fn saved(about: &'static str) -> Arg {
    Arg::new("NAME").help(about).required(true)
}

const CONFORMANCE: &str = "\
Runs the contract suite, some hundred small cases written from AWS's documentation, and tells where the real answers
differ from it. On the environment `sandbox` that is a sandbox of its own, and takes seconds.

On AWS it needs a scratch account, which the environment names (`account`); a protected environment is refused. Every
case makes what it needs, under names that begin with iacsh-, and deletes it again. What takes minutes or costs money is
left out unless --slow is given; before anything is made, time and cost are told, and you are asked.

Exit code 0: no case differs; 1: some do.";

const CONFORMANCE_EXAMPLES: &str = "\
Examples:
  iacsh sandbox conformance
  iacsh sandbox conformance --env scratch --only ec2:
  iacsh sandbox conformance --env scratch --slow --json";

fn conformance() -> Command {
    Command::new("conformance")
        .about("Compare what the sandbox stands on with a real account")
        .long_about(CONFORMANCE)
        .after_help(CONFORMANCE_EXAMPLES)
        .arg(
            Arg::new("slow")
                .long("slow")
                .help("Also the cases that take minutes or cost money")
                .action(ArgAction::SetTrue),
        )
}

const SERVE: &str = "\
Opens the embedded cloud on this machine's loopback for the AWS CLI, an SDK, Terraform or a SQL client, until Ctrl-C.

When it listens it prints, on standard output, the lines to paste: address, access key, login. The key is made at every \
start, and requests signed with any other are refused as AWS refuses them.

The state is the one that iacsh itself works on: both can go on at once. Account, region and speed are those of the \
environment (--env).";

const SERVE_EXAMPLES: &str = "\
Examples:
  iacsh sandbox serve
  iacsh sandbox serve --port 0 --json      any free port; one document, for scripts
  iacsh sandbox serve -v                   shows each call
  aws ecs list-services --cluster identity-sandbox       in another terminal, with the lines pasted

Ctrl-C finishes the requests under way and ends with exit code 0.";

fn serve() -> Command {
    let port = |name: &'static str, default: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("N")
            .help(help)
            .value_parser(clap::value_parser!(u16))
            .default_value(default)
    };
    Command::new("serve")
        .about("Open the embedded cloud for the AWS CLI, Terraform, a SQL client")
        .long_about(SERVE)
        .after_help(SERVE_EXAMPLES)
        .arg(port(
            "port",
            "4566",
            "The port of the embedded AWS; 0 takes any free one",
        ))
        .arg(port(
            "sql-port",
            "11433",
            "The port of the embedded SQL Server; 0 takes any free one",
        ))
        .arg(
            Arg::new("host")
                .long("host")
                .value_name("ADDRESS")
                .help("The address of loopback: 127.0.0.1, ::1; any other is refused")
                .default_value("127.0.0.1"),
        )
        .arg(
            Arg::new("keep-key")
                .long("keep-key")
                .help("Use the same access key every time; it is kept encrypted in the sandbox")
                .action(ArgAction::SetTrue),
        )
}
