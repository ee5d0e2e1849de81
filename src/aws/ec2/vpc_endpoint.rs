//! The VPC endpoint: the way from private subnets to one of AWS's services, without the internet.

use std::time::Duration;

use aws_sdk_ec2::types::{ResourceType, VpcEndpoint as Described, VpcEndpointType};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{filter, ours, present, read_tags, retag, specification};
use crate::aws::error::Call;
use crate::aws::{Aws, named};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{About, Change, Class, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags};
use crate::value::Map;

/// The way from private subnets to one of AWS's services: an interface in each subnet, or a route in tables.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name in this environment.
    pub name: String,
    /// The id of the VPC.
    pub vpc: String,
    /// The service, as `logs` or `ecr.api`, or its whole name, as `com.amazonaws.eu-central-1.logs`. Another one means
    /// another endpoint.
    pub service: String,
    /// Of an interface endpoint: the ids of the subnets, one for each zone.
    #[serde(default)]
    pub subnets: Vec<String>,
    /// Of an interface endpoint: the ids of the security groups, which must let HTTPS in.
    #[serde(default)]
    pub security_groups: Vec<String>,
    /// Of a gateway endpoint (`s3`, `dynamodb`): the ids of the route tables that get its route.
    #[serde(default)]
    pub route_tables: Vec<String>,
}

impl Spec {
    fn is_gateway(&self) -> bool {
        !self.route_tables.is_empty()
    }

    fn service(&self, region: &str) -> String {
        match self.service.starts_with("com.amazonaws.") {
            true => self.service.clone(),
            false => format!("com.amazonaws.{region}.{}", self.service),
        }
    }
}

/// What EC2 says of an endpoint.
#[derive(Clone, Debug)]
pub struct State {
    state: String,
    failure: Option<String>,
    vpc: String,
    service: String,
    is_gateway: bool,
    private_dns: bool,
    subnets: Vec<String>,
    security_groups: Vec<String>,
    route_tables: Vec<String>,
}

static ABOUT: About = About {
    kind: "vpc-endpoint",
    module: "ec2",
    noun: "vpc_endpoint",
    plural: "vpc_endpoints",
    help: "Ensures a VPC endpoint, through which private subnets reach a service of AWS without NAT. An interface endpoint \
           costs money by the hour in each zone; a gateway endpoint costs nothing.",
    retention: Retention::Disposable,
    // Tasks write their last lines through it.
    gone_before: &["service"],
    outputs: &[
        OutputField::text("id", "The id, as `vpce-0123456789abcdef0`."),
        OutputField::text("service", "The whole name of the service."),
    ],
    create_limit: Duration::from_secs(900),
    delete_limit: Duration::from_secs(900),
    actions: &[
        "ec2:CreateTags",
        "ec2:CreateVpcEndpoint",
        "ec2:DeleteTags",
        "ec2:DeleteVpcEndpoints",
        "ec2:DescribeVpcEndpoints",
        "ec2:ModifyVpcEndpoint",
        // For the private name of the service.
        "route53:AssociateVPCWithHostedZone",
    ],
};

/// See [`Spec`].
pub struct VpcEndpoint(pub Aws);

fn live(name: String, endpoint: &Described) -> Live<State> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let groups = endpoint.groups().iter();
    Live {
        id: text(endpoint.vpc_endpoint_id()),
        name,
        tags: read_tags(endpoint.tags()),
        state: State {
            // The model writes `Available`, the service `available`.
            state: text(endpoint.state().map(|state| state.as_str())).to_ascii_lowercase(),
            failure: endpoint
                .last_error()
                .and_then(|error| error.message())
                .or(endpoint.failure_reason())
                .map(str::to_owned),
            vpc: text(endpoint.vpc_id()),
            service: text(endpoint.service_name()),
            is_gateway: endpoint.vpc_endpoint_type() == Some(&VpcEndpointType::Gateway),
            private_dns: endpoint.private_dns_enabled().unwrap_or_default(),
            subnets: endpoint.subnet_ids().to_vec(),
            security_groups: groups.filter_map(|group| group.group_id().map(str::to_owned)).collect(),
            route_tables: endpoint.route_table_ids().to_vec(),
        },
    }
}

/// What has to be added to a set, and what has to go. `None` for nothing: EC2 takes no empty lists.
fn difference(live: &[String], wanted: &[String]) -> (Option<Vec<String>>, Option<Vec<String>>) {
    let without = |these: &[String], others: &[String]| {
        let left: Vec<_> = these.iter().filter(|id| !others.contains(id)).cloned().collect();
        Some(left).filter(|left| !left.is_empty())
    };
    (without(wanted, live), without(live, wanted))
}

impl VpcEndpoint {
    async fn modify(
        &self,
        id: &str,
        change: impl FnOnce(
            aws_sdk_ec2::operation::modify_vpc_endpoint::builders::ModifyVpcEndpointFluentBuilder,
        )
            -> aws_sdk_ec2::operation::modify_vpc_endpoint::builders::ModifyVpcEndpointFluentBuilder,
    ) -> Result<()> {
        let call = change(self.0.ec2.modify_vpc_endpoint().vpc_endpoint_id(id));
        call.send().await.call("ec2:ModifyVpcEndpoint").map(|_| ())
    }
}

impl Kind for VpcEndpoint {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, scope: &Scope, name: &str, spec: &Spec) -> Result<()> {
        named::check_tag(&scope.physical(name))?;
        match (
            spec.is_gateway(),
            spec.subnets.is_empty(),
            spec.security_groups.is_empty(),
        ) {
            (true, true, true) | (false, false, false) => Ok(()),
            (true, ..) => Err(Error::failed(
                "`route_tables` are for a gateway endpoint, `subnets` and `security_groups` for an interface endpoint",
            )),
            (false, ..) => Err(Error::failed(
                "an endpoint needs `route_tables` (for s3 and dynamodb), or `subnets` and `security_groups`",
            )),
        }
    }

    /// Not the deleted ones, which EC2 goes on listing for some minutes.
    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let pages = self.0.ec2.describe_vpc_endpoints().set_filters(Some(ours(scope)));
        let found = pages.into_paginator().items().send().try_collect().await;
        let endpoints = found.call("ec2:DescribeVpcEndpoints")?;
        let ours = endpoints.iter().filter_map(|endpoint| {
            let tags = read_tags(endpoint.tags());
            let live = live(scope.name_of(ABOUT.kind, &tags)?.to_owned(), endpoint);
            (live.state.state != "deleted").then_some(live)
        });
        Ok(ours.collect())
    }

    /// Why this is safe: the tags and a client token are in the call.
    async fn create(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        let service = spec.service(&self.0.region);
        let call = self
            .0
            .ec2
            .create_vpc_endpoint()
            .client_token(cx.token(&format!("vpc-endpoint/{name} {} {service}", spec.vpc)))
            .vpc_id(&spec.vpc)
            .service_name(&service)
            .tag_specifications(specification(ResourceType::VpcEndpoint, &cx.tags));
        let call = match spec.is_gateway() {
            true => call
                .vpc_endpoint_type(VpcEndpointType::Gateway)
                .set_route_table_ids(Some(spec.route_tables.clone())),
            false => call
                .vpc_endpoint_type(VpcEndpointType::Interface)
                .private_dns_enabled(true)
                .set_subnet_ids(Some(spec.subnets.clone()))
                .set_security_group_ids(Some(spec.security_groups.clone())),
        };
        let answer = call.send().await.call("ec2:CreateVpcEndpoint")?;
        let endpoint = answer.vpc_endpoint.unwrap_or_else(|| Described::builder().build());
        Ok(live(name.to_owned(), &endpoint))
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        let state = &live.state;
        let kind = |gateway: bool| if gateway { "gateway" } else { "interface" };
        [
            Change::between("vpc", &state.vpc, &spec.vpc, Class::Replace),
            Change::between("service", &state.service, &spec.service(&self.0.region), Class::Replace),
            Change::between(
                "type",
                &kind(state.is_gateway),
                &kind(spec.is_gateway()),
                Class::Replace,
            ),
            Change::of_sets("subnets", &state.subnets, &spec.subnets, Class::InPlace),
            Change::of_sets(
                "security_groups",
                &state.security_groups,
                &spec.security_groups,
                Class::InPlace,
            ),
            Change::of_sets("route_tables", &state.route_tables, &spec.route_tables, Class::InPlace),
            // Only an interface endpoint has the service's private name.
            (!spec.is_gateway())
                .then(|| Change::between("private_dns", &state.private_dns, &true, Class::InPlace))
                .flatten(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn more_fields(&self, _: &Map) -> Vec<String> {
        vec!["type".into(), "private_dns".into()]
    }

    /// From what is there now, so that a second attempt after a lost answer asks for nothing twice.
    async fn update(&self, _: &Context<'_>, spec: &Spec, live: &Live<State>, changes: &[Change]) -> Result<()> {
        let is = |field: &str| changes.iter().any(|change| change.field == field);
        let Some(Live { id, state, .. }) = self.refresh(live).await? else {
            return Ok(());
        };
        let (add, remove) = difference(&state.route_tables, &spec.route_tables);
        if is("route_tables") && (add.is_some() || remove.is_some()) {
            self.modify(&id, |call| {
                call.set_add_route_table_ids(add).set_remove_route_table_ids(remove)
            })
            .await?;
        }
        let (add, remove) = difference(&state.subnets, &spec.subnets);
        if is("subnets") && (add.is_some() || remove.is_some()) {
            self.modify(&id, |call| call.set_add_subnet_ids(add).set_remove_subnet_ids(remove))
                .await?;
        }
        let (add, remove) = difference(&state.security_groups, &spec.security_groups);
        if is("security_groups") && (add.is_some() || remove.is_some()) {
            self.modify(&id, |call| {
                call.set_add_security_group_ids(add)
                    .set_remove_security_group_ids(remove)
            })
            .await?;
        }
        if is("private_dns") && !state.private_dns {
            self.modify(&id, |call| call.private_dns_enabled(true)).await?;
        }
        Ok(())
    }

    async fn refresh(&self, before: &Live<State>) -> Result<Option<Live<State>>> {
        let call = self.0.ec2.describe_vpc_endpoints().vpc_endpoint_ids(&before.id);
        let answer = present(call.send().await.call("ec2:DescribeVpcEndpoints"))?;
        let endpoint = answer.as_ref().and_then(|answer| answer.vpc_endpoints().first());
        let now = endpoint.map(|endpoint| live(before.name.clone(), endpoint));
        Ok(now.filter(|now| now.state.state != "deleted"))
    }

    fn readiness(&self, live: &Live<State>) -> Readiness {
        let why = || live.state.failure.as_deref().unwrap_or("EC2 does not say why");
        match live.state.state.as_str() {
            "available" => Readiness::Ready,
            "deleting" => Readiness::Leaving("deleting".into()),
            state @ ("failed" | "rejected" | "expired") => {
                Readiness::Failed(Error::failed(format!("the endpoint {} is {state}: {}", live.id, why())))
            }
            state => Readiness::Waiting(state.to_owned()),
        }
    }

    async fn delete(&self, _: &Context<'_>, live: &Live<State>) -> Result<()> {
        let call = self.0.ec2.delete_vpc_endpoints().vpc_endpoint_ids(&live.id);
        let answer = call.send().await.call("ec2:DeleteVpcEndpoints")?;
        let failed = answer.unsuccessful().first().and_then(|failed| failed.error());
        match failed {
            Some(failed) if !failed.code().unwrap_or_default().ends_with("NotFound") => Err(Error::failed(format!(
                "ec2:DeleteVpcEndpoints: {}",
                failed.message().unwrap_or_default()
            ))),
            _ => Ok(()),
        }
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        map! { "id" => live.id.as_str(), "service" => live.state.service.as_str() }
    }

    fn row(&self, live: &Live<State>) -> Map {
        map! {
            "service" => live.state.service.as_str(),
            "type" => if live.state.is_gateway { "gateway" } else { "interface" },
            "state" => live.state.state.as_str(), "vpc" => live.state.vpc.as_str(), "id" => live.id.as_str(),
        }
    }

    async fn reference(&self, options: &Map) -> Result<Live<State>> {
        let id = named::reference_id("VPC endpoint", "vpce-", options)?;
        let by_id = filter("vpc-endpoint-id", [id.as_str()]);
        let answer = self.0.ec2.describe_vpc_endpoints().filters(by_id).send().await;
        let answer = answer.call("ec2:DescribeVpcEndpoints")?;
        let found = answer
            .vpc_endpoints()
            .first()
            .map(|endpoint| live(id.clone(), endpoint));
        found
            .filter(|found| !matches!(found.state.state.as_str(), "deleting" | "deleted"))
            .ok_or_else(|| named::missing("VPC endpoint", &id, &self.0.region))
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        retag(&self.0, &live.id, set, remove).await
    }

    /// While an endpoint of the same service is being deleted, its name in DNS and its route are still taken.
    fn is_transient(&self, error: &Error) -> bool {
        super::is_throttled(error)
            || error.code() == "RouteAlreadyExists"
            || error.message().contains("conflicting DNS domain")
    }
}
