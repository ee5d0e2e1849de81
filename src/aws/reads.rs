//! Which calls only read.
//!
//! The journal keeps every call that writes, and a plan refuses every call that is not a read, so that what is not known
//! to be a read is a write.
//!
//! Source: the Service Authorization Reference, which gives each action an access level. Every action of the services that
//! are used here, and that begins with one of [`READING`], has the level `List` or `Read` there, but for those of
//! [`LOOKS_LIKE_READING`].

/// How the names of actions begin that only read.
const READING: [&str; 9] = [
    "BatchCheck",
    "BatchGet",
    "Describe",
    "Filter",
    "Get",
    "List",
    "Lookup",
    "Search",
    "Simulate",
];

/// Actions that read although nothing in their names says so. The level of those of KMS and STS is `Write`, for they use
/// keys and make credentials; no environment is different after them.
const READS: [&str; 11] = [
    "ecr:ValidatePullThroughCacheRule",
    "ecs:DiscoverPollEndpoint",
    "kms:Decrypt",
    "logs:StartQuery",
    "logs:StopQuery",
    "logs:TestMetricFilter",
    "rds:DownloadDBLogFilePortion",
    "route53:TestDNSAnswer",
    "sts:AssumeRole",
    "sts:AssumeRoleWithWebIdentity",
    "sts:DecodeAuthorizationMessage",
];

/// Actions whose level is `Write` although they begin as reads do.
const LOOKS_LIKE_READING: [&str; 2] = ["sts:GetDelegatedAccessToken", "sts:GetWebIdentityToken"];

/// Whether an action changes nothing. `service` is the prefix of IAM's actions, such as `elasticloadbalancing`; see
/// [`prefix`].
pub fn is_read(service: &str, operation: &str) -> bool {
    let is = |known: &str| known.split_once(':') == Some((service, operation));
    let begins = |begin: &str| {
        let rest = operation.strip_prefix(begin);
        rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
    };
    if LOOKS_LIKE_READING.iter().any(|known| is(known)) {
        return false;
    }
    READING.iter().any(|begin| begins(begin)) || READS.iter().any(|known| is(known))
}

/// The same of `ec2:DescribeVpcs`.
pub fn is_read_action(action: &str) -> bool {
    let parts = action.split_once(':');
    parts.is_some_and(|(service, operation)| is_read(service, operation))
}

/// The prefix of IAM's actions for a service of the SDK: `elasticloadbalancing` for `Elastic Load Balancing v2`. So a call
/// is told by the name of the permission that it needs.
pub fn prefix(service_id: &str) -> String {
    match service_id {
        "CloudWatch Logs" => "logs".into(),
        "Elastic Load Balancing v2" => "elasticloadbalancing".into(),
        "Resource Groups Tagging API" => "tag".into(),
        other => other.to_lowercase().replace(' ', ""),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every action that the program may call and that changes something, as AWS's reference has it.
    const WRITES: &[(&str, &[&str])] = &[
        (
            "ec2",
            &[
                "AllocateAddress",
                "AssociateRouteTable",
                "AttachInternetGateway",
                "AuthorizeSecurityGroupEgress",
                "AuthorizeSecurityGroupIngress",
                "CreateInternetGateway",
                "CreateNatGateway",
                "CreateRoute",
                "CreateRouteTable",
                "CreateSecurityGroup",
                "CreateSubnet",
                "CreateTags",
                "CreateVpc",
                "CreateVpcEndpoint",
                "DeleteInternetGateway",
                "DeleteNatGateway",
                "DeleteRoute",
                "DeleteRouteTable",
                "DeleteSecurityGroup",
                "DeleteSubnet",
                "DeleteTags",
                "DeleteVpc",
                "DeleteVpcEndpoints",
                "DetachInternetGateway",
                "DisassociateRouteTable",
                "ModifySubnetAttribute",
                "ModifyVpcAttribute",
                "ModifyVpcEndpoint",
                "ReleaseAddress",
                "ReplaceRoute",
                "ReplaceRouteTableAssociation",
                "RevokeSecurityGroupEgress",
                "RevokeSecurityGroupIngress",
                "UpdateSecurityGroupRuleDescriptionsEgress",
                "UpdateSecurityGroupRuleDescriptionsIngress",
            ],
        ),
        (
            "ecr",
            &[
                "CreateRepository",
                "DeleteLifecyclePolicy",
                "DeleteRepository",
                "PutImage",
                "PutImageScanningConfiguration",
                "PutImageTagMutability",
                "PutLifecyclePolicy",
                "TagResource",
                "UntagResource",
            ],
        ),
        (
            "ecs",
            &[
                "CreateCluster",
                "CreateService",
                "DeleteCluster",
                "DeleteService",
                "DeleteTaskDefinitions",
                "DeregisterTaskDefinition",
                "PutClusterCapacityProviders",
                "RegisterTaskDefinition",
                "StopTask",
                "TagResource",
                "UntagResource",
                "UpdateCluster",
                "UpdateService",
            ],
        ),
        (
            "elasticache",
            &[
                "AddTagsToResource",
                "CreateCacheParameterGroup",
                "CreateCacheSubnetGroup",
                "CreateReplicationGroup",
                "DecreaseReplicaCount",
                "DeleteCacheParameterGroup",
                "DeleteCacheSubnetGroup",
                "DeleteReplicationGroup",
                "IncreaseReplicaCount",
                "ModifyCacheParameterGroup",
                "ModifyCacheSubnetGroup",
                "ModifyReplicationGroup",
                "RemoveTagsFromResource",
                "ResetCacheParameterGroup",
                "TestFailover",
            ],
        ),
        (
            "elasticloadbalancing",
            &[
                "AddTags",
                "CreateListener",
                "CreateLoadBalancer",
                "CreateTargetGroup",
                "DeleteListener",
                "DeleteLoadBalancer",
                "DeleteTargetGroup",
                "ModifyListener",
                "ModifyLoadBalancerAttributes",
                "ModifyTargetGroup",
                "ModifyTargetGroupAttributes",
                "RemoveTags",
                "SetSecurityGroups",
                "SetSubnets",
            ],
        ),
        (
            "iam",
            &[
                "AttachRolePolicy",
                "CreateRole",
                "CreateServiceLinkedRole",
                "DeleteRole",
                "DeleteRolePolicy",
                "DetachRolePolicy",
                // No call of its own: what is passed is passed by another call.
                "PassRole",
                "PutRolePolicy",
                "TagRole",
                "UntagRole",
                "UpdateAssumeRolePolicy",
            ],
        ),
        (
            "logs",
            &[
                "CreateLogGroup",
                "DeleteLogGroup",
                "DeleteRetentionPolicy",
                "PutRetentionPolicy",
                "TagResource",
                "UntagResource",
            ],
        ),
        (
            "rds",
            &[
                "AddTagsToResource",
                "CreateDBInstance",
                "CreateDBParameterGroup",
                "CreateDBSnapshot",
                "CreateDBSubnetGroup",
                "CreateOptionGroup",
                "DeleteDBInstance",
                "DeleteDBParameterGroup",
                "DeleteDBSubnetGroup",
                "DeleteOptionGroup",
                "ModifyDBInstance",
                "ModifyDBParameterGroup",
                "ModifyDBSubnetGroup",
                "ModifyOptionGroup",
                "RebootDBInstance",
                "RemoveTagsFromResource",
                "ResetDBParameterGroup",
                "RestoreDBInstanceFromDBSnapshot",
                "StartDBInstance",
                "StopDBInstance",
            ],
        ),
        ("route53", &["AssociateVPCWithHostedZone", "ChangeResourceRecordSets"]),
        (
            "secretsmanager",
            &[
                "CreateSecret",
                "DeleteSecret",
                "PutSecretValue",
                "RestoreSecret",
                "TagResource",
                "UntagResource",
                "UpdateSecret",
            ],
        ),
        (
            "ssm",
            &[
                "AddTagsToResource",
                "DeleteParameter",
                "DeleteParameters",
                "PutParameter",
                "RemoveTagsFromResource",
            ],
        ),
    ];

    fn writes() -> BTreeSet<String> {
        let all = WRITES.iter().flat_map(|(service, operations)| {
            let action = move |operation: &&str| format!("{service}:{operation}");
            operations.iter().map(action)
        });
        all.collect()
    }

    /// What the sources of the kinds and verbs name: the actions that they list and the calls that they translate errors of.
    fn used() -> BTreeSet<String> {
        let mut used = BTreeSet::new();
        let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/aws")];
        let action = regex::Regex::new("\"([a-z0-9]+:[A-Z][A-Za-z0-9]+)\"").unwrap();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    // Condition keys look like actions.
                    folders.extend((!path.ends_with("policy")).then_some(path));
                } else if !path.ends_with("reads.rs") && !path.ends_with("tests.rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    used.extend(action.captures_iter(&text).map(|found| found[1].to_owned()));
                }
            }
        }
        used
    }

    #[test]
    fn every_action_that_is_used_is_told_right() {
        let (used, writes) = (used(), writes());
        assert!(used.len() > 180, "{} actions were found", used.len());
        let taken_for_writes: Vec<_> = used
            .difference(&writes)
            .filter(|action| !is_read_action(action))
            .collect();
        assert_eq!(
            taken_for_writes,
            Vec::<&String>::new(),
            "reads, or writes that the table lacks"
        );
        let taken_for_reads: Vec<_> = writes.iter().filter(|action| is_read_action(action)).collect();
        assert_eq!(taken_for_reads, Vec::<&String>::new());
    }

    #[test]
    fn what_is_unknown_writes() {
        for read in [
            "ecr:GetAuthorizationToken",
            "ecs:DiscoverPollEndpoint",
            "iam:SimulatePrincipalPolicy",
            "logs:FilterLogEvents",
            "secretsmanager:BatchGetSecretValue",
            "secretsmanager:GetRandomPassword",
            "secretsmanager:GetSecretValue",
            "ssm:GetParametersByPath",
            "sts:AssumeRole",
            "sts:GetCallerIdentity",
            "tag:GetResources",
        ] {
            assert!(is_read_action(read), "{read}");
        }
        for write in [
            "",
            "ec2",
            "unknown",
            "ec2:",
            "ec2:Get",
            "ec2:Listen",
            "ec2:Getaway",
            "iam:AssumeRole",
            "elasticache:TestFailover",
            "sts:GetWebIdentityToken",
            "xyz:RunSomething",
        ] {
            assert!(!is_read_action(write), "{write}");
        }
    }

    #[test]
    fn services_are_called_as_iam_calls_them() {
        for (id, expected) in [
            ("EC2", "ec2"),
            ("CloudWatch Logs", "logs"),
            ("Elastic Load Balancing v2", "elasticloadbalancing"),
            ("Resource Groups Tagging API", "tag"),
            ("Route 53", "route53"),
            ("Secrets Manager", "secretsmanager"),
        ] {
            assert_eq!(prefix(id), expected);
        }
    }
}
