//! What each action is allowed on: the environment's resources, by their names, their tags, or both.
//!
//! Names say it where the service's ARNs hold names, all of which begin with `PROJECT-ENV-`. What deletes has to find the
//! identity tags too, because the names of an environment `dev-2` begin as those of `dev` do. EC2's ids say nothing, so
//! there the tags decide: those of the request for what is made, those of the resource for all else.

use serde_json::{Value, json};

use crate::aws::reads::is_read;
use crate::resource::tags::{ENVIRONMENT, PROJECT};

/// What the policies are about.
#[derive(Clone, Debug)]
pub struct Facts {
    pub partition: String,
    pub region: String,
    /// `*` where it is not known.
    pub account: String,
    pub project: String,
    pub environment: String,
    /// ARNs of a network that is only used.
    pub given: Vec<String>,
    /// The host whose record is changed.
    pub host: Option<String>,
    /// The id of its zone, where the environment names it.
    pub zone: Option<String>,
    /// Whether what others made may be adopted: see the statement `NetworkAdopt`.
    pub adopts: bool,
}

/// What a statement allows its actions on.
pub(super) struct Grant {
    pub(super) resources: Vec<String>,
    pub(super) condition: Option<Value>,
    /// Why it is about everything, where it is.
    pub(super) why: Option<&'static str>,
}

/// A resource and the condition keys under which a service's actions are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    pub resources: Vec<String>,
    pub context: Vec<(String, Vec<String>)>,
}

/// EC2's actions that make something with tags in the same call.
const EC2_CREATES: [&str; 8] = [
    "AllocateAddress",
    "CreateInternetGateway",
    "CreateNatGateway",
    "CreateRouteTable",
    "CreateSecurityGroup",
    "CreateSubnet",
    "CreateVpc",
    "CreateVpcEndpoint",
];

/// Those that need something that is there already.
const EC2_WITHIN: [&str; 5] = [
    "CreateNatGateway",
    "CreateRouteTable",
    "CreateSecurityGroup",
    "CreateSubnet",
    "CreateVpcEndpoint",
];

/// Those that may be about a network that is only used.
const EC2_GIVEN: [&str; 9] = [
    "AssociateRouteTable",
    "CreateNatGateway",
    "CreateRouteTable",
    "CreateSecurityGroup",
    "CreateSubnet",
    "CreateVpcEndpoint",
    "DisassociateRouteTable",
    "ModifyVpcEndpoint",
    "ReplaceRouteTableAssociation",
];

/// The statements that an action is in.
pub(super) fn of(facts: &Facts, action: &str) -> Vec<&'static str> {
    let (service, operation) = action.split_once(':').unwrap_or_default();
    // What reads contents is bound; what lists and describes has to find what is not there, too.
    match (service, operation) {
        ("secretsmanager", "GetSecretValue") => return vec!["Secrets"],
        ("ssm", "GetParameter" | "GetParameters" | "GetParametersByPath") => return vec!["Parameters"],
        ("logs", "FilterLogEvents" | "GetLogEvents") => return vec!["Logs"],
        ("kms", "Decrypt") => return vec!["Keys"],
        _ if is_read(service, operation) => return vec!["Look"],
        _ => {}
    }
    let deletes = operation.starts_with("Delete");
    match (service, operation) {
        ("ec2", _) => ec2(facts, operation),
        ("ecs", "DeregisterTaskDefinition") => vec!["TaskDefinitions"],
        ("ecs", _) if deletes => vec!["ContainersDelete"],
        ("ecs", _) => vec!["Containers"],
        ("ecr", "DeleteRepository") => vec!["ImagesDelete"],
        ("ecr", _) => vec!["Images"],
        ("elasticache", "DeleteReplicationGroup") => vec!["CachesDelete", "CacheSnapshots"],
        ("elasticache", _) if deletes => vec!["CachesDelete"],
        ("elasticache", "CreateReplicationGroup" | "ModifyReplicationGroup") => vec!["Caches", "CacheDefaults"],
        ("elasticache", _) => vec!["Caches"],
        ("elasticloadbalancing", _) if deletes => vec!["BalancersDelete"],
        ("elasticloadbalancing", _) => vec!["Balancers"],
        ("iam", "PassRole") => vec!["PassRoles"],
        ("iam", "CreateServiceLinkedRole") => vec!["ServiceRoles"],
        ("iam", "DeleteRole") => vec!["RolesDelete"],
        ("iam", _) => vec!["Roles"],
        ("logs", "DeleteLogGroup") => vec!["LogsDelete"],
        ("logs", _) => vec!["Logs"],
        ("rds", _) if deletes => vec!["DatabasesDelete"],
        ("rds", "RestoreDBInstanceFromDBSnapshot") => vec!["Databases", "DatabaseDefaults", "Snapshots"],
        ("rds", "CreateDBInstance" | "ModifyDBInstance") => vec!["Databases", "DatabaseDefaults"],
        ("rds", _) => vec!["Databases"],
        ("route53", "ChangeResourceRecordSets") => vec!["Records"],
        ("route53", _) => vec!["PrivateZones"],
        ("secretsmanager", "DeleteSecret") => vec!["SecretsDelete"],
        ("secretsmanager", _) => vec!["Secrets"],
        ("ssm", _) => vec!["Parameters"],
        _ => vec!["Other"],
    }
}

fn ec2(facts: &Facts, operation: &str) -> Vec<&'static str> {
    let mut sids = Vec::new();
    if EC2_CREATES.contains(&operation) {
        sids.push("NetworkCreate");
    }
    if EC2_WITHIN.contains(&operation) {
        sids.push("NetworkWithin");
    }
    if EC2_GIVEN.contains(&operation) && !facts.given.is_empty() {
        sids.push("NetworkGiven");
    }
    match operation {
        "CreateTags" => {
            sids.extend(["NetworkTags", "Network"]);
            if facts.adopts {
                sids.push("NetworkAdopt");
            }
        }
        "AuthorizeSecurityGroupIngress" | "AuthorizeSecurityGroupEgress" => sids.extend(["NetworkRules", "Network"]),
        _ if EC2_CREATES.contains(&operation) => {}
        _ => sids.push("Network"),
    }
    sids
}

/// What a statement is about.
pub(super) fn grant(facts: &Facts, sid: &str) -> Grant {
    let prefix = format!("{}-{}-", facts.project, facts.environment);
    let arn = |service: &str, rest: &str| facts.arn(service, rest);
    let named = |service: &str, types: &[&str]| -> Vec<String> {
        let one = |kind: &&str| arn(service, &kind.replace("{}", &prefix));
        types.iter().map(one).collect()
    };
    let bound = |resources: Vec<String>, condition: Option<Value>| Grant {
        resources,
        condition,
        why: None,
    };
    let tagged = Some(json!({ "StringEquals": facts.tags("aws:ResourceTag") }));
    let anything = |why| Grant {
        resources: vec!["*".to_owned()],
        condition: None,
        why: Some(why),
    };
    match sid {
        "Look" => {
            anything("these actions only list and describe. Most take no resource, and absence has to be seen, too")
        }
        "TaskDefinitions" => anything("ecs:DeregisterTaskDefinition takes no resource and no tags"),
        "PrivateZones" => anything("the private zone of an endpoint is AWS's own"),
        // A test keeps this empty of what writes.
        "Other" => anything("no resource is known for these"),
        "NetworkCreate" => bound(
            named(
                "ec2",
                &[
                    "elastic-ip/*",
                    "internet-gateway/*",
                    "natgateway/*",
                    "route-table/*",
                    "security-group/*",
                    "subnet/*",
                    "vpc/*",
                    "vpc-endpoint/*",
                ],
            ),
            Some(json!({ "StringEquals": facts.tags("aws:RequestTag") })),
        ),
        "NetworkWithin" => bound(
            named(
                "ec2",
                &["elastic-ip/*", "route-table/*", "security-group/*", "subnet/*", "vpc/*"],
            ),
            tagged,
        ),
        "NetworkGiven" => bound(facts.given.clone(), None),
        "NetworkRules" => bound(named("ec2", &["security-group-rule/*"]), None),
        "NetworkTags" => {
            let mut equals = facts.tags("aws:RequestTag");
            equals["ec2:CreateAction"] = json!(EC2_CREATES);
            bound(named("ec2", &["*/*"]), Some(json!({ "StringEquals": equals })))
        }
        "Network" => bound(named("ec2", &["*/*"]), tagged),
        // EC2's ids say nothing, so that all of the region's resources which no environment has are meant. What was adopted
        // carries the tags by which the other statements allow to change and delete it. Source: IAM User Guide, "Condition
        // operator to check existence of condition keys"; Service Authorization Reference, Amazon EC2, CreateTags.
        "NetworkAdopt" => {
            let absent = |tag: &str| (format!("aws:ResourceTag/{tag}"), Value::from("true"));
            let absent: serde_json::Map<_, _> = [PROJECT, ENVIRONMENT].map(absent).into_iter().collect();
            let condition = json!({ "StringEquals": facts.tags("aws:RequestTag"), "Null": absent });
            bound(named("ec2", &["*/*"]), Some(condition))
        }
        "Containers" => bound(
            named(
                "ecs",
                &["cluster/{}*", "service/*/{}*", "task-definition/{}*:*", "task/{}*/*"],
            ),
            None,
        ),
        "ContainersDelete" => bound(
            named("ecs", &["cluster/{}*", "service/*/{}*", "task-definition/{}*:*"]),
            tagged,
        ),
        // Repositories are the project's, of all its environments.
        "Images" => bound(facts.repositories(), None),
        "ImagesDelete" => bound(
            facts.repositories(),
            Some(json!({ "StringEquals": { format!("aws:ResourceTag/{PROJECT}"): facts.project } })),
        ),
        "Caches" => bound(
            named(
                "elasticache",
                &[
                    "cluster:{}*",
                    "parametergroup:{}*",
                    "replicationgroup:{}*",
                    "subnetgroup:{}*",
                ],
            ),
            None,
        ),
        "CachesDelete" => bound(
            named(
                "elasticache",
                &["parametergroup:{}*", "replicationgroup:{}*", "subnetgroup:{}*"],
            ),
            tagged,
        ),
        "CacheDefaults" => bound(named("elasticache", &["parametergroup:default.*"]), None),
        "CacheSnapshots" => bound(named("elasticache", &["snapshot:{}*"]), None),
        "Balancers" => bound(facts.balancers(), None),
        "BalancersDelete" => bound(facts.balancers(), tagged),
        "Roles" => bound(facts.roles(), None),
        "RolesDelete" => bound(facts.roles(), tagged),
        "PassRoles" => bound(
            facts.roles(),
            Some(json!({
                "StringEquals": { "iam:PassedToService": ["ecs-tasks.amazonaws.com", "rds.amazonaws.com"] }
            })),
        ),
        "ServiceRoles" => bound(
            vec![facts.global("iam", "role/aws-service-role/*")],
            Some(json!({
                "StringEquals": { "iam:AWSServiceName": [
                    "ecs.amazonaws.com", "elasticache.amazonaws.com", "elasticloadbalancing.amazonaws.com",
                    "rds.amazonaws.com",
                ] }
            })),
        ),
        "Logs" => bound(named("logs", &["log-group:{}*", "log-group:{}*:*"]), None),
        "LogsDelete" => bound(named("logs", &["log-group:{}*", "log-group:{}*:*"]), tagged),
        "Databases" => bound(
            named("rds", &["db:{}*", "og:{}*", "pg:{}*", "snapshot:{}*", "subgrp:{}*"]),
            None,
        ),
        "DatabasesDelete" => bound(named("rds", &["db:{}*", "og:{}*", "pg:{}*", "subgrp:{}*"]), tagged),
        "DatabaseDefaults" => bound(named("rds", &["og:default:*", "pg:default.*"]), None),
        "Snapshots" => bound(named("rds", &["snapshot:*"]), None),
        "Records" => {
            let names = facts.host.as_ref().map(|host| {
                json!({ "ForAllValues:StringEquals": {
                    "route53:ChangeResourceRecordSetsNormalizedRecordNames": [host.to_lowercase()]
                } })
            });
            let zone = facts.zone.as_deref().unwrap_or("*");
            let partition = &facts.partition;
            bound(vec![format!("arn:{partition}:route53:::hostedzone/{zone}")], names)
        }
        "Secrets" => bound(named("secretsmanager", &["secret:{}*"]), None),
        "SecretsDelete" => bound(named("secretsmanager", &["secret:{}*"]), tagged),
        "Parameters" => {
            let path = format!("parameter/{}/{}", facts.project, facts.environment);
            bound(vec![arn("ssm", &path), arn("ssm", &format!("{path}/*"))], None)
        }
        "Keys" => {
            let via = |service: &str| format!("{service}.{}.amazonaws.com", facts.region);
            bound(
                vec![arn("kms", "key/*")],
                Some(json!({ "StringEquals": { "kms:ViaService": [via("secretsmanager"), via("ssm")] } })),
            )
        }
        _ => bound(Vec::new(), None),
    }
}

impl Facts {
    fn arn(&self, service: &str, rest: &str) -> String {
        let (partition, region, account) = (&self.partition, &self.region, &self.account);
        format!("arn:{partition}:{service}:{region}:{account}:{rest}")
    }

    /// Of a service without regions.
    fn global(&self, service: &str, rest: &str) -> String {
        format!("arn:{}:{service}::{}:{rest}", self.partition, self.account)
    }

    fn tags(&self, key: &str) -> Value {
        json!({ format!("{key}/{PROJECT}"): self.project, format!("{key}/{ENVIRONMENT}"): self.environment })
    }

    fn roles(&self) -> Vec<String> {
        vec![self.global("iam", &format!("role/{}-{}-*", self.project, self.environment))]
    }

    fn repositories(&self) -> Vec<String> {
        let project = &self.project;
        vec![
            self.arn("ecr", &format!("repository/{project}")),
            self.arn("ecr", &format!("repository/{project}/*")),
        ]
    }

    /// Names of load balancers and target groups are cut to 32 characters, the last nine of which are a hash then.
    fn balancers(&self) -> Vec<String> {
        let whole = format!("{}-{}-", self.project, self.environment);
        let kept: String = whole.chars().take(super::super::elb::KEPT).collect();
        let prefix = match kept.len() < whole.len() {
            true => kept.trim_end_matches('-'),
            false => kept.as_str(),
        };
        ["listener/app", "loadbalancer/app", "targetgroup"]
            .iter()
            .map(|kind| self.arn("elasticloadbalancing", &format!("{kind}/{prefix}*")))
            .collect()
    }
}

/// Statements about what is not the environment's alone. Being allowed on these says nothing of the rest.
const SHARED: [&str; 7] = [
    "CacheDefaults",
    "CacheSnapshots",
    "DatabaseDefaults",
    "NetworkAdopt",
    "NetworkGiven",
    "NetworkRules",
    "Snapshots",
];

/// Resources and condition keys with which a service's actions can be tried: those of this environment.
pub fn samples<'a>(facts: &Facts, actions: impl IntoIterator<Item = &'a str>) -> Sample {
    let mut sample = Sample {
        resources: Vec::new(),
        context: Vec::new(),
    };
    for action in actions {
        for sid in of(facts, action).into_iter().filter(|sid| !SHARED.contains(sid)) {
            let grant = grant(facts, sid);
            for resource in grant.resources {
                // A wildcard in what is tried would ask for more than is needed.
                let resource = match resource.as_str() {
                    "*" => resource,
                    _ => resource.replace('*', "x"),
                };
                if !sample.resources.contains(&resource) {
                    sample.resources.push(resource);
                }
            }
            let operators = grant.condition.as_ref().and_then(Value::as_object);
            for (key, value) in operators
                .into_iter()
                .flatten()
                .flat_map(|(_, keys)| keys.as_object())
                .flatten()
            {
                let values = match value {
                    Value::Array(values) => values.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                    other => other.as_str().map(str::to_owned).into_iter().collect::<Vec<_>>(),
                };
                // One of several is enough.
                let values: Vec<String> = values.into_iter().take(1).collect();
                if !sample.context.iter().any(|(known, _)| known == key) {
                    sample.context.push((key.clone(), values));
                }
            }
        }
    }
    sample
}
