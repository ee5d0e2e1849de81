//! What a kind of resource has to say of itself.

use std::future::{self, Future};
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::engine::Engine;
use super::tags::{Scope, Tags};
use super::taken;
use crate::error::{Error, Result};
use crate::value::{Map, Value};

/// What happens to a resource in a destroy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// Deleted.
    Disposable,
    /// Left, and said to be left; recreate finds it again.
    Retained,
    /// Holds data: deleted only when it is named.
    Data,
}

/// One field of what a resource gives.
#[derive(Clone, Copy, Debug)]
pub struct OutputField {
    pub name: &'static str,
    pub about: &'static str,
    /// Text is read lazily: a script gets an output that is known later. Everything else waits when it is read.
    pub lazy: bool,
}

impl OutputField {
    pub const fn text(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            about,
            lazy: true,
        }
    }

    pub const fn other(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            about,
            lazy: false,
        }
    }
}

/// A kind's static description.
#[derive(Debug)]
pub struct About {
    /// `security-group`: in tags, tables and labels.
    pub kind: &'static str,
    /// The script's module: `ec2`.
    pub module: &'static str,
    /// `security_group`: makes `ensure_security_group` and the reference `security_group(#{...})`.
    pub noun: &'static str,
    /// `security_groups`: the listing.
    pub plural: &'static str,
    /// What `ensure` does, in a sentence or two, for help.
    pub help: &'static str,
    pub retention: Retention,
    /// The kinds of which nothing may be left before one of this kind can be deleted.
    pub gone_before: &'static [&'static str],
    pub outputs: &'static [OutputField],
    /// How long creation may take, and deletion, when the environment says nothing.
    pub create_limit: Duration,
    pub delete_limit: Duration,
    /// The API actions that it uses: `ec2:CreateVpc`.
    pub actions: &'static [&'static str],
}

/// A resource as the cloud has it.
#[derive(Clone, Debug)]
pub struct Live<T> {
    /// The id or ARN by which the service knows it.
    pub id: String,
    /// Its name within the environment.
    pub name: String,
    pub tags: Tags,
    pub state: T,
}

/// Whether it can be used.
#[derive(Clone, Debug)]
pub enum Readiness {
    Ready,
    /// What it waits for, in the service's words: `creating`.
    Waiting(String),
    /// It is on its way out and its name is taken until it is gone: `deleting`, `DRAINING`. It is waited for, and then
    /// made anew.
    Leaving(String),
    Failed(Error),
}

/// What a change means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    InPlace,
    /// In place, but connections break or the service pauses.
    Interrupting,
    /// Takes effect in the maintenance window.
    MaintenanceWindow,
    Replace,
    ReplaceWithLoss,
}

impl Class {
    /// What a person should know of such a change; nothing of one that takes effect at once and disturbs nobody.
    pub fn words(self) -> Option<&'static str> {
        match self {
            Class::InPlace => None,
            Class::Interrupting => Some("interrupts"),
            Class::MaintenanceWindow => Some("in the maintenance window"),
            Class::Replace => Some("replaces"),
            Class::ReplaceWithLoss => Some("replaces, and loses its data"),
        }
    }
}

/// One difference between what is wanted and what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub field: String,
    pub from: String,
    pub to: String,
    pub class: Class,
}

impl Change {
    pub fn new(field: &str, from: impl ToString, to: impl ToString, class: Class) -> Self {
        Self {
            field: field.to_owned(),
            from: from.to_string(),
            to: to.to_string(),
            class,
        }
    }

    /// The change, when the two differ.
    pub fn between<T: PartialEq + ToString>(field: &str, live: &T, wanted: &T, class: Class) -> Option<Self> {
        (live != wanted).then(|| Self::new(field, live.to_string(), wanted.to_string(), class))
    }

    /// The change of a set, when the two differ in more than order. Shows only what is added and what goes.
    pub fn of_sets(field: &str, live: &[String], wanted: &[String], class: Class) -> Option<Self> {
        let missing_in = |these: &[String], others: &[String]| -> Vec<String> {
            these.iter().filter(|item| !others.contains(item)).cloned().collect()
        };
        let (gone, new) = (missing_in(live, wanted), missing_in(wanted, live));
        (!gone.is_empty() || !new.is_empty()).then(|| Self::new(field, gone.join(", "), new.join(", "), class))
    }
}

/// The option of every kind that names the fields whose differences are left.
pub(super) const KEEP: &str = "keep";

/// Something that another resource cannot do without. Names of different kinds may be the same, so the kind is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    /// `subnet`.
    pub kind: &'static str,
    pub key: String,
}

impl Used {
    pub fn new(kind: &'static str, key: impl Into<String>) -> Self {
        Self { kind, key: key.into() }
    }
}

/// What a kind gets beside its options when it writes.
pub struct Context<'a> {
    pub scope: &'a Scope,
    /// For the create call; only the changed-by tags for an update.
    pub tags: Tags,
    /// Makes client tokens, so that a call that is sent twice takes effect once.
    pub seed: String,
    pub engine: &'a Engine,
}

impl Context<'_> {
    /// A client token of 32 characters, derived from the run and from what is created.
    pub fn token(&self, what: &str) -> String {
        use sha2::{Digest, Sha256};
        let digest = Sha256::digest(format!("{}\n{what}", self.seed));
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Tells a person something while the resource is being made.
    pub fn warn(&self, text: &str) {
        self.engine.progress().warn(text);
    }
}

/// One kind of resource. Each implementation is one file and holds the clients that it needs.
///
/// Every write must be safe to repeat after a crash: `create` is called only when `list` did not find the name, and
/// what the service makes unique by name or client token is checked by it.
///
/// The futures are native, not boxed by a macro: what such a macro adds to each method's signature keeps the compiler
/// from sharing its proofs that the SDK's futures are `Send`, which cost a third of this crate's build.
pub trait Kind: Sized + Send + Sync + 'static {
    /// The options of `ensure`. Doc comments are help. Must have a field `name`.
    type Spec: DeserializeOwned + JsonSchema + Send + Sync + 'static;
    /// What a listing tells of one resource.
    type State: Clone + Send + Sync + 'static;

    fn about(&self) -> &'static About;

    /// Refuses names and combinations that the service would refuse, before anything is made.
    fn check(&self, _scope: &Scope, _name: &str, _spec: &Self::Spec) -> Result<()> {
        Ok(())
    }

    /// All that is this environment's, every page. What is being deleted and no longer counts is left out. A failure to
    /// list is an error, never an empty list.
    fn list(&self, scope: &Scope) -> impl Future<Output = Result<Vec<Live<Self::State>>>> + Send;

    /// What of ours is found in fewer calls than [`Kind::list`] sends: each of these is there, but there may be others. Asked
    /// first where a run looks for what it ensures, and believed only for what is in it. `None` where there is no such way.
    fn list_known(&self, _scope: &Scope) -> impl Future<Output = Result<Option<Vec<Live<Self::State>>>>> + Send {
        future::ready(Ok(None))
    }

    /// Finds what no listing of ours can tell, because the service keeps no tags of it: by its parent and its content.
    /// Asked when the listing does not have the name.
    fn look_up(
        &self,
        _scope: &Scope,
        _name: &str,
        _spec: &Self::Spec,
    ) -> impl Future<Output = Result<Option<Live<Self::State>>>> + Send {
        future::ready(Ok(None))
    }

    /// What has the name that one of ours would have at the service, whosever it is, with its tags and whatever the listings
    /// show: asked when a create call is refused because the name is taken. `None` where the service does not tell.
    fn taken_by(
        &self,
        scope: &Scope,
        name: &str,
        _spec: &Self::Spec,
    ) -> impl Future<Output = Result<Option<Live<Self::State>>>> + Send {
        taken::by_name(self, scope, name)
    }

    /// Whether the service keeps tags of it.
    fn has_tags(&self) -> bool {
        true
    }

    /// Whether its create call has neither a client token nor a unique name, so that the lease has to say beforehand that
    /// it may be created.
    fn needs_intent(&self) -> bool {
        false
    }

    /// Creates it, with `cx.tags` in the same call wherever the API has them. Returns as soon as the service has
    /// accepted it.
    fn create(
        &self,
        cx: &Context<'_>,
        name: &str,
        spec: &Self::Spec,
    ) -> impl Future<Output = Result<Live<Self::State>>> + Send;

    /// Reads what a listing does not tell and this comparison needs, such as the value of a secret: for one resource
    /// that a script ensures, never for all that are listed.
    fn inspect(
        &self,
        _spec: &Self::Spec,
        live: Live<Self::State>,
    ) -> impl Future<Output = Result<Live<Self::State>>> + Send {
        future::ready(Ok(live))
    }

    /// The tags as the service itself tells them now, where [`Kind::list`] may have them from the Resource Groups Tagging
    /// API, which lags: asked before a difference of tags is believed. `None` where the listing's are the service's own.
    fn tags_now(&self, _scope: &Scope, _live: &Live<Self::State>) -> impl Future<Output = Result<Option<Tags>>> + Send {
        future::ready(Ok(None))
    }

    /// What is different. Whole sets are compared.
    fn changes(&self, spec: &Self::Spec, live: &Live<Self::State>) -> Vec<Change>;

    /// What [`Kind::changes`] calls fields beside the options, so that `keep` can name them. `options` are as the script
    /// gave them.
    fn more_fields(&self, _options: &Map) -> Vec<String> {
        Vec::new()
    }

    /// What a person should know although nothing has to be changed, as what waits for the maintenance window.
    fn remarks(&self, _spec: &Self::Spec, _live: &Live<Self::State>) -> Vec<String> {
        Vec::new()
    }

    /// Whether it came up with settings other than those that `create` was given, so that it has to be compared and
    /// changed before it can be used: a restored database has those of its snapshot.
    fn is_unfinished(&self, _live: &Live<Self::State>) -> bool {
        false
    }

    /// Outputs that these changes make different, so that a plan does not know them: the ARN of a task definition's next
    /// revision.
    fn unsettled(&self, _changes: &[Change]) -> &'static [&'static str] {
        &[]
    }

    /// What a plan should say of a creation beside its options, as the snapshot that a database comes from. Only reads.
    /// An error says that `create` would refuse.
    fn foresee(
        &self,
        _cx: &Context<'_>,
        _name: &str,
        _spec: &Self::Spec,
    ) -> impl Future<Output = Result<Vec<String>>> + Send {
        future::ready(Ok(Vec::new()))
    }

    /// Makes these changes, none of them a replacement, and nothing else: a difference that is not among them is one that
    /// the script leaves.
    fn update(
        &self,
        cx: &Context<'_>,
        spec: &Self::Spec,
        live: &Live<Self::State>,
        changes: &[Change],
    ) -> impl Future<Output = Result<()>> + Send;

    /// The resource as it is now; `None` when it is gone.
    fn refresh(&self, live: &Live<Self::State>) -> impl Future<Output = Result<Option<Live<Self::State>>>> + Send;

    fn readiness(&self, live: &Live<Self::State>) -> Readiness;

    /// Asks the service to delete it. What is gone already is no error.
    fn delete(&self, cx: &Context<'_>, live: &Live<Self::State>) -> impl Future<Output = Result<()>> + Send;

    /// What keeps it from being deleted, whoever made it, one line each: where the service's refusal does not say. Asked
    /// when that lasts. Only reads.
    fn blockers(&self, _live: &Live<Self::State>) -> impl Future<Output = Result<Vec<String>>> + Send {
        future::ready(Ok(Vec::new()))
    }

    /// Whether it is gone as soon as the service has accepted that: there is nothing to wait for.
    fn goes_at_once(&self) -> bool {
        false
    }

    /// Whether the Resource Groups Tagging API lists it.
    fn is_swept(&self) -> bool {
        true
    }

    /// Finishes the deletion of what no listing shows any more, where that takes two calls: a destroy may have died between
    /// them. What is gone already is no error.
    fn finish_delete(&self, _arns: &[String]) -> impl Future<Output = Result<()>> + Send {
        future::ready(Ok(()))
    }

    /// What it cannot do without, as a kind and one of its [`Kind::keys`]: what a destroy keeps, keeps these too.
    fn uses(&self, _live: &Live<Self::State>) -> Vec<Used> {
        Vec::new()
    }

    /// What the [`Kind::uses`] of another may mean it by; its id unless there is more to say.
    fn keys(&self, live: &Live<Self::State>) -> Vec<String> {
        vec![live.id.clone()]
    }

    /// Why a destroy leaves one that is [`Retention::Retained`], where there is more to say than that.
    fn kept_because(&self, _live: &Live<Self::State>) -> Option<&'static str> {
        None
    }

    /// The fields that a script reads, those of [`About::outputs`].
    fn outputs(&self, live: &Live<Self::State>) -> Map;

    /// What the listing shows; the outputs unless there is more to say.
    fn row(&self, live: &Live<Self::State>) -> Map {
        self.outputs(live)
    }

    /// Sets and removes tags.
    fn retag(&self, live: &Live<Self::State>, set: &Tags, remove: &[String])
    -> impl Future<Output = Result<()>> + Send;

    /// An existing one, used and never changed: `ec2::vpc(#{ id: ... })`.
    fn reference(&self, _options: &Map) -> impl Future<Output = Result<Live<Self::State>>> + Send {
        let refused = format!("a {} cannot be referenced, only ensured", self.about().kind);
        future::ready(Err(Error::failed(refused)))
    }

    /// Adds to what [`Kind::reference`] found what an adoption needs: its tags, and what a comparison looks at.
    fn complete(
        &self,
        _scope: &Scope,
        found: Live<Self::State>,
    ) -> impl Future<Output = Result<Live<Self::State>>> + Send {
        future::ready(Ok(found))
    }

    /// Its name at the service, where it is found by that. `None` for what is found by its tags alone.
    fn name_at_service(&self, _live: &Live<Self::State>) -> Option<String> {
        None
    }

    /// The name at the service that one of this name has.
    fn physical(&self, scope: &Scope, name: &str) -> String {
        scope.physical_of(self.about().kind, name)
    }

    /// Whether an error only looks final: a role that is not usable yet, an interface still being released.
    fn is_transient(&self, _error: &Error) -> bool {
        false
    }
}

/// The name that an option map gives, which must be known before anything starts.
pub(super) fn name_in(options: &Value) -> Result<String> {
    match options.as_map().and_then(|map| map.get("name")).and_then(Value::as_str) {
        Some(name) if !name.is_empty() => Ok(name.to_owned()),
        _ => Err(Error::failed(
            "`name` must be text that is known here: it says which resource is meant",
        )),
    }
}
