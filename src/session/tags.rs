//! `tags::audit`: which tags of this environment's resources are missing or wrong.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::map;
use crate::resource::{Verb, audit};
use crate::value::Value;

/// What an audit looks for beside what it always does.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Tags that every resource must have, whatever the environment file says: `["owner", "cost-center"]`.
    #[serde(default)]
    required: Vec<String>,
}

/// `tags::audit`.
pub fn all() -> Vec<Verb> {
    let about = "What is wrong with the tags of this environment's resources, a row for each tag: `missing`, `differs` from the \
                 environment file, `no longer wanted` by it, or `not of iacsh`. The next run of the scripts puts the first \
                 three right where they ensure the resource; what others put there stays. No rows: all is well.";
    let audit = Verb::reads("tags", "audit", about)
        .optional::<Options>(
            "options",
            "#{ required: [...] }: tags that must be there, whatever the environment file says",
        )
        .run(async |cx, args| {
            let options: Options = args
                .into_iter()
                .next()
                .map(Value::read)
                .transpose()?
                .unwrap_or_default();
            let findings = audit::audit(&cx.engine, &options.required).await?;
            let row = |finding: audit::Finding| {
                Value::Map(map! {
                    "resource" => finding.resource,
                    "tag" => finding.key,
                    "problem" => finding.problem.as_str(),
                    "is" => finding.live,
                    "should_be" => finding.wanted,
                    "id" => finding.id,
                })
            };
            Ok(Value::List(findings.into_iter().map(row).collect()))
        });
    vec![audit]
}
