//! The things that rules speak of by name: where they are kept, and which limit a user meets with them.
//!
//! Source of the limits: the page "quotas" of each service (*Amazon VPC quotas*, *Quotas for your Application Load
//! Balancers*, *Quotas for ElastiCache*, *Amazon ECS service quotas*, *Quotas for Amazon RDS*, ...); their codes: EC2 API
//! reference, "Error codes for the Amazon EC2 API", and the errors of each other operation in its service's reference.

use crate::error::{Error, Result, nearest};

/// A kind of resource, by the name that scripts list it under.
#[derive(Clone, Copy, Debug)]
pub struct Noun {
    pub service: &'static str,
    pub noun: &'static str,
    /// How the state calls it.
    pub kind: &'static str,
    pub limit: Option<Limit>,
}

/// A quota.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// AWS's own, where nobody asked for more.
    pub most: u64,
    /// The calls that can exceed it.
    pub calls: &'static [&'static str],
    /// The member of the call that names what each of them is counted in; empty for the account and region.
    pub within: &'static str,
    /// What of the kind counts, as SQL over `body`; empty for everything.
    pub counts: &'static str,
    pub code: &'static str,
    /// `{}` stands for the limit.
    pub message: &'static str,
}

const fn noun(service: &'static str, noun: &'static str, kind: &'static str) -> Noun {
    Noun {
        service,
        noun,
        kind,
        limit: None,
    }
}

impl Noun {
    const fn at_most(
        self,
        most: u64,
        calls: &'static [&'static str],
        code: &'static str,
        message: &'static str,
    ) -> Self {
        Self {
            limit: Some(Limit {
                most,
                calls,
                within: "",
                counts: "",
                code,
                message,
            }),
            ..self
        }
    }

    const fn within(mut self, member: &'static str) -> Self {
        if let Some(limit) = &mut self.limit {
            limit.within = member;
        }
        self
    }

    const fn counting(mut self, counts: &'static str) -> Self {
        if let Some(limit) = &mut self.limit {
            limit.counts = counts;
        }
        self
    }
}

/// All of them.
pub const NOUNS: &[Noun] = &[
    noun("ec2", "vpcs", "ec2/vpc").at_most(
        5,
        &["CreateVpc"],
        "VpcLimitExceeded",
        "The maximum number of VPCs has been reached.",
    ),
    noun("ec2", "subnets", "ec2/subnet")
        .at_most(
            200,
            &["CreateSubnet"],
            "SubnetLimitExceeded",
            "The maximum number of subnets has been reached.",
        )
        .within("VpcId"),
    noun("ec2", "internet_gateways", "ec2/internet-gateway").at_most(
        5,
        &["CreateInternetGateway"],
        "InternetGatewayLimitExceeded",
        "The maximum number of internet gateways has been reached.",
    ),
    noun("ec2", "nat_gateways", "ec2/nat-gateway")
        .at_most(
            5,
            &["CreateNatGateway"],
            "NatGatewayLimitExceeded",
            "Performing this operation would exceed the limit of {} NAT gateways",
        )
        .counting("json_extract(body, '$.deletion') IS NULL"),
    noun("ec2", "addresses", "ec2/address").at_most(
        5,
        &["AllocateAddress"],
        "AddressLimitExceeded",
        "The maximum number of addresses has been reached.",
    ),
    noun("ec2", "route_tables", "ec2/route-table")
        .at_most(
            200,
            &["CreateRouteTable"],
            "RouteTableLimitExceeded",
            "The maximum number of route tables has been reached.",
        )
        .within("VpcId"),
    noun("ec2", "security_groups", "ec2/security-group").at_most(
        2500,
        &["CreateSecurityGroup"],
        "SecurityGroupLimitExceeded",
        "The maximum number of security groups has been reached.",
    ),
    noun("ec2", "ingress_rules", "ec2/security-group-rule")
        .at_most(
            60,
            &["AuthorizeSecurityGroupIngress"],
            "RulesPerSecurityGroupLimitExceeded",
            "The maximum number of rules per security group has been reached.",
        )
        .within("GroupId")
        .counting("json_extract(body, '$.egress') = 0"),
    noun("ec2", "egress_rules", "ec2/security-group-rule")
        .at_most(
            60,
            &["AuthorizeSecurityGroupEgress"],
            "RulesPerSecurityGroupLimitExceeded",
            "The maximum number of rules per security group has been reached.",
        )
        .within("GroupId")
        .counting("json_extract(body, '$.egress') = 1"),
    noun("ec2", "network_interfaces", "ec2/interface"),
    noun("ec2", "vpc_endpoints", "ec2/vpc-endpoint").at_most(
        50,
        &["CreateVpcEndpoint"],
        "VpcEndpointLimitExceeded",
        "The maximum number of VPC endpoints has been reached.",
    ),
    noun("elasticache", "replication_groups", "elasticache/replication-group").at_most(
        300,
        &["CreateReplicationGroup"],
        "ClusterQuotaForCustomerExceeded",
        "The request cannot be processed because it would exceed the allowed number of clusters per customer.",
    ),
    noun("elasticache", "cache_subnet_groups", "elasticache/subnet-group").at_most(
        300,
        &["CreateCacheSubnetGroup"],
        "CacheSubnetGroupQuotaExceeded",
        "The request cannot be processed because it would exceed the allowed number of cache subnet groups.",
    ),
    noun("elasticache", "cache_parameter_groups", "elasticache/parameter-group").at_most(
        300,
        &["CreateCacheParameterGroup"],
        "CacheParameterGroupQuotaExceeded",
        "The request cannot be processed because it would exceed the maximum number of cache parameter groups.",
    ),
    noun("elasticloadbalancing", "load_balancers", "elb/load-balancer").at_most(
        50,
        &["CreateLoadBalancer"],
        "TooManyLoadBalancers",
        "You've reached the limit on the number of load balancers for your AWS account.",
    ),
    noun("elasticloadbalancing", "target_groups", "elb/target-group").at_most(
        3000,
        &["CreateTargetGroup"],
        "TooManyTargetGroups",
        "You've reached the limit on the number of target groups for your AWS account.",
    ),
    noun("elasticloadbalancing", "listeners", "elb/listener")
        .at_most(
            50,
            &["CreateListener"],
            "TooManyListeners",
            "You've reached the limit on the number of listeners per load balancer.",
        )
        .within("LoadBalancerArn"),
    noun("ecs", "clusters", "ecs/cluster").at_most(
        10_000,
        &["CreateCluster"],
        "ClientException",
        "The maximum number of clusters per account ({}) has been reached.",
    ),
    noun("ecs", "services", "ecs/service")
        .at_most(
            5000,
            &["CreateService"],
            "InvalidParameterException",
            "The maximum number of services per cluster ({}) has been reached.",
        )
        .counting("json_extract(body, '$.status') <> 'INACTIVE'"),
    noun("ecs", "task_definitions", "ecs/task-definition").at_most(
        1_000_000,
        &["RegisterTaskDefinition"],
        "LimitExceededException",
        "The limit for the resource was exceeded.",
    ),
    noun("ecs", "tasks", "ecs/task"),
    noun("ecr", "repositories", "ecr/repository").at_most(
        100_000,
        &["CreateRepository"],
        "LimitExceededException",
        "The operation did not succeed because it would have exceeded a service limit for your account: {} repositories.",
    ),
    noun("iam", "roles", "iam/role").at_most(
        1000,
        &["CreateRole"],
        "LimitExceeded",
        "Cannot exceed quota for RolesPerAccount: {}",
    ),
    noun("iam", "policies", "iam/policy").at_most(
        1500,
        &["CreatePolicy"],
        "LimitExceeded",
        "Cannot exceed quota for PoliciesPerAccount: {}",
    ),
    noun("logs", "log_groups", "logs/group").at_most(
        1_000_000,
        &["CreateLogGroup"],
        "LimitExceededException",
        "Resource limit exceeded.",
    ),
    noun("ssm", "parameters", "ssm/parameter").at_most(
        10_000,
        &["PutParameter"],
        "ParameterLimitExceeded",
        "You have exceeded the number of parameters for this AWS account. Delete one or more parameters and try again.",
    ),
    noun("secretsmanager", "secrets", "secretsmanager/secret").at_most(
        500_000,
        &["CreateSecret"],
        "LimitExceededException",
        "The request failed because it would exceed one of the Secrets Manager quotas.",
    ),
    noun("rds", "instances", "rds/instance").at_most(
        40,
        &["CreateDBInstance", "RestoreDBInstanceFromDBSnapshot"],
        "InstanceQuotaExceeded",
        "DB Instance quota exceeded: {} instances.",
    ),
    noun("rds", "snapshots", "rds/snapshot").at_most(
        100,
        &["CreateDBSnapshot"],
        "SnapshotQuotaExceeded",
        "The request would result in the user exceeding the allowed number of DB snapshots.",
    ),
    noun("route53", "hosted_zones", "route53/zone").at_most(
        500,
        &["CreateHostedZone"],
        "TooManyHostedZones",
        "This operation can't be completed either because the current account has reached the limit on the number of \
         hosted zones or because you've reached the limit on the number of hosted zones that can be associated with a \
         reusable delegation set.",
    ),
    noun("acm", "certificates", "acm/certificate").at_most(
        2500,
        &["RequestCertificate"],
        "LimitExceededException",
        "An ACM quota has been exceeded.",
    ),
];

/// The noun of a service, with or without its plural; hyphens do for underscores.
pub fn find(service: &str, name: &str) -> Result<&'static Noun> {
    let service = super::service(service)?;
    let of_service = || NOUNS.iter().filter(|noun| service == "*" || noun.service == service);
    of_service().find(|noun| same(noun.noun, name)).ok_or_else(|| {
        let error = Error::invalid(format!("the sandbox knows no `{name}` of {service}"));
        match nearest(name, of_service().map(|noun| noun.noun)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!("it knows {}", join(of_service()))),
        }
    })
}

/// How the state calls what a noun or a service means.
pub fn kinds(name: &str) -> Result<Vec<&'static str>> {
    if let Ok(service) = super::service(name) {
        let of_service = NOUNS.iter().filter(|noun| service == "*" || noun.service == service);
        return Ok(of_service.map(|noun| noun.kind).collect());
    }
    let known = NOUNS.iter().find(|noun| same(noun.noun, name) || noun.kind == name);
    known.map(|noun| vec![noun.kind]).ok_or_else(|| {
        let error = Error::invalid(format!("the sandbox knows neither a service nor a kind `{name}`"));
        match nearest(name, NOUNS.iter().map(|noun| noun.noun)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!("it knows {}", join(NOUNS.iter()))),
        }
    })
}

/// What can be limited, as `service noun`.
pub fn limited() -> Vec<String> {
    let limited = NOUNS.iter().filter(|noun| noun.limit.is_some());
    limited.map(|noun| format!("{} {}", noun.service, noun.noun)).collect()
}

fn same(noun: &str, name: &str) -> bool {
    let name = name.replace('-', "_");
    let singular = |text: &str| match text.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None => text
            .strip_suffix("es")
            .filter(|stem| stem.ends_with('s'))
            .or(text.strip_suffix('s'))
            .unwrap_or(text)
            .to_owned(),
    };
    noun == name || singular(noun) == name
}

fn join<'a>(nouns: impl Iterator<Item = &'a Noun>) -> String {
    nouns.map(|noun| noun.noun).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::super::model;
    use super::*;

    #[test]
    fn a_noun_is_known_in_both_numbers() {
        for (service, name, kind) in [
            ("ec2", "vpcs", "ec2/vpc"),
            ("ec2", "vpc", "ec2/vpc"),
            ("ec2", "nat-gateway", "ec2/nat-gateway"),
            ("ec2", "address", "ec2/address"),
            ("elb", "load_balancers", "elb/load-balancer"),
            ("ecr", "repository", "ecr/repository"),
        ] {
            assert_eq!(find(service, name).unwrap().kind, kind);
        }
        assert_eq!(kinds("subnet").unwrap(), ["ec2/subnet"]);
        assert!(kinds("ecs").unwrap().contains(&"ecs/service"));
        assert!(kinds("planets").is_err());
    }

    #[test]
    fn the_calls_and_members_of_limits_are_those_of_the_models() {
        for noun in NOUNS {
            let Some(limit) = noun.limit else { continue };
            let (_, model) = model::of(noun.service).unwrap();
            for call in limit.calls {
                // A model may come after the noun.
                let Some(operation) = model.operations.get(*call) else {
                    continue;
                };
                let input = operation.input.as_deref().and_then(|shape| model.shape(shape)).unwrap();
                assert!(
                    limit.within.is_empty() || input.members.contains_key(limit.within),
                    "{call} {}",
                    limit.within
                );
            }
        }
    }
}
