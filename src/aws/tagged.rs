//! `tags::resources`: what carries the environment's tags, and what they say.

use super::{Aws, sweep};
use crate::map;
use crate::resource::{Verb, tags};
use crate::value::Value;

pub fn verbs(aws: &Aws) -> Vec<Verb> {
    let (aws, of_untagged) = (aws.clone(), aws);
    let resources = Verb::reads(
        "tags",
        "resources",
        "Everything with this environment's tags, as the Resource Groups Tagging API lists it: who owns it, who pays for it, \
         which script ensured it, who made it and when. IAM roles are not in it, and what was just deleted may still be.",
    )
    .actions(&["tag:GetResources"])
    .run(move |cx, _| {
        let aws = aws.clone();
        async move {
            cx.engine.pass_gate().await?;
            let mut found = sweep::tagged(&aws, cx.engine.scope()).await?;
            found.sort_by(|(first, _), (second, _)| first.cmp(second));
            let rows = found.into_iter().map(|(arn, of)| {
                let tag = |key: &str| of.get(key).cloned().unwrap_or_default();
                Value::Map(map! {
                    "resource" => tag(tags::ID),
                    "section" => tag(tags::SECTION),
                    "owner" => tag("owner"),
                    "cost_center" => tag("cost-center"),
                    "expires_at" => tag(tags::EXPIRES_AT),
                    "created_by" => tag(tags::CREATED_BY),
                    "created_at" => tag(tags::CREATED_AT),
                    "arn" => arn,
                })
            });
            Ok(Value::List(rows.collect()))
        }
    });
    vec![resources, super::untagged::verb(of_untagged)]
}
