//! The secret. Destroy leaves it: new credentials for old data help nobody.
//!
//! A listing never reads values. A value is read for one secret whose value a script gives, to see whether it is still
//! the same, and by `secrets::value`. Source: AWS Secrets Manager API Reference.

use std::time::Duration;

use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType, SecretListEntry, Tag};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::aws::error::Call;
use crate::aws::{Aws, meant, named, tags};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{About, Change, Class, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags};
use crate::secret::{MASK, Secret as Hidden};
use crate::value::{Map, Value};

/// CreateSecret: 512 characters of letters, digits and `/_+=.@-`.
const LONGEST_NAME: usize = 512;

/// GetRandomPassword: between 1 and 4096 characters. Fewer than 16 protect nothing.
const LENGTHS: std::ops::RangeInclusive<i64> = 16..=4096;

/// A secret in Secrets Manager, which destroy leaves.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name in this environment.
    pub name: String,
    /// What it is for. Not compared when it is not given.
    #[serde(default)]
    pub description: Option<String>,
    /// The value. With neither this nor `generate` the secret is made empty, and somebody else puts a value in.
    #[serde(default)]
    pub value: Option<Hidden>,
    /// How to generate the value, once: a secret that has a value keeps it.
    #[serde(default)]
    pub generate: Option<Generate>,
}

/// How to generate a value.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Generate {
    /// How many characters: 32 when not given, 16 at least.
    #[serde(default = "usual_length")]
    pub length: i64,
    /// Whether it has letters and digits only: `false` when not given.
    #[serde(default)]
    pub exclude_punctuation: bool,
}

fn usual_length() -> i64 {
    32
}

/// What Secrets Manager says of a secret.
#[derive(Clone, Debug)]
pub struct State {
    name_at_aws: String,
    description: String,
    /// Whether a version is current.
    has_value: bool,
    /// Whether the value is the wanted one; read only where a script gives one.
    is_wanted: Option<bool>,
    changed_at: Value,
    rotates: bool,
}

static ABOUT: About = About {
    kind: "secret",
    module: "secrets",
    noun: "secret",
    plural: "secrets",
    help: "Ensures a secret, with a value that is given or generated once. Destroy leaves it; one that was scheduled for \
           deletion is restored with its value.",
    retention: Retention::Retained,
    gone_before: &["service", "task-definition", "replication-group"],
    outputs: &[
        OutputField::text("arn", "The ARN, as a container's secret takes it."),
        OutputField::text("name_at_aws", "The name in the account, as `PROJECT-ENV-NAME`."),
    ],
    create_limit: Duration::from_secs(60),
    delete_limit: Duration::from_secs(120),
    actions: &[
        "secretsmanager:CreateSecret",
        "secretsmanager:DeleteSecret",
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetRandomPassword",
        "secretsmanager:GetSecretValue",
        "secretsmanager:ListSecrets",
        "secretsmanager:PutSecretValue",
        "secretsmanager:RestoreSecret",
        "secretsmanager:TagResource",
        "secretsmanager:UntagResource",
        "secretsmanager:UpdateSecret",
    ],
};

/// See [`Spec`].
pub struct Secret(pub Aws);

fn read_tags(tags: &[Tag]) -> Tags {
    tags::read(tags, |tag| (tag.key(), tag.value()))
}

fn live(name: String, tags: Tags, entry: &SecretListEntry) -> Live<State> {
    let stages = entry.secret_versions_to_stages().into_iter().flatten();
    Live {
        id: entry.arn().unwrap_or_default().to_owned(),
        name,
        tags,
        state: State {
            name_at_aws: entry.name().unwrap_or_default().to_owned(),
            description: entry.description().unwrap_or_default().to_owned(),
            has_value: stages.flat_map(|(_, stages)| stages).any(|stage| stage == "AWSCURRENT"),
            is_wanted: None,
            changed_at: meant::moment(entry.last_changed_date()),
            rotates: entry.rotation_enabled().unwrap_or_default(),
        },
    }
}

/// The value of a secret.
pub async fn value(aws: &Aws, id: &str) -> Result<Hidden> {
    let call = aws.secrets.get_secret_value().secret_id(id);
    let answer = call.send().await.call("secretsmanager:GetSecretValue")?;
    match answer.secret_string() {
        Some(text) => Ok(Hidden::new(text)),
        None => Err(Error::failed(format!("the secret {id} holds bytes, not text"))),
    }
}

impl Secret {
    /// The value to store, when the options say one.
    async fn wanted(&self, spec: &Spec) -> Result<Option<Hidden>> {
        let Some(generate) = &spec.generate else {
            return Ok(spec.value.clone());
        };
        let call = self.0.secrets.get_random_password().password_length(generate.length);
        let call = call
            .exclude_punctuation(generate.exclude_punctuation)
            .require_each_included_type(true);
        let answer = call.send().await.call("secretsmanager:GetRandomPassword")?;
        match answer.random_password() {
            Some(password) if !password.is_empty() => Ok(Some(Hidden::new(password))),
            _ => Err(Error::failed(
                "secretsmanager:GetRandomPassword: the answer holds no password",
            )),
        }
    }

    /// Why this is safe: the token makes a call that is sent twice one version.
    async fn put(&self, cx: &Context<'_>, id: &str, value: &Hidden) -> Result<()> {
        let call = self.0.secrets.put_secret_value().secret_id(id);
        let call = call.client_request_token(cx.token(&format!("value of {id} {}", fingerprint(value))));
        let answer = call.secret_string(value.expose()).send().await;
        answer.call("secretsmanager:PutSecretValue").map(|_| ())
    }

    /// Takes a secret back that was scheduled for deletion, with its value. When it was not, the error stands.
    async fn restore(&self, cx: &Context<'_>, name: &str, spec: &Spec, because: Error) -> Result<Live<State>> {
        let physical = cx.scope.physical_of(ABOUT.kind, name);
        let call = self.0.secrets.describe_secret().secret_id(&physical);
        let answer = match call.send().await.call("secretsmanager:DescribeSecret") {
            Err(error) if error.code() == "ResourceNotFoundException" => return Err(because),
            other => other?,
        };
        let tags = read_tags(answer.tags());
        if answer.deleted_date().is_none() {
            return Err(because);
        }
        if cx.scope.name_of(ABOUT.kind, &tags) != Some(name) {
            return Err(because.note(format!(
                "{physical} is scheduled for deletion and does not carry this environment's tags"
            )));
        }
        let call = self.0.secrets.restore_secret().secret_id(&physical);
        call.send().await.call("secretsmanager:RestoreSecret")?;
        let told = format!("the secret {name} was scheduled for deletion: it is restored, with its value");
        cx.engine.progress().note(&told);
        let stages = answer.version_ids_to_stages().into_iter().flatten();
        let restored = Live {
            id: answer.arn().unwrap_or_default().to_owned(),
            name: name.to_owned(),
            tags,
            state: State {
                name_at_aws: physical,
                description: answer.description().unwrap_or_default().to_owned(),
                has_value: stages.flat_map(|(_, stages)| stages).any(|stage| stage == "AWSCURRENT"),
                is_wanted: None,
                changed_at: meant::moment(answer.last_changed_date()),
                rotates: answer.rotation_enabled().unwrap_or_default(),
            },
        };
        let restored = self.inspect(spec, restored).await?;
        self.update(cx, spec, &restored, &self.changes(spec, &restored)).await?;
        self.retag(&restored, &cx.tags, &[]).await?;
        Ok(restored)
    }
}

/// Tells two values apart in a client token, which is itself a hash: the service never sees this.
fn fingerprint(value: &Hidden) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(value.expose());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Kind for Secret {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, scope: &Scope, name: &str, spec: &Spec) -> Result<()> {
        named::check("secret", &scope.physical(name), LONGEST_NAME, "/_+=.@-")?;
        if spec.value.is_some() && spec.generate.is_some() {
            return Err(Error::failed("a secret has either a `value` or is generated"));
        }
        if spec.value.as_ref().is_some_and(Hidden::is_empty) {
            return Err(Error::failed("the value of a secret may not be empty"));
        }
        if let Some(generate) = &spec.generate
            && !LENGTHS.contains(&generate.length)
        {
            return Err(Error::failed(format!(
                "a generated secret has {} to {} characters, not {}",
                LENGTHS.start(),
                LENGTHS.end(),
                generate.length
            )));
        }
        Ok(())
    }

    /// Those that are scheduled for deletion are left out: `create` restores them. The service's filters match a key and
    /// a value each by itself, so the tags are looked at again.
    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let filter = |key: FilterNameStringType, value: &str| Filter::builder().key(key).values(value).build();
        let mut pages = self.0.secrets.list_secrets();
        for (key, value) in scope.filter() {
            pages = pages.filters(filter(FilterNameStringType::TagKey, key));
            pages = pages.filters(filter(FilterNameStringType::TagValue, value));
        }
        let mut pages = pages.into_paginator().send();
        let mut listing = Vec::new();
        while let Some(page) = pages.next().await {
            for entry in page.call("secretsmanager:ListSecrets")?.secret_list() {
                let tags = read_tags(entry.tags());
                let name = scope.name_of(ABOUT.kind, &tags).map(str::to_owned);
                if let (Some(name), None) = (name, entry.deleted_date()) {
                    listing.push(live(name, tags, entry));
                }
            }
        }
        Ok(listing)
    }

    /// Why this is safe: the name is unique and a client token is in the call; a value that was generated by an attempt
    /// whose answer was lost is found by the next listing and kept.
    async fn create(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        let value = self.wanted(spec).await?;
        let physical = cx.scope.physical_of(ABOUT.kind, name);
        let tags = tags::write(&cx.tags, |key, value| Tag::builder().key(key).value(value).build());
        let version = value.as_ref().map(fingerprint).unwrap_or_default();
        let call = self
            .0
            .secrets
            .create_secret()
            .name(&physical)
            .client_request_token(cx.token(&format!("secret/{name} {version}")))
            .set_description(spec.description.clone())
            .set_secret_string(value.as_ref().map(|value| value.expose().to_owned()))
            .set_tags(Some(tags));
        match call.send().await.call("secretsmanager:CreateSecret") {
            Ok(answer) => Ok(Live {
                id: answer.arn.unwrap_or_default(),
                name: name.to_owned(),
                tags: cx.tags.clone(),
                state: State {
                    name_at_aws: physical,
                    description: spec.description.clone().unwrap_or_default(),
                    has_value: value.is_some(),
                    is_wanted: spec.value.is_some().then_some(true),
                    changed_at: Value::Null,
                    rotates: false,
                },
            }),
            // "You can't create this secret because a secret with this name is already scheduled for deletion." Others
            // that speak this interface say that it exists.
            Err(error) if matches!(error.code(), "InvalidRequestException" | "ResourceExistsException") => {
                self.restore(cx, name, spec, error).await
            }
            Err(error) => Err(error),
        }
    }

    async fn inspect(&self, spec: &Spec, mut live: Live<State>) -> Result<Live<State>> {
        if let (Some(wanted), true) = (&spec.value, live.state.has_value) {
            live.state.is_wanted = Some(value(&self.0, &live.id).await? == *wanted);
        }
        Ok(live)
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        let state = &live.state;
        let description = spec
            .description
            .as_ref()
            .and_then(|wanted| Change::between("description", &state.description, wanted, Class::InPlace));
        let is_wanted = (spec.value.is_some() || spec.generate.is_some()).then_some(());
        let value = is_wanted.and_then(|()| match (state.has_value, state.is_wanted) {
            (false, _) => Some(Change::new("value", "none", MASK, Class::InPlace)),
            (true, Some(false)) => Some(Change::new(
                "value",
                MASK,
                format!("{MASK} (another one)"),
                Class::InPlace,
            )),
            (true, _) => None,
        });
        description.into_iter().chain(value).collect()
    }

    async fn update(&self, cx: &Context<'_>, spec: &Spec, live: &Live<State>, changes: &[Change]) -> Result<()> {
        let is_changed = |field: &str| changes.iter().any(|change| change.field == field);
        if is_changed("description") {
            let call = self.0.secrets.update_secret().secret_id(&live.id);
            let call = call.set_description(spec.description.clone());
            call.send().await.call("secretsmanager:UpdateSecret")?;
        }
        if is_changed("value")
            && let Some(value) = self.wanted(spec).await?
        {
            self.put(cx, &live.id, &value).await?;
        }
        Ok(())
    }

    async fn refresh(&self, before: &Live<State>) -> Result<Option<Live<State>>> {
        let call = self.0.secrets.describe_secret().secret_id(&before.id);
        let answer = match call.send().await.call("secretsmanager:DescribeSecret") {
            Err(error) if error.code() == "ResourceNotFoundException" => return Ok(None),
            other => other?,
        };
        if answer.deleted_date().is_some() {
            return Ok(None);
        }
        let stages = answer.version_ids_to_stages().into_iter().flatten();
        let mut now = before.clone();
        now.tags = read_tags(answer.tags());
        now.state.description = answer.description().unwrap_or_default().to_owned();
        now.state.has_value = stages.flat_map(|(_, stages)| stages).any(|stage| stage == "AWSCURRENT");
        now.state.changed_at = meant::moment(answer.last_changed_date());
        Ok(Some(now))
    }

    fn readiness(&self, _: &Live<State>) -> Readiness {
        Readiness::Ready
    }

    /// With a recovery window of 30 days, in which recreate restores it; at once only when that was asked for.
    async fn delete(&self, cx: &Context<'_>, live: &Live<State>) -> Result<()> {
        let call = self.0.secrets.delete_secret().secret_id(&live.id);
        let call = match cx.engine.purge_secrets() {
            true => call.force_delete_without_recovery(true),
            false => call.recovery_window_in_days(30),
        };
        match call.send().await.call("secretsmanager:DeleteSecret") {
            Err(error) if error.code() == "ResourceNotFoundException" => Ok(()),
            other => other.map(|_| ()),
        }
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        map! { "arn" => live.id.as_str(), "name_at_aws" => live.state.name_at_aws.as_str() }
    }

    fn row(&self, live: &Live<State>) -> Map {
        let state = &live.state;
        map! {
            "name_at_aws" => state.name_at_aws.as_str(), "description" => state.description.as_str(),
            "has_value" => state.has_value, "rotates" => state.rotates, "changed_at" => state.changed_at.clone(),
            "arn" => live.id.as_str(),
        }
    }

    fn name_at_service(&self, live: &Live<State>) -> Option<String> {
        Some(live.state.name_at_aws.clone())
    }

    /// By its ARN or its name. Not one that is scheduled for deletion.
    async fn reference(&self, options: &Map) -> Result<Live<State>> {
        let id = named::reference(options)?;
        let answer = self.0.secrets.describe_secret().secret_id(&id).send().await;
        let found = match answer.call("secretsmanager:DescribeSecret") {
            Err(error) if error.code() == "ResourceNotFoundException" => None,
            other => Some(other?).filter(|found| found.deleted_date().is_none()),
        };
        let Some(found) = found else {
            return Err(named::missing("secret", &id, &self.0.region));
        };
        let stages = found.version_ids_to_stages().into_iter().flatten();
        Ok(Live {
            id: found.arn().unwrap_or_default().to_owned(),
            name: id,
            tags: read_tags(found.tags()),
            state: State {
                name_at_aws: found.name().unwrap_or_default().to_owned(),
                description: found.description().unwrap_or_default().to_owned(),
                has_value: stages.flat_map(|(_, stages)| stages).any(|stage| stage == "AWSCURRENT"),
                is_wanted: None,
                changed_at: meant::moment(found.last_changed_date()),
                rotates: found.rotation_enabled().unwrap_or_default(),
            },
        })
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        if !set.is_empty() {
            let tags = tags::write(set, |key, value| Tag::builder().key(key).value(value).build());
            let call = self.0.secrets.tag_resource().secret_id(&live.id).set_tags(Some(tags));
            call.send().await.call("secretsmanager:TagResource")?;
        }
        if !remove.is_empty() {
            let call = self.0.secrets.untag_resource().secret_id(&live.id);
            let call = call.set_tag_keys(Some(remove.to_vec()));
            call.send().await.call("secretsmanager:UntagResource")?;
        }
        Ok(())
    }
}
