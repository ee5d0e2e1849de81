//! The security group, with all its rules.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_ec2::types::{IpPermission, ResourceType, SecurityGroup as Described};
use schemars::JsonSchema;
use serde::Deserialize;

use super::blockers;
use super::rules::{self, Rule, RuleSpec};
use super::{filter, is_absent, ours, read_tags, retag, soon, specification};
use crate::aws::error::Call;
use crate::aws::{Aws, named};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{
    About, Change, Class, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags, Used,
};
use crate::value::{Map, Value};

/// A security group. All its rules are compared, so a rule that somebody added by hand is taken away again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name in this environment.
    pub name: String,
    /// The id of the VPC.
    pub vpc: String,
    /// What it is for; the name when not given. Cannot change.
    #[serde(default)]
    pub description: Option<String>,
    /// Who may come in; nobody when not given.
    #[serde(default)]
    pub ingress: Vec<RuleSpec>,
    /// Where it may go out to; everywhere over IPv4 when not given, nowhere when empty.
    #[serde(default)]
    pub egress: Option<Vec<RuleSpec>>,
}

/// What EC2 says of a security group.
#[derive(Clone, Debug)]
pub struct State {
    vpc: String,
    description: String,
    ingress: Vec<Rule>,
    egress: Vec<Rule>,
    /// The environment's groups, by name: rules may name them.
    groups: BTreeMap<String, String>,
}

static ABOUT: About = About {
    kind: "security-group",
    module: "ec2",
    noun: "security_group",
    plural: "security_groups",
    help: "Ensures a security group with exactly these rules. A rule that is not in the script is taken away.",
    retention: Retention::Disposable,
    gone_before: &[
        "load-balancer",
        "service",
        "replication-group",
        "db-instance",
        "vpc-endpoint",
    ],
    outputs: &[
        OutputField::text("id", "The id, as `sg-0123456789abcdef0`."),
        OutputField::text("name_at_aws", "The name in the account, as `PROJECT-ENV-NAME`."),
    ],
    create_limit: Duration::from_secs(180),
    delete_limit: Duration::from_secs(1200),
    actions: &[
        "ec2:AuthorizeSecurityGroupEgress",
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:CreateSecurityGroup",
        "ec2:CreateTags",
        "ec2:DeleteSecurityGroup",
        "ec2:DeleteTags",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:RevokeSecurityGroupEgress",
        "ec2:RevokeSecurityGroupIngress",
        "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
        "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
    ],
};

/// Marks that a rule names a group that is not there yet: two groups of one script may name each other.
const NOT_YET: &str = "(yet)";

/// See [`Spec`].
pub struct SecurityGroup(pub Aws);

#[derive(Clone, Copy, Debug)]
enum Direction {
    In,
    Out,
}

fn live(name: String, group: &Described, groups: BTreeMap<String, String>) -> Live<State> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Live {
        id: text(group.group_id()),
        name,
        tags: read_tags(group.tags()),
        state: State {
            vpc: text(group.vpc_id()),
            description: text(group.description()),
            ingress: Rule::of(group.ip_permissions()),
            egress: Rule::of(group.ip_permissions_egress()),
            groups,
        },
    }
}

/// The rules that the options stand for.
fn wanted(spec: &Spec, direction: Direction, groups: &BTreeMap<String, String>) -> Result<Vec<Rule>> {
    let specs = match (direction, &spec.egress) {
        (Direction::In, _) => &spec.ingress,
        (Direction::Out, Some(egress)) => egress,
        (Direction::Out, None) => return Ok(vec![rules::all_out()]),
    };
    let mut all: Vec<Rule> = Vec::new();
    for rule in specs {
        for rule in rule.rules(&|name| groups.get(name).cloned())? {
            match all.iter().find(|other| other.is_same(&rule)) {
                None => all.push(rule),
                Some(other) if *other == rule => {}
                Some(_) => {
                    return Err(Error::failed(format!(
                        "two rules differ only in their description: {}",
                        rule.shown(&|_| None)
                    )));
                }
            }
        }
    }
    Ok(all)
}

impl SecurityGroup {
    async fn authorize(&self, id: &str, direction: Direction, rules: Vec<IpPermission>) -> Result<()> {
        match direction {
            Direction::In => {
                let call = self.0.ec2.authorize_security_group_ingress().group_id(id);
                let answer = call.set_ip_permissions(Some(rules)).send().await;
                answer.call("ec2:AuthorizeSecurityGroupIngress").map(|_| ())
            }
            Direction::Out => {
                let call = self.0.ec2.authorize_security_group_egress().group_id(id);
                let answer = call.set_ip_permissions(Some(rules)).send().await;
                answer.call("ec2:AuthorizeSecurityGroupEgress").map(|_| ())
            }
        }
    }

    async fn revoke(&self, id: &str, direction: Direction, rules: Vec<IpPermission>) -> Result<()> {
        let answer = match direction {
            Direction::In => {
                let call = self.0.ec2.revoke_security_group_ingress().group_id(id);
                let answer = call.set_ip_permissions(Some(rules)).send().await;
                answer.call("ec2:RevokeSecurityGroupIngress").map(|_| ())
            }
            Direction::Out => {
                let call = self.0.ec2.revoke_security_group_egress().group_id(id);
                let answer = call.set_ip_permissions(Some(rules)).send().await;
                answer.call("ec2:RevokeSecurityGroupEgress").map(|_| ())
            }
        };
        // A rule that is gone already is what is wanted; so is a group that is.
        super::absent_is_fine(answer)
    }

    async fn describe_rules(&self, id: &str, direction: Direction, rules: Vec<IpPermission>) -> Result<()> {
        match direction {
            Direction::In => {
                let call = self
                    .0
                    .ec2
                    .update_security_group_rule_descriptions_ingress()
                    .group_id(id);
                let answer = call.set_ip_permissions(Some(rules)).send().await;
                answer
                    .call("ec2:UpdateSecurityGroupRuleDescriptionsIngress")
                    .map(|_| ())
            }
            Direction::Out => {
                let call = self.0.ec2.update_security_group_rule_descriptions_egress().group_id(id);
                let answer = call.set_ip_permissions(Some(rules)).send().await;
                answer.call("ec2:UpdateSecurityGroupRuleDescriptionsEgress").map(|_| ())
            }
        }
    }

    /// Makes the rules of one direction what is wanted: new ones first, so that no connection breaks that is still
    /// allowed. Each rule that is there already, or gone already, is no error, so the whole can be repeated.
    async fn converge(&self, id: &str, direction: Direction, live: &[Rule], wanted: &[Rule]) -> Result<()> {
        let is_in = |rules: &[Rule], rule: &Rule| rules.iter().any(|other| other.is_same(rule));
        let permissions =
            |rules: &mut dyn Iterator<Item = &Rule>| rules.map(Rule::permission).collect::<Vec<IpPermission>>();
        let missing = permissions(&mut wanted.iter().filter(|rule| !is_in(live, rule)));
        if !missing.is_empty() {
            match self.authorize(id, direction, missing.clone()).await {
                // One of them is there: EC2 has added none of the others.
                Err(error) if error.code() == "InvalidPermission.Duplicate" => {
                    for one in missing {
                        match self.authorize(id, direction, vec![one]).await {
                            Err(error) if error.code() == "InvalidPermission.Duplicate" => {}
                            other => other?,
                        }
                    }
                }
                other => other?,
            }
        }
        let reworded = permissions(&mut wanted.iter().filter(|rule| is_in(live, rule) && !live.contains(rule)));
        if !reworded.is_empty() {
            self.describe_rules(id, direction, reworded).await?;
        }
        for gone in live.iter().filter(|rule| !is_in(wanted, rule)) {
            // One by one: EC2 refuses a whole call of which one rule is gone already.
            self.revoke(id, direction, vec![gone.permission()]).await?;
        }
        Ok(())
    }

    /// The ids of the environment's groups by name, in one VPC.
    async fn groups(&self, scope: &Scope, vpc: &str) -> Result<BTreeMap<String, String>> {
        let mut groups = BTreeMap::new();
        for live in self.list(scope).await? {
            if live.state.vpc == vpc {
                groups.insert(live.name, live.id);
            }
        }
        Ok(groups)
    }

    /// Makes the rules of these directions what is wanted.
    async fn apply(
        &self,
        cx: &Context<'_>,
        spec: &Spec,
        live: &Live<State>,
        directions: impl IntoIterator<Item = Direction>,
    ) -> Result<()> {
        let is_name = |group: &String| !group.starts_with("sg-");
        let all = spec.ingress.iter().chain(spec.egress.iter().flatten());
        let groups = match all.flat_map(|rule| &rule.security_groups).any(is_name) {
            true => self.groups(cx.scope, &spec.vpc).await?,
            false => BTreeMap::new(),
        };
        for direction in directions {
            let now = match direction {
                Direction::In => &live.state.ingress,
                Direction::Out => &live.state.egress,
            };
            self.converge(&live.id, direction, now, &wanted(spec, direction, &groups)?)
                .await?;
        }
        Ok(())
    }

    async fn describe(&self, before: &Live<State>) -> Result<Option<Live<State>>> {
        let call = self.0.ec2.describe_security_groups().group_ids(&before.id);
        let answer = super::present(call.send().await.call("ec2:DescribeSecurityGroups"))?;
        let group = answer.as_ref().and_then(|answer| answer.security_groups().first());
        Ok(group.map(|group| live(before.name.clone(), group, before.state.groups.clone())))
    }
}

impl Kind for SecurityGroup {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, scope: &Scope, name: &str, spec: &Spec) -> Result<()> {
        let physical = scope.physical(name);
        named::check("security group", &physical, 255, " ._-:/()#,@[]+=&;{}!$*")?;
        if physical.starts_with("sg-") {
            return Err(Error::failed("the name of a security group may not begin with `sg-`"));
        }
        rules::check_description(spec.description.as_deref().unwrap_or(name))?;
        // Any name will do here: whether it is there shows when the rules are made.
        for rule in spec.ingress.iter().chain(spec.egress.iter().flatten()) {
            rule.rules(&|_| Some("sg-0".into()))?;
        }
        Ok(())
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let pages = self.0.ec2.describe_security_groups().set_filters(Some(ours(scope)));
        let found = pages.into_paginator().items().send().try_collect().await;
        let described = found.call("ec2:DescribeSecurityGroups")?;
        let named: Vec<_> = described
            .iter()
            .filter_map(|group| {
                let tags = read_tags(group.tags());
                Some((scope.name_of(ABOUT.kind, &tags)?.to_owned(), group))
            })
            .collect();
        let id = |group: &Described| group.group_id().unwrap_or_default().to_owned();
        let groups: BTreeMap<_, _> = named.iter().map(|(name, group)| (name.clone(), id(group))).collect();
        Ok(named
            .into_iter()
            .map(|(name, group)| live(name, group, groups.clone()))
            .collect())
    }

    /// Why this is safe: a group's name is unique in its VPC, the tags are in the create call, and rules that are
    /// missing are found by the comparison.
    async fn create(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        let call = self
            .0
            .ec2
            .create_security_group()
            .group_name(cx.scope.physical_of(ABOUT.kind, name))
            .description(spec.description.as_deref().unwrap_or(name))
            .vpc_id(&spec.vpc)
            .tag_specifications(specification(ResourceType::SecurityGroup, &cx.tags));
        let answer = call.send().await.call("ec2:CreateSecurityGroup")?;
        let created = Live {
            id: answer.group_id.unwrap_or_default(),
            name: name.to_owned(),
            tags: cx.tags.clone(),
            state: State {
                vpc: spec.vpc.clone(),
                description: spec.description.clone().unwrap_or_else(|| name.to_owned()),
                ingress: Vec::new(),
                egress: vec![rules::all_out()],
                groups: BTreeMap::new(),
            },
        };
        soon(cx, name, || {
            Box::pin(self.apply(cx, spec, &created, [Direction::In, Direction::Out]))
        })
        .await?;
        Ok(created)
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        let state = &live.state;
        let description = spec.description.clone().unwrap_or_else(|| live.name.clone());
        let name_of = |id: &str| {
            let found = state.groups.iter().find(|(_, known)| *known == id);
            found.map(|(name, _)| name.clone())
        };
        let mut changes: Vec<_> = [
            Change::between("vpc", &state.vpc, &spec.vpc, Class::Replace),
            Change::between("description", &state.description, &description, Class::Replace),
        ]
        .into_iter()
        .flatten()
        .collect();
        for (field, direction, now) in [
            ("ingress", Direction::In, &state.ingress),
            ("egress", Direction::Out, &state.egress),
        ] {
            let shown = |rules: &[Rule]| rules.iter().map(|rule| rule.shown(&name_of)).collect::<Vec<_>>();
            match wanted(spec, direction, &state.groups) {
                Ok(wanted) => changes.extend(Change::of_sets(field, &shown(now), &shown(&wanted), Class::InPlace)),
                // It names a group that the listing did not have: the rules cannot be there.
                Err(error) => changes.push(Change::new(field, "", error.message(), Class::InPlace)),
            }
        }
        changes
    }

    async fn update(&self, cx: &Context<'_>, spec: &Spec, live: &Live<State>, changes: &[Change]) -> Result<()> {
        let is = |field: &str| changes.iter().any(|change| change.field == field);
        let directions = [("ingress", Direction::In), ("egress", Direction::Out)].into_iter();
        let directions = directions
            .filter(|(field, _)| is(field))
            .map(|(_, direction)| direction);
        self.apply(cx, spec, live, directions.collect::<Vec<_>>()).await
    }

    async fn refresh(&self, before: &Live<State>) -> Result<Option<Live<State>>> {
        self.describe(before).await
    }

    /// A group that a rule names cannot be deleted before that rule.
    fn uses(&self, live: &Live<State>) -> Vec<Used> {
        let rules = live.state.ingress.iter().chain(&live.state.egress);
        let groups = rules.filter_map(Rule::group).map(|group| Used::new(ABOUT.kind, group));
        groups.chain([Used::new("vpc", &live.state.vpc)]).collect()
    }

    fn readiness(&self, _: &Live<State>) -> Readiness {
        Readiness::Ready
    }

    fn goes_at_once(&self) -> bool {
        true
    }

    /// One that is in use gives up its own rules: groups that name each other could not be deleted otherwise.
    async fn delete(&self, _: &Context<'_>, live: &Live<State>) -> Result<()> {
        let delete = async || {
            let call = self.0.ec2.delete_security_group().group_id(&live.id);
            super::absent_is_fine(call.send().await.call("ec2:DeleteSecurityGroup"))
        };
        match delete().await {
            Err(error) if error.code() == "DependencyViolation" => {
                let Some(now) = self.describe(live).await? else {
                    return Ok(());
                };
                self.converge(&live.id, Direction::In, &now.state.ingress, &[]).await?;
                self.converge(&live.id, Direction::Out, &now.state.egress, &[]).await?;
                delete().await
            }
            other => other,
        }
    }

    async fn blockers(&self, live: &Live<State>) -> Result<Vec<String>> {
        let mut found = blockers::interfaces(&self.0, "group-id", &live.id).await?;
        found.extend(blockers::referring_groups(&self.0, &live.id).await?);
        Ok(found)
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        map! { "id" => live.id.as_str(), "name_at_aws" => live.tags.get("Name").cloned().unwrap_or_default() }
    }

    fn row(&self, live: &Live<State>) -> Map {
        let name_of = |id: &str| {
            let found = live.state.groups.iter().find(|(_, known)| *known == id);
            found.map(|(name, _)| name.clone())
        };
        let shown = |rules: &[Rule]| -> Vec<Value> { rules.iter().map(|r| Value::text(r.shown(&name_of))).collect() };
        map! {
            "id" => live.id.as_str(), "vpc" => live.state.vpc.as_str(),
            "description" => live.state.description.as_str(), "ingress" => shown(&live.state.ingress),
            "egress" => shown(&live.state.egress),
        }
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        retag(&self.0, &live.id, set, remove).await
    }

    /// Rules may name other groups of the environment.
    async fn complete(&self, scope: &Scope, mut found: Live<State>) -> Result<Live<State>> {
        found.state.groups = self.groups(scope, &found.state.vpc).await?;
        Ok(found)
    }

    /// A reference has the id; the name is unique within the VPC.
    async fn taken_by(&self, scope: &Scope, name: &str, spec: &Spec) -> Result<Option<Live<State>>> {
        let physical = scope.physical_of(ABOUT.kind, name);
        let filters = [
            filter("vpc-id", [spec.vpc.as_str()]),
            filter("group-name", [physical.as_str()]),
        ];
        let call = self.0.ec2.describe_security_groups().set_filters(Some(filters.into()));
        let answer = call.send().await.call("ec2:DescribeSecurityGroups")?;
        match answer.security_groups().first() {
            Some(group) => {
                let found = live(name.to_owned(), group, BTreeMap::new());
                self.complete(scope, found).await.map(Some)
            }
            None => Ok(None),
        }
    }

    async fn reference(&self, options: &Map) -> Result<Live<State>> {
        let id = named::reference_id("security group", "sg-", options)?;
        let by_id = filter("group-id", [id.as_str()]);
        let call = self.0.ec2.describe_security_groups().filters(by_id);
        let answer = call.send().await.call("ec2:DescribeSecurityGroups")?;
        match answer.security_groups().first() {
            Some(group) => Ok(live(id, group, BTreeMap::new())),
            None => Err(Error::failed(format!(
                "there is no security group {id} in {}",
                self.0.region
            ))),
        }
    }

    /// A group that a rule names is not there yet: another part of the script is making it.
    fn is_transient(&self, error: &Error) -> bool {
        error.message().ends_with(NOT_YET) || (is_absent(error) && error.code() == "InvalidGroup.NotFound")
    }
}
