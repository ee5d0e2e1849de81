//! Which service's file answers a call.

use super::call::{Answer, Call, Fault};
use super::model::{self, Protocol};
use super::{acm, answers, ec2, ecr, ecs, elasticache, elb, iam, logs, rds, route53, secrets, ssm, sts, tagging};

/// Parameters that no service's file looks at. They are refused here, as everywhere: to ignore them would be a silent
/// yes. A test of the contract suite finds what is missing.
const NOT_LOOKED_AT: &[(&str, &str, &[&str])] = &[
    ("ecr", "BatchGetImage", &["acceptedMediaTypes"]),
    ("ecr", "PutImageTagMutability", &["imageTagMutabilityExclusionFilters"]),
    ("ecs", "ListServices", &["resourceManagementType"]),
    ("ecs", "ListTasks", &["daemonName"]),
    ("elasticloadbalancing", "DescribeTargetHealth", &["Include"]),
    ("iam", "ListEntitiesForPolicy", &["EntityFilter", "PolicyUsageFilter"]),
    ("iam", "ListPolicies", &["PolicyUsageFilter"]),
    ("rds", "DescribeDBEngineVersions", &["ListSupportedTimezones"]),
    ("rds", "DescribeOrderableDBInstanceOptions", &["AvailabilityZoneGroup"]),
    ("tagging", "GetResources", &["TagsPerPage"]),
];

/// Hands a call to its service.
pub fn handle(call: &mut Call<'_>) -> Answer {
    let not_looked_at = NOT_LOOKED_AT
        .iter()
        .find(|(service, operation, _)| *service == call.service && *operation == call.operation);
    if let Some((.., parameters)) = not_looked_at {
        answers::none_of(call, parameters)?;
    }
    match call.service {
        "acm" => acm::handle(call),
        "ec2" => ec2::handle(call),
        "ecr" => ecr::handle(call),
        "ecs" => ecs::handle(call),
        "elasticache" => elasticache::handle(call),
        "elasticloadbalancing" => elb::handle(call),
        "iam" => iam::handle(call),
        "logs" => logs::handle(call),
        "rds" => rds::handle(call),
        "route53" => route53::handle(call),
        "secretsmanager" => secrets::handle(call),
        "ssm" => ssm::handle(call),
        "sts" => sts::handle(call),
        "tagging" => tagging::handle(call),
        _ => not_in_the_sandbox(call),
    }
}

/// The region under which a service keeps its state: that of the call, except for global services.
pub fn home<'a>(service: &str, region: &'a str) -> &'a str {
    match service {
        "iam" => "aws-global",
        "route53" => route53::HOME,
        _ => region,
    }
}

/// What an operation without a handler answers.
pub fn not_in_the_sandbox(call: &Call<'_>) -> Answer {
    Err(unknown(call.service, call.operation))
}

/// The SDK retries none of these codes.
pub fn unknown(service: &str, operation: &str) -> Fault {
    let json = model::of(service).is_some_and(|(_, model)| model.metadata.protocol == Protocol::Json);
    let code = if json {
        "UnknownOperationException"
    } else {
        "InvalidAction"
    };
    Fault::new(code, format!("not in the sandbox: {service}:{operation}"))
}
