//! The internet gateway.

use std::time::Duration;

use aws_sdk_ec2::types::{InternetGateway as Described, ResourceType};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{found_after, is_throttled, once, ours, read_tags, retag, soon, specification};
use crate::aws::error::Call;
use crate::aws::{Aws, named};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{About, Change, Class, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags};
use crate::value::Map;

/// An internet gateway, attached to a VPC.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name in this environment.
    pub name: String,
    /// The id of the VPC that it is attached to.
    pub vpc: String,
}

/// The VPCs that it is attached to: none or one.
#[derive(Clone, Debug)]
pub struct State {
    vpcs: Vec<String>,
}

static ABOUT: About = About {
    kind: "internet-gateway",
    module: "ec2",
    noun: "internet_gateway",
    plural: "internet_gateways",
    help: "Ensures an internet gateway, attached to a VPC.",
    retention: Retention::Disposable,
    // A gateway cannot be detached while the VPC has mapped public addresses.
    gone_before: &["nat-gateway", "load-balancer", "service", "db-instance"],
    outputs: &[
        OutputField::text("id", "The id, as `igw-0123456789abcdef0`."),
        OutputField::text("vpc", "The id of the VPC that it is attached to."),
    ],
    create_limit: Duration::from_secs(120),
    delete_limit: Duration::from_secs(1200),
    actions: &[
        "ec2:AttachInternetGateway",
        "ec2:CreateInternetGateway",
        "ec2:CreateTags",
        "ec2:DeleteInternetGateway",
        "ec2:DeleteTags",
        "ec2:DescribeInternetGateways",
        "ec2:DetachInternetGateway",
    ],
};

/// See [`Spec`].
pub struct InternetGateway(pub Aws);

fn live(name: String, gateway: &Described) -> Live<State> {
    let attachments = gateway.attachments().iter();
    Live {
        id: gateway.internet_gateway_id().unwrap_or_default().to_owned(),
        name,
        tags: read_tags(gateway.tags()),
        state: State {
            vpcs: attachments
                .filter_map(|attachment| attachment.vpc_id())
                .map(str::to_owned)
                .collect(),
        },
    }
}

impl InternetGateway {
    /// Already attached to the same VPC is what is wanted.
    async fn attach(&self, id: &str, vpc: &str) -> Result<()> {
        let call = self.0.ec2.attach_internet_gateway().internet_gateway_id(id).vpc_id(vpc);
        match call.send().await.call("ec2:AttachInternetGateway") {
            Err(error) if error.code() == "Resource.AlreadyAssociated" => match self.describe(id).await? {
                Some(gateway)
                    if live(String::new(), &gateway)
                        .state
                        .vpcs
                        .iter()
                        .any(|known| known == vpc) =>
                {
                    Ok(())
                }
                _ => Err(error),
            },
            other => other.map(|_| ()),
        }
    }

    async fn detach(&self, id: &str, vpc: &str) -> Result<()> {
        let call = self.0.ec2.detach_internet_gateway().internet_gateway_id(id).vpc_id(vpc);
        match call.send().await.call("ec2:DetachInternetGateway") {
            Err(error) if error.code() == "Gateway.NotAttached" => Ok(()),
            other => super::absent_is_fine(other),
        }
    }

    async fn describe(&self, id: &str) -> Result<Option<Described>> {
        let call = self.0.ec2.describe_internet_gateways().internet_gateway_ids(id);
        let answer = super::present(call.send().await.call("ec2:DescribeInternetGateways"))?;
        Ok(answer.and_then(|answer| answer.internet_gateways().first().cloned()))
    }
}

impl Kind for InternetGateway {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, scope: &Scope, name: &str, _: &Spec) -> Result<()> {
        named::check_tag(&scope.physical(name))
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let pages = self.0.ec2.describe_internet_gateways().set_filters(Some(ours(scope)));
        let found = pages.into_paginator().items().send().try_collect().await;
        let gateways = found.call("ec2:DescribeInternetGateways")?;
        let ours = gateways.iter().filter_map(|gateway| {
            let tags = read_tags(gateway.tags());
            Some(live(scope.name_of(ABOUT.kind, &tags)?.to_owned(), gateway))
        });
        Ok(ours.collect())
    }

    fn needs_intent(&self) -> bool {
        true
    }

    /// Why this is safe: the tags are in the create call, which is sent once; one that is not attached is attached by
    /// the next run.
    async fn create(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        let tags = specification(ResourceType::InternetGateway, &cx.tags);
        let call = self.0.ec2.create_internet_gateway().tag_specifications(tags);
        let answer = call.customize().config_override(once()).send().await;
        let mut created = match answer.call("ec2:CreateInternetGateway") {
            Ok(answer) => live(
                name.to_owned(),
                &answer.internet_gateway.unwrap_or_else(|| Described::builder().build()),
            ),
            Err(error) => found_after(self, cx, name, error).await?,
        };
        soon(cx, name, || Box::pin(self.attach(&created.id, &spec.vpc))).await?;
        created.state.vpcs = vec![spec.vpc.clone()];
        Ok(created)
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        let wanted = std::slice::from_ref(&spec.vpc);
        Change::of_sets("vpc", &live.state.vpcs, wanted, Class::Interrupting)
            .into_iter()
            .collect()
    }

    async fn update(&self, _: &Context<'_>, spec: &Spec, live: &Live<State>, _: &[Change]) -> Result<()> {
        for vpc in live.state.vpcs.iter().filter(|vpc| **vpc != spec.vpc) {
            self.detach(&live.id, vpc).await?;
        }
        self.attach(&live.id, &spec.vpc).await
    }

    async fn refresh(&self, before: &Live<State>) -> Result<Option<Live<State>>> {
        let found = self.describe(&before.id).await?;
        Ok(found.map(|gateway| live(before.name.clone(), &gateway)))
    }

    /// What must be reached from the internet means it by its VPC.
    fn keys(&self, live: &Live<State>) -> Vec<String> {
        [&live.id].into_iter().chain(&live.state.vpcs).cloned().collect()
    }

    /// One that is not attached is ready too: the comparison attaches it.
    fn readiness(&self, _: &Live<State>) -> Readiness {
        Readiness::Ready
    }

    fn goes_at_once(&self) -> bool {
        true
    }

    async fn delete(&self, _: &Context<'_>, live: &Live<State>) -> Result<()> {
        for vpc in &live.state.vpcs {
            self.detach(&live.id, vpc).await?;
        }
        let call = self.0.ec2.delete_internet_gateway().internet_gateway_id(&live.id);
        super::absent_is_fine(call.send().await.call("ec2:DeleteInternetGateway"))
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        map! { "id" => live.id.as_str(), "vpc" => live.state.vpcs.first().cloned().unwrap_or_default() }
    }

    async fn reference(&self, options: &Map) -> Result<Live<State>> {
        let id = named::reference_id("internet gateway", "igw-", options)?;
        match self.describe(&id).await? {
            Some(gateway) => Ok(live(id, &gateway)),
            None => Err(named::missing("internet gateway", &id, &self.0.region)),
        }
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        retag(&self.0, &live.id, set, remove).await
    }

    fn is_transient(&self, error: &Error) -> bool {
        is_throttled(error)
    }
}
