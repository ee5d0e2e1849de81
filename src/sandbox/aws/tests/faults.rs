//! Faults by rule, and how the SDK takes them.

use std::time::Duration;

use super::super::call::Fault;
use super::super::rules::{Effect, Rule};
use super::*;

fn inject(cloud: &Cloud, service: &str, action: &str, times: Option<u32>, effect: Effect) {
    let rules = cloud.sandbox.aws().rules();
    rules.clear().unwrap();
    let rule = Rule {
        times,
        ..Rule::new(service, action, effect)
    };
    rules.add(rule).unwrap();
}

#[tokio::test]
async fn a_call_that_is_throttled_once_works_at_the_second_attempt() {
    let cloud = Cloud::new();
    inject(&cloud, "ec2", "CreateVpc", Some(1), Effect::Throttle);
    cloud.vpc("10.0.0.0/16").await;
    assert_eq!(cloud.ec2.describe_vpcs().send().await.unwrap().vpcs().len(), 1);
    let ssm = aws_sdk_ssm::Client::new(&cloud.config);
    inject(&cloud, "ssm", "*", None, Effect::Throttle);
    assert_eq!(code(ssm.get_parameter().name("/a").send().await), "ThrottlingException");
}

#[tokio::test]
async fn a_refused_call_carries_the_rules_error() {
    let cloud = Cloud::new();
    let denied = Fault::new(
        "UnauthorizedOperation",
        "You are not authorized to perform this operation.",
    )
    .status(403);
    inject(&cloud, "*", "*", None, Effect::fail(&denied));
    assert_eq!(code(cloud.ec2.describe_vpcs().send().await), "UnauthorizedOperation");
}

#[tokio::test]
async fn a_lost_answer_leaves_its_effect_and_the_retry_doubles_it() {
    let cloud = Cloud::new();
    inject(&cloud, "ec2", "CreateVpc", Some(1), Effect::LoseAnswer);
    cloud.vpc("10.0.0.0/16").await;
    // CreateVpc has no client token: this is what really happens.
    assert_eq!(cloud.ec2.describe_vpcs().send().await.unwrap().vpcs().len(), 2);
}

#[tokio::test]
async fn a_network_that_stays_away_is_an_error_and_a_delay_is_none() {
    let cloud = Cloud::new();
    inject(&cloud, "ec2", "*", None, Effect::Unreachable);
    let error = cloud.ec2.describe_vpcs().send().await.unwrap_err();
    assert!(matches!(error, SdkError::DispatchFailure(_)), "{error:?}");
    inject(&cloud, "ec2", "*", None, Effect::delay(Duration::from_millis(1)));
    cloud.ec2.describe_vpcs().send().await.unwrap();
}
