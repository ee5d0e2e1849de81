//! A database that is backed up to S3 and comes from there.

use std::process::Stdio;

use aws_credential_types::Credentials;
use iacsh::sandbox::{Options, Sandbox};

use crate::project::{Project, Ran};

const ENVIRONMENT: &str = "environments/sandbox.toml";
const FILE: &str = "s3://identity-backups/nightly/identity.bak";

/// The sandbox, with its database on RDS and these keys.
fn project(keys: &str) -> Project {
    let project = Project::new();
    let text = project.read(ENVIRONMENT);
    let text = text.replace("[database]\ntarget = \"sandbox\"\n", "[database]\ntarget = \"rds\"\n");
    project.write(ENVIRONMENT, &text);
    say(&project, keys);
    project
}

/// Puts keys into the section of the database in the place of those of before.
fn say(project: &Project, keys: &str) {
    let text = project.read(ENVIRONMENT);
    let (before, rest) = text.split_once("target = \"rds\"\n").expect("the section");
    let (_, after) = rest.split_once("\n# [sandbox]").expect("its end");
    project.write(
        ENVIRONMENT,
        &format!("{before}target = \"rds\"\n{keys}\n\n# [sandbox]{after}"),
    );
}

fn with(project: &Project, more: &str) {
    project.write(ENVIRONMENT, &(project.read(ENVIRONMENT) + more));
}

fn recreate(project: &Project) -> Ran {
    project.iacsh(&["scripts/recreate.rhai"])
}

fn run(project: &Project, text: &str) -> Ran {
    project.iacsh(&["--json", "-c", text])
}

fn back_up(project: &Project, options: &str) -> Ran {
    run(
        project,
        &format!("mssql::backup(mssql::connect(), \"{FILE}\", #{{{options}}})"),
    )
}

/// What a run says of one thing.
fn result(ran: &Ran, label: &str) -> String {
    let document = ran.json();
    let rows = document["resources"].as_array().unwrap_or_else(|| panic!("{ran}"));
    let found = rows.iter().find(|row| {
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        format!("{}/{}", text("kind"), text("name")) == label
    });
    found
        .map_or("", |row| row["result"].as_str().unwrap_or_default())
        .to_owned()
}

fn clients(project: &Project) -> usize {
    let listed = run(project, "identity::clients()").code(0).json();
    listed.as_array().map_or(0, Vec::len)
}

/// States of the server's restores, the first one first; none where there is no server.
fn restores(project: &Project) -> Vec<String> {
    let listed = run(
        project,
        "mssql::backup_tasks(mssql::connect(#{ database: \"master\" }))",
    );
    if listed.code != 0 {
        return Vec::new();
    }
    let listed = listed.json();
    let tasks = listed.as_array().cloned().unwrap_or_default();
    let restores = tasks.iter().filter(|task| task["kind"] == "RESTORE_DB");
    restores
        .map(|task| task["state"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// Deletes all snapshots, as somebody with the AWS CLI does: no verb of iacsh does that.
fn delete_snapshots(project: &Project) {
    let sandbox = Sandbox::open(&project.path().join(".sandbox"), Options::default()).expect("a sandbox");
    let config = aws_sdk_rds::Config::builder()
        .behavior_version(aws_sdk_rds::config::BehaviorVersion::latest())
        .region(aws_sdk_rds::config::Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(sandbox.http_client())
        .build();
    let client = aws_sdk_rds::Client::from_conf(config);
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let found = client.describe_db_snapshots().send().await.expect("snapshots");
        assert!(!found.db_snapshots().is_empty());
        for snapshot in found.db_snapshots() {
            let id = snapshot.db_snapshot_identifier().expect("an id");
            client
                .delete_db_snapshot()
                .db_snapshot_identifier(id)
                .send()
                .await
                .expect("gone");
        }
    });
}

const DIARY: &str = "mssql::query(mssql::connect(), \"SELECT Words FROM dbo.Diary\")";

/// An environment whose database holds something that no migration makes, and a backup of it. Gives the number of
/// clients.
fn backed_up(project: &Project) -> usize {
    recreate(project).code(0);
    for statement in [
        "CREATE TABLE dbo.Diary (Words nvarchar(20))",
        "INSERT INTO dbo.Diary VALUES (N'kept')",
    ] {
        run(project, &format!("mssql::execute(mssql::connect(), \"{statement}\")")).code(0);
    }
    let backup = back_up(project, "").code(0);
    assert_eq!(backup.json()["task"]["state"], "SUCCESS", "{backup}");
    clients(project)
}

fn destroy(project: &Project) {
    project.iacsh(&["destroy", "--yes", "--with-data", "database"]).code(0);
}

#[test]
fn a_backup_outlives_the_server_and_its_snapshots() {
    let project = project("backup_bucket = \"identity-backups\"");
    let there = backed_up(&project);
    destroy(&project);
    say(&project, &format!("source = \"bak:{FILE}\""));

    // A snapshot of ours can hold more than the backup: that is not lost without a word.
    recreate(&project)
        .code(77)
        .says("there is a snapshot of it")
        .says("--with-data database");
    delete_snapshots(&project);

    let again = project.iacsh(&["--json", "scripts/recreate.rhai"]).code(0);
    assert!(
        result(&again, "database/IdentityServer").starts_with(&format!("restored from {FILE} (task 1")),
        "{again}"
    );
    for label in ["migrations/IdentityServer", "clients/IdentityServer"] {
        assert_eq!(result(&again, label), "unchanged", "{label}: {again}");
    }
    assert_eq!(clients(&project), there);
    assert_eq!(run(&project, DIARY).code(0).json()[0]["Words"], "kept");

    // What is there is used.
    recreate(&project).code(0).says("no changes");
    let text = format!("mssql::restore(mssql::connect(), \"{FILE}\")");
    let once_more = project.iacsh(&["-c", &text]).code(0);
    assert!(once_more.err.contains("it is there and is used"), "{once_more}");
    assert_eq!(restores(&project), ["SUCCESS"]);
    // Also when the environment says something else of it from now on.
    say(&project, "");
    recreate(&project).code(0);
    assert_eq!(run(&project, DIARY).code(0).json()[0]["Words"], "kept");
}

#[test]
fn a_backup_that_is_meant_comes_before_a_snapshot() {
    let project = project("backup_bucket = \"identity-backups\"");
    let there = backed_up(&project);
    // Newer than the backup.
    run(&project, "mssql::execute(mssql::connect(), \"DELETE FROM dbo.Diary\")").code(0);
    destroy(&project);
    let keys = format!("backup_bucket = \"identity-backups\"\nsource = \"bak:{FILE}\"");
    say(&project, &keys);
    recreate(&project).code(77);
    let restored = project
        .iacsh(&["scripts/recreate.rhai", "--with-data", "database"])
        .code(0);
    assert!(restored.out.contains("restored from"), "{restored}");
    assert!(restored.err.contains("is not restored, and stays"), "{restored}");
    assert_eq!(clients(&project), there);
    assert_eq!(run(&project, DIARY).code(0).json()[0]["Words"], "kept");
    let snapshots = run(&project, "rds::snapshots()").code(0).json();
    let manual = |row: &&serde_json::Value| row["made"] == "manual";
    assert_eq!(
        snapshots.as_array().into_iter().flatten().filter(manual).count(),
        1,
        "{snapshots}"
    );
    recreate(&project).code(0).says("no changes");
}

#[test]
fn another_environment_gets_the_content_of_this_one() {
    let project = project("backup_bucket = \"identity-backups\"");
    let there = backed_up(&project);
    let text = project.read(ENVIRONMENT);
    let keys = format!("target = \"rds\"\nsource = \"bak:{FILE}\"\n");
    let text = text.replace("target = \"rds\"\nbackup_bucket = \"identity-backups\"\n", &keys);
    project.write("environments/copy.toml", &text);
    project.iacsh(&["--env", "copy", "scripts/recreate.rhai"]).code(0);
    let copied = project
        .iacsh(&["--env", "copy", "--json", "-c", "identity::clients()"])
        .code(0)
        .json();
    assert_eq!(copied.as_array().map(Vec::len), Some(there));
    // They are two: what is written to the one is not in the other.
    let more = "mssql::execute(mssql::connect(), \"INSERT INTO dbo.Diary VALUES (N'copy')\")";
    project.iacsh(&["--env", "copy", "-c", more]).code(0);
    assert_eq!(run(&project, DIARY).code(0).json().as_array().map(Vec::len), Some(1));
}

#[test]
fn a_file_is_overwritten_only_when_that_is_meant() {
    let project = project("backup_bucket = \"identity-backups\"");
    backed_up(&project);
    back_up(&project, "")
        .code(1)
        .says("Please reissue task with correct type and overwrite property")
        .says("overwrite: true");
    let script = ["scripts/backup.rhai", "--to", FILE];
    project.iacsh(&script).code(1).says("overwrite: true");
    project.iacsh(&[&script[..], &["--overwrite"]].concat()).code(0);
    let tasks = run(&project, "mssql::backup_tasks(mssql::connect())").code(0).json();
    let states: Vec<_> = tasks
        .as_array()
        .expect("tasks")
        .iter()
        .map(|task| &task["state"])
        .collect();
    assert_eq!(states, ["SUCCESS", "ERROR", "ERROR", "SUCCESS"]);
    assert_eq!(tasks[0]["percent"], 100);
}

#[test]
fn killed_while_it_restores_the_next_run_waits_for_the_same_task() {
    let project = project("backup_bucket = \"identity-backups\"");
    let there = backed_up(&project);
    destroy(&project);
    delete_snapshots(&project);
    say(&project, &format!("source = \"bak:{FILE}\""));
    // Fewer than the usual thousand, so that states can be seen before they are over.
    with(&project, "\n[sandbox]\ntime_scale = 100\n");
    let mut child = project
        .command(&["scripts/recreate.rhai"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let seen = loop {
        if restores(&project)
            .iter()
            .any(|state| state == "IN_PROGRESS" || state == "CREATED")
        {
            break true;
        }
        if child.try_wait().expect("a state").is_some() {
            break false;
        }
    };
    child.kill().expect("killed");
    child.wait().expect("gone");
    assert!(seen, "no restore was seen");
    let again = recreate(&project).code(0);
    assert!(again.out.contains("begun by an earlier run"), "{again}");
    assert_eq!(restores(&project), ["SUCCESS"], "one task, and no second one");
    assert_eq!(clients(&project), there);
}

#[test]
fn what_cannot_be_restored_is_told_in_the_services_words() {
    let keys = |file: &str| format!("backup_bucket = \"identity-backups\"\nsource = \"bak:{file}\"");
    let project = project(&keys("s3://identity-backups/nothing.bak"));
    // The bucket is there when something is in it.
    recreate(&project)
        .code(1)
        .says("The specified bucket does not exist")
        .says("check the names of bucket and file");
    project.write(
        ".sandbox/s3/identity-backups/real.bak",
        "TAPE\u{0}\u{0}\u{3}\u{0} of a real server",
    );
    recreate(&project).code(1).says("The specified key does not exist");
    say(&project, &keys("s3://identity-backups/real.bak"));
    recreate(&project)
        .code(1)
        .says("a backup of a real SQL Server cannot be read here");
    assert_eq!(restores(&project), ["ERROR", "ERROR", "ERROR"]);
    // Nothing was made in its place: only now, without a backup.
    say(&project, "backup_bucket = \"identity-backups\"");
    recreate(&project).code(0).says("created the database IdentityServer");

    // A bucket that the role does not reach.
    let elsewhere = "mssql::restore(mssql::connect(#{ database: \"Copy\" }), \"s3://somebody-elses/x.bak\")";
    run(&project, elsewhere)
        .code(1)
        .says("Access Denied")
        .says("s3:ListBucket")
        .says("arn:aws:s3:::somebody-elses");
    // Reading is not writing.
    say(
        &project,
        &keys("s3://identity-backups/real.bak").replace("backup_bucket = \"identity-backups\"\n", ""),
    );
    recreate(&project).code(0).says("policies");
    back_up(&project, "").code(1).says("Access Denied").says("s3:PutObject");
}

#[test]
fn a_server_without_the_option_says_so() {
    let project = project("");
    with(&project, "\n[waits]\nbackup = \"300ms\"\n");
    recreate(&project).code(0);
    back_up(&project, "")
        .code(1)
        .says("Database backup/restore option is not enabled yet")
        .says("backup_bucket");
    // Elsewhere than on RDS there are no such procedures.
    let plain = Project::new();
    plain.iacsh(&["scripts/recreate.rhai"]).code(0);
    back_up(&plain, "")
        .code(1)
        .says("Could not find stored procedure")
        .says("only SQL Server on RDS");
}

#[test]
fn a_backup_is_checked_in_the_environments_file() {
    let project = project("source = \"bak:/home/me/identity.bak\"");
    let text = project.read(ENVIRONMENT);
    let line = text
        .lines()
        .position(|line| line.starts_with("source"))
        .expect("the line")
        + 1;
    recreate(&project)
        .code(65)
        .says("is no file in S3")
        .says(&format!("{ENVIRONMENT}:{line}"));
    say(&project, "backup_key = \"alias/mine\"");
    recreate(&project).code(65).says("is not the ARN of a KMS key");
    // The sandbox has no KMS keys of one's own.
    let key = "arn:aws:kms:eu-central-1:000000000000:key/0a1b2c3d-0000-4000-8000-000000000000";
    let keys = "backup_bucket = \"identity-backups\"";
    say(&project, &format!("{keys}\nbackup_key = \"{key}\""));
    recreate(&project).code(0);
    back_up(&project, &format!(" key: \"{key}\" "))
        .code(1)
        .says("not supported by the sandbox's SQL Server: @kms_master_key_arn");
}

#[test]
fn a_restore_that_takes_too_long_goes_on_and_is_joined_or_ended() {
    let project = project("backup_bucket = \"identity-backups\"");
    backed_up(&project);
    let file = project.read(ENVIRONMENT);
    let restore = |file: &str| format!("mssql::restore(mssql::connect(#{{ database: \"Copy\" }}), \"{file}\")");
    // Half a minute here, and a bound that is shorter.
    with(
        &project,
        "\n[sandbox]\ntime_scale = 10\n\n[waits]\nbackup = \"300ms\"\n",
    );
    run(&project, &restore(FILE))
        .code(1)
        .says("took longer than 0.3 s")
        .says("[waits]");
    run(&project, &restore("s3://identity-backups/other.bak"))
        .code(1)
        .says("is being restored from another file")
        .says("rds_cancel_task @task_id = 2");
    let joined = project.iacsh(&["-c", &restore(FILE)]).code(1);
    assert!(joined.err.contains("begun by an earlier run"), "{joined}");
    assert_eq!(restores(&project).len(), 1);
    let cancel =
        "mssql::execute(mssql::connect(#{ database: \"master\" }), \"EXEC msdb.dbo.rds_cancel_task @task_id = 2\")";
    run(&project, cancel).code(0);
    // With time enough: the one ends as cancelled, and another one begins.
    project.write(ENVIRONMENT, &file);
    run(&project, &restore(FILE)).code(1).says("ended as CANCELLED");
    run(&project, &restore(FILE)).code(0);
    assert_eq!(restores(&project), ["CANCELLED", "SUCCESS"]);
}

#[test]
fn a_plan_says_where_the_content_would_come_from() {
    let project = project(&format!("source = \"bak:{FILE}\""));
    let plan = |project: &Project| project.iacsh(&["scripts/recreate.rhai", "--plan"]);
    plan(&project)
        .code(2)
        .says("it is empty, for the database of")
        .says("mssql::restore");
    say(&project, "backup_bucket = \"identity-backups\"");
    backed_up(&project);
    say(
        &project,
        &format!("backup_bucket = \"identity-backups\"\nsource = \"bak:{FILE}\""),
    );
    plan(&project).code(0);
    let other = project
        .read(ENVIRONMENT)
        .replace("target = \"rds\"\n", "target = \"rds\"\nname = \"Copy\"\n");
    let before = project.read(ENVIRONMENT);
    project.write(ENVIRONMENT, &other);
    plan(&project).code(2).says(&format!("restore from {FILE}"));
    assert!(restores(&project).is_empty(), "a plan restores nothing");
    project.write(ENVIRONMENT, &before);
    destroy(&project);
    plan(&project).code(77).says("there is a snapshot of it");
    let meant = ["scripts/recreate.rhai", "--plan", "--with-data", "database"];
    project.iacsh(&meant).code(2).says("stays");
}
