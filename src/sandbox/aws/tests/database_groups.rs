//! RDS: subnet, parameter and option groups, and what there is to choose from.

use aws_sdk_rds::Client;
use aws_sdk_rds::types::{ApplyMethod, OptionConfiguration, OptionSetting, Parameter, Tag};

use super::databases::{Databases, MINUTE};
use super::*;

#[tokio::test]
async fn a_subnet_group_covers_two_zones() {
    let cloud = Cloud::new();
    let vpc = cloud.vpc("10.0.0.0/16").await;
    let one = cloud.subnet(&vpc, "10.0.0.0/24").await;
    let two = cloud.subnet(&vpc, "10.0.1.0/24").await;
    let three = cloud.subnet(&vpc, "10.0.2.0/24").await;
    let client = Client::new(&cloud.config);
    let create = |name: &str, subnets: &[&str]| {
        let subnets = subnets.iter().map(|id| (*id).to_owned()).collect();
        client
            .create_db_subnet_group()
            .db_subnet_group_name(name)
            .db_subnet_group_description("for a test")
            .set_subnet_ids(Some(subnets))
            .send()
    };
    let (code_, message) = refused(create("data", &[&one]).await);
    assert_eq!(code_, "DBSubnetGroupDoesNotCoverEnoughAZs");
    assert_eq!(
        message,
        "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ coverage: \
         eu-central-1a. Add subnets to cover at least 2 AZs."
    );
    let unknown = create("data", &[&one, "subnet-0123456789abcdef0"]).await;
    assert_eq!(code(unknown), "InvalidSubnet");
    let other = cloud.vpc("10.9.0.0/16").await;
    let foreign = cloud.subnet(&other, "10.9.0.0/24").await;
    assert_eq!(code(create("data", &[&one, &foreign]).await), "InvalidSubnet");
    assert_eq!(code(create("default", &[&one, &two]).await), "InvalidParameterValue");
    let made = create("Data_1", &[&one, &two]).await.unwrap().db_subnet_group.unwrap();
    assert_eq!(made.db_subnet_group_name(), Some("data_1"));
    assert_eq!(made.vpc_id(), Some(vpc.as_str()));
    assert_eq!(made.subnet_group_status(), Some("Complete"));
    assert_eq!(
        made.db_subnet_group_arn(),
        Some("arn:aws:rds:eu-central-1:000000000000:subgrp:data_1")
    );
    assert_eq!(made.subnets().len(), 2);
    assert_eq!(
        code(create("data_1", &[&one, &two]).await),
        "DBSubnetGroupAlreadyExists"
    );
    let modified = client
        .modify_db_subnet_group()
        .db_subnet_group_name("data_1")
        .subnet_ids(&two)
        .subnet_ids(&three)
        .send()
        .await
        .unwrap();
    assert_eq!(modified.db_subnet_group.unwrap().subnets().len(), 2);
    let delete = || client.delete_db_subnet_group().db_subnet_group_name("data_1").send();
    delete().await.unwrap();
    assert_eq!(code(delete().await), "DBSubnetGroupNotFoundFault");
}

#[tokio::test]
async fn a_subnet_with_an_instance_stays_in_its_group() {
    let db = Databases::new().await;
    db.ready("shop").await;
    let (three, four) = (
        db.cloud.subnet(&db.vpc, "10.0.2.0/24").await,
        db.cloud.subnet(&db.vpc, "10.0.3.0/24").await,
    );
    let replace = db
        .client
        .modify_db_subnet_group()
        .db_subnet_group_name("data")
        .subnet_ids(&three)
        .subnet_ids(&four)
        .send()
        .await;
    assert_eq!(code(replace), "SubnetAlreadyInUse");
}

fn parameter(name: &str, value: &str, method: ApplyMethod) -> Parameter {
    Parameter::builder()
        .parameter_name(name)
        .parameter_value(value)
        .apply_method(method)
        .build()
}

#[tokio::test]
async fn parameters_know_their_values_and_when_they_apply() {
    let db = Databases::new().await;
    let client = &db.client;
    let create = |name: &'static str, family: &'static str| {
        client
            .create_db_parameter_group()
            .db_parameter_group_name(name)
            .db_parameter_group_family(family)
            .description("for a test")
            .send()
    };
    assert_eq!(code(create("sql", "sqlserver-ex-11.0").await), "InvalidParameterValue");
    create("sql", "sqlserver-ex-16.0").await.unwrap();
    create("old", "sqlserver-ex-15.0").await.unwrap();
    assert_eq!(
        code(create("sql", "sqlserver-ex-16.0").await),
        "DBParameterGroupAlreadyExists"
    );
    let wrong_family = db.create("shop").db_parameter_group_name("old").send().await;
    assert_eq!(code(wrong_family), "InvalidParameterCombination");
    db.create("shop").db_parameter_group_name("sql").send().await.unwrap();
    db.cloud.pass(40 * MINUTE);
    let set = |group: &'static str, parameter: Parameter| {
        client
            .modify_db_parameter_group()
            .db_parameter_group_name(group)
            .parameters(parameter)
            .send()
    };
    let now = ApplyMethod::Immediate;
    let later = ApplyMethod::PendingReboot;
    let (code_, message) = refused(set("sql", parameter("max degree of parallelism", "many", now.clone())).await);
    assert_eq!(code_, "InvalidParameterValue");
    assert!(message.contains("allowed values are: 0-32767"), "{message}");
    let unknown = set("sql", parameter("max_connections", "5", now.clone())).await;
    assert_eq!(code(unknown), "InvalidParameterValue");
    let own = set("sql", parameter("xp_cmdshell", "1", now.clone())).await;
    assert_eq!(code(own), "InvalidParameterValue");
    let (code_, message) = refused(set("sql", parameter("rds.force_ssl", "1", now.clone())).await);
    assert_eq!(code_, "InvalidParameterCombination");
    assert_eq!(message, "cannot use immediate apply method for static parameter");
    let default = set("default.sqlserver-ex-16.0", parameter("clr enabled", "1", now.clone())).await;
    assert_eq!(code(default), "InvalidParameterValue");

    let applied = async || {
        let instance = db.instance("shop").await;
        let status = instance.db_parameter_groups()[0].parameter_apply_status();
        status.unwrap().to_owned()
    };
    set("sql", parameter("cost threshold for parallelism", "50", now))
        .await
        .unwrap();
    assert_eq!(applied().await, "in-sync", "a dynamic one, at once");
    set("sql", parameter("rds.force_ssl", "1", later)).await.unwrap();
    assert_eq!(applied().await, "pending-reboot");
    client
        .reboot_db_instance()
        .db_instance_identifier("shop")
        .send()
        .await
        .unwrap();
    db.cloud.pass(10 * MINUTE);
    assert_eq!(applied().await, "in-sync");

    let changed = client
        .describe_db_parameters()
        .db_parameter_group_name("sql")
        .source("user")
        .send()
        .await
        .unwrap();
    let values: Vec<_> = changed
        .parameters()
        .iter()
        .map(|parameter| {
            (
                parameter.parameter_name().unwrap(),
                parameter.parameter_value().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        values,
        [("cost threshold for parallelism", "50"), ("rds.force_ssl", "1")]
    );
    assert_eq!(changed.parameters()[1].apply_type(), Some("static"));
    client
        .reset_db_parameter_group()
        .db_parameter_group_name("sql")
        .reset_all_parameters(true)
        .send()
        .await
        .unwrap();
    assert_eq!(applied().await, "pending-reboot");

    let delete = |name: &'static str| client.delete_db_parameter_group().db_parameter_group_name(name).send();
    assert_eq!(code(delete("sql").await), "InvalidDBParameterGroupState");
    delete("old").await.unwrap();
    assert_eq!(code(delete("old").await), "DBParameterGroupNotFound");
    // A new group is in place at once, and its parameters after a reboot.
    client
        .modify_db_instance()
        .db_instance_identifier("shop")
        .db_parameter_group_name("default.sqlserver-ex-16.0")
        .send()
        .await
        .unwrap();
    delete("sql").await.unwrap();
    assert_eq!(applied().await, "pending-reboot");
}

#[tokio::test]
async fn an_option_group_allows_native_backups() {
    let db = Databases::new().await;
    let client = &db.client;
    let create = |engine: &'static str, major: &'static str| {
        client
            .create_option_group()
            .option_group_name("Backups")
            .engine_name(engine)
            .major_engine_version(major)
            .option_group_description("for a test")
            .send()
    };
    assert_eq!(
        code(create("sqlserver-ex", "17.00").await),
        "InvalidParameterCombination"
    );
    assert_eq!(code(create("mysql", "8.0").await), "UnsupportedOperation");
    create("sqlserver-ex", "16.00").await.unwrap();
    assert_eq!(
        code(create("sqlserver-ex", "16.00").await),
        "OptionGroupAlreadyExistsFault"
    );
    let include = |option: &'static str, setting: &'static str, value: &'static str| {
        let setting = OptionSetting::builder().name(setting).value(value).build();
        let option = OptionConfiguration::builder()
            .option_name(option)
            .option_settings(setting);
        client
            .modify_option_group()
            .option_group_name("backups")
            .options_to_include(option.build())
            .apply_immediately(true)
            .send()
    };
    let role = "arn:aws:iam::000000000000:role/backups";
    let backup = "SQLSERVER_BACKUP_RESTORE";
    assert_eq!(code(include("TDE", "a", "b").await), "UnsupportedOperation");
    assert_eq!(code(include("OEM", "a", "b").await), "InvalidParameterValue");
    assert_eq!(code(include(backup, "COLOUR", "red").await), "InvalidParameterValue");
    assert_eq!(
        code(include(backup, "IAM_ROLE_ARN", "red").await),
        "InvalidParameterValue"
    );
    let group = include(backup, "IAM_ROLE_ARN", role)
        .await
        .unwrap()
        .option_group
        .unwrap();
    let option = &group.options()[0];
    assert_eq!(option.option_name(), Some(backup));
    assert_eq!(option.option_settings()[0].value(), Some(role));

    db.create("shop").option_group_name("backups").send().await.unwrap();
    let delete = || client.delete_option_group().option_group_name("backups").send();
    assert_eq!(code(delete().await), "InvalidOptionGroupStateFault");
    db.cloud.pass(40 * MINUTE);
    let modified = client
        .modify_db_instance()
        .db_instance_identifier("shop")
        .option_group_name("default:sqlserver-ex-16-00")
        .apply_immediately(true)
        .send()
        .await
        .unwrap();
    let membership = modified
        .db_instance
        .unwrap()
        .option_group_memberships
        .unwrap()
        .remove(0);
    assert_eq!(membership.status(), Some("pending-apply"));
    db.cloud.pass(10 * MINUTE);
    delete().await.unwrap();
    assert_eq!(code(delete().await), "OptionGroupNotFoundFault");
    let options = client
        .describe_option_group_options()
        .engine_name("sqlserver-ex")
        .send()
        .await;
    assert_eq!(
        options.unwrap().option_group_options().len(),
        2,
        "one for each major version"
    );
}

#[tokio::test]
async fn roles_come_and_go() {
    let db = Databases::new().await;
    db.ready("shop").await;
    let role = "arn:aws:iam::000000000000:role/s3";
    let add = |feature: &'static str| {
        db.client
            .add_role_to_db_instance()
            .db_instance_identifier("shop")
            .role_arn(role)
            .feature_name(feature)
            .send()
    };
    assert_eq!(code(add("LAMBDA").await), "InvalidParameterValue");
    add("S3_INTEGRATION").await.unwrap();
    assert_eq!(code(add("S3_INTEGRATION").await), "DBInstanceRoleAlreadyExists");
    let status = async || {
        db.instance("shop").await.associated_roles()[0]
            .status()
            .unwrap()
            .to_owned()
    };
    assert_eq!(status().await, "PENDING");
    db.cloud.pass(5 * MINUTE);
    assert_eq!(status().await, "ACTIVE");
    let remove = || {
        db.client
            .remove_role_from_db_instance()
            .db_instance_identifier("shop")
            .role_arn(role)
            .feature_name("S3_INTEGRATION")
            .send()
    };
    remove().await.unwrap();
    assert_eq!(code(remove().await), "DBInstanceRoleNotFound");
}

#[tokio::test]
async fn versions_and_classes_can_be_looked_up() {
    let cloud = Cloud::new();
    let client = Client::new(&cloud.config);
    let versions = |engine: &'static str| client.describe_db_engine_versions().engine(engine);
    let all = versions("sqlserver-se").send().await.unwrap();
    assert!(all.db_engine_versions().len() > 40);
    let newest = versions("sqlserver-se").default_only(true).send().await.unwrap();
    let [newest] = newest.db_engine_versions() else {
        panic!("one default")
    };
    assert_eq!(newest.engine_version(), Some("16.00.4245.2.v1"));
    assert_eq!(newest.db_parameter_group_family(), Some("sqlserver-se-16.0"));
    assert!(newest.valid_upgrade_target().is_empty());
    let old = versions("sqlserver-se")
        .engine_version("15.00.4430.1.v1")
        .send()
        .await
        .unwrap();
    let target = old.db_engine_versions()[0].valid_upgrade_target().last().unwrap();
    assert_eq!(target.is_major_version_upgrade(), Some(true));
    assert_eq!(code(versions("mysql").send().await), "UnsupportedOperation");

    let classes = client
        .describe_orderable_db_instance_options()
        .engine("sqlserver-ex")
        .engine_version("16.00.4245.2.v1")
        .send()
        .await
        .unwrap();
    let options = classes.orderable_db_instance_options();
    assert!(options.iter().all(|option| option.multi_az_capable() == Some(false)));
    assert!(
        options
            .iter()
            .any(|option| option.db_instance_class() == Some("db.t3.micro"))
    );
    let defaults = client
        .describe_engine_default_parameters()
        .db_parameter_group_family("sqlserver-ex-16.0")
        .send()
        .await
        .unwrap();
    let defaults = defaults.engine_defaults.unwrap();
    assert!(defaults.parameters().iter().any(|parameter| {
        parameter.parameter_name() == Some("max server memory (mb)")
            && parameter.parameter_value() == Some("2147483647")
    }));
    let nothing = client.describe_pending_maintenance_actions().send().await.unwrap();
    assert!(nothing.pending_maintenance_actions().is_empty());
}

#[tokio::test]
async fn tags_of_all_kinds_are_seen_by_the_tagging_api() {
    let db = Databases::new().await;
    db.ready("shop").await;
    let tag = Tag::builder().key("team").value("one").build();
    let base = "arn:aws:rds:eu-central-1:000000000000";
    let add = |arn: String| {
        db.client
            .add_tags_to_resource()
            .resource_name(arn)
            .tags(tag.clone())
            .send()
    };
    add(format!("{base}:db:shop")).await.unwrap();
    add(format!("{base}:subgrp:data")).await.unwrap();
    assert_eq!(code(add(format!("{base}:db:none")).await), "DBInstanceNotFound");
    assert_eq!(code(add(format!("{base}:cluster:none")).await), "InvalidParameterValue");
    let tagging = aws_sdk_resourcegroupstagging::Client::new(&db.cloud.config);
    let found = tagging
        .get_resources()
        .resource_type_filters("rds")
        .send()
        .await
        .unwrap();
    let mut arns: Vec<_> = found
        .resource_tag_mapping_list()
        .iter()
        .map(|found| found.resource_arn().unwrap().to_owned())
        .collect();
    arns.sort();
    assert_eq!(arns, [format!("{base}:db:shop"), format!("{base}:subgrp:data")]);
    db.client
        .remove_tags_from_resource()
        .resource_name(format!("{base}:db:shop"))
        .tag_keys("team")
        .send()
        .await
        .unwrap();
    let left = db
        .client
        .list_tags_for_resource()
        .resource_name(format!("{base}:db:shop"))
        .send()
        .await
        .unwrap();
    assert!(left.tag_list().is_empty());
}
