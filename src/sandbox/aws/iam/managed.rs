//! The AWS-managed policies that an environment of this kind attaches.
//!
//! Source: *AWS Managed Policy Reference*; each with its default version there. Only these exist in the sandbox.

/// Name, path, and the actions that it allows on every resource.
pub struct Managed {
    pub name: &'static str,
    pub path: &'static str,
    pub actions: &'static [&'static str],
}

pub const POLICIES: &[Managed] = &[
    Managed {
        name: "AmazonECSTaskExecutionRolePolicy",
        path: "/service-role/",
        actions: &[
            "ecr:GetAuthorizationToken",
            "ecr:BatchCheckLayerAvailability",
            "ecr:GetDownloadUrlForLayer",
            "ecr:BatchGetImage",
            "logs:CreateLogStream",
            "logs:PutLogEvents",
        ],
    },
    Managed {
        name: "AmazonSSMManagedInstanceCore",
        path: "/",
        actions: &[
            "ssm:DescribeAssociation",
            "ssm:GetDeployablePatchSnapshotForInstance",
            "ssm:GetDocument",
            "ssm:DescribeDocument",
            "ssm:GetManifest",
            "ssm:GetParameter",
            "ssm:GetParameters",
            "ssm:ListAssociations",
            "ssm:ListInstanceAssociations",
            "ssm:PutInventory",
            "ssm:PutComplianceItems",
            "ssm:PutConfigurePackageResult",
            "ssm:UpdateAssociationStatus",
            "ssm:UpdateInstanceAssociationStatus",
            "ssm:UpdateInstanceInformation",
            "ssmmessages:CreateControlChannel",
            "ssmmessages:CreateDataChannel",
            "ssmmessages:OpenControlChannel",
            "ssmmessages:OpenDataChannel",
            "ec2messages:AcknowledgeMessage",
            "ec2messages:DeleteMessage",
            "ec2messages:FailMessage",
            "ec2messages:GetEndpoint",
            "ec2messages:GetMessages",
            "ec2messages:SendReply",
        ],
    },
    Managed {
        name: "AmazonEC2ContainerRegistryReadOnly",
        path: "/",
        actions: &[
            "ecr:GetAuthorizationToken",
            "ecr:BatchCheckLayerAvailability",
            "ecr:GetDownloadUrlForLayer",
            "ecr:GetRepositoryPolicy",
            "ecr:DescribeRepositories",
            "ecr:ListImages",
            "ecr:DescribeImages",
            "ecr:BatchGetImage",
            "ecr:GetLifecyclePolicy",
            "ecr:GetLifecyclePolicyPreview",
            "ecr:ListTagsForResource",
            "ecr:DescribeImageScanFindings",
        ],
    },
    Managed {
        name: "CloudWatchLogsFullAccess",
        path: "/",
        actions: &[
            "logs:*",
            "cloudwatch:GenerateQuery",
            "cloudwatch:GenerateQueryResultsSummary",
        ],
    },
    Managed {
        name: "SecretsManagerReadWrite",
        path: "/",
        actions: &["secretsmanager:*"],
    },
    Managed {
        name: "AmazonSSMReadOnlyAccess",
        path: "/",
        actions: &["ssm:Describe*", "ssm:Get*", "ssm:List*"],
    },
    Managed {
        name: "AdministratorAccess",
        path: "/",
        actions: &["*"],
    },
];

impl Managed {
    /// `arn:aws:iam::aws:policy/PATH NAME`: AWS's own have no account.
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::aws:policy{}{}", self.path, self.name)
    }

    pub fn document(&self) -> String {
        serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Action": self.actions, "Resource": "*" }],
        })
        .to_string()
    }
}

pub fn find(arn: &str) -> Option<&'static Managed> {
    POLICIES.iter().find(|policy| policy.arn() == arn)
}
