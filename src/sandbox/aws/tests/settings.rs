//! Parameters, secrets, roles: what keeps settings and permissions.

use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType};
use aws_sdk_ssm::types::{ParameterType, Tag};

use super::*;

#[tokio::test]
async fn a_parameter_without_overwrite_is_put_once_and_is_found_in_pages() {
    let cloud = Cloud::new();
    let client = aws_sdk_ssm::Client::new(&cloud.config);
    let put = |name: String, value: &'static str| {
        client
            .put_parameter()
            .name(name)
            .value(value)
            .r#type(ParameterType::String)
    };
    for number in 0..12 {
        put(format!("/shop/test/lease/{number:02}"), "x").send().await.unwrap();
    }
    put("/shop/test/deep/er/one".into(), "x").send().await.unwrap();
    assert_eq!(
        code(put("/shop/test/lease/00".into(), "y").send().await),
        "ParameterAlreadyExists"
    );
    let both = put("/shop/test/lease/00".into(), "y")
        .overwrite(true)
        .tags(Tag::builder().key("a").value("b").build().unwrap());
    assert_eq!(code(both.send().await), "ValidationException");
    assert_eq!(
        put("/shop/test/lease/00".into(), "y")
            .overwrite(true)
            .send()
            .await
            .unwrap()
            .version(),
        2
    );
    assert_eq!(code(put("/aws/x".into(), "y").send().await), "ValidationException");

    let first = client
        .get_parameters_by_path()
        .path("/shop/test")
        .recursive(true)
        .send()
        .await
        .unwrap();
    assert_eq!(first.parameters().len(), 10);
    let rest = client
        .get_parameters_by_path()
        .path("/shop/test")
        .recursive(true)
        .next_token(first.next_token().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!((rest.parameters().len(), rest.next_token()), (3, None));
    let flat = client
        .get_parameters_by_path()
        .path("/shop/test/")
        .send()
        .await
        .unwrap();
    assert!(flat.parameters().is_empty());

    let deleted = client
        .delete_parameters()
        .names("/shop/test/lease/00")
        .names("/none")
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.invalid_parameters(), ["/none"]);
    assert_eq!(
        code(client.get_parameter().name("/shop/test/lease/00").send().await),
        "ParameterNotFound"
    );
}

#[tokio::test]
async fn a_secure_string_is_shown_only_decrypted_and_lies_sealed() {
    let cloud = Cloud::new();
    let client = aws_sdk_ssm::Client::new(&cloud.config);
    let put = client
        .put_parameter()
        .name("/shop/password")
        .value("correct horse battery")
        .r#type(ParameterType::SecureString);
    put.send().await.unwrap();
    let read = |decrypt| {
        client
            .get_parameter()
            .name("/shop/password")
            .with_decryption(decrypt)
            .send()
    };
    let value =
        |read: aws_sdk_ssm::operation::get_parameter::GetParameterOutput| read.parameter.unwrap().value.unwrap();
    assert_eq!(value(read(true).await.unwrap()), "correct horse battery");
    assert!(!value(read(false).await.unwrap()).contains("horse"));
    for entry in std::fs::read_dir(cloud.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(5).any(|window| window == b"horse"), "{}", path.display());
        }
    }
}

#[tokio::test]
async fn a_deleted_secret_blocks_its_name_until_it_is_restored_or_gone() {
    let cloud = Cloud::new();
    let client = aws_sdk_secretsmanager::Client::new(&cloud.config);
    let token = "11111111-1111-1111-1111-111111111111";
    let tag = aws_sdk_secretsmanager::types::Tag::builder()
        .key("env")
        .value("test")
        .build();
    let create = || {
        client
            .create_secret()
            .name("shop/redis")
            .secret_string("one")
            .client_request_token(token)
            .tags(tag.clone())
    };
    let made = create().send().await.unwrap();
    assert_eq!(
        create().send().await.unwrap().arn(),
        made.arn(),
        "the same token again is the same secret"
    );
    let other = create()
        .client_request_token("22222222-2222-2222-2222-222222222222")
        .send()
        .await;
    assert_eq!(code(other), "ResourceExistsException");

    client
        .put_secret_value()
        .secret_id("shop/redis")
        .secret_string("two")
        .send()
        .await
        .unwrap();
    let read = |stage: &'static str| {
        client
            .get_secret_value()
            .secret_id(made.arn().unwrap())
            .version_stage(stage)
            .send()
    };
    assert_eq!(read("AWSCURRENT").await.unwrap().secret_string(), Some("two"));
    assert_eq!(read("AWSPREVIOUS").await.unwrap().secret_string(), Some("one"));

    client
        .delete_secret()
        .secret_id("shop/redis")
        .recovery_window_in_days(7)
        .send()
        .await
        .unwrap();
    assert_eq!(code(read("AWSCURRENT").await), "InvalidRequestException");
    assert_eq!(code(create().send().await), "InvalidRequestException");
    assert!(client.list_secrets().send().await.unwrap().secret_list().is_empty());
    client.restore_secret().secret_id("shop/redis").send().await.unwrap();
    assert_eq!(read("AWSCURRENT").await.unwrap().secret_string(), Some("two"));
    let filter = Filter::builder()
        .key(FilterNameStringType::TagKey)
        .values("env")
        .build();
    let listed = client.list_secrets().filters(filter).send().await.unwrap();
    assert_eq!(listed.secret_list()[0].tags()[0].value(), Some("test"));

    client
        .delete_secret()
        .secret_id("shop/redis")
        .recovery_window_in_days(7)
        .send()
        .await
        .unwrap();
    cloud.pass(Duration::from_secs(8 * 24 * 3600));
    assert_eq!(code(read("AWSCURRENT").await), "ResourceNotFoundException");
    create().send().await.unwrap();
    client
        .delete_secret()
        .secret_id("shop/redis")
        .force_delete_without_recovery(true)
        .send()
        .await
        .unwrap();
    create().send().await.unwrap();
}

#[tokio::test]
async fn a_role_with_policies_stays() {
    let cloud = Cloud::new();
    let client = aws_sdk_iam::Client::new(&cloud.config);
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
        "Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let create = |document: &str| {
        let tag = aws_sdk_iam::types::Tag::builder()
            .key("env")
            .value("test")
            .build()
            .unwrap();
        client
            .create_role()
            .role_name("shop-task")
            .path("/shop/")
            .assume_role_policy_document(document)
            .tags(tag)
            .send()
    };
    assert_eq!(code(create("{").await), "MalformedPolicyDocument");
    create(trust).await.unwrap();
    assert_eq!(code(create(trust).await), "EntityAlreadyExists");
    let role = client
        .get_role()
        .role_name("shop-task")
        .send()
        .await
        .unwrap()
        .role
        .unwrap();
    assert_eq!(role.arn(), "arn:aws:iam::000000000000:role/shop/shop-task");
    assert_eq!(role.tags()[0].value(), "test");
    assert!(role.assume_role_policy_document().unwrap().starts_with("%7B"));

    let attach = |arn: &'static str| {
        client
            .attach_role_policy()
            .role_name("shop-task")
            .policy_arn(arn)
            .send()
    };
    let execution = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";
    assert_eq!(code(attach("arn:aws:iam::aws:policy/None").await), "NoSuchEntity");
    attach(execution).await.unwrap();
    let inline = r#"{"Statement":{"Effect":"Allow","Action":"ssm:GetParameters","Resource":"*"}}"#;
    client
        .put_role_policy()
        .role_name("shop-task")
        .policy_name("read")
        .policy_document(inline)
        .send()
        .await
        .unwrap();
    let delete = || client.delete_role().role_name("shop-task").send();
    assert_eq!(code(delete().await), "DeleteConflict");
    client
        .detach_role_policy()
        .role_name("shop-task")
        .policy_arn(execution)
        .send()
        .await
        .unwrap();
    assert_eq!(code(delete().await), "DeleteConflict");
    client
        .delete_role_policy()
        .role_name("shop-task")
        .policy_name("read")
        .send()
        .await
        .unwrap();
    delete().await.unwrap();
    assert_eq!(
        code(client.get_role().role_name("shop-task").send().await),
        "NoSuchEntity"
    );
}

#[tokio::test]
async fn a_secret_keeps_its_policy_until_it_is_deleted() {
    let cloud = Cloud::new();
    let secrets = aws_sdk_secretsmanager::Client::new(&cloud.config);
    let create = || secrets.create_secret().name("token").secret_string("x").send();
    create().await.unwrap();
    let policy = || secrets.get_resource_policy().secret_id("token").send();
    assert_eq!(policy().await.unwrap().resource_policy(), None);
    let put = |text: &str| {
        secrets
            .put_resource_policy()
            .secret_id("token")
            .resource_policy(text)
            .send()
    };
    assert_eq!(code(put("{").await), "MalformedPolicyDocumentException");
    let text = r#"{"Version":"2012-10-17","Statement":[]}"#;
    put(text).await.unwrap();
    assert_eq!(policy().await.unwrap().resource_policy(), Some(text));
    secrets
        .delete_resource_policy()
        .secret_id("token")
        .send()
        .await
        .unwrap();
    assert_eq!(policy().await.unwrap().resource_policy(), None);
    put(text).await.unwrap();
    let deleted = secrets
        .delete_secret()
        .secret_id("token")
        .force_delete_without_recovery(true);
    deleted.send().await.unwrap();
    create().await.unwrap();
    assert_eq!(
        policy().await.unwrap().resource_policy(),
        None,
        "it went with its secret"
    );
}
