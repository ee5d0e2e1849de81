//! Terraform with its AWS provider: an ordinary configuration applies, plans with no changes, and is destroyed.

use std::path::Path;
use std::process::Command;

use super::provider::mirror;
use super::serving::Serving;
use crate::peer;
use crate::project::{Ran, run};

const TEST: &str = "strangers::terraform::an_ordinary_configuration_applies_stays_and_goes";

#[test]
fn an_ordinary_configuration_applies_stays_and_goes() {
    let version = Command::new("terraform").arg("version").output();
    if !version.is_ok_and(|output| output.status.success()) {
        return peer::skipped(TEST, "terraform", "it is not on the path");
    }
    let Some(mirror) = mirror() else {
        return peer::skipped(TEST, "Terraform's AWS provider", "no mirror of providers holds it");
    };
    let serving = Serving::with_lines();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    write("main.tf", include_str!("main.tf"));
    write("provider.tf", serving.lines("# Terraform"));
    write(
        "terraform.rc",
        &format!(
            "provider_installation {{\n  filesystem_mirror {{\n    path = {:?}\n  }}\n}}\n",
            mirror.display().to_string()
        ),
    );
    let terraform = |args: &[&str]| terraform(folder.path(), args);
    terraform(&["init"]).code(0);
    terraform(&["apply", "-auto-approve"])
        .code(0)
        .says("account = \"000000000000\"");
    // 2 would be: there are changes.
    terraform(&["plan", "-detailed-exitcode"]).code(0);
    terraform(&["destroy", "-auto-approve"]).code(0);
    let left = serving.project.iacsh(&["--json", "-c", "ec2::vpcs()"]).code(0).json();
    assert_eq!(left, serde_json::json!([]));
    serving.end();
}

fn terraform(folder: &Path, args: &[&str]) -> Ran {
    let mut command = Command::new("terraform");
    command
        .current_dir(folder)
        .args(args)
        .args(["-input=false", "-no-color"]);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .env("TF_CLI_CONFIG_FILE", folder.join("terraform.rc"))
        .env("CHECKPOINT_DISABLE", "1");
    run(command)
}
