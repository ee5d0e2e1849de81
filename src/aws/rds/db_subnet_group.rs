//! The subnets in which a database server may stand.

use std::time::Duration;

use aws_sdk_rds::types::DbSubnetGroup;
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::Deserialize;

use super::present;
use crate::aws::error::Call;
use crate::aws::{Aws, named};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{
    About, Change, Class, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags, Used,
};
use crate::value::Map;

pub const KIND: &str = "db-subnet-group";

/// CreateDBSubnetGroup: "must contain no more than 255 letters, numbers, periods, underscores, spaces, or hyphens".
const LONGEST_NAME: usize = 255;

/// The subnets in which a database server may stand.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What it is called in this environment. At the service it is PROJECT-ENV-NAME.
    pub name: String,
    /// The ids of the subnets, in at least two zones.
    pub subnets: Vec<String>,
    /// What it is for. Not compared when it is not given.
    pub description: Option<String>,
}

/// What RDS says of a subnet group.
#[derive(Clone, Debug, Default)]
pub struct State {
    arn: String,
    description: String,
    vpc: String,
    subnets: Vec<String>,
    zones: Vec<String>,
}

/// See [`Spec`].
pub struct DbSubnetGroups(pub Aws);

static ABOUT: About = About {
    kind: KIND,
    module: "rds",
    noun: "subnet_group",
    plural: "subnet_groups",
    help: "Ensures the group of subnets in which a database server may stand.",
    retention: Retention::Disposable,
    gone_before: &["db-instance"],
    outputs: &[
        OutputField::text(
            "id",
            "the name at the service: what `subnet_group` of an instance takes",
        ),
        OutputField::text("arn", "the ARN"),
        OutputField::text("vpc", "the id of the VPC"),
        OutputField::other("subnets", "the ids of the subnets"),
        OutputField::other("zones", "the zones in which the subnets are"),
    ],
    create_limit: Duration::from_secs(120),
    // An instance that was just deleted holds it for a while.
    delete_limit: Duration::from_secs(300),
    actions: &[
        "rds:AddTagsToResource",
        "rds:CreateDBSubnetGroup",
        "rds:DeleteDBSubnetGroup",
        "rds:DescribeDBSubnetGroups",
        "rds:ListTagsForResource",
        "rds:ModifyDBSubnetGroup",
        "rds:RemoveTagsFromResource",
    ],
};

fn state(group: &DbSubnetGroup) -> State {
    let subnets = group.subnets();
    let mut zones: Vec<String> = subnets
        .iter()
        .filter_map(|subnet| subnet.subnet_availability_zone()?.name().map(str::to_owned))
        .collect();
    zones.sort();
    zones.dedup();
    State {
        arn: group.db_subnet_group_arn().unwrap_or_default().to_owned(),
        description: group.db_subnet_group_description().unwrap_or_default().to_owned(),
        vpc: group.vpc_id().unwrap_or_default().to_owned(),
        subnets: subnets
            .iter()
            .filter_map(|subnet| subnet.subnet_identifier().map(str::to_owned))
            .collect(),
        zones,
    }
}

impl Kind for DbSubnetGroups {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, scope: &Scope, name: &str, spec: &Spec) -> Result<()> {
        if spec.subnets.len() < 2 {
            return Err(Error::failed("`subnets` must name at least two subnets, in two zones")
                .hint("RDS wants a place to go to, also for a server in one zone"));
        }
        super::check_name(scope, name, "DB subnet group", LONGEST_NAME)
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let mut pages = self.0.rds.describe_db_subnet_groups().into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            for group in page.call("rds:DescribeDBSubnetGroups")?.db_subnet_groups() {
                let id = group.db_subnet_group_name().unwrap_or_default();
                if scope.logical(id).is_some() {
                    found.push((id.to_owned(), state(group)));
                }
            }
        }
        let ours = try_join_all(found.into_iter().map(async |(id, state)| {
            let Some(tags) = super::tags_of(&self.0, &state.arn).await? else {
                return Ok::<_, Error>(None);
            };
            let name = scope.name_of(KIND, &tags).map(str::to_owned);
            Ok(name.map(|name| Live { id, name, tags, state }))
        }));
        Ok(ours.await?.into_iter().flatten().collect())
    }

    /// Why this is safe: the name is unique, so that a call that is sent twice is refused the second time.
    async fn create(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        let id = cx.scope.physical_of(ABOUT.kind, name);
        let call = self
            .0
            .rds
            .create_db_subnet_group()
            .db_subnet_group_name(&id)
            .db_subnet_group_description(super::description(spec.description.as_deref(), cx.scope, name))
            .set_subnet_ids(Some(spec.subnets.clone()))
            .set_tags(Some(super::tag_list(&cx.tags)));
        let answer = call.send().await.call("rds:CreateDBSubnetGroup")?;
        let group = answer
            .db_subnet_group()
            .ok_or_else(|| Error::failed("rds:CreateDBSubnetGroup: the answer holds no group"))?;
        Ok(Live {
            id,
            name: name.to_owned(),
            tags: cx.tags.clone(),
            state: state(group),
        })
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        let subnets = Change::of_sets("subnets", &live.state.subnets, &spec.subnets, Class::InPlace);
        let description = spec
            .description
            .as_ref()
            .and_then(|wanted| Change::between("description", &live.state.description, wanted, Class::InPlace));
        subnets.into_iter().chain(description).collect()
    }

    /// Sends whole sets, so that it may be sent twice. The subnets must be given; without a description it stays.
    async fn update(&self, _: &Context<'_>, spec: &Spec, live: &Live<State>, changes: &[Change]) -> Result<()> {
        let is = |field: &str| changes.iter().any(|change| change.field == field);
        let subnets = match is("subnets") {
            true => &spec.subnets,
            false => &live.state.subnets,
        };
        let call = self
            .0
            .rds
            .modify_db_subnet_group()
            .db_subnet_group_name(&live.id)
            .set_db_subnet_group_description(spec.description.clone().filter(|_| is("description")))
            .set_subnet_ids(Some(subnets.clone()));
        call.send().await.call("rds:ModifyDBSubnetGroup").map(|_| ())
    }

    async fn refresh(&self, live: &Live<State>) -> Result<Option<Live<State>>> {
        let call = self.0.rds.describe_db_subnet_groups().db_subnet_group_name(&live.id);
        let answer = present(call.send().await.call("rds:DescribeDBSubnetGroups"))?;
        let group = answer.as_ref().and_then(|answer| answer.db_subnet_groups().first());
        Ok(group.map(|group| Live {
            state: state(group),
            ..live.clone()
        }))
    }

    fn readiness(&self, _: &Live<State>) -> Readiness {
        Readiness::Ready
    }

    async fn delete(&self, _: &Context<'_>, live: &Live<State>) -> Result<()> {
        let call = self.0.rds.delete_db_subnet_group().db_subnet_group_name(&live.id);
        present(call.send().await.call("rds:DeleteDBSubnetGroup")).map(|_| ())
    }

    fn uses(&self, live: &Live<State>) -> Vec<Used> {
        let subnets = live.state.subnets.iter().map(|subnet| Used::new("subnet", subnet));
        subnets.chain([Used::new("vpc", &live.state.vpc)]).collect()
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        map! {
            "id" => live.id.as_str(),
            "arn" => live.state.arn.as_str(),
            "vpc" => live.state.vpc.as_str(),
            "subnets" => live.state.subnets.clone(),
            "zones" => live.state.zones.clone(),
        }
    }

    fn name_at_service(&self, live: &Live<State>) -> Option<String> {
        Some(live.id.clone())
    }

    async fn complete(&self, _: &Scope, mut found: Live<State>) -> Result<Live<State>> {
        found.tags = super::tags_of(&self.0, &found.state.arn).await?.unwrap_or_default();
        Ok(found)
    }

    /// By its name.
    async fn reference(&self, options: &Map) -> Result<Live<State>> {
        named::refreshed(self, options, "database subnet group", &self.0.region).await
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        super::retag(&self.0, &live.state.arn, set, remove).await
    }
}
