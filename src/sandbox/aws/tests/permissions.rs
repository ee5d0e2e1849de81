//! What a role may do, as SimulatePrincipalPolicy tells it.

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType};

use super::*;

const TRUST: &str =
    r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;

#[tokio::test]
async fn policies_are_put_together_as_aws_does() {
    let cloud = Cloud::new();
    let client = aws_sdk_iam::Client::new(&cloud.config);
    let create = |name: &str, boundary: Option<String>| {
        client
            .create_role()
            .role_name(name)
            .assume_role_policy_document(TRUST)
            .set_permissions_boundary(boundary)
            .send()
    };
    create("task", None).await.unwrap();
    let put = client.put_role_policy().role_name("task").policy_name("parameters");
    put.policy_document(
        r#"{"Statement":[
            {"Effect":"Allow","Action":"ssm:Get*","Resource":"arn:aws:ssm:*:*:parameter/shop/*"},
            {"Effect":"Allow","Action":"logs:*","Resource":"*","Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1"}}}]}"#,
    )
    .send()
    .await
    .unwrap();
    let deny = r#"{"Statement":{"Effect":"Deny","Action":"ssm:GetParameters","Resource":"arn:aws:ssm:*:*:parameter/shop/secret"}}"#;
    let made = client.create_policy().policy_name("deny").policy_document(deny);
    let deny = made.send().await.unwrap().policy.unwrap().arn.unwrap();
    let attach = client.attach_role_policy().role_name("task").policy_arn(&deny);
    attach.send().await.unwrap();

    let simulate = |role: &str| {
        client
            .simulate_principal_policy()
            .policy_source_arn(format!("arn:aws:iam::000000000000:role/{role}"))
    };
    let parameter = |name: &str| format!("arn:aws:ssm:eu-central-1:000000000000:parameter/{name}");
    let results = simulate("task")
        .action_names("ssm:GetParameters")
        .resource_arns(parameter("shop/url"))
        .resource_arns(parameter("other/url"))
        .resource_arns(parameter("shop/secret"))
        .send()
        .await
        .unwrap();
    let decisions: Vec<_> = results
        .evaluation_results()
        .iter()
        .map(|result| result.eval_decision().as_str())
        .collect();
    assert_eq!(decisions, ["allowed", "implicitDeny", "explicitDeny"]);
    let matched = |place: usize| {
        results.evaluation_results()[place].matched_statements()[0]
            .source_policy_id()
            .unwrap()
    };
    assert_eq!((matched(0), matched(2)), ("parameters", "deny"));

    // A condition on what is not known is told; with the value given, it is judged.
    let logs = || simulate("task").action_names("logs:CreateLogStream");
    let result = logs().send().await.unwrap().evaluation_results.unwrap().remove(0);
    assert_eq!(result.eval_decision(), &PolicyEvaluationDecisionType::ImplicitDeny);
    assert_eq!(result.missing_context_values(), ["aws:SourceVpc"]);
    let vpc = ContextEntry::builder()
        .context_key_name("aws:SourceVpc")
        .context_key_type(ContextKeyTypeEnum::String)
        .context_key_values("vpc-1")
        .build();
    let result = logs().context_entries(vpc).send().await.unwrap();
    assert_eq!(
        result.evaluation_results()[0].eval_decision(),
        &PolicyEvaluationDecisionType::Allowed
    );

    // A permissions boundary takes away what it does not allow.
    let bounds = r#"{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;
    let made = client.create_policy().policy_name("bounds").policy_document(bounds);
    let bounds = made.send().await.unwrap().policy.unwrap().arn.unwrap();
    create("bounded", Some(bounds)).await.unwrap();
    let all = "arn:aws:iam::aws:policy/AdministratorAccess";
    let attach = client.attach_role_policy().role_name("bounded").policy_arn(all);
    attach.send().await.unwrap();
    let results = simulate("bounded")
        .action_names("s3:GetObject")
        .action_names("ssm:GetParameters")
        .send()
        .await
        .unwrap();
    let [allowed, denied] = results.evaluation_results() else {
        panic!("{results:?}")
    };
    assert_eq!(allowed.eval_decision(), &PolicyEvaluationDecisionType::Allowed);
    assert_eq!(denied.eval_decision(), &PolicyEvaluationDecisionType::ImplicitDeny);
    let detail = denied.permissions_boundary_decision_detail().unwrap();
    assert!(!detail.allowed_by_permissions_boundary());
    assert_eq!(
        code(simulate("none").action_names("s3:GetObject").send().await),
        "NoSuchEntity"
    );
}

#[tokio::test]
async fn a_service_linked_role_is_deleted_by_a_task() {
    let cloud = Cloud::new();
    let client = aws_sdk_iam::Client::new(&cloud.config);
    let create = client
        .create_service_linked_role()
        .aws_service_name("ecs.amazonaws.com");
    create.send().await.unwrap();
    let role = "AWSServiceRoleForECS";
    assert_eq!(
        code(client.delete_role().role_name(role).send().await),
        "UnmodifiableEntity"
    );
    let deleted = client
        .delete_service_linked_role()
        .role_name(role)
        .send()
        .await
        .unwrap();
    let status = client.get_service_linked_role_deletion_status();
    let status = status
        .deletion_task_id(deleted.deletion_task_id())
        .send()
        .await
        .unwrap();
    assert_eq!(status.status().as_str(), "SUCCEEDED");
    assert_eq!(code(client.get_role().role_name(role).send().await), "NoSuchEntity");
}
