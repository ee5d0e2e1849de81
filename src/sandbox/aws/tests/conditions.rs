//! Rules as a user meets them: refusals in the service's words, limits, what is seen late, what fails to start.

use super::super::rules::{Effect, Rule};
use super::shop::Shop;
use super::*;

fn add(cloud: &Cloud, rule: Rule) -> i64 {
    cloud.sandbox.aws().rules().add(rule).unwrap()
}

#[tokio::test]
async fn a_missing_permission_is_told_in_each_services_words() {
    let cloud = Cloud::new();
    add(&cloud, Rule::new("*", "*", Effect::Deny));
    let (code, message) = refused(cloud.ec2.create_vpc().cidr_block("10.0.0.0/16").send().await);
    assert_eq!(code, "UnauthorizedOperation");
    assert!(
        message.starts_with("You are not authorized to perform this operation."),
        "{message}"
    );
    let iam = aws_sdk_iam::Client::new(&cloud.config);
    assert_eq!(
        refused(iam.get_role().role_name("task").send().await),
        (
            "AccessDenied".into(),
            "User: arn:aws:iam::000000000000:user/sandbox is not authorized to perform: iam:GetRole because no \
             identity-based policy allows the iam:GetRole action"
                .into()
        )
    );
    let ecs = aws_sdk_ecs::Client::new(&cloud.config);
    assert_eq!(
        super::code(ecs.create_service().service_name("web").send().await),
        "AccessDeniedException"
    );
    let tagging = aws_sdk_resourcegroupstagging::Client::new(&cloud.config);
    let (_, message) = refused(tagging.get_resources().send().await);
    assert!(message.contains("perform: tag:GetResources"), "{message}");
}

#[tokio::test]
async fn too_many_requests_are_told_in_each_services_words() {
    let cloud = Cloud::new();
    add(&cloud, Rule::new("*", "*", Effect::Throttle));
    let ssm = aws_sdk_ssm::Client::new(&cloud.config);
    let cache = aws_sdk_elasticache::Client::new(&cloud.config);
    let tagging = aws_sdk_resourcegroupstagging::Client::new(&cloud.config);
    assert_eq!(code(cloud.ec2.describe_vpcs().send().await), "RequestLimitExceeded");
    assert_eq!(code(ssm.get_parameter().name("/a").send().await), "ThrottlingException");
    assert_eq!(code(cache.describe_replication_groups().send().await), "Throttling");
    assert_eq!(code(tagging.get_resources().send().await), "ThrottledException");
}

#[tokio::test]
async fn another_process_meets_the_rules_of_this_one() {
    let cloud = Cloud::new();
    let other = Sandbox::open(cloud.path(), Options::default()).unwrap();
    let theirs = aws_sdk_ec2::Client::new(&config(&other, "eu-central-1"));
    let id = add(&cloud, Rule::new("ec2", "DescribeVpcs", Effect::Deny).times(1));
    assert_eq!(code(theirs.describe_vpcs().send().await), "UnauthorizedOperation");
    theirs.describe_vpcs().send().await.unwrap();
    let listed = other.aws().rules().list().unwrap();
    let [rule] = listed.as_slice() else {
        panic!("{listed:?}")
    };
    assert_eq!((rule.id, rule.seen, rule.met), (id, 2, 1));
    assert!(other.aws().rules().remove(id).unwrap());
    assert!(cloud.sandbox.aws().rules().list().unwrap().is_empty());
}

#[tokio::test]
async fn declaring_rules_again_doubles_nothing_and_keeps_their_counts() {
    let cloud = Cloud::new();
    let rules = cloud.sandbox.aws().rules();
    let declared = [
        Rule::new("ec2", "CreateVpc", Effect::Throttle).times(2),
        Rule::new("ssm", "*", Effect::Deny),
    ];
    rules.declare("environments/a.toml", &declared).unwrap();
    cloud.vpc("10.0.0.0/16").await;
    rules.add(Rule::new("iam", "*", Effect::Deny)).unwrap();
    rules.declare("environments/a.toml", &declared).unwrap();
    let kept = rules.list().unwrap();
    let counts: Vec<_> = kept
        .iter()
        .map(|listed| (listed.rule.service.as_str(), listed.met))
        .collect();
    assert_eq!(counts, [("ec2", 2), ("ssm", 0), ("iam", 0)]);
    // What the file no longer says is gone, and so is what another file says; what was added by hand stays.
    let kept = || {
        let listed = rules.list().unwrap();
        listed
            .into_iter()
            .map(|listed| (listed.rule.service, listed.source))
            .collect::<Vec<_>>()
    };
    let own = |service: &str, source: &str| (service.to_owned(), source.to_owned());
    rules.declare("environments/a.toml", &declared[1..]).unwrap();
    assert_eq!(kept(), [own("ssm", "environments/a.toml"), own("iam", "")]);
    rules.declare("environments/b.toml", &declared[..1]).unwrap();
    assert_eq!(kept(), [own("iam", ""), own("ec2", "environments/b.toml")]);
    rules.declare("environments/c.toml", &[]).unwrap();
    assert_eq!(kept(), [own("iam", "")]);
}

#[tokio::test]
async fn a_rule_about_a_resource_meets_only_calls_that_name_it() {
    let cloud = Cloud::new();
    let (one, other) = (cloud.vpc("10.0.0.0/16").await, cloud.vpc("10.1.0.0/16").await);
    add(&cloud, Rule::new("ec2", "Delete*", Effect::Deny).resource(&one));
    assert_eq!(
        code(cloud.ec2.delete_vpc().vpc_id(&one).send().await),
        "UnauthorizedOperation"
    );
    cloud.ec2.delete_vpc().vpc_id(&other).send().await.unwrap();
}

#[tokio::test]
async fn quotas_refuse_with_the_services_codes_and_make_nothing() {
    let cloud = Cloud::new();
    let limit = |service: &str, noun: &str, most: u64| {
        let noun = noun.to_owned();
        add(&cloud, Rule::new(service, "*", Effect::Limit { noun, most }));
    };
    limit("ec2", "vpcs", 2);
    limit("ec2", "addresses", 1);
    limit("ec2", "ingress_rules", 2);
    limit("ec2", "subnets", 1);
    limit("iam", "roles", 0);
    let vpc = cloud.vpc("10.0.0.0/16").await;
    cloud.vpc("10.1.0.0/16").await;
    assert_eq!(
        refused(cloud.ec2.create_vpc().cidr_block("10.2.0.0/16").send().await),
        (
            "VpcLimitExceeded".into(),
            "The maximum number of VPCs has been reached.".into()
        )
    );
    assert_eq!(cloud.ec2.describe_vpcs().send().await.unwrap().vpcs().len(), 2);
    cloud.address().await;
    assert_eq!(code(cloud.ec2.allocate_address().send().await), "AddressLimitExceeded");
    // Each VPC has its own subnets, each group its own rules, and the way out is counted apart.
    cloud.subnet(&vpc, "10.0.0.0/24").await;
    let more = cloud.ec2.create_subnet().vpc_id(&vpc).cidr_block("10.0.1.0/24");
    assert_eq!(code(more.send().await), "SubnetLimitExceeded");
    let group = cloud.group(&vpc, "web").await;
    let open = async |port: i32| {
        let open = cloud.ec2.authorize_security_group_ingress().group_id(&group);
        open.ip_protocol("tcp")
            .from_port(port)
            .to_port(port)
            .cidr_ip("10.0.0.0/8")
            .send()
            .await
    };
    open(80).await.unwrap();
    open(81).await.unwrap();
    assert_eq!(code(open(82).await), "RulesPerSecurityGroupLimitExceeded");
    // Another region has its own.
    let elsewhere = aws_sdk_ec2::Client::new(&config(&cloud.sandbox, "us-east-1"));
    elsewhere.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap();
    let iam = aws_sdk_iam::Client::new(&cloud.config);
    let role = iam.create_role().role_name("task").assume_role_policy_document(
        r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}}"#,
    );
    assert_eq!(
        refused(role.send().await),
        (
            "LimitExceeded".into(),
            "Cannot exceed quota for RolesPerAccount: 0".into()
        )
    );
}

#[tokio::test]
async fn what_was_made_is_seen_after_a_while_and_what_is_gone_lingers() {
    let cloud = Cloud::new();
    let tagging = aws_sdk_resourcegroupstagging::Client::new(&cloud.config);
    let seen = async || {
        let all = tagging.get_resources().send().await.unwrap();
        all.resource_tag_mapping_list().len()
    };
    let noun = "vpcs".to_owned();
    add(&cloud, Rule::new("*", "*", Effect::Eventually { noun, time: 2000 }));
    let made = cloud
        .ec2
        .create_vpc()
        .cidr_block("10.0.0.0/16")
        .tag_specifications(tagged(ResourceType::Vpc, &[("Name", "late")]));
    let id = made.send().await.unwrap().vpc.unwrap().vpc_id.unwrap();
    assert!(cloud.ec2.describe_vpcs().send().await.unwrap().vpcs().is_empty());
    assert_eq!(
        code(cloud.ec2.describe_vpcs().vpc_ids(&id).send().await),
        "InvalidVpcID.NotFound"
    );
    assert_eq!(seen().await, 0);
    // What comes with it is another kind.
    assert_eq!(
        cloud
            .ec2
            .describe_security_groups()
            .send()
            .await
            .unwrap()
            .security_groups()
            .len(),
        1
    );
    cloud.pass(Duration::from_secs(2));
    cloud.ec2.describe_vpcs().vpc_ids(&id).send().await.unwrap();
    assert_eq!(seen().await, 1);
    cloud.ec2.delete_vpc().vpc_id(&id).send().await.unwrap();
    assert!(cloud.ec2.describe_vpcs().send().await.unwrap().vpcs().is_empty());
    assert_eq!(seen().await, 1, "the Tagging API is behind");
    cloud.pass(Duration::from_secs(3));
    assert_eq!(seen().await, 0);
}

#[tokio::test]
async fn a_share_of_the_calls_fails_and_the_same_ones_with_the_same_seed() {
    let course = async |seed: u64| {
        let cloud = Cloud::new();
        let fault = super::super::call::Fault::new("SomeError", "by rule");
        add(
            &cloud,
            Rule::new("ec2", "DescribeVpcs", Effect::fail(&fault)).share(0.5, seed),
        );
        let mut course = Vec::new();
        for _ in 0..20 {
            course.push(cloud.ec2.describe_vpcs().send().await.is_ok());
        }
        course
    };
    let first = course(7).await;
    assert!(first.contains(&true) && first.contains(&false));
    assert_eq!(course(7).await, first);
    assert_ne!(course(8).await, first);
}

#[test]
fn time_is_moved_for_all_and_only_where_the_clock_is_virtual() {
    let dir = tempfile::tempdir().unwrap();
    let open = |clock: Clock| {
        let options = Options {
            clock,
            ..Options::default()
        };
        Sandbox::open(dir.path(), options).unwrap()
    };
    let (system, own) = (open(Clock::System), open(Clock::Virtual));
    let error = system.aws().advance(Duration::from_secs(1)).unwrap_err();
    assert!(error.help().unwrap().contains("clock = \"virtual\""), "{error}");
    let before = own.aws().now().unwrap();
    own.aws().advance(Duration::from_secs(3600)).unwrap();
    own.aws().advance(Duration::from_secs(3600)).unwrap();
    for sandbox in [&system, &own] {
        let passed = sandbox.aws().now().unwrap() - before;
        assert!((7_200_000..7_260_000).contains(&passed), "{passed}");
    }
}

/// The reason with which the newest stopped task stopped.
async fn stopped(shop: &Shop) -> String {
    let stopped = aws_sdk_ecs::types::DesiredStatus::Stopped;
    let listed = shop
        .ecs
        .list_tasks()
        .cluster("main")
        .desired_status(stopped)
        .send()
        .await;
    let tasks = listed.unwrap().task_arns;
    let found = shop
        .ecs
        .describe_tasks()
        .cluster("main")
        .set_tasks(tasks)
        .send()
        .await
        .unwrap();
    let newest = found
        .tasks()
        .iter()
        .max_by_key(|task| task.stopped_at().map(|at| at.as_nanos()));
    newest
        .and_then(|task| task.stopped_reason())
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test]
async fn a_bad_image_rolls_a_deployment_back() {
    let shop = Shop::new().await;
    let good = shop.define("1", None).await;
    shop.create(&good, 1).await;
    shop.pass(600);
    let bad = shop.define("1", None).await;
    add(&shop.cloud, Rule::about("shop:1", Effect::BadImage));
    shop.update(&bad).await;
    shop.pass(70);
    let reason = stopped(&shop).await;
    assert!(reason.starts_with("CannotPullContainerError"), "{reason}");
    shop.pass(3600);
    assert_eq!(shop.service().await.task_definition(), Some(good.as_str()));
    assert_eq!(shop.service().await.running_count(), 1, "the old task serves on");
}

#[tokio::test]
async fn targets_that_fail_their_checks_are_replaced_until_the_rule_is_gone() {
    let shop = Shop::new().await;
    shop.create(&shop.define("1", None).await, 1).await;
    shop.pass(600);
    assert_eq!(shop.health().await, ["healthy"]);
    let id = add(&shop.cloud, Rule::about("shop", Effect::Unhealthy));
    shop.service().await;
    shop.pass(60);
    let service = shop.service().await;
    let told = service.events().iter().any(|event| {
        let message = event.message().unwrap_or_default();
        message.contains("is unhealthy in (target-group") && message.contains("Health checks failed")
    });
    assert!(told, "{:?}", service.events());
    assert!(!shop.health().await.contains(&"healthy".to_owned()));
    shop.cloud.sandbox.aws().rules().remove(id).unwrap();
    shop.pass(7200);
    shop.service().await;
    shop.pass(600);
    shop.service().await;
    assert_eq!(shop.health().await, ["healthy"]);
    assert_eq!(shop.service().await.running_count(), 1);
}

#[tokio::test]
async fn a_lost_task_is_replaced() {
    let shop = Shop::new().await;
    shop.create(&shop.define("1", None).await, 2).await;
    shop.pass(600);
    assert_eq!(shop.service().await.running_count(), 2);
    add(&shop.cloud, Rule::about("shop", Effect::LoseTask).times(1));
    shop.service().await;
    shop.pass(1200);
    assert_eq!(shop.service().await.running_count(), 2);
    assert_eq!(stopped(&shop).await, "Essential container in task exited");
    shop.pass(1200);
    let rules = shop.cloud.sandbox.aws().rules().list().unwrap();
    assert_eq!(rules[0].met, 1, "once is once");
}

#[tokio::test]
async fn a_secret_that_a_rule_takes_away_fails_the_start() {
    let shop = Shop::new().await;
    let secrets = aws_sdk_secretsmanager::Client::new(&shop.cloud.config);
    let made = secrets.create_secret().name("password").secret_string("x").send().await;
    let arn = made.unwrap().arn.unwrap();
    add(&shop.cloud, Rule::about("password*", Effect::MissingSecret));
    shop.create(&shop.define("1", Some(&arn)).await, 1).await;
    shop.pass(70);
    shop.service().await;
    let reason = stopped(&shop).await;
    assert!(
        reason.contains("Secrets Manager can't find the specified secret"),
        "{reason}"
    );
}
