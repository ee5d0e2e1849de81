//! The same scripts against moto: a foreign implementation of AWS's APIs.
//!
//! What moto 5.2 does not do, and how the environment steps around it:
//!
//! - no cache parameter groups: `parameter_group = "default.redis7"`;
//! - no registry with images: the image is a full address;
//! - no DescribeServiceDeployments: the rollout is judged by DescribeServices, which the run says;
//! - `runningCount` stays 0 without MOTO_ECS_SERVICE_RUNNING;
//! - a deleted replication group stays `deleting`, and DeleteCacheSubnetGroup is missing: destroy ends with exit code 1,
//!   and names these as left.

use crate::peer::Moto;
use crate::project::{Project, Ran};

pub fn environment(port: u16) -> String {
    format!(
        r#"
project = "identity"
[aws]
target = "aws"
region = "eu-central-1"
account = "123456789012"
endpoint = "http://127.0.0.1:{port}"
[tags]
owner = "team"
[redis]
parameter_group = "default.redis7"
[ecs]
image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/identity:1.0"
[database]
target = "sandbox"
[waits]
resource = "20s"
service = "20s"
delete = "4s"
"#
    )
}

pub const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "testing"), ("AWS_SECRET_ACCESS_KEY", "testing")];

fn iacsh(project: &Project, args: &[&str]) -> Ran {
    let args: Vec<_> = ["--env", "moto"].iter().chain(args).copied().collect();
    project.iacsh_with(&args, &KEYS)
}

#[test]
fn recreate_recreate_destroy() {
    let Some(moto) = Moto::start("moto::recreate_recreate_destroy") else {
        return;
    };
    let project = Project::new();
    project.write("environments/moto.toml", &environment(moto.port));

    iacsh(&project, &["scripts/recreate.rhai"])
        .code(0)
        .says("created")
        .says("DescribeServices");
    iacsh(&project, &["scripts/recreate.rhai"]).code(0).says("no changes");

    let destroyed = iacsh(&project, &["--json", "scripts/destroy.rhai", "--yes"]).code(1);
    let report = destroyed.json();
    let mut failed: Vec<_> = report["resources"]
        .as_array()
        .unwrap_or_else(|| panic!("{destroyed}"))
        .iter()
        .filter(|record| record["result"].as_str().unwrap_or_default().starts_with("failed"))
        .map(|record| record["kind"].as_str().unwrap_or_default())
        .collect();
    failed.sort_unstable();
    assert_eq!(failed, ["cache-subnet-group", "replication-group"], "{destroyed}");
}

#[test]
fn a_wrong_account_is_refused() {
    let Some(moto) = Moto::start("moto::a_wrong_account_is_refused") else {
        return;
    };
    let project = Project::new();
    let other = environment(moto.port).replace("account = \"123456789012\"", "account = \"999999999999\"");
    project.write("environments/moto.toml", &other);
    iacsh(&project, &["scripts/recreate.rhai"])
        .code(77)
        .says("123456789012")
        .says("999999999999");
}
