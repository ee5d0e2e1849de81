//! Tags: every resource carries them, an audit tells what is wrong, and the next run puts it right.

use std::collections::BTreeMap;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use iacsh::sandbox::{Options, Sandbox};

use crate::project::{Project, Ran};

/// The owner's list, beside what identifies a resource.
const EVERYWHERE: [&str; 13] = [
    "iacsh:project",
    "iacsh:env",
    "iacsh:id",
    "iacsh:section",
    "iacsh:created-by",
    "iacsh:created-at",
    "iacsh:expires-at",
    "iacsh:source",
    "iacsh:commit",
    "iacsh:protect",
    "iacsh:chaos",
    "owner",
    "cost-center",
];

/// A repository for images is the project's: it has no environment, and none of what belongs to one.
const OF_AN_ENVIRONMENT: [&str; 4] = ["iacsh:env", "iacsh:expires-at", "iacsh:protect", "iacsh:chaos"];

type Tags = BTreeMap<String, String>;

/// Everything that carries a tag, as the Tagging API lists it, and a client to change tags by hand.
pub struct Cloud {
    config: SdkConfig,
}

impl Cloud {
    pub fn new(project: &Project) -> Self {
        let sandbox = Sandbox::open(&project.path().join(".sandbox"), Options::default()).expect("a sandbox");
        let credentials = Credentials::new("AKIA", "secret", None, None, "test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(sandbox.http_client())
            .build();
        Self { config }
    }

    async fn tagged(&self) -> BTreeMap<String, Tags> {
        let client = aws_sdk_resourcegroupstagging::Client::new(&self.config);
        let pages = client.get_resources().into_paginator().items().send();
        let found = pages.try_collect().await.expect("resources");
        let read = |resource: &aws_sdk_resourcegroupstagging::types::ResourceTagMapping| {
            let tags = resource.tags().iter();
            let tags = tags.map(|tag| (tag.key().to_owned(), tag.value().to_owned()));
            (resource.resource_arn().expect("an ARN").to_owned(), tags.collect())
        };
        found.iter().map(read).collect()
    }

    pub async fn tag(&self, id: &str, key: &str, value: &str) {
        let tag = aws_sdk_ec2::types::Tag::builder().key(key).value(value).build();
        let client = aws_sdk_ec2::Client::new(&self.config);
        let call = client.create_tags().resources(id).tags(tag);
        call.send().await.expect("it is tagged");
    }

    async fn untag(&self, id: &str, key: &str) {
        let tag = aws_sdk_ec2::types::Tag::builder().key(key).build();
        let client = aws_sdk_ec2::Client::new(&self.config);
        let call = client.delete_tags().resources(id).tags(tag);
        call.send().await.expect("the tag is gone");
    }
}

/// A project in a repository, whose environment says all that can be said.
fn project(more: &str) -> Project {
    let project = Project::new();
    let text = project.read("environments/sandbox.toml");
    let text = text
        .replace("project = \"identity\"\n", "project = \"identity\"\nchaos = true\n")
        .replace(
            "owner = \"identity-team\"\n",
            "owner = \"identity-team\"\ncost_center = \"4711\"\n",
        );
    assert!(text.contains("chaos") && text.contains("4711"), "{text}");
    project.write("environments/sandbox.toml", &(text + more));
    project.write(".git/HEAD", "ref: refs/heads/main\n");
    project.write(".git/refs/heads/main", "0123456789abcdef0123456789abcdef01234567\n");
    project.write(
        ".git/config",
        "[remote \"origin\"]\n\turl = https://anna:hunter2@git.example.org/identity.git?token=hunter3\n",
    );
    project
}

fn with_server(text: &str) -> String {
    text.replace("[database]\ntarget = \"sandbox\"\n", "[database]\ntarget = \"rds\"\n")
}

fn rows(project: &Project, expression: &str) -> Vec<serde_json::Value> {
    let listed = project.iacsh(&["--json", "-c", expression]).code(0).json();
    listed.as_array().cloned().unwrap_or_default()
}

/// `RESOURCE TAG PROBLEM` of each row of an audit.
fn audit(project: &Project) -> Vec<String> {
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let told = |row: &serde_json::Value| {
        format!(
            "{} {} {}",
            text(row, "resource"),
            text(row, "tag"),
            text(row, "problem")
        )
    };
    let required = "tags::audit(#{ required: [\"owner\", \"cost-center\", \"iacsh:expires-at\"] })";
    rows(project, required).iter().map(told).collect()
}

fn recreate(project: &Project) -> Ran {
    project.iacsh(&["scripts/recreate.rhai"])
}

#[tokio::test]
async fn every_resource_of_an_environment_carries_every_tag() {
    for (network, expected) in [
        ("nat = true", [":natgateway/", ":elastic-ip/", ":internet-gateway/"]),
        ("endpoints = true", [":vpc-endpoint/", ":subnet/", ":route-table/"]),
    ] {
        let project = project(&format!("\n[network]\n{network}\n"));
        let file = "environments/sandbox.toml";
        project.write(file, &with_server(&project.read(file)));
        recreate(&project).code(0).says("db-instance");
        let cloud = Cloud::new(&project);
        let tagged = cloud.tagged().await;
        for part in [":task/", ":service/", ":db:", ":replicationgroup:", ":secret:", ":vpc/"]
            .iter()
            .chain(&expected)
        {
            assert!(
                tagged.keys().any(|arn| arn.contains(part)),
                "no {part} among {:?}",
                tagged.keys()
            );
        }
        for (arn, tags) in &tagged {
            let is_shared = arn.contains(":repository/");
            for key in EVERYWHERE {
                let value = tags.get(key);
                let is_fine = value.is_some_and(|value| !value.is_empty());
                assert!(
                    is_fine || is_shared && OF_AN_ENVIRONMENT.contains(&key),
                    "{arn} lacks {key}: {tags:?}"
                );
            }
            assert_eq!(tags["iacsh:source"], "https://git.example.org/identity.git", "{arn}");
            assert_eq!(tags["iacsh:commit"], "0123456789ab", "{arn}");
            assert!(
                !tags.contains_key("iacsh:changed-at"),
                "nothing was changed: {arn} {tags:?}"
            );
            assert!(tags.len() <= 50, "{arn} {tags:?}");
        }
        // The audit agrees, also on what the Tagging API does not know, such as roles.
        assert_eq!(audit(&project), Vec::<String>::new());
        assert!(!rows(&project, "iam::roles()").is_empty());
        assert_eq!(rows(&project, "tags::untagged()"), Vec::<serde_json::Value>::new());
        recreate(&project).code(0).says("no changes");
    }
}

#[tokio::test]
async fn what_was_changed_by_hand_is_told_and_put_right_and_what_was_added_stays() {
    let project = project("");
    project.iacsh(&["scripts/redis.rhai"]).code(0);
    let cloud = Cloud::new(&project);
    let id = rows(&project, "ec2::vpcs()")[0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    cloud.tag(&id, "owner", "somebody else").await;
    cloud.tag(&id, "backup", "daily").await;
    cloud.untag(&id, "iacsh:section").await;
    assert_eq!(
        audit(&project),
        [
            "vpc/main owner differs",
            "vpc/main iacsh:section missing",
            "vpc/main backup not of iacsh",
        ]
    );
    let ran = project.iacsh(&["--json", "scripts/redis.rhai"]).code(0).json();
    let changed = |row: &&serde_json::Value| row["result"] != "unchanged";
    let changed: Vec<_> = ran["resources"]
        .as_array()
        .expect("rows")
        .iter()
        .filter(changed)
        .collect();
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert_eq!(changed[0]["result"], "changed tag iacsh:section, tag owner");
    assert_eq!(audit(&project), ["vpc/main backup not of iacsh"]);
    let tagged = cloud.tagged().await;
    let (_, tags) = tagged.iter().find(|(arn, _)| arn.ends_with(&id)).expect("the VPC");
    assert!(
        tags.contains_key("iacsh:changed-by") && tags.contains_key("iacsh:changed-at"),
        "{tags:?}"
    );
    project.iacsh(&["scripts/redis.rhai"]).code(0).says("no changes");

    // Without its identity it is no longer this environment's; its name tells whose it was.
    cloud.untag(&id, "iacsh:id").await;
    let untagged = rows(&project, "tags::untagged()");
    assert_eq!(untagged.len(), 1, "{untagged:?}");
    assert_eq!(
        (&untagged[0]["id"], &untagged[0]["looks_ours"]),
        (&serde_json::json!(id), &serde_json::json!(true))
    );
}

#[tokio::test]
async fn a_tag_that_the_environment_no_longer_has_goes_everywhere() {
    let file = "environments/sandbox.toml";
    let project = project("");
    let before = project.read(file);
    project.write(file, &before.replace("[tags]\n", "[tags]\npurpose = \"tests\"\n"));
    project.iacsh(&["scripts/redis.rhai"]).code(0);
    let cloud = Cloud::new(&project);
    let having = async |key: &str| {
        let tagged = cloud.tagged().await;
        tagged.values().filter(|tags| tags.contains_key(key)).count()
    };
    let all = cloud.tagged().await.len();
    assert_eq!((having("purpose").await, having("cost-center").await), (all, all));

    project.write(
        file,
        &before
            .replace("cost_center = \"4711\"\n", "")
            .replace("expires_at = \"never\"\n", ""),
    );
    project
        .iacsh(&["--json", "scripts/redis.rhai"])
        .code(0)
        .says("changed tag iacsh:given, tag cost-center, tag iacsh:expires-at, tag purpose");
    for key in ["purpose", "cost-center", "iacsh:expires-at"] {
        assert_eq!(having(key).await, 0, "{key}");
    }
    assert_eq!(having("owner").await, all);
    project.iacsh(&["scripts/redis.rhai"]).code(0).says("no changes");
}
