//! A database server of our own: recreate, destroy and recreate with its data still there.

use std::process::Stdio;

use crate::project::{Project, Ran};

/// The sandbox, with its database on RDS.
fn project() -> Project {
    with("")
}

fn with(more: &str) -> Project {
    let project = Project::new();
    let text = project.read("environments/sandbox.toml");
    let text = text.replace("[database]\ntarget = \"sandbox\"\n", "[database]\ntarget = \"rds\"\n");
    assert!(text.contains("\"rds\""), "{text}");
    project.write("environments/sandbox.toml", &(text + more));
    project
}

fn recreate(project: &Project) -> Ran {
    project.iacsh(&["scripts/recreate.rhai"])
}

fn report(ran: &Ran) -> Vec<(String, String)> {
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let document = ran.json();
    let rows = document["resources"].as_array().unwrap_or_else(|| panic!("{ran}"));
    rows.iter()
        .map(|row| {
            (
                format!("{}/{}", text(row, "kind"), text(row, "name")),
                text(row, "result"),
            )
        })
        .collect()
}

fn result<'a>(report: &'a [(String, String)], label: &str) -> &'a str {
    let found = report.iter().find(|(known, _)| known == label);
    found.map_or("", |(_, result)| result)
}

fn rows(project: &Project, expression: &str) -> Vec<serde_json::Value> {
    let listed = project.iacsh(&["--json", "-c", expression]).code(0).json();
    listed.as_array().cloned().unwrap_or_default()
}

fn clients(project: &Project) -> usize {
    rows(project, "identity::clients()").len()
}

#[test]
fn the_main_job_with_a_server_of_our_own() {
    let project = project();
    recreate(&project).code(0).says("db-instance").says("created");
    let there = clients(&project);
    assert!(there >= 3, "{there} clients");
    recreate(&project).code(0).says("no changes");
    // The parts find it by themselves.
    project.iacsh(&["scripts/database.rhai"]).code(0).says("no changes");
    project.iacsh(&["scripts/migrate.rhai"]).code(0).says("no changes");
    project.iacsh(&["scripts/clients.rhai"]).code(0).says("no changes");
    project
        .iacsh(&["scripts/inventory.rhai"])
        .code(0)
        .says("sqlserver-ex")
        .says("database-password")
        .says("IdentityServer");

    // Destroyed, but not the data, nor what it stands on.
    let destroyed = project.iacsh(&["--json", "destroy", "--yes"]).code(0);
    let told = report(&destroyed);
    assert!(
        result(&told, "db-instance/database").starts_with("kept: holds data"),
        "{told:?}"
    );
    for label in [
        "db-subnet-group/database",
        "db-parameter-group/database-15",
        "security-group/database",
        "security-group/service",
        "subnet/private-1",
        "subnet/private-2",
        "vpc/main",
    ] {
        let result = result(&told, label);
        assert_eq!(
            result, "kept: db-instance/database cannot do without it",
            "{label}: {told:?}"
        );
    }
    assert_eq!(result(&told, "subnet/public-1"), "deleted", "{told:?}");
    assert_eq!(clients(&project), there);

    let again = project.iacsh(&["--json", "scripts/recreate.rhai"]).code(0);
    let told = report(&again);
    for label in [
        "db-instance/database",
        "db-subnet-group/database",
        "security-group/database",
        "vpc/main",
        "subnet/private-1",
        "secret/database-password",
        "migrations/IdentityServer",
        "clients/IdentityServer",
    ] {
        assert_eq!(result(&told, label), "unchanged", "{label}: {told:?}");
    }
    assert_eq!(result(&told, "service/identityserver"), "created", "{told:?}");
    recreate(&project).code(0).says("no changes");

    // Secrets go when that is asked for, but not the one that the data needs.
    let destroyed = project
        .iacsh(&["--json", "destroy", "--yes", "--purge-secrets"])
        .code(0);
    let told = report(&destroyed);
    assert_eq!(result(&told, "secret/connection-string"), "deleted", "{told:?}");
    assert_eq!(
        result(&told, "secret/database-password"),
        "kept: db-instance/database cannot do without it",
        "{told:?}"
    );
    recreate(&project).code(0);
    assert_eq!(clients(&project), there);
}

#[test]
fn a_server_that_the_internet_reaches_keeps_its_way_out() {
    let project = project();
    let text = project.read("environments/sandbox.toml");
    let open = "target = \"rds\"\npublicly_accessible = true\nallowed_cidrs = [\"203.0.113.0/24\"]\n";
    project.write("environments/sandbox.toml", &text.replace("target = \"rds\"\n", open));
    project.iacsh(&["scripts/database.rhai"]).code(0);
    project.iacsh(&["scripts/database.rhai"]).code(0).says("no changes");
    let destroyed = project.iacsh(&["--json", "destroy", "--yes"]).code(0);
    let told = report(&destroyed);
    for label in [
        "internet-gateway/main",
        "route-table/public",
        "subnet/public-1",
        "vpc/main",
    ] {
        let result = result(&told, label);
        assert_eq!(
            result, "kept: db-instance/database cannot do without it",
            "{label}: {told:?}"
        );
    }
    for label in ["route-table/inner", "subnet/private-1"] {
        assert_eq!(result(&told, label), "deleted", "{told:?}");
    }
    // Nothing of it is lost when only the network was meant.
    project.iacsh(&["destroy", "--yes", "--only", "network"]).code(0);
    assert_eq!(rows(&project, "ec2::vpcs()").len(), 1);
    project.iacsh(&["scripts/database.rhai"]).code(0);
    project.iacsh(&["destroy", "--yes", "--with-data", "database"]).code(0);
    assert!(rows(&project, "ec2::vpcs()").is_empty());
}

#[test]
fn what_was_destroyed_with_its_data_comes_back_with_it() {
    let project = project();
    recreate(&project).code(0);
    let there = clients(&project);
    for statement in [
        "CREATE TABLE dbo.Diary (Words nvarchar(20))",
        "INSERT INTO dbo.Diary VALUES (N'kept')",
    ] {
        let more = format!("mssql::execute(mssql::connect(), \"{statement}\")");
        project.iacsh(&["-c", &more]).code(0);
    }

    let destroyed = project
        .iacsh(&["destroy", "--yes", "--with-data", "database"])
        .code(0)
        .says("its data is in the snapshot");
    assert!(destroyed.err.contains("nothing else is left"), "{destroyed}");
    for listing in [
        "rds::instances()",
        "rds::subnet_groups()",
        "rds::parameter_groups()",
        "ec2::vpcs()",
    ] {
        assert!(rows(&project, listing).is_empty(), "{listing}");
    }
    let snapshots = rows(&project, "rds::snapshots()");
    assert!(
        snapshots
            .iter()
            .any(|row| row["state"] == "available" && row["made"] == "manual"),
        "{snapshots:?}"
    );

    // An empty one is refused as long as there is that snapshot.
    let text = project.read("environments/sandbox.toml");
    let empty = text.replace("target = \"rds\"\n", "target = \"rds\"\nsource = \"empty\"\n");
    project.write("environments/sandbox.toml", &empty);
    recreate(&project).code(77).says("there is a snapshot of it");
    project.write("environments/sandbox.toml", &text);

    let third = project.iacsh(&["--json", "scripts/recreate.rhai"]).code(0);
    let told = report(&third);
    assert_eq!(result(&told, "db-instance/database"), "created", "{told:?}");
    for label in [
        "migrations/IdentityServer",
        "clients/IdentityServer",
        "secret/database-password",
    ] {
        assert_eq!(result(&told, label), "unchanged", "{label}: {told:?}");
    }
    assert_eq!(clients(&project), there);
    let query = "mssql::query(mssql::connect(), \"SELECT Words FROM dbo.Diary\")";
    assert_eq!(rows(&project, query)[0]["Words"], "kept");
    recreate(&project).code(0).says("no changes");

    // And a second time: the last snapshot of the second server is another one.
    project.iacsh(&["destroy", "--yes", "--with-data", "database"]).code(0);
    let manual = |rows: Vec<serde_json::Value>| rows.iter().filter(|row| row["made"] == "manual").count();
    assert_eq!(manual(rows(&project, "rds::snapshots()")), 2);
}

/// Runs until something is so, and kills it then, by its id. Says whether it came to that.
fn killed_when(project: &Project, args: &[&str], is_so: impl Fn() -> bool) -> bool {
    let mut child = project
        .command(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let came = loop {
        if is_so() {
            break true;
        }
        if child.try_wait().expect("a state").is_some() {
            break false;
        }
    };
    let _ = child.kill();
    child.wait().expect("gone");
    came
}

/// A fiftieth of the usual times and not a thousandth, so that states can be seen before they are over.
const SLOW: &str = "\n[sandbox]\ntime_scale = 200\n";

fn states(project: &Project, listing: &str) -> Vec<String> {
    let state = |row: &serde_json::Value| row["state"].as_str().unwrap_or_default().to_owned();
    rows(project, listing).iter().map(state).collect()
}

#[test]
fn killed_in_the_middle_of_a_destroy_the_next_one_goes_on() {
    let project = with(SLOW);
    recreate(&project).code(0);
    let there = clients(&project);
    let args = ["destroy", "--yes", "--with-data", "database"];
    let manual = || {
        rows(&project, "rds::snapshots()")
            .into_iter()
            .filter(|row| row["made"] == "manual")
    };
    let began = killed_when(&project, &args, || manual().any(|row| row["state"] == "creating"));
    assert!(began, "the last snapshot was never seen being taken");
    // Also without the name again: what is on its way out goes, and nothing doubts it.
    project.iacsh(&["destroy", "--yes"]).code(0);
    assert!(rows(&project, "rds::instances()").is_empty());
    assert!(rows(&project, "ec2::vpcs()").is_empty());
    let last: Vec<_> = manual().collect();
    assert!(last.len() == 1 && last[0]["state"] == "available", "{last:?}");
    recreate(&project).code(0);
    assert_eq!(clients(&project), there);
}

#[test]
fn killed_in_the_middle_of_a_restore_the_next_run_goes_on() {
    let project = with(SLOW);
    recreate(&project).code(0);
    let there = clients(&project);
    // While it comes up, and while its settings or its password are being put right.
    let moments: [&[&str]; 2] = [
        &["creating", "backing-up"],
        &["modifying", "resetting-master-credentials"],
    ];
    for (position, moment) in moments.into_iter().enumerate() {
        project.iacsh(&["destroy", "--yes", "--with-data", "database"]).code(0);
        // Another password than the snapshot's: without the new one nobody gets in. And more storage, which a restore
        // does not give.
        let password = format!("another-horse-battery-{position}Z");
        let renew = "secrets::ensure_secret(#{ name: \"database-password\", value: variable(\"NEW\") })";
        project.iacsh_with(&["-c", renew], &[("NEW", &password)]).code(0);
        let storage = 30 + 10 * position;
        let text = project.read("environments/sandbox.toml");
        let text: Vec<_> = text.lines().filter(|line| !line.starts_with("storage")).collect();
        let more = format!("target = \"rds\"\nstorage = {storage}");
        project.write(
            "environments/sandbox.toml",
            &text.join("\n").replace("target = \"rds\"", &more),
        );

        let seen = killed_when(&project, &["scripts/recreate.rhai"], || {
            let states = states(&project, "rds::instances()");
            states.iter().any(|now| moment.contains(&now.as_str()))
        });
        assert!(seen, "no instance was seen {moment:?}");
        recreate(&project).code(0);
        assert_eq!(clients(&project), there, "killed while it was {moment:?}");
        let servers = rows(&project, "rds::instances()");
        assert!(servers.len() == 1 && servers[0]["storage"] == storage, "{servers:?}");
        recreate(&project).code(0).says("no changes");
    }
}

#[test]
fn the_master_password_is_found_nowhere() {
    let project = project();
    let mut printed = recreate(&project).code(0).to_string();
    // It shows itself to nobody but the application: taken from what the application gets.
    let reveal = project.iacsh(&["-c", "secrets::value(\"database-password\")"]).code(0);
    assert!(reveal.out.contains("********"), "{reveal}");
    let secret = "correct-horse-battery-7Q";
    let renew = "secrets::ensure_secret(#{ name: \"database-password\", value: variable(\"NEW\") })";
    printed += &project
        .iacsh_with(&["-vv", "-c", renew], &[("NEW", secret)])
        .code(0)
        .to_string();
    for args in [
        vec!["-vv", "scripts/recreate.rhai"],
        vec!["--json", "scripts/recreate.rhai"],
        vec!["-vv", "scripts/inventory.rhai"],
        vec!["-vv", "destroy", "--yes", "--with-data", "database"],
        vec!["-vv", "scripts/recreate.rhai"],
    ] {
        printed += &project.iacsh(&args).code(0).to_string();
    }
    assert!(!printed.contains(secret), "the password was printed");
    for file in project.files() {
        let bytes = std::fs::read(&file).expect("a readable file");
        let found = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        assert!(!found(secret.as_bytes()), "the password is in {}", file.display());
        let wide: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(!found(&wide), "the password is in {}", file.display());
    }
}

#[test]
fn a_server_that_exists_is_used_and_never_changed() {
    let project = project();
    recreate(&project).code(0);
    let id = rows(&project, "rds::instances()")[0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    // Another environment uses the same server: its login comes from variables.
    let other = project.read("environments/sandbox.toml").replace(
        "target = \"rds\"\n",
        &format!("target = \"rds\"\nid = \"{id}\"\nname = \"Other\"\n"),
    );
    project.write("environments/other.toml", &other);
    let renew = "secrets::ensure_secret(#{ name: \"database-password\", value: variable(\"NEW\") })";
    let password = "correct-horse-battery-7Q";
    project.iacsh_with(&["-c", renew], &[("NEW", password)]).code(0);
    recreate(&project).code(0).says("password");
    let login = [("DB_USER", "iacsh"), ("DB_PASSWORD", password)];
    let ran = project
        .iacsh_with(&["--env", "other", "--json", "scripts/recreate.rhai"], &login)
        .code(0);
    let told = report(&ran);
    assert_eq!(result(&told, "db-instance/database"), "", "{told:?}");
    assert!(
        result(&told, "migrations/Other").starts_with("created the database Other"),
        "{told:?}"
    );
    project
        .iacsh_with(&["--env", "other", "destroy", "--yes"], &login)
        .code(0);
    assert_eq!(rows(&project, "rds::instances()").len(), 1);
    // A wrong password is refused, with a word on where it came from.
    let wrong = [("DB_USER", "iacsh"), ("DB_PASSWORD", "wrong-horse-battery-1X")];
    project
        .iacsh_with(&["--env", "other", "scripts/migrate.rhai"], &wrong)
        .code(78)
        .says("DB_PASSWORD");
    project.iacsh_with(&["env", "check", "other"], &login).says("DB_USER");
}
