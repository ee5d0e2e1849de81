//! The cases as they are written: one TOML file for each service, embedded in the program.

use std::collections::BTreeMap;
use std::path::Path;

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::expect::{Matcher, Path as Place};

macro_rules! files {
    ($($service:literal),* $(,)?) => {
        const FILES: &[(&str, &str)] = &[$(($service, include_str!(concat!("cases/", $service, ".toml")))),*];
    };
}

files!(
    "acm",
    "ec2",
    "ecr",
    "ecs",
    "elasticache",
    "elasticloadbalancing",
    "iam",
    "logs",
    "rds",
    "route53",
    "secretsmanager",
    "ssm",
    "sts",
    "tagging",
);

const SETUPS: &str = include_str!("cases/setups.toml");
const UNDO: &str = include_str!("cases/undo.toml");

/// All cases, with what they need.
#[derive(Debug, Default)]
pub struct Suite {
    pub cases: Vec<Case>,
    setups: BTreeMap<String, Setup>,
    undo: BTreeMap<String, Undo>,
}

/// One thing that AWS's documentation says, as calls and what they must answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// A sentence that is true of AWS. With the service before it, it is unique in the suite.
    pub name: String,
    /// Where AWS says so: an operation or data type of the service's API reference, and its words behind a colon; or any
    /// other page by its title.
    pub source: String,
    /// Names of the steps in `setups.toml` that come first.
    #[serde(default)]
    pub needs: Vec<String>,
    pub steps: Vec<Step>,
    /// How long it takes on AWS, where that is more than a minute.
    #[serde(default)]
    pub minutes: f64,
    /// What it costs on AWS in US dollars, where that is not nothing.
    #[serde(default)]
    pub usd: f64,
    /// Why it is left out on AWS: it gets by a way of the sandbox's own to where the behaviour shows.
    #[serde(default)]
    pub simulated: Option<String>,
    #[serde(skip)]
    pub service: String,
    /// The address of an API reference's page, with `{}` for the operation.
    #[serde(skip)]
    pages: String,
}

/// One call.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// `service:Operation`.
    #[serde(rename = "do")]
    pub call: String,
    #[serde(default)]
    pub with: Map<String, Value>,
    /// Names for parts of the answer, which later steps write as `${name}`.
    #[serde(default)]
    pub keep: IndexMap<String, Place>,
    #[serde(default)]
    pub expect: IndexMap<Place, Matcher>,
    /// The code of the error that must come instead of an answer; of several, one.
    #[serde(default)]
    pub error: Option<OneOf>,
    /// What the error's message must match, where AWS documents it.
    #[serde(default)]
    pub message: Option<String>,
    /// The call is repeated for so many minutes until it answers as expected.
    #[serde(default)]
    pub within: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOf {
    One(String),
    Several(Vec<String>),
}

impl OneOf {
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(several) => several,
        }
    }
}

/// Steps that several cases begin with.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Setup {
    #[serde(default)]
    needs: Vec<String>,
    /// Texts that steps write as `${name}`.
    #[serde(default)]
    names: BTreeMap<String, String>,
    #[serde(default)]
    steps: Vec<Step>,
}

/// What a case is made of: the texts that its setups name, and its steps with theirs before them.
#[derive(Debug, Default)]
pub struct Plan<'a> {
    pub names: Vec<(&'a str, &'a str)>,
    pub steps: Vec<&'a Step>,
    done: Vec<&'a str>,
}

/// How what a call made is taken away again. It is done for every such call that was answered, also where a case
/// expected a refusal: so a case leaves nothing behind whatever the peer says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    #[serde(rename = "do")]
    pub call: String,
    /// `${answer:PATH}` and `${with:PATH}` are parts of the call's answer and of its input; `${each}` is an item of
    /// `each`, and `${each:PATH}` a part of it.
    pub with: Map<String, Value>,
    /// `answer:PATH` or `with:PATH`, a list; it is undone for each of its items.
    #[serde(default)]
    pub each: Option<String>,
    /// Codes that say that it is gone, where they are not named as such.
    #[serde(default)]
    pub gone: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// See [`Case::pages`].
    pages: String,
    case: Vec<Case>,
}

impl Suite {
    /// The suite that is part of the program.
    ///
    /// # Errors
    /// A file is not of this form; a test sees to it that none is.
    pub fn embedded() -> Result<Self, String> {
        let mut suite = Self::of(SETUPS, UNDO)?;
        for (service, text) in FILES {
            suite.add(service, text)?;
        }
        Ok(suite)
    }

    /// The suite in a folder, for those who write cases: nothing is compiled again.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let text = |name: &str| {
            std::fs::read_to_string(folder.join(name))
                .map_err(|error| format!("{}: {error}", folder.join(name).display()))
        };
        let mut suite = Self::of(&text("setups.toml")?, &text("undo.toml")?)?;
        for (service, _) in FILES {
            suite.add(service, &text(&format!("{service}.toml"))?)?;
        }
        Ok(suite)
    }

    fn of(setups: &str, undo: &str) -> Result<Self, String> {
        Ok(Self {
            cases: Vec::new(),
            setups: toml::from_str(setups).map_err(|error| format!("setups.toml: {error}"))?,
            undo: toml::from_str(undo).map_err(|error| format!("undo.toml: {error}"))?,
        })
    }

    fn add(&mut self, service: &str, text: &str) -> Result<(), String> {
        let file: File = toml::from_str(text).map_err(|error| format!("{service}.toml: {error}"))?;
        self.cases.extend(file.case.into_iter().map(|mut case| {
            service.clone_into(&mut case.service);
            file.pages.clone_into(&mut case.pages);
            case
        }));
        Ok(())
    }

    /// The steps of a case, those that it needs first.
    ///
    /// # Errors
    /// It needs something that is not there.
    pub fn plan<'a>(&'a self, case: &'a Case) -> Result<Plan<'a>, String> {
        let mut plan = Plan::default();
        for name in &case.needs {
            self.add_setup(name, &mut plan)?;
        }
        plan.steps.extend(&case.steps);
        Ok(plan)
    }

    fn add_setup<'a>(&'a self, name: &'a str, plan: &mut Plan<'a>) -> Result<(), String> {
        if plan.done.contains(&name) {
            return Ok(());
        }
        plan.done.push(name);
        let setup = self
            .setups
            .get(name)
            .ok_or_else(|| format!("there is no setup {name}"))?;
        for name in &setup.needs {
            self.add_setup(name, plan)?;
        }
        plan.names
            .extend(setup.names.iter().map(|(name, text)| (name.as_str(), text.as_str())));
        plan.steps.extend(&setup.steps);
        Ok(())
    }

    /// What takes away what a call made.
    pub fn undo(&self, call: &str) -> Option<&Undo> {
        self.undo.get(call)
    }
}

impl Case {
    /// `service: name`.
    pub fn title(&self) -> String {
        format!("{}: {}", self.service, self.name)
    }

    /// The page that says so, and its words where the case repeats them.
    pub fn citation(&self) -> String {
        let (page, words) = match self.source.split_once(':') {
            Some((page, words)) => (page, Some(words.trim())),
            None => (self.source.as_str(), None),
        };
        if !page.chars().all(|c| c.is_ascii_alphanumeric()) {
            return self.source.clone();
        }
        let address = self.pages.replace("{}", page);
        match words {
            Some(words) => format!("{address} \"{words}\""),
            None => address,
        }
    }

    /// Whether it is left out unless asked for: it costs money, or takes minutes.
    pub fn is_slow(&self) -> bool {
        self.minutes > 0.0 || self.usd > 0.0
    }
}

impl Step {
    /// Service and operation.
    pub fn names(&self) -> (&str, &str) {
        self.call.split_once(':').unwrap_or((&self.call, ""))
    }
}
