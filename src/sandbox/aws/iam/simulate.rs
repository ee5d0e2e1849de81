//! SimulatePrincipalPolicy: what a role may do, asked for.
//!
//! Source: IAM API reference, `SimulatePrincipalPolicy`, `EvaluationResult`.

use serde_json::{Value, json};

use super::super::answers::only;
use super::super::call::{Answer, Call, Fault};
use super::super::rules;
use super::decision::{Decision, Rights, Verdict, context};
use super::statement::Context;
use super::{document, no_such, paged};

/// The user of the sandbox may do everything but what a rule denies; of others it knows roles.
pub fn principal(call: &Call<'_>) -> Answer {
    only(
        call,
        &[
            "PolicySourceArn",
            "PolicyInputList",
            "PermissionsBoundaryPolicyInputList",
            "ActionNames",
            "ResourceArns",
            "CallerArn",
            "ContextEntries",
            "MaxItems",
            "Marker",
        ],
    )?;
    let arn = call.text("PolicySourceArn");
    let caller = format!("arn:aws:iam::{}:user/sandbox", call.account);
    let mut rights = match arn {
        arn if arn == caller => Rights::everything(),
        arn if arn.contains(":role/") => {
            Rights::of_role(call, arn)?.ok_or_else(|| no_such(format!("The role with ARN {arn} cannot be found.")))?
        }
        arn => return Err(no_such(format!("The entity {arn} cannot be found."))),
    };
    for (place, policy) in call.texts("PolicyInputList").iter().enumerate() {
        document::check(policy, document::Use::Permission)
            .map_err(|fault| Fault::new("InvalidInput", fault.message))?;
        rights.add(&format!("PolicyInputList.{}", place + 1), "none", policy);
    }
    if let Some(boundary) = call.texts("PermissionsBoundaryPolicyInputList").first() {
        rights.bound(boundary);
    }
    if let Some(wrong) = call.texts("ActionNames").iter().find(|action| !action.contains(':')) {
        return Err(Fault::new(
            "InvalidInput",
            format!("Invalid action name: {wrong}. It must have the prefix of its service."),
        ));
    }
    let mut context = context(call);
    context.extend(given(call));
    let mut resources = call.texts("ResourceArns");
    if resources.is_empty() {
        resources.push("*".to_owned());
    }
    let mut results = Vec::new();
    for action in call.texts("ActionNames") {
        for resource in &resources {
            let mut verdict = rights.decide(&action, resource, &context);
            if arn == caller
                && let Some(rule) = denied(call, &action, resource)?
            {
                verdict.decision = Decision::ExplicitDeny;
                verdict.matched = vec![(format!("rule {rule} of the sandbox"), "none")];
            }
            results.push((results.len(), view(&action, resource, &verdict)));
        }
    }
    paged(
        call,
        "EvaluationResults",
        results,
        |(place, _)| format!("{place:06}"),
        |(_, view)| Ok(view.clone()),
    )
}

/// The rule that denies an action. Actions have the prefix of policies; requests are signed with the service's name.
fn denied(call: &Call<'_>, action: &str, resource: &str) -> Result<Option<i64>, Fault> {
    let (service, operation) = action.split_once(':').unwrap_or_default();
    let service = if service == "tag" { "tagging" } else { service };
    rules::denies(call, service, operation, resource)
}

fn given(call: &Call<'_>) -> Context {
    let entry = |entry: &Value| {
        let key = entry["ContextKeyName"].as_str()?.to_ascii_lowercase();
        let values = entry["ContextKeyValues"].as_array()?;
        let values = values.iter().filter_map(Value::as_str).map(str::to_owned);
        Some((key, values.collect()))
    };
    call.list("ContextEntries").iter().filter_map(entry).collect()
}

fn view(action: &str, resource: &str, verdict: &Verdict) -> Value {
    let matched: Vec<_> = verdict
        .matched
        .iter()
        .map(|(id, kind)| json!({ "SourcePolicyId": id, "SourcePolicyType": kind }))
        .collect();
    json!({
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": match verdict.decision {
            Decision::Allowed => "allowed",
            Decision::ExplicitDeny => "explicitDeny",
            Decision::ImplicitDeny | Decision::Bounded => "implicitDeny",
        },
        "MatchedStatements": matched,
        "MissingContextValues": verdict.unknown,
        "PermissionsBoundaryDecisionDetail":
            (verdict.decision == Decision::Bounded).then(|| json!({ "AllowedByPermissionsBoundary": false })),
    })
}
