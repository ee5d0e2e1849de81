//! The route table, with its routes and the subnets that use it.
//!
//! Routes and associations cannot be tagged: their identity is the table and their content, and the whole sets are
//! compared, so that a route added by hand shows.

use std::time::Duration;

use aws_sdk_ec2::types::{ResourceType, Route as DescribedRoute, RouteOrigin, RouteTable as Described};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{filter, ours, read_tags, retag, soon, specification};
use crate::aws::error::Call;
use crate::aws::{Aws, named};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{About, Change, Class, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags};
use crate::value::{Map, Value};

/// A route table of a VPC, never the main one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name in this environment.
    pub name: String,
    /// The id of the VPC.
    pub vpc: String,
    /// All routes beside the local one. A route that is not here is deleted; those that a gateway endpoint or a virtual
    /// private gateway puts there stay.
    #[serde(default)]
    pub routes: Vec<RouteSpec>,
    /// The ids of the subnets that use the table. One that is not here goes back to the VPC's main table.
    #[serde(default)]
    pub subnets: Vec<String>,
}

/// One route: a destination, and either `gateway` or `nat`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteSpec {
    /// The range of addresses, as `0.0.0.0/0` for everything else.
    pub destination: String,
    /// The id of an internet gateway.
    #[serde(default)]
    pub gateway: Option<String>,
    /// The id of a NAT gateway.
    #[serde(default)]
    pub nat: Option<String>,
}

/// A route as both sides can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Route {
    destination: String,
    target: String,
}

impl Route {
    fn shown(&self) -> String {
        format!("{} via {}", self.destination, self.target)
    }

    fn is_ipv6(&self) -> bool {
        self.destination.contains(':')
    }
}

#[derive(Clone, Debug)]
struct Association {
    id: String,
    subnet: String,
}

/// What EC2 says of a route table.
#[derive(Clone, Debug)]
pub struct State {
    vpc: String,
    routes: Vec<Route>,
    associations: Vec<Association>,
}

static ABOUT: About = About {
    kind: "route-table",
    module: "ec2",
    noun: "route_table",
    plural: "route_tables",
    help: "Ensures a route table with exactly these routes, used by exactly these subnets.",
    retention: Retention::Disposable,
    gone_before: &["nat-gateway"],
    outputs: &[OutputField::text("id", "The id, as `rtb-0123456789abcdef0`.")],
    create_limit: Duration::from_secs(120),
    delete_limit: Duration::from_secs(600),
    actions: &[
        "ec2:AssociateRouteTable",
        "ec2:CreateRoute",
        "ec2:CreateRouteTable",
        "ec2:CreateTags",
        "ec2:DeleteRoute",
        "ec2:DeleteRouteTable",
        "ec2:DeleteTags",
        "ec2:DescribeRouteTables",
        "ec2:DisassociateRouteTable",
        "ec2:ReplaceRoute",
        "ec2:ReplaceRouteTableAssociation",
    ],
};

/// See [`Spec`].
pub struct RouteTable(pub Aws);

/// A route that somebody could have put there; `None` for those that AWS keeps itself: the local one, those of gateway
/// endpoints (whose destination is a prefix list), and those that a virtual private gateway propagates.
fn route(described: &DescribedRoute) -> Option<Route> {
    let destination = described
        .destination_cidr_block()
        .or(described.destination_ipv6_cidr_block())
        .or(described.destination_prefix_list_id())?;
    let target = described
        .gateway_id()
        .or(described.nat_gateway_id())
        .or(described.transit_gateway_id())
        .or(described.vpc_peering_connection_id())
        .or(described.egress_only_internet_gateway_id())
        .or(described.network_interface_id())
        .or(described.instance_id())
        .or(described.local_gateway_id())
        .or(described.carrier_gateway_id())
        .or(described.core_network_arn())
        .unwrap_or("nothing");
    let is_kept = target == "local"
        || target.starts_with("vpce-")
        || described.origin() == Some(&RouteOrigin::EnableVgwRoutePropagation);
    (!is_kept).then(|| Route {
        destination: destination.to_owned(),
        target: target.to_owned(),
    })
}

fn live(name: String, table: &Described) -> Live<State> {
    let associations = table.associations().iter().filter_map(|association| {
        let state = association.association_state().and_then(|state| state.state());
        let is_going = state.is_some_and(|state| matches!(state.as_str(), "disassociating" | "disassociated"));
        (!is_going).then_some(Association {
            id: association.route_table_association_id()?.to_owned(),
            subnet: association.subnet_id()?.to_owned(),
        })
    });
    Live {
        id: table.route_table_id().unwrap_or_default().to_owned(),
        name,
        tags: read_tags(table.tags()),
        state: State {
            vpc: table.vpc_id().unwrap_or_default().to_owned(),
            routes: table.routes().iter().filter_map(route).collect(),
            associations: associations.collect(),
        },
    }
}

/// The wanted routes. `check` has seen to it that each has one target.
fn wanted(spec: &Spec) -> Vec<Route> {
    let route = |route: &RouteSpec| Route {
        destination: route.destination.clone(),
        target: route.gateway.clone().or(route.nat.clone()).unwrap_or_default(),
    };
    spec.routes.iter().map(route).collect()
}

impl RouteTable {
    /// Makes the routes and associations what is wanted. Each step says what is or is refused as done already, so that
    /// the whole can be repeated.
    async fn converge(&self, live: &Live<State>, spec: &Spec) -> Result<()> {
        self.converge_routes(live, &wanted(spec)).await?;
        self.converge_subnets(live, &spec.subnets).await
    }

    async fn converge_routes(&self, live: &Live<State>, wanted: &[Route]) -> Result<()> {
        for route in wanted {
            match live.state.routes.iter().find(|r| r.destination == route.destination) {
                Some(now) if now.target == route.target => {}
                Some(_) => self.replace(&live.id, route).await?,
                None => self.add(&live.id, route).await?,
            }
        }
        for route in &live.state.routes {
            if !wanted.iter().any(|r| r.destination == route.destination) {
                self.remove(&live.id, route).await?;
            }
        }
        Ok(())
    }

    async fn converge_subnets(&self, live: &Live<State>, wanted: &[String]) -> Result<()> {
        for association in &live.state.associations {
            if !wanted.contains(&association.subnet) {
                self.disassociate(association).await?;
            }
        }
        for subnet in wanted {
            if !live.state.associations.iter().any(|a| a.subnet == *subnet) {
                self.associate(&live.id, subnet).await?;
            }
        }
        Ok(())
    }

    async fn add(&self, table: &str, route: &Route) -> Result<()> {
        let call = self.0.ec2.create_route().route_table_id(table);
        let call = match route.is_ipv6() {
            true => call.destination_ipv6_cidr_block(&route.destination),
            false => call.destination_cidr_block(&route.destination),
        };
        let call = match route.target.starts_with("nat-") {
            true => call.nat_gateway_id(&route.target),
            false => call.gateway_id(&route.target),
        };
        match call.send().await.call("ec2:CreateRoute") {
            // An earlier attempt made it, or somebody did just now.
            Err(error) if error.code() == "RouteAlreadyExists" => self.replace(table, route).await,
            other => other.map(|_| ()),
        }
    }

    async fn replace(&self, table: &str, route: &Route) -> Result<()> {
        let call = self.0.ec2.replace_route().route_table_id(table);
        let call = match route.is_ipv6() {
            true => call.destination_ipv6_cidr_block(&route.destination),
            false => call.destination_cidr_block(&route.destination),
        };
        let call = match route.target.starts_with("nat-") {
            true => call.nat_gateway_id(&route.target),
            false => call.gateway_id(&route.target),
        };
        call.send().await.call("ec2:ReplaceRoute").map(|_| ())
    }

    async fn remove(&self, table: &str, route: &Route) -> Result<()> {
        let call = self.0.ec2.delete_route().route_table_id(table);
        let call = match (route.destination.starts_with("pl-"), route.is_ipv6()) {
            (true, _) => call.destination_prefix_list_id(&route.destination),
            (_, true) => call.destination_ipv6_cidr_block(&route.destination),
            (_, false) => call.destination_cidr_block(&route.destination),
        };
        super::absent_is_fine(call.send().await.call("ec2:DeleteRoute"))
    }

    async fn associate(&self, table: &str, subnet: &str) -> Result<()> {
        let call = self
            .0
            .ec2
            .associate_route_table()
            .route_table_id(table)
            .subnet_id(subnet);
        match call.send().await.call("ec2:AssociateRouteTable") {
            // It uses another table, or this one already.
            Err(error) if error.code() == "Resource.AlreadyAssociated" => {
                let using = filter("association.subnet-id", [subnet]);
                let call = self.0.ec2.describe_route_tables().filters(using);
                let answer = call.send().await.call("ec2:DescribeRouteTables")?;
                let tables = answer.route_tables().iter().map(|table| live(String::new(), table));
                let found = tables
                    .flat_map(|table| table.state.associations.into_iter().map(move |a| (table.id.clone(), a)))
                    .find(|(_, association)| association.subnet == subnet);
                match found {
                    Some((id, _)) if id == table => Ok(()),
                    Some((_, association)) => {
                        let call = self.0.ec2.replace_route_table_association();
                        let call = call.association_id(association.id).route_table_id(table);
                        call.send().await.call("ec2:ReplaceRouteTableAssociation").map(|_| ())
                    }
                    None => Err(error),
                }
            }
            other => other.map(|_| ()),
        }
    }

    async fn disassociate(&self, association: &Association) -> Result<()> {
        let call = self.0.ec2.disassociate_route_table().association_id(&association.id);
        super::absent_is_fine(call.send().await.call("ec2:DisassociateRouteTable"))
    }

    async fn describe(&self, before: &Live<State>) -> Result<Option<Live<State>>> {
        let call = self.0.ec2.describe_route_tables().route_table_ids(&before.id);
        let answer = super::present(call.send().await.call("ec2:DescribeRouteTables"))?;
        let table = answer.as_ref().and_then(|answer| answer.route_tables().first());
        Ok(table.map(|table| live(before.name.clone(), table)))
    }
}

impl Kind for RouteTable {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, scope: &Scope, name: &str, spec: &Spec) -> Result<()> {
        named::check_tag(&scope.physical(name))?;
        for (at, route) in spec.routes.iter().enumerate() {
            let destination = &route.destination;
            let net: ipnet::IpNet = destination.parse().map_err(|_| {
                Error::failed(format!(
                    "the route's destination \"{destination}\" is not a range of addresses"
                ))
                .hint("as 0.0.0.0/0")
            })?;
            if net.trunc() != net || net.to_string() != *destination {
                return Err(Error::failed(format!(
                    "the route's destination \"{destination}\" is written {} at EC2",
                    net.trunc()
                )));
            }
            if route.gateway.is_some() == route.nat.is_some() {
                return Err(Error::failed(format!(
                    "the route to {destination} needs either `gateway` or `nat`"
                )));
            }
            if spec.routes[..at].iter().any(|other| other.destination == *destination) {
                return Err(Error::failed(format!("there are two routes to {destination}")));
            }
        }
        Ok(())
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let pages = self.0.ec2.describe_route_tables().set_filters(Some(ours(scope)));
        let found = pages.into_paginator().items().send().try_collect().await;
        let tables = found.call("ec2:DescribeRouteTables")?;
        let ours = tables.iter().filter_map(|table| {
            let tags = read_tags(table.tags());
            Some(live(scope.name_of(ABOUT.kind, &tags)?.to_owned(), table))
        });
        Ok(ours.collect())
    }

    /// Why this is safe: the tags and a client token are in the create call; routes and associations that are missing
    /// are found by the next run's comparison.
    async fn create(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        let call = self
            .0
            .ec2
            .create_route_table()
            .client_token(cx.token(&format!("route-table/{name} {}", spec.vpc)))
            .vpc_id(&spec.vpc)
            .tag_specifications(specification(ResourceType::RouteTable, &cx.tags));
        let answer = call.send().await.call("ec2:CreateRouteTable")?;
        let table = answer.route_table.unwrap_or_else(|| Described::builder().build());
        let mut created = live(name.to_owned(), &table);
        soon(cx, name, || Box::pin(self.converge(&created, spec))).await?;
        created.state.routes = wanted(spec);
        Ok(created)
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        let shown = |routes: &[Route]| routes.iter().map(Route::shown).collect::<Vec<_>>();
        let associated: Vec<_> = live.state.associations.iter().map(|a| a.subnet.clone()).collect();
        [
            Change::between("vpc", &live.state.vpc, &spec.vpc, Class::Replace),
            Change::of_sets(
                "routes",
                &shown(&live.state.routes),
                &shown(&wanted(spec)),
                Class::Interrupting,
            ),
            Change::of_sets("subnets", &associated, &spec.subnets, Class::Interrupting),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    async fn update(&self, _: &Context<'_>, spec: &Spec, live: &Live<State>, changes: &[Change]) -> Result<()> {
        let is = |field: &str| changes.iter().any(|change| change.field == field);
        if is("routes") {
            self.converge_routes(live, &wanted(spec)).await?;
        }
        if is("subnets") {
            self.converge_subnets(live, &spec.subnets).await?;
        }
        Ok(())
    }

    async fn refresh(&self, before: &Live<State>) -> Result<Option<Live<State>>> {
        self.describe(before).await
    }

    /// What must be reached from the internet means it by its subnets.
    fn keys(&self, live: &Live<State>) -> Vec<String> {
        let subnets = live.state.associations.iter().map(|association| &association.subnet);
        [&live.id].into_iter().chain(subnets).cloned().collect()
    }

    fn readiness(&self, _: &Live<State>) -> Readiness {
        Readiness::Ready
    }

    fn goes_at_once(&self) -> bool {
        true
    }

    async fn delete(&self, _: &Context<'_>, live: &Live<State>) -> Result<()> {
        let delete = async |associations: &[Association]| {
            for association in associations {
                self.disassociate(association).await?;
            }
            let call = self.0.ec2.delete_route_table().route_table_id(&live.id);
            super::absent_is_fine(call.send().await.call("ec2:DeleteRouteTable"))
        };
        match delete(&live.state.associations).await {
            // A subnet was associated after the listing.
            Err(error) if error.code() == "DependencyViolation" => match self.describe(live).await? {
                Some(now) => delete(&now.state.associations).await,
                None => Ok(()),
            },
            other => other,
        }
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        map! { "id" => live.id.as_str() }
    }

    fn row(&self, live: &Live<State>) -> Map {
        let routes: Vec<_> = live.state.routes.iter().map(|r| Value::text(r.shown())).collect();
        let subnets: Vec<_> = live
            .state
            .associations
            .iter()
            .map(|association| Value::text(&association.subnet))
            .collect();
        map! {
            "id" => live.id.as_str(), "vpc" => live.state.vpc.as_str(), "routes" => routes, "subnets" => subnets,
        }
    }

    async fn reference(&self, options: &Map) -> Result<Live<State>> {
        let id = named::reference_id("route table", "rtb-", options)?;
        let by_id = filter("route-table-id", [id.as_str()]);
        let answer = self.0.ec2.describe_route_tables().filters(by_id).send().await;
        match answer.call("ec2:DescribeRouteTables")?.route_tables().first() {
            Some(table) => Ok(live(id, table)),
            None => Err(named::missing("route table", &id, &self.0.region)),
        }
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        retag(&self.0, &live.id, set, remove).await
    }
}
