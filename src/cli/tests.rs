use std::net::Ipv6Addr;

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
        (
            "test",
            Action::Test(Test {
                timeout: std::time::Duration::from_secs(300),
                ..Test::default()
            }),
        ),
        (
            "test tests/a.rhai tests --junit out.xml --jobs 3 --timeout 90s --list --show-output --only b --json",
            Action::Test(Test {
                files: vec!["tests/a.rhai".into(), "tests".into()],
                junit: Some("out.xml".into()),
                jobs: NonZeroUsize::new(3),
                timeout: std::time::Duration::from_secs(90),
                list: true,
                show_output: true,
            }),
        ),
        ("env list", Action::EnvList),
        (
            "env diff a b --files",
            Action::EnvDiff(EnvDiff {
                first: "a".into(),
                second: "b".into(),
                files: true,
            }),
        ),
        ("env check", Action::EnvCheck(None)),
        ("env check staging --json", Action::EnvCheck(Some("staging".into()))),
        ("sandbox reset", Action::SandboxReset),
        ("sandbox conformance --only ec2:", Action::SandboxConformance(false)),
        (
            "sandbox conformance --slow --env scratch",
            Action::SandboxConformance(true),
        ),
        (
            "sandbox serve",
            Action::SandboxServe(Serve {
                host: [127, 0, 0, 1].into(),
                port: 4566,
                sql_port: 11433,
                keep_key: false,
            }),
        ),
        (
            "sandbox --json serve --port=0 --host ::1 --keep-key --env staging --sql-port 1433",
            Action::SandboxServe(Serve {
                host: Ipv6Addr::LOCALHOST.into(),
                port: 0,
                sql_port: 1433,
                keep_key: true,
            }),
        ),
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
        ..Options::default()
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
            "--number 3 a.rhai",
            "there is no option `--number` (parameters of a script come behind its name; `iacsh --help` shows the \
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
            "test --plan",
            "`--plan` needs a script or destroy (iacsh scripts/recreate.rhai --plan --out FILE, and then iacsh scripts/recreate.rhai \
             --expect FILE)",
        ),
        (
            "a.rhai --out x",
            "`--out` belongs to `--plan` (iacsh scripts/recreate.rhai --plan --out FILE, and then iacsh scripts/recreate.rhai \
             --expect FILE)",
        ),
        ("learn", "`iacsh learn` is not there yet (`iacsh --help` shows what is)"),
        (
            "sandbox serve --prot 1",
            "there is no option `--prot` (did you mean `--port`?)",
        ),
        (
            "sandbox serve --port 70000",
            "`70000` is no value of `--port <N>` (70000 is not in 0..=65535)",
        ),
        (
            "sandbox serve --host example.org",
            "`--host` needs an address of this machine, such as 127.0.0.1 or ::1",
        ),
        (
            "sandbox reset --sql-port 1",
            "there is no option `--sql-port` (parameters of a script come behind its name; `iacsh --help` shows the options)",
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
fn the_help_teaches() {
    for text in ["--help", "-h"] {
        let Action::Show(help) = line(text).action else {
            panic!()
        };
        let help = anstream::adapter::strip_str(&help).to_string();
        assert!(help.find("Examples:").unwrap() < help.find("Usage:").unwrap());
        for wanted in ["destroy", "--purge-secrets", "Exit codes:", "IACSH_ENV"] {
            assert!(help.contains(wanted), "{wanted} in\n{help}");
        }
    }
    assert!(matches!(line("env --help").action, Action::Show(_)));
    assert_eq!(refused("env"), "a command is missing (known here: list, check, diff)");
    assert!(matches!(line("--version").action, Action::Show(text) if text.contains(env!("CARGO_PKG_VERSION"))));
}

#[test]
fn option_names_are_taken() {
    assert!(is_option("env") && is_option("plan") && is_option("help"));
    assert!(!is_option("count"));
}
