//! The parameter. Its name at AWS is `/PROJECT/ENV/NAME`, so it is this environment's by its path.
//!
//! Values come with the listing, tags do not: they are read from the Tagging API in one call for all, and singly for
//! what that does not know yet. Source: AWS Systems Manager API Reference.

use std::time::Duration;

use aws_sdk_ssm::types::{Parameter as Described, ParameterType, ResourceTypeForTagging, Tag};
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::aws::error::Call;
use crate::aws::plain::Plain;
use crate::aws::{Aws, meant, named, tags};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{About, Change, Class, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags};
use crate::secret::{MASK, Secret};
use crate::value::{Map, Value};

/// PutParameter: a standard parameter holds 4 KB; a name has 1011 characters at most.
const LONGEST_VALUE: usize = 4096;
const LONGEST_NAME: usize = 1011;

/// A parameter in Parameter Store.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name in this environment: letters, digits and `_.-`.
    pub name: String,
    /// Text of up to 4,096 bytes, or a number or boolean as text.
    pub value: Plain,
    /// Whether it is stored encrypted, as a SecureString. A secret always is; other values are not when not given.
    #[serde(default)]
    pub secure: Option<bool>,
}

impl Spec {
    fn is_secure(&self) -> bool {
        self.secure.unwrap_or(matches!(self.value, Plain::Secret(_)))
    }

    fn text(&self) -> &str {
        match &self.value {
            Plain::Text(text) => text,
            Plain::Secret(secret) => secret.expose(),
        }
    }
}

/// What Parameter Store says of a parameter.
#[derive(Clone, Debug)]
pub struct State {
    path: String,
    value: Held,
    version: i64,
    changed_at: Value,
}

/// A parameter's value: a secret when it is stored as a SecureString.
#[derive(Clone, Debug)]
enum Held {
    Text(String),
    Secret(Secret),
}

impl Held {
    fn new(text: &str, secure: bool) -> Self {
        match secure {
            true => Held::Secret(Secret::new(text)),
            false => Held::Text(text.to_owned()),
        }
    }

    fn is_secure(&self) -> bool {
        matches!(self, Held::Secret(_))
    }

    fn text(&self) -> &str {
        match self {
            Held::Text(text) => text,
            Held::Secret(secret) => secret.expose(),
        }
    }

    /// What a script gets.
    fn value(&self) -> Value {
        match self {
            Held::Text(text) => Value::text(text),
            Held::Secret(secret) => Value::secret(secret.clone()),
        }
    }
}

static ABOUT: About = About {
    kind: "parameter",
    module: "ssm",
    noun: "parameter",
    plural: "parameters",
    help: "Ensures a parameter under /PROJECT/ENV. `publish` and `lookup` are the short way to the same.",
    retention: Retention::Disposable,
    gone_before: &[],
    outputs: &[
        OutputField::text("arn", "The ARN, as a container's secret takes it."),
        OutputField::text("name_at_aws", "The name in the account, `/PROJECT/ENV/NAME`."),
        OutputField::text("value", "The value; a secret when it is stored encrypted."),
        OutputField::other("version", "Counts the changes, from 1."),
    ],
    create_limit: Duration::from_secs(60),
    delete_limit: Duration::from_secs(60),
    actions: &[
        "kms:Decrypt",
        "ssm:AddTagsToResource",
        "ssm:DeleteParameter",
        "ssm:GetParameter",
        "ssm:GetParametersByPath",
        "ssm:ListTagsForResource",
        "ssm:PutParameter",
        "ssm:RemoveTagsFromResource",
        "tag:GetResources",
    ],
};

/// See [`Spec`].
pub struct Parameter(pub Aws);

/// The path of the environment's parameters.
fn folder(scope: &Scope) -> String {
    format!("/{}/{}", scope.project, scope.environment)
}

fn live(name: String, tags: Tags, parameter: &Described) -> Live<State> {
    let path = parameter.name().unwrap_or_default().to_owned();
    let secure = parameter.r#type() == Some(&ParameterType::SecureString);
    Live {
        id: parameter.arn().map_or_else(|| path.clone(), str::to_owned),
        name,
        tags,
        state: State {
            path,
            value: Held::new(parameter.value().unwrap_or_default(), secure),
            version: parameter.version(),
            changed_at: meant::moment(parameter.last_modified_date()),
        },
    }
}

impl Parameter {
    async fn tags(&self, path: &str) -> Result<Tags> {
        let call = self.0.ssm.list_tags_for_resource().resource_id(path);
        let call = call.resource_type(ResourceTypeForTagging::Parameter);
        let answer = call.send().await.call("ssm:ListTagsForResource")?;
        Ok(tags::read(answer.tag_list(), |tag| {
            (Some(tag.key()), Some(tag.value()))
        }))
    }
}

impl Kind for Parameter {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, scope: &Scope, name: &str, spec: &Spec) -> Result<()> {
        named::check("parameter", name, LONGEST_NAME, "_.-")?;
        named::check("parameter", &format!("{}/{name}", folder(scope)), LONGEST_NAME, "_.-/")?;
        let text = spec.text();
        if text.is_empty() {
            return Err(Error::failed("Parameter Store takes no empty value"));
        }
        if text.len() > LONGEST_VALUE {
            let length = text.len();
            return Err(Error::failed(format!(
                "the value has {length} bytes; a parameter holds {LONGEST_VALUE}"
            )));
        }
        if matches!(spec.value, Plain::Secret(_)) && !spec.is_secure() {
            return Err(Error::failed("a secret cannot be stored with `secure: false`")
                .hint("leave `secure` out, or keep it with secrets::ensure_secret"));
        }
        Ok(())
    }

    /// By path, without what lies in folders below it.
    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let folder = folder(scope);
        let pages = self
            .0
            .ssm
            .get_parameters_by_path()
            .path(&folder)
            .recursive(false)
            .with_decryption(true);
        let mut pages = pages.into_paginator().send();
        let mut parameters = Vec::new();
        while let Some(page) = pages.next().await {
            parameters.extend(page.call("ssm:GetParametersByPath")?.parameters.unwrap_or_default());
        }
        if parameters.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.0.known_tags(scope, "ssm").await?;
        try_join_all(parameters.iter().map(async |parameter| {
            let path = parameter.name().unwrap_or_default();
            let name = path.strip_prefix(&folder).unwrap_or(path).trim_start_matches('/');
            let tags = match known.of(parameter.arn().unwrap_or_default()) {
                Some(tags) => tags,
                None => self.tags(path).await?,
            };
            Ok(live(name.to_owned(), tags, parameter))
        }))
        .await
    }

    /// Why this is safe: the name is unique, and without `Overwrite` a second call is refused.
    async fn create(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        let path = format!("{}/{name}", folder(cx.scope));
        let tags = tags::write(&cx.tags, |key, value| Tag::builder().key(key).value(value).build());
        let tags = tags.into_iter().collect::<Result<Vec<_>, _>>();
        let tags = tags.map_err(|error| Error::failed(error.to_string()))?;
        let call = self.0.ssm.put_parameter().name(&path).value(spec.text());
        let call = call.r#type(type_of(spec)).overwrite(false).set_tags(Some(tags));
        let answer = call.send().await.call("ssm:PutParameter")?;
        let created = Live {
            id: self.0.arn("ssm", &format!("parameter{path}")),
            name: name.to_owned(),
            tags: cx.tags.clone(),
            state: State {
                path,
                value: Held::new(spec.text(), spec.is_secure()),
                version: answer.version(),
                changed_at: Value::Null,
            },
        };
        // The answer has no ARN, and an environment that names no account does not know its own.
        match self.0.account.is_empty() {
            true => Ok(self.refresh(&created).await?.unwrap_or(created)),
            false => Ok(created),
        }
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        let state = &live.state;
        let (was, is) = (state.value.is_secure(), spec.is_secure());
        // Parameter Store does not turn text into a SecureString, nor back: HierarchyTypeMismatchException.
        let secure = Change::between("secure", &was, &is, Class::Replace);
        let value = (state.value.text() != spec.text()).then(|| match was || is {
            true => Change::new("value", MASK, format!("{MASK} (another one)"), Class::InPlace),
            false => Change::new("value", state.value.text(), spec.text(), Class::InPlace),
        });
        secure.into_iter().chain(value).collect()
    }

    /// Says what is, so it can be repeated. The type stays: where `keep` leaves it, a secret would be stored as text.
    async fn update(&self, _: &Context<'_>, spec: &Spec, live: &Live<State>, _: &[Change]) -> Result<()> {
        if spec.is_secure() && !live.state.value.is_secure() {
            return Err(Error::failed("a secret would be stored as text")
                .hint("without `secure` in `keep` the parameter is replaced by a SecureString"));
        }
        let r#type = match live.state.value.is_secure() {
            true => ParameterType::SecureString,
            false => ParameterType::String,
        };
        let call = self.0.ssm.put_parameter().name(&live.state.path).value(spec.text());
        let call = call.r#type(r#type).overwrite(true);
        call.send().await.call("ssm:PutParameter").map(|_| ())
    }

    async fn refresh(&self, before: &Live<State>) -> Result<Option<Live<State>>> {
        let call = self
            .0
            .ssm
            .get_parameter()
            .name(&before.state.path)
            .with_decryption(true);
        match call.send().await.call("ssm:GetParameter") {
            Ok(answer) => Ok(answer
                .parameter()
                .map(|parameter| live(before.name.clone(), before.tags.clone(), parameter))),
            Err(error) if error.code() == "ParameterNotFound" => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn readiness(&self, _: &Live<State>) -> Readiness {
        Readiness::Ready
    }

    fn goes_at_once(&self) -> bool {
        true
    }

    async fn delete(&self, _: &Context<'_>, live: &Live<State>) -> Result<()> {
        let call = self.0.ssm.delete_parameter().name(&live.state.path);
        match call.send().await.call("ssm:DeleteParameter") {
            Err(error) if error.code() == "ParameterNotFound" => Ok(()),
            other => other.map(|_| ()),
        }
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        let state = &live.state;
        map! {
            "arn" => live.id.as_str(), "name_at_aws" => state.path.as_str(), "value" => state.value.value(),
            "version" => state.version,
        }
    }

    fn row(&self, live: &Live<State>) -> Map {
        let state = &live.state;
        map! {
            "value" => state.value.value(), "version" => state.version, "secure" => state.value.is_secure(),
            "name_at_aws" => state.path.as_str(), "changed_at" => state.changed_at.clone(),
        }
    }

    fn name_at_service(&self, live: &Live<State>) -> Option<String> {
        Some(live.state.path.clone())
    }

    /// Never adopted under another path: that is where every script looks for it.
    fn physical(&self, scope: &Scope, name: &str) -> String {
        format!("{}/{name}", folder(scope))
    }

    async fn complete(&self, _: &Scope, mut found: Live<State>) -> Result<Live<State>> {
        found.tags = self.tags(&found.state.path).await?;
        Ok(found)
    }

    /// By its whole name, as `/shared/smtp-host`.
    async fn reference(&self, options: &Map) -> Result<Live<State>> {
        let id = named::reference(options)?;
        let call = self.0.ssm.get_parameter().name(&id).with_decryption(true);
        let answer = match call.send().await.call("ssm:GetParameter") {
            Err(error) if error.code() == "ParameterNotFound" => None,
            other => Some(other?),
        };
        match answer.as_ref().and_then(|answer| answer.parameter()) {
            Some(parameter) => Ok(live(id, Tags::new(), parameter)),
            None => Err(named::missing("parameter", &id, &self.0.region)),
        }
    }

    async fn tags_now(&self, _: &Scope, live: &Live<State>) -> Result<Option<Tags>> {
        match self.tags(&live.state.path).await {
            Err(error) if error.code() == "InvalidResourceId" => Ok(None),
            tags => tags.map(Some),
        }
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        if !set.is_empty() {
            let tags = tags::write(set, |key, value| Tag::builder().key(key).value(value).build());
            let tags = tags.into_iter().collect::<Result<Vec<_>, _>>();
            let call = self.0.ssm.add_tags_to_resource().resource_id(&live.state.path);
            let call = call
                .resource_type(ResourceTypeForTagging::Parameter)
                .set_tags(Some(tags.map_err(|error| Error::failed(error.to_string()))?));
            call.send().await.call("ssm:AddTagsToResource")?;
        }
        if !remove.is_empty() {
            let call = self.0.ssm.remove_tags_from_resource().resource_id(&live.state.path);
            let call = call
                .resource_type(ResourceTypeForTagging::Parameter)
                .set_tag_keys(Some(remove.to_vec()));
            call.send().await.call("ssm:RemoveTagsFromResource")?;
        }
        Ok(())
    }

    /// Source: PutParameter, "TooManyUpdates": several calls to one parameter at once.
    fn is_transient(&self, error: &Error) -> bool {
        error.code() == "TooManyUpdates"
    }
}

fn type_of(spec: &Spec) -> ParameterType {
    match spec.is_secure() {
        true => ParameterType::SecureString,
        false => ParameterType::String,
    }
}
