//! `tags::untagged`: what exists in the account and the region without iacsh's tags, of the kinds that iacsh manages.
//!
//! The Resource Groups Tagging API lists only what is or was tagged (GetResources), so the services list what there is.
//! Where such a listing tells tags they are taken from it; for the others the Tagging API tells them all in its pages,
//! so the number of calls grows with pages and not with resources. What AWS makes by itself is left out: default VPCs,
//! main route tables, default security and parameter groups, automated snapshots, service-linked roles, secrets that a
//! service manages. A listener goes with its load balancer. Source: the API references of the services.

mod network;

use std::collections::HashMap;

use aws_sdk_ecs::types::TaskDefinitionStatus;
use aws_sdk_iam::types::EntityType;
use futures::future::{BoxFuture, try_join_all};

use crate::aws::error::Call;
use crate::aws::ssm::lease;
use crate::aws::{Aws, tags};
use crate::error::Result;
use crate::map;
use crate::resource::tags::{ENVIRONMENT, ID, NAME, PROJECT};
use crate::resource::{Scope, Tags, Verb};
use crate::value::Value;

/// What the Tagging API is asked for: the resources whose services list them without tags.
/// Source: "Services that support the Resource Groups Tagging API", types as in their ARNs.
const ASKED: [&str; 9] = [
    "ecs",
    "ecr:repository",
    "elasticache",
    "elasticloadbalancing",
    "logs:log-group",
    "rds:og",
    "rds:pg",
    "rds:subgrp",
    "ssm:parameter",
];

/// A resource that a service lists.
struct Found {
    kind: &'static str,
    /// Its id, or its ARN where the service knows it by that.
    id: String,
    name: String,
    /// `None`: the listing tells none, and the ARN in `id` is looked up.
    tags: Option<Tags>,
}

impl Found {
    /// With the tags of the listing.
    fn tagged(kind: &'static str, id: Option<&str>, tags: Tags) -> Self {
        let id = id.unwrap_or_default();
        Self {
            kind,
            id: id.to_owned(),
            name: tags.get(NAME).cloned().unwrap_or_else(|| id.to_owned()),
            tags: Some(tags),
        }
    }

    fn named(mut self, name: Option<&str>) -> Self {
        name.unwrap_or_default().clone_into(&mut self.name);
        self
    }

    /// By its ARN.
    fn listed(kind: &'static str, arn: Option<&str>, name: Option<&str>) -> Self {
        Self {
            kind,
            id: arn.unwrap_or_default().to_owned(),
            name: name.unwrap_or_default().to_owned(),
            tags: None,
        }
    }

    /// Whether its tags say whose it is. A repository is its project's, not an environment's.
    fn has_identity(&self, tags: &Tags) -> bool {
        let is_shared = self.kind == "repository";
        let keys: &[&str] = if is_shared {
            &[PROJECT, ID]
        } else {
            &[PROJECT, ENVIRONMENT, ID]
        };
        keys.iter().all(|key| tags.contains_key(*key))
    }
}

pub fn verb(aws: &Aws) -> Verb {
    let aws = aws.clone();
    Verb::reads(
        "tags",
        "untagged",
        "What exists in the account and the region without iacsh's tags, of the kinds that iacsh manages: whether its name \
         is one of this environment's, and which tags it has. What AWS makes by itself (default VPC, default groups, \
         service-linked roles) is left out. The listings are read page by page: in a large account this takes a while.",
    )
    // The other listings are the kinds' own.
    .actions(&[
        "iam:GetAccountAuthorizationDetails",
        "ssm:DescribeParameters",
        "tag:GetResources",
    ])
    .run(move |cx, _| {
        let aws = aws.clone();
        async move {
            cx.engine.pass_gate().await?;
            let scope = cx.engine.scope();
            let rows = untagged(&aws).await?.into_iter().map(|(found, tags)| {
                let keys: Vec<_> = tags.into_keys().collect();
                Value::Map(map! {
                    "kind" => found.kind,
                    "name" => found.name.as_str(),
                    "looks_ours" => looks_ours(scope, &found.name),
                    "tags" => keys,
                    "id" => found.id.as_str(),
                })
            });
            Ok(Value::List(rows.collect()))
        }
    })
}

/// Whether iacsh would have called it so.
fn looks_ours(scope: &Scope, name: &str) -> bool {
    let folder = format!("/{}/{}/", scope.project, scope.environment);
    scope.logical(name).is_some() || name.starts_with(&folder)
}

/// What has no identity, with the tags that it has.
async fn untagged(aws: &Aws) -> Result<Vec<(Found, Tags)>> {
    let listings: Vec<BoxFuture<'_, Result<Vec<Found>>>> = vec![
        Box::pin(network::vpcs(aws)),
        Box::pin(network::subnets(aws)),
        Box::pin(network::ways_out(aws)),
        Box::pin(caches(aws)),
        Box::pin(databases(aws)),
        Box::pin(database_groups(aws)),
        Box::pin(balancers(aws)),
        Box::pin(containers(aws)),
        Box::pin(repositories(aws)),
        Box::pin(roles(aws)),
        Box::pin(log_groups(aws)),
        Box::pin(secrets(aws)),
        Box::pin(parameters(aws)),
    ];
    let (found, known) = futures::future::try_join(try_join_all(listings), tags_by_arn(aws)).await?;
    let mut without = Vec::new();
    for mut found in found.into_iter().flatten() {
        let tags = found.tags.take();
        let tags = tags.or_else(|| known.get(&found.id).cloned()).unwrap_or_default();
        if !found.has_identity(&tags) {
            without.push((found, tags));
        }
    }
    Ok(without)
}

async fn tags_by_arn(aws: &Aws) -> Result<HashMap<String, Tags>> {
    let pages = aws.tagging.get_resources().resources_per_page(100);
    let pages = pages.set_resource_type_filters(Some(ASKED.map(str::to_owned).to_vec()));
    let found = pages.into_paginator().items().send().try_collect().await;
    let found = found.call("tag:GetResources")?;
    let read = found.iter().filter_map(|resource| {
        let tags = tags::read(resource.tags(), |tag| (Some(tag.key()), Some(tag.value())));
        Some((resource.resource_arn()?.to_owned(), tags))
    });
    Ok(read.collect())
}

async fn caches(aws: &Aws) -> Result<Vec<Found>> {
    let caches = aws
        .elasticache
        .describe_replication_groups()
        .into_paginator()
        .items()
        .send();
    let caches = caches
        .try_collect()
        .await
        .call("elasticache:DescribeReplicationGroups")?;
    let subnets = aws
        .elasticache
        .describe_cache_subnet_groups()
        .into_paginator()
        .items()
        .send();
    let subnets = subnets
        .try_collect()
        .await
        .call("elasticache:DescribeCacheSubnetGroups")?;
    let groups = aws
        .elasticache
        .describe_cache_parameter_groups()
        .into_paginator()
        .items()
        .send();
    let groups = groups
        .try_collect()
        .await
        .call("elasticache:DescribeCacheParameterGroups")?;

    let caches = caches
        .iter()
        .map(|cache| Found::listed("replication-group", cache.arn(), cache.replication_group_id()));
    let subnets = subnets
        .iter()
        .filter(|group| group.cache_subnet_group_name() != Some("default"));
    let subnets =
        subnets.map(|group| Found::listed("cache-subnet-group", group.arn(), group.cache_subnet_group_name()));
    let groups = groups
        .iter()
        .filter(|group| is_made(group.cache_parameter_group_name(), "default."));
    let groups =
        groups.map(|group| Found::listed("cache-parameter-group", group.arn(), group.cache_parameter_group_name()));
    Ok(caches.chain(subnets).chain(groups).collect())
}

/// Whether a group is not one that the service made.
fn is_made(name: Option<&str>, by_the_service: &str) -> bool {
    name.is_some_and(|name| !name.starts_with(by_the_service))
}

fn rds_tags(tags: &[aws_sdk_rds::types::Tag]) -> Tags {
    tags::read(tags, |tag| (tag.key(), tag.value()))
}

async fn databases(aws: &Aws) -> Result<Vec<Found>> {
    let instances = aws.rds.describe_db_instances().into_paginator().items().send();
    let instances = instances.try_collect().await.call("rds:DescribeDBInstances")?;
    let snapshots = aws
        .rds
        .describe_db_snapshots()
        .snapshot_type("manual")
        .into_paginator()
        .items()
        .send();
    let snapshots = snapshots.try_collect().await.call("rds:DescribeDBSnapshots")?;

    let instances = instances.iter().map(|instance| {
        let id = instance.db_instance_identifier();
        Found::tagged("db-instance", id, rds_tags(instance.tag_list())).named(id)
    });
    let snapshots = snapshots.iter().map(|snapshot| {
        let id = snapshot.db_snapshot_identifier();
        Found::tagged("db-snapshot", id, rds_tags(snapshot.tag_list())).named(id)
    });
    Ok(instances.chain(snapshots).collect())
}

async fn database_groups(aws: &Aws) -> Result<Vec<Found>> {
    let subnets = aws.rds.describe_db_subnet_groups().into_paginator().items().send();
    let subnets = subnets.try_collect().await.call("rds:DescribeDBSubnetGroups")?;
    let parameters = aws.rds.describe_db_parameter_groups().into_paginator().items().send();
    let parameters = parameters.try_collect().await.call("rds:DescribeDBParameterGroups")?;
    let options = aws.rds.describe_option_groups().into_paginator().items().send();
    let options = options.try_collect().await.call("rds:DescribeOptionGroups")?;

    let subnets = subnets
        .iter()
        .filter(|group| group.db_subnet_group_name() != Some("default"));
    let subnets = subnets.map(|group| {
        Found::listed(
            "db-subnet-group",
            group.db_subnet_group_arn(),
            group.db_subnet_group_name(),
        )
    });
    let parameters = parameters
        .iter()
        .filter(|group| is_made(group.db_parameter_group_name(), "default."));
    let parameters = parameters.map(|group| {
        Found::listed(
            "db-parameter-group",
            group.db_parameter_group_arn(),
            group.db_parameter_group_name(),
        )
    });
    let options = options
        .iter()
        .filter(|group| is_made(group.option_group_name(), "default:"));
    let options =
        options.map(|group| Found::listed("option-group", group.option_group_arn(), group.option_group_name()));
    Ok(subnets.chain(parameters).chain(options).collect())
}

async fn balancers(aws: &Aws) -> Result<Vec<Found>> {
    let balancers = aws.elb.describe_load_balancers().into_paginator().items().send();
    let balancers = balancers
        .try_collect()
        .await
        .call("elasticloadbalancing:DescribeLoadBalancers")?;
    let groups = aws.elb.describe_target_groups().into_paginator().items().send();
    let groups = groups
        .try_collect()
        .await
        .call("elasticloadbalancing:DescribeTargetGroups")?;
    let balancers = balancers.iter();
    let balancers = balancers.map(|balancer| {
        Found::listed(
            "load-balancer",
            balancer.load_balancer_arn(),
            balancer.load_balancer_name(),
        )
    });
    let groups = groups.iter();
    let groups = groups.map(|group| Found::listed("target-group", group.target_group_arn(), group.target_group_name()));
    Ok(balancers.chain(groups).collect())
}

/// The last part of an ARN: `web` of `.../service/shop/web`, `web:3` of `.../task-definition/web:3`.
fn last_part(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

async fn containers(aws: &Aws) -> Result<Vec<Found>> {
    let clusters = aws
        .ecs
        .list_clusters()
        .into_paginator()
        .items()
        .send()
        .try_collect()
        .await;
    let clusters = clusters.call("ecs:ListClusters")?;
    let services = try_join_all(clusters.iter().map(async |cluster| {
        let services = aws.ecs.list_services().cluster(cluster).into_paginator().items().send();
        services.try_collect().await.call("ecs:ListServices")
    }))
    .await?;
    let definitions = aws.ecs.list_task_definitions().status(TaskDefinitionStatus::Active);
    let definitions = definitions.into_paginator().items().send().try_collect().await;
    let definitions = definitions.call("ecs:ListTaskDefinitions")?;
    let listed = |kind: &'static str, arn: &String| Found::listed(kind, Some(arn), Some(last_part(arn)));
    let mut found: Vec<_> = clusters.iter().map(|arn| listed("cluster", arn)).collect();
    found.extend(services.iter().flatten().map(|arn| listed("service", arn)));
    found.extend(definitions.iter().map(|arn| listed("task-definition", arn)));
    Ok(found)
}

async fn repositories(aws: &Aws) -> Result<Vec<Found>> {
    let found = aws.ecr.describe_repositories().into_paginator().items().send();
    let found = found.try_collect().await.call("ecr:DescribeRepositories")?;
    let found = found.iter();
    let found =
        found.map(|repository| Found::listed("repository", repository.repository_arn(), repository.repository_name()));
    Ok(found.collect())
}

/// With their tags in pages: ListRoles tells none, and the Tagging API does not know roles.
/// Source: IAM API Reference, GetAccountAuthorizationDetails.
async fn roles(aws: &Aws) -> Result<Vec<Found>> {
    let pages = aws.iam.get_account_authorization_details().filter(EntityType::Role);
    let mut pages = pages.into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.call("iam:GetAccountAuthorizationDetails")?;
        let made = |role: &&aws_sdk_iam::types::RoleDetail| is_made(role.path(), "/aws-service-role/");
        found.extend(page.role_detail_list().iter().filter(made).map(|role| {
            let tags = tags::read(role.tags(), |tag| (Some(tag.key()), Some(tag.value())));
            Found::tagged("role", role.arn(), tags).named(role.role_name())
        }));
    }
    Ok(found)
}

async fn log_groups(aws: &Aws) -> Result<Vec<Found>> {
    let found = aws.logs.describe_log_groups().into_paginator().items().send();
    let found = found.try_collect().await.call("logs:DescribeLogGroups")?;
    let found = found.iter().map(|group| {
        // `arn` ends with `:*`, which the Tagging API does not have.
        let arn = group.arn().map(|arn| arn.trim_end_matches(":*"));
        Found::listed("log-group", group.log_group_arn().or(arn), group.log_group_name())
    });
    Ok(found.collect())
}

async fn secrets(aws: &Aws) -> Result<Vec<Found>> {
    let mut pages = aws.secrets.list_secrets().into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.call("secretsmanager:ListSecrets")?;
        let own = page
            .secret_list()
            .iter()
            .filter(|secret| secret.owning_service().is_none());
        found.extend(own.map(|secret| {
            let tags = tags::read(secret.tags(), |tag| (tag.key(), tag.value()));
            Found::tagged("secret", secret.arn(), tags).named(secret.name())
        }));
    }
    Ok(found)
}

async fn parameters(aws: &Aws) -> Result<Vec<Found>> {
    let mut pages = aws.ssm.describe_parameters().into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.call("ssm:DescribeParameters")?;
        let parameters = page.parameters().iter();
        // A lease belongs to iacsh, and goes with nobody's costs.
        let others = parameters.filter(|parameter| !lease::is_lease(parameter.name().unwrap_or_default()));
        found.extend(others.map(|parameter| {
            let name = parameter.name().unwrap_or_default();
            // An imitation of AWS may leave the ARN out.
            let made = aws.arn("ssm", &format!("parameter/{}", name.trim_start_matches('/')));
            Found::listed("parameter", Some(parameter.arn().unwrap_or(&made)), Some(name))
        }));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::testing::World;

    async fn told(aws: &Aws) -> Vec<String> {
        let found = untagged(aws).await.unwrap();
        found
            .into_iter()
            .map(|(found, tags)| {
                format!(
                    "{} {} {:?}",
                    found.kind,
                    found.name,
                    tags.into_keys().collect::<Vec<_>>()
                )
            })
            .collect()
    }

    #[tokio::test]
    async fn what_somebody_else_made_is_found_and_what_aws_made_is_not() {
        let world = World::sandbox();
        let aws = &world.aws;
        assert_eq!(told(aws).await, Vec::<String>::new());
        let vpc = aws.ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap();
        let vpc = vpc.vpc.unwrap().vpc_id.unwrap();
        aws.logs
            .create_log_group()
            .log_group_name("by-hand")
            .send()
            .await
            .unwrap();
        let tag = aws_sdk_ecs::types::Tag::builder().key("team").value("a").build();
        aws.ecs
            .create_cluster()
            .cluster_name("theirs")
            .tags(tag)
            .send()
            .await
            .unwrap();
        let ours = world
            .ensure("vpc", map! { "name" => "main", "cidr" => "10.1.0.0/16" })
            .await
            .unwrap();
        assert_eq!(
            told(aws).await,
            [
                format!("vpc {vpc} []"),
                "cluster theirs [\"team\"]".into(),
                "log-group by-hand []".into()
            ]
        );
        // One whose identity was taken off it.
        let id = ours.1["id"].as_str().unwrap().to_owned();
        let tag = aws_sdk_ec2::types::Tag::builder().key(ID).build();
        aws.ec2.delete_tags().resources(&id).tags(tag).send().await.unwrap();
        let told = told(aws).await;
        assert!(
            told.iter().any(|told| told.starts_with("vpc shop-dev-main ")),
            "{told:?}"
        );
        assert!(looks_ours(&world.scope, "shop-dev-main") && looks_ours(&world.scope, "/shop/dev/redis.endpoint"));
        assert!(!looks_ours(&world.scope, "shop-production-main"));
    }
}
