//! The alias record: a name of one's own that leads to a load balancer.
//!
//! It is upserted and never deleted and made again: a name that is gone for a moment is cached as absent for as long as
//! the zone says. Destroy leaves it, and the next recreate lets it lead to the new load balancer.

use std::time::Duration;

use aws_sdk_route53::types::{AliasTarget, Change as Edit, ChangeAction, ChangeBatch, ResourceRecordSet, RrType};
use schemars::JsonSchema;
use serde::Deserialize;

use super::zone;
use crate::aws::error::Call;
use crate::aws::{Aws, elb};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{About, Change, Class, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags};
use crate::value::Map;

/// An alias record of type A, from a host name to a load balancer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name in this environment.
    pub name: String,
    /// The hosted zone, by name or id.
    pub zone: String,
    /// The host name, as `login.example.org`. Another one is another record; the old one stays.
    pub host: String,
    /// The load balancer's host name: its `dns_name`.
    pub target: String,
    /// The hosted zone of load balancers: its `zone_id`.
    pub target_zone: String,
    /// Whether a record that leads somewhere else, made by somebody else, is changed. Without it that is an error.
    #[serde(default)]
    pub take_over: bool,
}

/// What Route 53 says of a record.
#[derive(Clone, Debug)]
pub struct State {
    zone: String,
    host: String,
    target: String,
    target_zone: String,
    /// What is there when it is no alias: the record as a whole, to be replaced by one.
    other: Option<String>,
}

static ABOUT: About = About {
    kind: "alias-record",
    module: "route53",
    noun: "alias_record",
    plural: "alias_records",
    help: "Ensures that a host name leads to a load balancer. Destroy leaves the record: a name that is gone for a moment \
           is remembered as absent by caches.",
    retention: Retention::Retained,
    gone_before: &[],
    outputs: &[
        OutputField::text("host", "The host name."),
        OutputField::text("zone", "The id of the hosted zone."),
        OutputField::text("target", "Where it leads."),
    ],
    create_limit: Duration::from_secs(120),
    delete_limit: Duration::from_secs(120),
    actions: &[
        "route53:ChangeResourceRecordSets",
        "route53:GetHostedZone",
        "route53:ListHostedZonesByName",
        "route53:ListResourceRecordSets",
    ],
};

/// See [`Spec`].
pub struct AliasRecord(pub Aws);

/// Without the dot at the end and in small letters, as names are compared.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// The load balancer's own name in its host name: `shop-dev-front` of
/// `dualstack.shop-dev-front-123456789.eu-central-1.elb.amazonaws.com`.
fn balancer(target: &str) -> Option<&str> {
    let target = target.strip_prefix("dualstack.").unwrap_or(target);
    if !target.trim_end_matches('.').ends_with(".elb.amazonaws.com") {
        return None;
    }
    let label = target.split('.').next()?;
    let label = label.strip_prefix("internal-").unwrap_or(label);
    label.rsplit_once('-').map(|(name, _)| name)
}

impl AliasRecord {
    /// The A record of a host, whatever it says.
    async fn read(&self, zone: &str, host: &str) -> Result<Option<State>> {
        let call = self.0.route53.list_resource_record_sets().hosted_zone_id(zone);
        let call = call.start_record_name(host).start_record_type(RrType::A).max_items(1);
        let answer = call.send().await.call("route53:ListResourceRecordSets")?;
        let found = answer
            .resource_record_sets()
            .iter()
            .find(|set| plain(set.name()) == plain(host) && *set.r#type() == RrType::A);
        Ok(found.map(|set| {
            let alias = set.alias_target();
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            let values: Vec<_> = set.resource_records().iter().map(|record| record.value()).collect();
            State {
                zone: zone.to_owned(),
                host: plain(host),
                target: plain(&text(alias.map(|alias| alias.dns_name()))),
                target_zone: text(alias.map(|alias| alias.hosted_zone_id())),
                other: alias.is_none().then(|| values.join(", ")),
            }
        }))
    }

    /// Says what is, so that it can be repeated.
    async fn upsert(&self, zone: &str, host: &str, target: &str, target_zone: &str) -> Result<State> {
        let alias = AliasTarget::builder()
            .hosted_zone_id(target_zone)
            .dns_name(target)
            // With one target for a name, an answer that nobody gets is no better than one that is not healthy.
            .evaluate_target_health(false)
            .build();
        let set = alias.and_then(|alias| {
            let set = ResourceRecordSet::builder().name(host).r#type(RrType::A);
            set.alias_target(alias).build()
        });
        self.send(zone, ChangeAction::Upsert, set.map_err(incomplete)?).await?;
        Ok(State {
            zone: zone.to_owned(),
            host: plain(host),
            target: plain(target),
            target_zone: target_zone.to_owned(),
            other: None,
        })
    }

    async fn send(&self, zone: &str, action: ChangeAction, set: ResourceRecordSet) -> Result<()> {
        let change = Edit::builder().action(action).resource_record_set(set).build();
        let batch = change.and_then(|change| ChangeBatch::builder().changes(change).build());
        let call = self.0.route53.change_resource_record_sets().hosted_zone_id(zone);
        let call = call.change_batch(batch.map_err(incomplete)?);
        call.send().await.call("route53:ChangeResourceRecordSets").map(|_| ())
    }
}

fn incomplete(error: aws_sdk_route53::error::BuildError) -> Error {
    Error::failed(format!("the change of the record is not complete: {error}"))
}

fn live(name: &str, state: State) -> Live<State> {
    Live {
        id: format!("{}/{}", state.zone, state.host),
        name: name.to_owned(),
        tags: Tags::new(),
        state,
    }
}

impl Kind for AliasRecord {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn has_tags(&self) -> bool {
        false
    }

    fn check(&self, _: &Scope, _: &str, spec: &Spec) -> Result<()> {
        match balancer(&spec.target) {
            Some(_) => Ok(()),
            None => Err(Error::failed(format!(
                "`target` is the host name of a load balancer, not \"{}\"",
                spec.target
            ))),
        }
    }

    /// The record of the environment's public address, when it leads to a load balancer of ours, also to one that is
    /// gone. To search all zones of an account for others would be slow: those are looked up one by one.
    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let Some((host, zone)) = &self.0.address else {
            return Ok(Vec::new());
        };
        // Without the zone there is no record in it, and a destroy goes on.
        let Some(zone) = zone::look_for(&self.0, zone).await? else {
            return Ok(Vec::new());
        };
        let found = self.read(&zone.id, host).await?;
        let is_ours = |state: &State| balancer(&state.target).is_some_and(|name| elb::may_be_ours(scope, name));
        Ok(found
            .filter(is_ours)
            .map(|state| live(&plain(host), state))
            .into_iter()
            .collect())
    }

    /// The record of that host, when it leads to a load balancer of the same name.
    async fn look_up(&self, _: &Scope, name: &str, spec: &Spec) -> Result<Option<Live<State>>> {
        let zone = zone::find(&self.0, &spec.zone).await?;
        let (host, wanted) = (plain(&spec.host), plain(&spec.target));
        if host != zone.name && !host.ends_with(&format!(".{}", zone.name)) {
            return Err(Error::failed(format!("{host} is not in the zone {}", zone.name)));
        }
        let Some(state) = self.read(&zone.id, &host).await? else {
            return Ok(None);
        };
        let is_ours = state.other.is_none() && balancer(&state.target) == balancer(&wanted);
        if !is_ours && !spec.take_over {
            let there = state.other.as_deref().unwrap_or(&state.target);
            return Err(
                Error::failed(format!("{host} leads to {there}, which is not this environment's"))
                    .hint("delete the record, or take it over with `take_over: true`"),
            );
        }
        Ok(Some(live(name, state)))
    }

    /// Why this is safe: there was no record of that name, and an upsert says what is.
    async fn create(&self, _: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        let zone = zone::find(&self.0, &spec.zone).await?;
        let made = self.upsert(&zone.id, &spec.host, &spec.target, &spec.target_zone);
        Ok(live(name, made.await?))
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        let state = &live.state;
        let target = match &state.other {
            Some(values) => Some(Change::new("target", values, &spec.target, Class::InPlace)),
            None => Change::between(
                "target",
                &state.target.trim_start_matches("dualstack.").to_owned(),
                &plain(&spec.target).trim_start_matches("dualstack.").to_owned(),
                Class::InPlace,
            ),
        };
        let zone = match &state.other {
            Some(_) => None,
            None => Change::between("target_zone", &state.target_zone, &spec.target_zone, Class::InPlace),
        };
        target.into_iter().chain(zone).collect()
    }

    async fn update(&self, _: &Context<'_>, spec: &Spec, live: &Live<State>, changes: &[Change]) -> Result<()> {
        let state = &live.state;
        let is = |field: &str| state.other.is_some() || changes.iter().any(|change| change.field == field);
        let target = if is("target") { &spec.target } else { &state.target };
        let zone = if is("target_zone") {
            &spec.target_zone
        } else {
            &state.target_zone
        };
        self.upsert(&state.zone, &spec.host, target, zone).await.map(|_| ())
    }

    async fn refresh(&self, before: &Live<State>) -> Result<Option<Live<State>>> {
        let now = self.read(&before.state.zone, &before.state.host).await?;
        Ok(now.map(|state| live(&before.name, state)))
    }

    /// Route 53's own servers know it within a minute; nothing of a run waits for that.
    fn readiness(&self, _: &Live<State>) -> Readiness {
        Readiness::Ready
    }

    fn is_swept(&self) -> bool {
        false
    }

    async fn delete(&self, _: &Context<'_>, live: &Live<State>) -> Result<()> {
        let alias = AliasTarget::builder()
            .hosted_zone_id(&live.state.target_zone)
            .dns_name(&live.state.target)
            .evaluate_target_health(false)
            .build();
        let set = alias.and_then(|alias| {
            let set = ResourceRecordSet::builder().name(&live.state.host).r#type(RrType::A);
            set.alias_target(alias).build()
        });
        self.send(&live.state.zone, ChangeAction::Delete, set.map_err(incomplete)?)
            .await
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        map! {
            "host" => live.state.host.as_str(), "zone" => live.state.zone.as_str(),
            "target" => live.state.target.as_str(),
        }
    }

    async fn retag(&self, _: &Live<State>, _: &Tags, _: &[String]) -> Result<()> {
        Ok(())
    }

    /// Route 53 does not know a load balancer in the first moments of its life.
    fn is_transient(&self, error: &Error) -> bool {
        matches!(
            error.code(),
            "PriorRequestNotComplete" | "Throttling" | "ThrottlingException"
        ) || (error.code() == "InvalidChangeBatch" && error.message().contains("that target was not found"))
    }
}

#[cfg(test)]
mod unit {
    use super::balancer;

    #[test]
    fn a_load_balancer_is_known_by_its_name() {
        let front = Some("shop-dev-front");
        assert_eq!(
            balancer("shop-dev-front-123456789.eu-central-1.elb.amazonaws.com"),
            front
        );
        assert_eq!(
            balancer("dualstack.internal-shop-dev-front-1.eu-central-1.elb.amazonaws.com."),
            front
        );
        assert_eq!(balancer("shop-dev-front-1.example.org"), None);
    }
}
