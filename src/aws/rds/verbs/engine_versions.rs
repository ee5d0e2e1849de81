//! Which versions of an engine there are.

use crate::aws::Aws;
use crate::aws::error::Call;
use crate::error::Result;
use crate::map;
use crate::resource::{Verb, VerbContext};
use crate::value::Value;

pub fn verb(aws: &Aws) -> Verb {
    let aws = aws.clone();
    Verb::reads(
        "rds",
        "engine_versions",
        "The versions of an engine that RDS has in this region: a list of maps with version, family (what a parameter \
         group takes), major (what an option group takes) and about.",
    )
    .param::<String>("engine", "such as `sqlserver-ex` or `sqlserver-se`")
    .actions(&["rds:DescribeDBEngineVersions"])
    .run(move |cx, args| engine_versions(aws.clone(), cx, args))
}

async fn engine_versions(aws: Aws, cx: VerbContext, args: Vec<Value>) -> Result<Value> {
    let engine: String = args.into_iter().next().unwrap_or_default().read()?;
    cx.engine.pass_gate().await?;
    let call = aws.rds.describe_db_engine_versions().engine(engine);
    let found = call.into_paginator().items().send().try_collect().await;
    let versions = found.call("rds:DescribeDBEngineVersions")?;
    let row = |version: &aws_sdk_rds::types::DbEngineVersion| {
        Value::Map(map! {
            "version" => version.engine_version(),
            "family" => version.db_parameter_group_family(),
            "major" => version.major_engine_version(),
            "about" => version.db_engine_version_description(),
        })
    };
    Ok(Value::List(versions.iter().map(row).collect()))
}
