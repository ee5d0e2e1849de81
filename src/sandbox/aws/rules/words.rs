//! How each service says no.
//!
//! Source: EC2 API reference, "Error codes for the Amazon EC2 API" (UnauthorizedOperation, RequestLimitExceeded); the
//! page "Common errors" of each other service (AccessDenied, AccessDeniedException, ThrottlingException); IAM user guide,
//! "Troubleshoot access denied error messages".

use super::super::call::Fault;
use super::super::model::{self, Protocol};

/// What a caller without the permission gets.
pub fn denied(service: &str, account: &str, operation: &str) -> Fault {
    // The prefix of its actions in policies, where that is not the name under which requests are signed.
    let prefix = if service == "tagging" { "tag" } else { service };
    let action = format!("{prefix}:{operation}");
    let words = format!(
        "User: arn:aws:iam::{account}:user/sandbox is not authorized to perform: {action} because no identity-based policy \
         allows the {action} action"
    );
    match protocol(service) {
        Some(Protocol::Ec2) => Fault::new(
            "UnauthorizedOperation",
            format!("You are not authorized to perform this operation. {words}"),
        )
        .status(403),
        Some(Protocol::Json) => Fault::new("AccessDeniedException", words),
        _ => Fault::new("AccessDenied", words).status(403),
    }
}

/// What a service answers to too many requests.
pub fn throttled(service: &str) -> Fault {
    match (service, protocol(service)) {
        (_, Some(Protocol::Ec2)) => Fault::new("RequestLimitExceeded", "Request limit exceeded.").status(503),
        ("tagging", _) => Fault::new("ThrottledException", "Rate exceeded"),
        (_, Some(Protocol::Json)) => Fault::new("ThrottlingException", "Rate exceeded"),
        _ => Fault::new("Throttling", "Rate exceeded"),
    }
}

fn protocol(service: &str) -> Option<Protocol> {
    model::of(service).map(|(_, model)| model.metadata.protocol)
}
