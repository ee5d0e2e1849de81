//! Which permissions are missing, before anything is made.
//!
//! Source: IAM API reference, SimulatePrincipalPolicy. It knows the policies of the caller, their boundary and those of the
//! organisation, and not the policies of resources. What it says is allowed can still be refused; what it says is not
//! allowed is missing.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};
use futures::future::try_join_all;

use super::Aws;
use super::error::Call;
use super::policy::{Facts, samples};
use super::reads::is_read_action;
use crate::error::{Error, Result};

/// Actions that are needed at times only: the roles of services are made once in an account, keys and private zones are
/// AWS's own unless somebody chose others, and the images of the sandbox are simulated.
const AT_TIMES: [&str; 4] = [
    "ecr:PutImage",
    "iam:CreateServiceLinkedRole",
    "kms:Decrypt",
    "route53:AssociateVPCWithHostedZone",
];

/// Whether all actions that write are allowed on this environment's resources. `tell` is given what a person should know
/// where that cannot be asked.
///
/// # Errors
/// The actions that are not allowed.
pub async fn check(aws: &Aws, facts: &Facts, actions: &BTreeSet<&str>, tell: impl Fn(&str)) -> Result<()> {
    // An imitation of AWS behind an endpoint has no such operation, or one that allows everything.
    if aws.has_endpoint && !aws.is_sandbox {
        return Ok(());
    }
    let missing = match principal(aws).await {
        None => return Ok(()),
        Some(principal) => missing(aws, facts, &principal, actions).await,
    };
    let missing = match missing {
        Ok(missing) => missing,
        Err(error) => {
            tell(&format!(
                "permissions could not be checked before the first write: {error}"
            ));
            return Ok(());
        }
    };
    if missing.is_empty() {
        return Ok(());
    }
    let count = match missing.len() {
        1 => "a permission that this run needs is missing".to_owned(),
        count => format!("{count} permissions that this run needs are missing"),
    };
    let caller = aws.caller.get().map(String::as_str).unwrap_or_default();
    let error = Error::config(format!("{count}: nothing was changed"))
        .hint(format!(
            "`iacsh iam policy --env {}` prints policies that have them",
            facts.environment
        ))
        .note(format!("the credentials in use are those of {caller}"));
    Err(missing
        .iter()
        .fold(error, |error, action| error.note(format!("missing: {action}"))))
}

/// The user or role whose policies count. `None` for one who has none, such as the account's root.
async fn principal(aws: &Aws) -> Option<String> {
    let caller = aws.caller.get()?;
    let resource = caller.splitn(6, ':').nth(5)?;
    let mut parts = resource.split('/');
    match parts.next()? {
        "user" | "role" => Some(caller.clone()),
        // The session of a role names neither the role's ARN nor its path.
        "assumed-role" => {
            let name = parts.next()?;
            let answer = aws.iam.get_role().role_name(name).send().await.ok()?;
            answer.role.map(|role| role.arn)
        }
        _ => None,
    }
}

/// The actions that are not allowed on any of the environment's resources. One request for each service, because all
/// actions of a request are tried on all its resources.
pub(super) async fn missing(
    aws: &Aws,
    facts: &Facts,
    principal: &str,
    actions: &BTreeSet<&str>,
) -> Result<BTreeSet<String>> {
    let mut services: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for action in actions {
        if !is_read_action(action) && !AT_TIMES.contains(action) {
            services
                .entry(action.split(':').next().unwrap_or_default())
                .or_default()
                .push(action);
        }
    }
    let asked = services.values().map(async |actions| {
        let sample = samples(facts, actions.iter().copied());
        let context = sample.context.into_iter().map(|(key, values)| {
            let entry = ContextEntry::builder().context_key_name(key);
            let entry = entry.context_key_type(ContextKeyTypeEnum::StringList);
            entry.set_context_key_values(Some(values)).build()
        });
        let pages = aws
            .iam
            .simulate_principal_policy()
            .policy_source_arn(principal)
            .set_action_names(Some(actions.iter().map(|action| (*action).to_owned()).collect()))
            .set_resource_arns(Some(sample.resources))
            .set_context_entries(Some(context.collect()))
            .max_items(1000);
        let results = pages.into_paginator().items().send().try_collect().await;
        let results: Vec<EvaluationResult> = results.call("iam:SimulatePrincipalPolicy")?;
        let allowed: BTreeSet<&str> = results
            .iter()
            .filter(|result| is_allowed(result))
            .map(EvaluationResult::eval_action_name)
            .collect();
        let missing = actions.iter().filter(|action| !allowed.contains(*action));
        Ok::<_, Error>(missing.map(|action| (*action).to_owned()).collect::<Vec<_>>())
    });
    Ok(try_join_all(asked).await?.into_iter().flatten().collect())
}

fn is_allowed(result: &EvaluationResult) -> bool {
    let allowed = &PolicyEvaluationDecisionType::Allowed;
    let mut of_resources = result.resource_specific_results().iter();
    result.eval_decision() == allowed || of_resources.any(|one| one.eval_resource_decision() == allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::policy::documents;
    use crate::aws::testing::World;
    use crate::sandbox::ACCOUNT;

    fn facts(environment: &str) -> Facts {
        Facts {
            partition: "aws".into(),
            region: "eu-west-1".into(),
            account: ACCOUNT.into(),
            project: "shop".into(),
            environment: environment.into(),
            given: Vec::new(),
            host: None,
            zone: None,
            adopts: false,
        }
    }

    fn actions(aws: &Aws) -> BTreeSet<&'static str> {
        let kinds = crate::aws::kinds(aws);
        let of_kinds = kinds.iter().flat_map(|kind| kind.about().actions.iter().copied());
        let verbs = crate::aws::verbs(aws);
        let of_verbs = verbs.iter().flat_map(|verb| verb.actions.iter().copied());
        of_kinds.chain(of_verbs).collect()
    }

    /// A role with the policies of an environment.
    async fn role(aws: &Aws, name: &str, environment: &str, plan: bool) -> String {
        let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
        let role = aws.iam.create_role().role_name(name).assume_role_policy_document(trust);
        let arn = role.send().await.unwrap().role.unwrap().arn;
        let (policies, _) = documents(&facts(environment), actions(aws), plan);
        for (place, policy) in policies.iter().enumerate() {
            let made = aws.iam.create_policy().policy_name(format!("{name}-{place}"));
            let made = made.policy_document(policy.document.to_string()).send().await.unwrap();
            let attach = aws.iam.attach_role_policy().role_name(name);
            let attach = attach.policy_arn(made.policy.unwrap().arn.unwrap());
            attach.send().await.unwrap();
        }
        arn
    }

    /// The sandbox's own reading of policies finds in ours what the program asks for, and nothing beyond.
    #[tokio::test]
    async fn the_policies_allow_their_own_environment_and_no_other() {
        let world = World::sandbox();
        let (aws, all) = (&world.aws, actions(&world.aws));
        let deploy = role(aws, "deploy", "dev", false).await;
        let none = BTreeSet::<String>::new();
        assert_eq!(missing(aws, &facts("dev"), &deploy, &all).await.unwrap(), none);

        let others = missing(aws, &facts("production"), &deploy, &all).await.unwrap();
        let writes = all
            .iter()
            .filter(|action| !is_read_action(action) && !AT_TIMES.contains(action));
        let allowed = writes.filter(|action| !others.contains(**action)).copied();
        // Repositories are the project's, and any snapshot can be restored; the rest takes no resource, or has a host that
        // is not known here.
        assert_eq!(
            allowed.filter(|action| !action.starts_with("ecr:")).collect::<Vec<_>>(),
            [
                "ecs:DeregisterTaskDefinition",
                "rds:RestoreDBInstanceFromDBSnapshot",
                "route53:ChangeResourceRecordSets"
            ]
        );

        let plan = role(aws, "plan", "dev", true).await;
        let lacks = missing(aws, &facts("dev"), &plan, &all).await.unwrap();
        assert!(
            lacks.contains("ec2:CreateVpc") && lacks.contains("iam:PassRole"),
            "{lacks:?}"
        );
    }
}
