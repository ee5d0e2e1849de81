//! How the load balancer judges each target.

use aws_sdk_elasticloadbalancingv2::types::{TargetHealthDescription, TargetHealthReasonEnum, TargetHealthStateEnum};

use crate::aws::elb::target_group;
use crate::aws::error::Call;
use crate::aws::{Aws, meant};
use crate::error::Result;
use crate::map;
use crate::resource::verb::Anything;
use crate::resource::{Verb, VerbContext};
use crate::value::Value;

pub fn verb(aws: &Aws) -> Verb {
    let aws = aws.clone();
    Verb::reads(
        "elb",
        "target_health",
        "How the load balancer judges each target of a target group: a list of maps with target (an address), port, zone, \
         state (initial, healthy, unhealthy, draining, unused), reason and description.",
    )
    .param::<Anything>("target_group", "the target group: its handle, a row of the listing, or its name")
    .actions(&["elasticloadbalancing:DescribeTargetHealth"])
    .run(move |cx, args| target_health(aws.clone(), cx, args))
}

async fn target_health(aws: Aws, cx: VerbContext, args: Vec<Value>) -> Result<Value> {
    let group = args.into_iter().next().unwrap_or_default();
    let row = meant::find(&cx.engine, target_group::KIND, &group).await?;
    let answer = aws
        .elb
        .describe_target_health()
        .target_group_arn(meant::text(&row, "arn"))
        .send()
        .await
        .call("elasticloadbalancing:DescribeTargetHealth")?;
    let row = |described: &TargetHealthDescription| {
        let (target, health) = (described.target(), described.target_health());
        Value::Map(map! {
            "target" => target.and_then(|target| target.id()),
            "port" => target.and_then(|target| target.port()),
            "zone" => target.and_then(|target| target.availability_zone()),
            "state" => health.and_then(|health| health.state()).map(TargetHealthStateEnum::as_str),
            "reason" => health.and_then(|health| health.reason()).map(TargetHealthReasonEnum::as_str),
            "description" => health.and_then(|health| health.description()),
        })
    };
    Ok(Value::List(
        answer.target_health_descriptions().iter().map(row).collect(),
    ))
}
