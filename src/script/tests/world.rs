//! A world with a kind of resource that takes as long as the test wants.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use crate::resource::cancel::Cancel;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::watch;

use crate::error::{Error, Result};
use crate::map;
use crate::resource::Mode;
use crate::resource::engine::EngineOptions;
use crate::resource::journal::Journal;
use crate::resource::progress::Progress;
use crate::resource::verb::Anything;
use crate::resource::wait::{Limits, Pace};
use crate::resource::{
    About, Change, Context, Engine, Kind, Live, OutputField, Readiness, Retention, Scope as Ours, Tags, Verb,
};
use crate::script::{Finished, Input, Interface, ScriptContext, Shell, Stepper};
use crate::secret::{MASK, Secret};
use crate::value::{Map, Value};

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
});

/// What a test sees of a run.
pub struct World {
    pub shell: Shell,
    pub log: Arc<Log>,
    pub cancel: Cancel,
    /// Widgets whose name begins with `slow` wait until this is true.
    pub gate: watch::Sender<bool>,
    pub root: tempfile::TempDir,
}

#[derive(Default)]
pub struct Log {
    lines: Mutex<Vec<String>>,
}

impl Log {
    fn push(&self, line: String) {
        self.lines.lock().unwrap().push(line);
    }

    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.lines.lock().unwrap())
    }
}

impl Interface for Log {
    fn print(&self, value: &Value) {
        self.push(value.to_string());
    }

    fn section(&self, title: &str) {
        self.push(format!("== {title}"));
    }

    fn confirm(&self, question: &str) -> Result<bool> {
        match question.contains("sure") {
            true => Ok(true),
            false => Err(Error::declined(format!("not confirmed: {question}"))),
        }
    }

    fn variable(&self, name: &str) -> Result<Secret> {
        match name {
            "REDIS_PASSWORD" => Ok(Secret::new("swordfish")),
            _ => Err(Error::config(format!("the variable {name} is not set"))),
        }
    }

    fn step_started(&self, title: &str, depth: usize) {
        self.push(format!("{}> {title}", "  ".repeat(depth)));
    }

    fn step_finished(&self, title: &str, depth: usize, _: Duration, ok: bool) {
        self.push(format!(
            "{}< {title}{}",
            "  ".repeat(depth),
            if ok { "" } else { " failed" }
        ));
    }
}

struct Tell(Arc<Log>);

impl Progress for Tell {
    fn started(&self, _: &str) {}
    fn waiting(&self, _: &str, _: &str) {}
    fn finished(&self, _: &str, _: &str, _: Duration, _: bool) {}
    fn note(&self, text: &str) {
        self.0.push(format!("note: {text}"));
    }
    fn warn(&self, text: &str) {
        self.0.push(format!("warning: {text}"));
    }
    fn suspend(&self, f: &mut dyn FnMut()) {
        f();
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct WidgetSpec {
    /// What it is called.
    name: String,
    /// In centimetres.
    #[serde(default)]
    size: i64,
    #[serde(default)]
    parts: Vec<Part>,
    #[serde(default)]
    links: Vec<String>,
    token: Option<Secret>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Part {
    port: u16,
}

type Widgets = Mutex<BTreeMap<String, Live<i64>>>;

struct Widget {
    made: Widgets,
    gate: watch::Receiver<bool>,
}

static WIDGET: About = About {
    kind: "widget",
    module: "things",
    noun: "widget",
    plural: "widgets",
    help: "Ensures a widget.",
    retention: Retention::Disposable,
    gone_before: &[],
    outputs: &[
        OutputField::text("id", "Its id."),
        OutputField::text("address", "Where it is."),
        OutputField::other("port", "Its port."),
    ],
    create_limit: Duration::from_secs(20),
    delete_limit: Duration::from_secs(20),
    actions: &[],
};

impl Kind for Widget {
    type Spec = WidgetSpec;
    type State = i64;

    fn about(&self) -> &'static About {
        &WIDGET
    }

    async fn list(&self, _: &Ours) -> Result<Vec<Live<i64>>> {
        Ok(self.made.lock().unwrap().values().cloned().collect())
    }

    async fn create(&self, cx: &Context<'_>, name: &str, spec: &WidgetSpec) -> Result<Live<i64>> {
        if name.starts_with("slow") {
            let _ = self.gate.clone().wait_for(|open| *open).await;
        }
        if name.starts_with("bad") {
            return Err(Error::failed("no room for another widget"));
        }
        let live = Live {
            id: format!("w-{name}"),
            name: name.to_owned(),
            tags: cx.tags.clone(),
            state: spec.size,
        };
        self.made.lock().unwrap().insert(name.to_owned(), live.clone());
        Ok(live)
    }

    fn changes(&self, _: &WidgetSpec, _: &Live<i64>) -> Vec<Change> {
        Vec::new()
    }

    async fn update(&self, _: &Context<'_>, _: &WidgetSpec, _: &Live<i64>, _: &[Change]) -> Result<()> {
        Ok(())
    }

    async fn refresh(&self, live: &Live<i64>) -> Result<Option<Live<i64>>> {
        Ok(Some(live.clone()))
    }

    fn readiness(&self, _: &Live<i64>) -> Readiness {
        Readiness::Ready
    }

    async fn delete(&self, _: &Context<'_>, live: &Live<i64>) -> Result<()> {
        self.made.lock().unwrap().remove(&live.name);
        Ok(())
    }

    fn outputs(&self, live: &Live<i64>) -> Map {
        map! { "id" => live.id.as_str(), "address" => format!("{}.example", live.name), "port" => live.state }
    }

    async fn retag(&self, _: &Live<i64>, _: &Tags, _: &[String]) -> Result<()> {
        Ok(())
    }

    async fn reference(&self, options: &Map) -> Result<Live<i64>> {
        match options.get("id").and_then(Value::as_str) {
            Some(id) => Ok(Live {
                id: id.to_owned(),
                name: id.to_owned(),
                tags: Tags::default(),
                state: 1,
            }),
            None => Err(Error::failed("`id` says which widget")),
        }
    }
}

/// A published contract.
struct Contract(Mutex<BTreeMap<String, Live<String>>>);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ContractSpec {
    #[allow(dead_code)]
    name: String,
    value: String,
}

static CONTRACT: About = About {
    kind: "parameter",
    module: "ssm",
    noun: "parameter",
    plural: "parameters",
    help: "Ensures a parameter.",
    retention: Retention::Disposable,
    gone_before: &[],
    outputs: &[OutputField::text("value", "Its value.")],
    create_limit: Duration::from_secs(20),
    delete_limit: Duration::from_secs(20),
    actions: &[],
};

impl Kind for Contract {
    type Spec = ContractSpec;
    type State = String;

    fn about(&self) -> &'static About {
        &CONTRACT
    }

    async fn list(&self, _: &Ours) -> Result<Vec<Live<String>>> {
        Ok(self.0.lock().unwrap().values().cloned().collect())
    }

    async fn create(&self, cx: &Context<'_>, name: &str, spec: &ContractSpec) -> Result<Live<String>> {
        let live = Live {
            id: name.to_owned(),
            name: name.to_owned(),
            tags: cx.tags.clone(),
            state: spec.value.clone(),
        };
        self.0.lock().unwrap().insert(name.to_owned(), live.clone());
        Ok(live)
    }

    fn changes(&self, _: &ContractSpec, _: &Live<String>) -> Vec<Change> {
        Vec::new()
    }

    async fn update(&self, _: &Context<'_>, _: &ContractSpec, _: &Live<String>, _: &[Change]) -> Result<()> {
        Ok(())
    }

    async fn refresh(&self, live: &Live<String>) -> Result<Option<Live<String>>> {
        Ok(Some(live.clone()))
    }

    fn readiness(&self, _: &Live<String>) -> Readiness {
        Readiness::Ready
    }

    async fn delete(&self, _: &Context<'_>, live: &Live<String>) -> Result<()> {
        self.0.lock().unwrap().remove(&live.name);
        Ok(())
    }

    fn outputs(&self, live: &Live<String>) -> Map {
        map! { "value" => live.state.as_str() }
    }

    async fn retag(&self, _: &Live<String>, _: &Tags, _: &[String]) -> Result<()> {
        Ok(())
    }
}

fn verbs() -> Vec<Verb> {
    vec![
        Verb::acts("things", "poke", "Pokes a widget.")
            .param::<Anything>("widget", "Which one.")
            .optional::<u16>("times", "How often.")
            .run(|_, args| async move {
                let times = args.get(1).cloned().unwrap_or(Value::Int(1));
                Ok(Value::text(format!("poked {times} times")))
            }),
        Verb::reads("things", "describe", "Says what it got.")
            .param::<Anything>("what", "Anything.")
            .run(|cx, args| async move {
                let what = args[0].type_name();
                Ok(Value::text(format!(
                    "{what} from section \"{}\": {}",
                    cx.origin.section, args[0]
                )))
            }),
        Verb::reads("things", "reveal", "The length of a secret.")
            .param::<Secret>("secret", "The secret.")
            .run(|_, mut args| async move {
                let secret: Secret = args.remove(0).read()?;
                Ok(Value::Int(secret.expose().len() as i64))
            }),
        Verb::reads("things", "crash", "Panics.").run(|_, _| async move { panic!("{MASK} boom") }),
        Verb::acts("migrate", "up", "Runs migrations.")
            .param::<Anything>("db", "The database.")
            .param::<String>("directory", "Where they are.")
            .run(|_, _| async move { Ok(Value::Null) }),
    ]
}

/// A fresh world. `files` are written below its root.
pub fn world(files: &[(&str, &str)]) -> World {
    stepped(files, None)
}

/// The same, with someone who is asked before each step.
pub fn stepped(files: &[(&str, &str)], stepper: Option<Arc<dyn Stepper>>) -> World {
    let (engine, context, rest) = parts(files, stepper);
    World {
        shell: Shell::new(engine, context),
        log: rest.0,
        cancel: rest.1,
        gate: rest.2,
        root: rest.3,
    }
}

type Rest = (Arc<Log>, Cancel, watch::Sender<bool>, tempfile::TempDir);

/// A world in which nothing is made: `--plan`.
pub fn planned(script: &str) -> Result<Finished> {
    let (engine, context, rest) = parts_in(Mode::Plan, &[], None);
    let world = World {
        shell: Shell::new(engine, context),
        log: rest.0,
        cancel: rest.1,
        gate: rest.2,
        root: rest.3,
    };
    world.text(script)
}

pub fn parts(files: &[(&str, &str)], stepper: Option<Arc<dyn Stepper>>) -> (Engine, ScriptContext, Rest) {
    parts_in(Mode::Apply, files, stepper)
}

fn parts_in(mode: Mode, files: &[(&str, &str)], stepper: Option<Arc<dyn Stepper>>) -> (Engine, ScriptContext, Rest) {
    let root = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = root.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let log = Arc::new(Log::default());
    let cancel = Cancel::new();
    let gate = watch::Sender::new(false);
    let engine = Engine::new(EngineOptions {
        mode,
        expect: None,
        census: None,
        kinds: vec![
            Arc::new(Widget {
                made: Widgets::default(),
                gate: gate.subscribe(),
            }),
            Arc::new(Contract(Mutex::default())),
        ],
        verbs: verbs(),
        scope: Ours::new("demo", "test").unwrap(),
        pace: Pace::SANDBOX,
        limits: Limits::default(),
        progress: Arc::new(Tell(log.clone())),
        journal: Journal::none(),
        gate: None,
        sweep: None,
        runtime: RUNTIME.handle().clone(),
        cancel: cancel.clone(),
        allow_replace: Default::default(),
        with_data: Default::default(),
        purge_secrets: false,
        refusal: None,
        lease: crate::resource::Lease::none(),
    });
    let env = map! { "redis" => map! { "node_type" => "cache.t4g.micro", "replicas" => 1_i64 } };
    let context = ScriptContext {
        root: root.path().to_owned(),
        env,
        interface: log.clone(),
        runtime: RUNTIME.handle().clone().into(),
        stepper,
    };
    (engine, context, (log, cancel, gate, root))
}

impl World {
    /// Runs a text as `-c` does.
    pub fn text(&self, script: &str) -> Result<Finished> {
        self.start(&Input::Text(script.to_owned()), &[])
    }

    pub fn file(&self, name: &str, given: &[(&str, &str)]) -> Result<Finished> {
        self.start(&Input::File(self.root.path().join(name)), given)
    }

    fn start(&self, input: &Input, given: &[(&str, &str)]) -> Result<Finished> {
        let given: Vec<_> = given
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect();
        let checked = self.shell.check(input)?;
        self.shell.run(&checked, &given)
    }
}

/// What a script gives, in a world with an open gate.
pub fn run(script: &str) -> Result<Value> {
    let world = world(&[]);
    world.gate.send_replace(true);
    world.text(script).map(|finished| finished.value)
}

/// An error as a person would read it, in short.
pub fn told(error: &Error) -> String {
    let mut text = String::new();
    for (number, error) in error.clone().split().iter().enumerate() {
        if number > 0 {
            text.push_str("\n--\n");
        }
        text.push_str(&format!("{}: {error}", error.exit() as u8));
        if let Some(at) = error.location() {
            text.push_str(&format!(
                "\n  at {at}: {}",
                at.text.as_deref().unwrap_or_default().trim()
            ));
        }
        for (name, at) in error.calls() {
            text.push_str(&format!("\n  in {name}, called at {at}"));
        }
        for note in error.notes() {
            text.push_str(&format!("\n  note: {note}"));
        }
        if let Some(hint) = error.help() {
            text.push_str(&format!("\n  hint: {hint}"));
        }
    }
    text
}

/// The error of a script, as a person would read it.
pub fn fails(script: &str) -> String {
    let world = world(&[]);
    world.gate.send_replace(true);
    told(
        &world
            .text(script)
            .map(|finished| finished.value.to_string())
            .unwrap_err(),
    )
}
