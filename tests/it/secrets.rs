//! Secrets appear nowhere.

use crate::project::Project;

#[test]
fn no_secret_is_found_in_files_output_or_logs() {
    let project = Project::new();
    let secrets = [
        ("DB_PASSWORD", "Pw-e8f2c1d09b7a4653-DB"),
        ("ORDERS_WORKER_SECRET", "cs-5b1e77aa90c24f3d8e6b-orders"),
        ("PORTAL_SECRET", "cs-91d0c3f4b8a2476e95f1-portal"),
    ];
    let mut printed = String::new();
    for script in [
        "scripts/recreate.rhai",
        "scripts/recreate.rhai",
        "scripts/inventory.rhai",
    ] {
        let ran = project.iacsh_with(&["-vv", script], &secrets).code(0);
        printed += &ran.to_string();
    }
    let json = project
        .iacsh_with(&["--json", "scripts/recreate.rhai"], &secrets)
        .code(0);
    printed += &json.to_string();
    let token = project
        .iacsh_with(&["-c", "secrets::value(\"redis-token\")"], &secrets)
        .code(0)
        .says("********");
    printed += &token.to_string();
    let failed = project
        .iacsh_with(&["-c", "throw variable(\"DB_PASSWORD\")"], &secrets)
        .code(1);
    printed += &failed.to_string();

    for (name, secret) in secrets {
        assert!(!printed.contains(secret), "{name} was printed");
        for file in project.files() {
            let bytes = std::fs::read(&file).expect("a readable file");
            let found = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
            assert!(!found(secret.as_bytes()), "{name} is in {}", file.display());
            // As SQL Server would write it, in UTF-16.
            let wide: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
            assert!(!found(&wide), "{name} is in {}", file.display());
        }
    }

    // In the database is the hash, which is what IdentityServer compares.
    let hashes = project
        .iacsh_with(
            &[
                "--json",
                "-c",
                "mssql::query(mssql::connect(), \"SELECT Value FROM ClientSecrets\")",
            ],
            &secrets,
        )
        .code(0)
        .json();
    assert!(!hashes.as_array().expect("rows").is_empty());
    for row in hashes.as_array().expect("rows") {
        assert_eq!(row["Value"].as_str().map(str::len), Some(44), "{hashes}");
    }
}
