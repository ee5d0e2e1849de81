//! What goes wrong on purpose: the verbs that add rules, and the rules of an environment's file.

use schemars::JsonSchema;
use serde::Deserialize;

use super::opened;
use crate::environment::{Rule, RuleKind, Wait};
use crate::error::{Error, Exit, Result};
use crate::resource::verb::VerbBuilder;
use crate::resource::{Verb, VerbContext};
use crate::sandbox::Sandbox;
use crate::sandbox::aws::call::Fault;
use crate::sandbox::aws::rules::{self, Effect, Listed, nouns};
use crate::value::{Map, Value};

/// The rule of the sandbox that a declared one means.
///
/// # Errors
/// A service, an operation or a kind that the sandbox does not have; a key that is missing or too much.
pub fn rule(declared: &Rule) -> Result<rules::Rule> {
    let name = declared.rule.name();
    let given = declared.given();
    let (needs, takes) = (declared.rule.needs(), declared.rule.takes());
    if let Some(missing) = needs.iter().find(|key| !given.contains(key)) {
        return Err(Error::invalid(format!("the rule `{name}` needs `{missing}`")));
    }
    if let Some(strange) = given.iter().find(|key| !needs.contains(key) && !takes.contains(key)) {
        return Err(Error::invalid(format!("the rule `{name}` takes no `{strange}`")));
    }
    let time = match &declared.time {
        None => 0,
        Some(time) => {
            let time = time.parse().ok_or_else(|| {
                Error::invalid(format!("`{}` is no time", time.as_str()))
                    .hint("times are written as `500ms`, `30s`, `10m`")
            })?;
            u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
        }
    };
    // `ecs:CreateService` in one word is understood too.
    let service = declared.service.as_deref().unwrap_or("*");
    let (service, action) = match (service.split_once(':'), &declared.action) {
        (Some((service, action)), None) => (service, action),
        (_, action) => (service, action.as_deref().unwrap_or("*")),
    };
    let kind = declared.kind.clone().unwrap_or_default();
    let effect = match declared.rule {
        RuleKind::Fail => fail(declared),
        RuleKind::Throttle => Effect::Throttle,
        RuleKind::Deny => Effect::Deny,
        RuleKind::Delay => Effect::Delay { time },
        RuleKind::LoseAnswer => Effect::LoseAnswer,
        RuleKind::Unreachable => Effect::Unreachable,
        RuleKind::Limit => {
            let noun = nouns::find(service, &kind)?;
            let most = declared.most.map(u64::from).or(noun.limit.map(|limit| limit.most));
            Effect::Limit {
                noun: noun.noun.to_owned(),
                most: most.unwrap_or_default(),
            }
        }
        RuleKind::Eventually => Effect::Eventually { noun: kind, time },
        RuleKind::BadImage => Effect::BadImage,
        RuleKind::Unhealthy => Effect::Unhealthy,
        RuleKind::LoseTask => Effect::LoseTask,
        RuleKind::MissingSecret => Effect::MissingSecret,
    };
    rules::Rule {
        effect,
        service: service.to_owned(),
        action: action.to_owned(),
        resource: declared.resource.clone(),
        skip: declared.skip.unwrap_or_default(),
        times: declared.times,
        share: declared.share,
        seed: declared.seed.unwrap_or_default().into(),
    }
    .checked()
}

/// Without a code the service fails by itself, which the SDK takes for something that can pass.
/// Source: the page "Common errors" of the API references, InternalFailure.
fn fail(declared: &Rule) -> Effect {
    let fault = match &declared.code {
        Some(code) => Fault::new(code, "The request was refused by a rule of the sandbox."),
        None => Fault::new(
            "InternalFailure",
            "The request processing has failed because of an unknown error, exception or failure.",
        )
        .status(500),
    };
    Effect::Fail {
        code: fault.code,
        message: declared.message.clone().unwrap_or(fault.message),
        status: declared.status.unwrap_or(fault.status),
    }
}

/// Options with which calls are met, beside what a verb has of its own.
macro_rules! options {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        struct $name {
            $($(#[$about])* $field: Option<$type>,)*
            /// Only calls about this: a name, an id or an ARN; `*` is a wildcard.
            resource: Option<String>,
            /// How many calls are met. All of them without it.
            #[schemars(range(min = 1))]
            times: Option<u32>,
            /// How many calls are let through first.
            skip: Option<u32>,
            /// Which share of the calls is met, from 0 to 1.
            #[schemars(range(min = 0, max = 1))]
            share: Option<f64>,
            /// Which calls these are: the same seed gives the same ones.
            seed: Option<u32>,
        }

        impl $name {
            fn fill(self, rule: &mut Rule) {
                $(rule.$field = self.$field;)*
                rule.resource = self.resource.or(rule.resource.take());
                (rule.times, rule.skip, rule.share, rule.seed) = (self.times, self.skip, self.share, self.seed);
            }
        }
    };
}

options! {
    /// Of every rule of calls.
    Met {}
}

options! {
    /// Of a rule that refuses.
    Failing {
        /// The error's code. Without it the service has an internal failure.
        code: String,
        /// The error's text.
        message: String,
        /// The status of the HTTP answer.
        status: u16,
    }
}

options! {
    /// Of a rule that delays.
    Slow {
        /// How long, as `500ms` or `2s`.
        time: Wait,
    }
}

/// Of a rule about one thing.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct About {
    /// How often. Always without it; of `lose_task` once.
    #[schemars(range(min = 1))]
    times: Option<u32>,
    /// How often not, first.
    skip: Option<u32>,
}

pub fn all(sandbox: Option<&Sandbox>) -> Vec<Verb> {
    let mut verbs = vec![
        adding(
            sandbox,
            RuleKind::Fail,
            of_calls(
                "fail",
                "Makes calls fail: `sandbox::fail(\"ecs\", \"CreateService\", #{ code: \"ServerException\", times: 2 })`. \
                 Gives the rule's id.",
            )
            .optional::<Failing>("options", "error, and which calls"),
            |args| call(args, |options: Failing, rule| options.fill(rule)),
        ),
        adding(
            sandbox,
            RuleKind::Throttle,
            of_calls(
                "throttle",
                "Refuses calls because of too many requests, in the service's words; the SDK tries again.",
            )
            .optional::<Met>("options", "which calls"),
            |args| call(args, |options: Met, rule| options.fill(rule)),
        ),
        adding(
            sandbox,
            RuleKind::Delay,
            of_calls(
                "delay",
                "Makes calls take longer: `sandbox::delay(\"ssm\", \"*\", #{ time: \"2s\" })`. The time is the clock's on \
                 the wall, and not divided.",
            )
            .param::<Slow>("options", "time, and which calls"),
            |args| call(args, |options: Slow, rule| options.fill(rule)),
        ),
        adding(
            sandbox,
            RuleKind::LoseAnswer,
            of_calls(
                "lose_answer",
                "Carries calls out, and loses the answer: the caller cannot know whether it happened.",
            )
            .optional::<Met>("options", "which calls"),
            |args| call(args, |options: Met, rule| options.fill(rule)),
        ),
        adding(
            sandbox,
            RuleKind::Unreachable,
            of_calls("unreachable", "Calls never arrive, as with a network that is away.")
                .optional::<Met>("options", "which calls"),
            |args| call(args, |options: Met, rule| options.fill(rule)),
        ),
        adding(
            sandbox,
            RuleKind::Deny,
            Verb::acts(
                "sandbox",
                "deny",
                "Takes a permission away: `sandbox::deny(\"ecs:CreateService\")`, `sandbox::deny(\"ec2:*\")`. Calls get \
                 the service's own words for it.",
            )
            .param::<String>("permission", "service and operation, with `:` between; `*` is a wildcard")
            .optional::<Met>("options", "which calls"),
            |args| {
                let mut args = args.into_iter();
                let mut rule = Rule::new(RuleKind::Deny);
                rule.service = Some(args.next().unwrap_or_default().read()?);
                options::<Met>(args.next())?.fill(&mut rule);
                Ok(rule)
            },
        ),
        adding(
            sandbox,
            RuleKind::Limit,
            Verb::acts(
                "sandbox",
                "limit",
                "Sets a quota: `sandbox::limit(\"ec2\", \"vpcs\", 5)`. Creating more gets the service's own error.",
            )
            .param::<String>("service", "the service, as scripts call its module")
            .param::<String>("kind", "what is limited, as listings are called")
            .optional::<u32>("most", "how many there can be; AWS's own quota without it"),
            |args| {
                let mut args = args.into_iter();
                let mut rule = Rule::new(RuleKind::Limit);
                rule.service = Some(args.next().unwrap_or_default().read()?);
                rule.kind = Some(args.next().unwrap_or_default().read()?);
                rule.most = args.next().map(Value::read).transpose()?;
                Ok(rule)
            },
        ),
        adding(
            sandbox,
            RuleKind::Eventually,
            Verb::acts(
                "sandbox",
                "eventually",
                "Shows what was made only after a while, as services do that are eventually consistent: \
                 `sandbox::eventually(\"security_groups\", \"2s\")`. Until then listings leave it out and describing it \
                 fails; what was deleted lingers in the Tagging API as long.",
            )
            .param::<String>("kind", "what is seen late, as listings are called, or a service")
            .param::<String>("time", "how long, by the sandbox's clock, as `500ms` or `2s`"),
            |args| {
                let mut args = args.into_iter();
                let mut rule = Rule::new(RuleKind::Eventually);
                rule.kind = Some(args.next().unwrap_or_default().read()?);
                rule.time = Some(Wait::new(args.next().unwrap_or_default().read::<String>()?));
                Ok(rule)
            },
        ),
    ];
    for (kind, parameter, about) in [
        (
            RuleKind::BadImage,
            "the image, or the last part of its name",
            "Makes an image one that cannot be pulled, so that tasks that need it fail to start.",
        ),
        (
            RuleKind::Unhealthy,
            "the name or ARN of a target group or of a service",
            "Lets targets fail their health checks for as long as the rule is there.",
        ),
        (
            RuleKind::LoseTask,
            "the service",
            "Stops a running task of a service, once unless `times` says more.",
        ),
        (
            RuleKind::MissingSecret,
            "the name or ARN of a secret or parameter",
            "Makes a secret one that starting tasks cannot read.",
        ),
    ] {
        let builder = Verb::acts("sandbox", kind.name(), about)
            .param::<String>("resource", parameter)
            .optional::<About>("options", "how often");
        verbs.push(adding(sandbox, kind, builder, move |args| {
            let mut args = args.into_iter();
            let mut rule = Rule::new(kind);
            rule.resource = Some(args.next().unwrap_or_default().read()?);
            let options: About = options(args.next())?;
            (rule.times, rule.skip) = (options.times, options.skip);
            if kind == RuleKind::LoseTask {
                rule.times.get_or_insert(1);
            }
            Ok(rule)
        }));
    }
    verbs.push(list(sandbox));
    verbs.push(clear(sandbox));
    verbs
}

fn of_calls(name: &'static str, about: &'static str) -> VerbBuilder {
    Verb::acts("sandbox", name, about)
        .param::<String>("service", "the service, as scripts call its module; `*` for all")
        .param::<String>(
            "action",
            "the operation of its API, as `CreateService`; `*` is a wildcard",
        )
}

/// Reads the arguments of a rule of calls: service, action, options.
fn call<T: serde::de::DeserializeOwned + Default>(args: Vec<Value>, fill: impl FnOnce(T, &mut Rule)) -> Result<Rule> {
    let mut args = args.into_iter();
    // What kind it is, the caller says.
    let mut rule = Rule::new(RuleKind::Fail);
    rule.service = Some(args.next().unwrap_or_default().read()?);
    rule.action = Some(args.next().unwrap_or_default().read()?);
    fill(options(args.next())?, &mut rule);
    Ok(rule)
}

fn options<T: serde::de::DeserializeOwned + Default>(value: Option<Value>) -> Result<T> {
    value.map_or_else(|| Ok(T::default()), Value::read)
}

fn adding(
    sandbox: Option<&Sandbox>,
    kind: RuleKind,
    builder: VerbBuilder,
    read: impl Fn(Vec<Value>) -> Result<Rule> + Send + Sync + 'static,
) -> Verb {
    let sandbox = sandbox.cloned();
    let read = std::sync::Arc::new(read);
    builder.run(move |_: VerbContext, args| {
        let (sandbox, read) = (sandbox.clone(), read.clone());
        async move {
            let mut declared = read(args)?;
            declared.rule = kind;
            let sandbox = opened(sandbox.as_ref())?;
            // What is wrong in an environment's file is found before a run; here the script itself is at fault.
            let added = rule(&declared).and_then(|rule| sandbox.aws().rules().add(rule));
            added.map(Value::Int).map_err(|error| error.with_exit(Exit::Failed))
        }
    })
}

fn list(sandbox: Option<&Sandbox>) -> Verb {
    let sandbox = sandbox.cloned();
    Verb::reads(
        "sandbox",
        "rules",
        "The rules there are, with id, how many calls matched (`seen`) and how many of them were met (`met`).",
    )
    .run(move |_, _| {
        let sandbox = sandbox.clone();
        async move {
            let rules = opened(sandbox.as_ref())?.aws().rules().list()?;
            Ok(Value::List(rules.iter().map(row).collect()))
        }
    })
}

/// A rule as a row: what it says, as it is kept, and how often it was met.
pub fn row(listed: &Listed) -> Value {
    let mut row = Map::new();
    row.insert("id".into(), Value::Int(listed.id));
    let said = serde_json::to_value(&listed.rule).unwrap_or_default();
    for (key, value) in said.as_object().into_iter().flatten() {
        let shown = match value {
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(0) if key == "skip" || key == "seed" => continue,
                Some(whole) => Value::Int(whole),
                None => Value::Float(number.as_f64().unwrap_or_default()),
            },
            serde_json::Value::String(text) => Value::text(text),
            _ => continue,
        };
        row.insert(key.clone(), shown);
    }
    let count = |count: u64| Value::Int(i64::try_from(count).unwrap_or(i64::MAX));
    row.insert("seen".into(), count(listed.seen));
    row.insert("met".into(), count(listed.met));
    if !listed.source.is_empty() {
        row.insert("from".into(), Value::text(&listed.source));
    }
    Value::Map(row)
}

fn clear(sandbox: Option<&Sandbox>) -> Verb {
    let sandbox = sandbox.cloned();
    Verb::acts(
        "sandbox",
        "clear",
        "Forgets all rules, or the one with this id; how many there were. Those of the environment's file come back with \
         the next session.",
    )
    .optional::<i64>("id", "the rule's id, as adding it gave")
    .run(move |_, args| {
        let sandbox = sandbox.clone();
        async move {
            let rules = opened(sandbox.as_ref())?.aws().rules();
            let count = match args.into_iter().next() {
                None => rules.clear()?,
                Some(id) => {
                    let id: i64 = id.read()?;
                    match rules.remove(id)? {
                        true => 1,
                        false => return Err(Error::failed(format!("there is no rule {id}"))),
                    }
                }
            };
            Ok(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)))
        }
    })
}
