use std::collections::HashMap;
use std::time::Duration;

use super::needs::Surroundings;
use super::*;

const SMALL: &str = "project = \"shop\"\n[aws]\nregion = \"eu-central-1\"\n[ecs]\nimage = \"shop:1\"\n";

fn load(text: &str) -> Result<Environment> {
    Environment::from_document(
        &Document::parse("environments/x.toml", text)?,
        Path::new("/project"),
        "x",
    )
}

/// Every problem as `line:column message (hint)`.
fn told(text: &str) -> Vec<String> {
    let error = load(text).unwrap_err();
    assert_eq!(error.exit(), crate::error::Exit::Invalid);
    std::iter::once(&error)
        .chain(error.others())
        .map(|error| {
            let at = error.location().unwrap();
            assert_eq!(at.file, "environments/x.toml");
            let hint = error.help().map(|hint| format!(" ({hint})")).unwrap_or_default();
            format!("{}:{} {}{hint}", at.line, at.column, error.message())
        })
        .collect()
}

/// The problems of the small environment with more lines.
fn with(more: &str) -> Vec<String> {
    told(&format!("{SMALL}{more}"))
        .into_iter()
        .map(|told| told.split_once(' ').unwrap().1.to_owned())
        .collect()
}

#[test]
fn the_environments_of_this_project_are_right() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert_eq!(Environment::names(root).unwrap(), ["production", "sandbox", "staging"]);
    for name in Environment::names(root).unwrap() {
        let environment = Environment::load(root, &name).unwrap();
        assert_eq!(environment.name, name);
        assert_eq!(environment.protect, name == "production");
        assert_eq!(environment.aws.is_sandbox(), name == "sandbox");
    }
}

#[test]
fn a_few_lines_are_enough() {
    let environment = load(SMALL).unwrap();
    assert_eq!(environment.prefix(), "shop-x");
    assert!(environment.aws.is_sandbox() && environment.database.is_sandbox());
    assert_eq!(
        environment.network.plan(),
        NetworkPlan::Make {
            cidr: "10.0.0.0/16".parse().unwrap(),
            zones: Zones::Count(2),
            nat: false,
            endpoints: false
        }
    );
    assert_eq!((environment.ecs.cpu, environment.ecs.memory), (256, 512));
    assert_eq!(environment.waits.database(), Duration::from_secs(120));
    assert_eq!(environment.waits.resource, None);
}

#[test]
fn every_problem_is_told_at_once_in_the_order_of_the_lines() {
    let text = "project = \"Shop\"\n\n[aws]\nregin = \"eu-central-1\"\nregion = \"europe\"\n\n[redis]\nreplicas = 7\n\
                node_typ = \"cache.t4g.micro\"\n\n[ecs]\nimage = \"shop\"\ncpu = \"256\"\nmemory = 1500\n";
    assert_eq!(
        told(text),
        [
            "1:1 \"Shop\" is no project name: small letters, digits and single hyphens between them, a letter first",
            "4:1 unknown key `regin` (did you mean `region`?)",
            "5:1 \"europe\" is not a region (as \"eu-central-1\")",
            "8:1 7 replicas: 0 to 5 are possible",
            "9:1 unknown key `node_typ` (did you mean `node_type`?)",
            "12:1 \"shop\" is not an image with a tag or digest (as \"identityserver:1.0\" in the project's own \
             repository, or a full address with a tag)",
            "13:1 whole number is expected here, not text",
            "14:1 Fargate has no 1500 MiB for 256 CPU units: 512, 1024 or 2048",
        ]
    );
}

#[test]
fn an_unknown_environment_names_those_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let error = Environment::load(root, "stagin").unwrap_err();
    assert_eq!(error.exit(), crate::error::Exit::Invalid);
    assert_eq!(error.message(), "there is no environment `stagin`");
    assert_eq!(error.notes(), ["there are: production, sandbox, staging"]);
    assert_eq!(error.help(), Some("did you mean `staging`?"));
    let error = Environment::load(root, "../Cargo").unwrap_err();
    assert_eq!(error.help(), Some("there are: production, sandbox, staging"));
}

#[test]
fn a_network_is_made_or_named() {
    let network = "[network]\nvpc = \"vpc-0123456789abcdef0\"\npublic_subnets = [\"subnet-01234567\", \
                   \"subnet-89abcdef\"]\nprivate_subnets = [\"subnet-89abcde0\"]\n";
    assert!(load(&format!("{SMALL}{network}")).unwrap().network.is_reference());
    assert_eq!(
        with("[network]\nvpc = \"main\"\nnat = true\npublic_subnets = [\"subnet-01234567\", \"subnet-01234567\"]\n"),
        [
            "`private_subnets` has too few subnets: the cache needs one or more",
            "\"main\" is not the id of a VPC (as \"vpc-0123456789abcdef0\")",
            "`nat` describes a network to make, and `vpc` names one that exists (keep one of the two)",
            "subnet-01234567 is there twice",
        ]
    );
    assert_eq!(
        with("[network]\ncidr = \"10.0.0.1/16\"\nzones = [\"eu-central-1a\", \"us-east-1b\"]\n"),
        [
            "10.0.0.1/16 has bits set behind the prefix: the block is 10.0.0.0/16",
            "\"us-east-1b\" is not a zone of eu-central-1 (as \"eu-central-1a\")",
        ]
    );
    assert_eq!(
        with("[network]\ncidr = \"10.0.0.0/27\"\n"),
        ["10.0.0.0/27 is too small for two subnets in each of 2 zones (a subnet needs at least a /28)"]
    );
    assert_eq!(
        with("[network]\nzones = 1\n"),
        ["1 zones: 2 to 6 are possible (a load balancer needs at least two)"]
    );
}

#[test]
fn a_credential_is_named_and_never_written_or_repeated() {
    let error = load(&format!("{SMALL}[database]\npassword = \"hunter 2\"\n")).unwrap_err();
    assert_eq!(
        error.message(),
        "`password` is the name of a variable, never the password itself"
    );
    assert_eq!(error.location().unwrap().text.as_deref(), Some("password = ..."));
    let told = with(
        "[ecs.environment]\nDb = \"Server=x;Password=hunter2\"\nSmtp__Password = \"hunter2\"\n\
                     [ecs.secrets]\nA = \"hunter 2\"\n",
    );
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(!told.join(" ").contains("hunter"), "{told:?}");
}

#[test]
fn tags_have_the_form_that_aws_takes() {
    let more = "[tags]\nowner = \"a\"\ncost_center = \"7\"\nexpires_at = 2027-01-31\nfloor = \"3\"\n";
    let tags = load(&format!("{SMALL}{more}")).unwrap().tags.for_aws();
    let tags: Vec<_> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(
        tags,
        ["owner=a", "cost-center=7", "iacsh:expires-at=2027-01-31", "floor=3"]
    );
    assert_eq!(
        with(
            "[tags]\nownr = \"a\"\n\"aws:x\" = \"b\"\nquery = \"a?b\"\nName = \"x\"\nempty = \"\"\nback = \"aws:x\"\nexpires_at = \"soon\"\n"
        ),
        [
            "the tag `ownr` is too near to `owner` (did you mean `owner`?)",
            "tags that begin with `aws:` are not free",
            "a tag's value has at most 256 letters, digits, spaces and + - = . _ : / @",
            "the tag `Name` is what iacsh calls each resource (choose another name)",
            "a tag's value is neither empty nor has spaces around it (leave the tag out)",
            "a tag's value must not begin with `aws:` or `rds:`: services refuse it",
            "\"soon\" is not a day (as \"2027-01-31\", or \"never\")",
        ]
    );
}

#[test]
fn times_are_written_as_people_write_them() {
    let waits = "[waits]\nresource = \"90s\"\ndelete = \"1h 30m\"\nkinds = { vpc = \"5 minutes\" }\n";
    let waits = load(&format!("{SMALL}{waits}")).unwrap().waits;
    let seconds = |wait: Option<&Wait>| wait.and_then(Wait::parse).map(|time| time.as_secs());
    assert_eq!(seconds(waits.resource.as_ref()), Some(90));
    assert_eq!(seconds(waits.delete.as_ref()), Some(5400));
    assert_eq!(seconds(waits.kinds.get("vpc")), Some(300));
    assert_eq!(waits.answer(), Duration::from_secs(30));
    let answer = |text: &str| load(&format!("{SMALL}[waits]\nanswer = \"{text}\"\n"));
    assert_eq!(answer("200ms").unwrap().waits.answer(), Duration::from_millis(200));
    assert!(answer("31s").is_err());
    assert_eq!(
        with("[waits]\nservice = \"soon\"\ndatabase = \"-1s\"\nkinds = { vpc = \"9999h\" }\n").len(),
        3
    );
}

#[test]
fn what_does_not_go_together_is_refused() {
    assert_eq!(
        told("project = \"shop\"\n[aws]\ntarget = \"aws\"\nregion = \"eu-central-1\"\n[ecs]\nimage = \"shop:1\"\n"),
        [
            "2:2 `account` is missing (on AWS it guards against changing another account: `aws sts \
             get-caller-identity` tells it)",
            "1:1 a service on AWS cannot reach the sandbox's database (set [database] target = \"server\" with its host)",
        ]
        .into_iter()
        .rev()
        .collect::<Vec<_>>()
    );
    let endpoint = "project = \"shop\"\n[aws]\ntarget = \"aws\"\nregion = \"eu-central-1\"\n\
                    endpoint = \"http://127.0.0.1:5000\"\n[ecs]\nimage = \"nginx:1.27\"\n\
                    [redis]\nparameter_group = \"default.redis7\"\n";
    assert!(load(endpoint).is_ok());
}

#[test]
fn a_server_on_rds_is_made_or_named() {
    let database = load(&format!("{SMALL}[database]\ntarget = \"rds\"\n"))
        .unwrap()
        .database;
    let DatabasePlan::Make(instance) = database.plan() else {
        panic!("{:?}", database.plan());
    };
    assert_eq!(
        (instance.engine.as_str(), instance.source.as_str()),
        ("sqlserver-ex", "latest")
    );
    assert!(!database.has_login());
    let named = "[database]\ntarget = \"rds\"\nid = \"sql-production\"\nuser = \"SQL_USER\"\n";
    let database = load(&format!("{SMALL}{named}")).unwrap().database;
    assert_eq!(database.plan(), DatabasePlan::Use("sql-production".into()));
    assert!(database.has_login());

    assert_eq!(
        with("[database]\ntarget = \"rds\"\nid = \"sql\"\nclass = \"db.t3.small\"\nhost = \"sql.example.org\"\n"),
        [
            "`class` describes a server to make, and `id` names one that exists (keep one of the two)",
            "RDS gives the server its `host` (leave it out, or set target = \"server\")",
        ]
    );
    assert_eq!(
        with(
            "[database]\ntarget = \"rds\"\nuser = \"SQL_USER\"\nclass = \"t3.small\"\nstorage = 10\nmulti_az = true\n\
             engine_version = \"2019\"\nmaintenance_window = \"sunday\"\nsource = \"bak:s3://b/f.bak\"\n"
        ),
        [
            "`user` names a variable, and the login of a server of ours is made once and kept (leave it out: Secrets \
             Manager has the password)",
            "\"t3.small\" is not a class of instances (as \"db.t3.small\")",
            "10 GiB: 20 to 16384 are possible",
            "sqlserver-ex has no `multi_az` (sqlserver-se and sqlserver-ee have)",
            "\"2019\" is not a version of SQL Server on RDS (as \"15.00\" for 2019, or all of it as \
             \"15.00.4236.7.v1\")",
            "\"sunday\" is not a window in UTC (as \"sun:03:00-sun:04:00\")",
            "\"s3://b/f.bak\" is no file in S3: \"b\" is no name of a bucket (as \"bak:s3://my-bucket/shop.bak\")",
        ]
    );
    assert_eq!(
        with("[database]\nclass = \"db.t3.small\"\n"),
        ["`class` is of a server on RDS (set target = \"rds\" or leave it out)"]
    );
    assert_eq!(
        with("[database]\ntarget = \"rds\"\nauthority = \"rds.pem\"\ntrust_certificate = true\n"),
        ["`authority` says whom to trust, and another key switches the check off (keep one of the two)"]
    );
    let aws = SMALL.replace("[aws]", "[aws]\ntarget = \"aws\"\naccount = \"111122223333\"");
    let missing = &told(&format!("{aws}[database]\ntarget = \"rds\"\n"))[0];
    assert!(missing.contains("`authority` is missing"), "{missing}");
    load(&format!("{aws}[database]\ntarget = \"rds\"\nauthority = \"rds.pem\"\n")).unwrap();
}

#[test]
fn a_long_name_is_refused_before_a_service_does() {
    let text = SMALL.replace("shop\"", "a-project-with-a-long-name\"");
    assert_eq!(
        told(&text),
        [
            "1:1 `a-project-with-a-long-name-x` has 28 characters: 26 is the most that fits all names (shorten the \
          project's or the environment's name)"
        ]
    );
}

#[test]
fn images_are_a_tag_or_a_full_address() {
    for image in [
        "identity:1.0",
        "team/identity:1.0",
        "111122223333.dkr.ecr.eu-central-1.amazonaws.com/identity:1.4.2",
        "localhost:5000/identity:latest",
        "docker.io/library/nginx:1.27",
    ] {
        load(&SMALL.replace("shop:1", image)).unwrap();
    }
    for image in ["identity", "Identity:1", "identity:", "https://x/y:1", ""] {
        assert_eq!(told(&SMALL.replace("shop:1", image)).len(), 1, "{image}");
    }
}

#[test]
fn an_address_has_a_certificate_or_a_zone_in_which_it_is_looked_up() {
    let with = |address: &str| format!("{SMALL}\n[address]\nhost = \"login.example.org\"\n{address}\n");
    for zone in ["example.org", "login.example.org", "Z0123456789ABCDEFGHIJ"] {
        let environment = load(&with(&format!("zone = \"{zone}\""))).unwrap();
        assert_eq!(environment.address.unwrap().zone.as_deref(), Some(zone));
    }
    for (address, expected) in [
        ("", "`certificate` is missing"),
        (
            "zone = \"example.com\"",
            "login.example.org is not in the zone example.com",
        ),
        ("zone = \"ample.org\"", "login.example.org is not in the zone ample.org"),
        (
            "zone = \"/hostedzone/Z1\"",
            "is not the name or the id of a hosted zone",
        ),
        ("certificate = \"arn:aws:acm:x\"", "is not the ARN of a certificate"),
    ] {
        let told = told(&with(address));
        assert!(told.len() == 1 && told[0].contains(expected), "{address}: {told:?}");
    }
}

#[test]
fn there_is_one_way_out_of_private_subnets() {
    let with = |network: &str| format!("{SMALL}\n[network]\n{network}\n");
    let environment = load(&with("endpoints = true")).unwrap();
    assert!(matches!(
        environment.network.plan(),
        NetworkPlan::Make {
            endpoints: true,
            nat: false,
            ..
        }
    ));
    let both = told(&with("nat = true\nendpoints = true"));
    assert!(both.len() == 1 && both[0].contains("two ways out"), "{both:?}");
    let there = "vpc = \"vpc-0123456789abcdef0\"\nendpoints = true\npublic_subnets = [\"subnet-0123456789abcdef0\", \
                 \"subnet-1123456789abcdef0\"]\nprivate_subnets = [\"subnet-2123456789abcdef0\", \"subnet-3123456789abcdef0\"]";
    assert!(told(&with(there))[0].contains("`endpoints` describes a network to make"));
}

/// A machine with these variables and files.
#[derive(Default)]
struct Machine(HashMap<&'static str, &'static str>);

impl Surroundings for Machine {
    fn variable(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|&value| value.to_owned())
    }

    fn file(&self, path: &str) -> Option<String> {
        self.variable(path)
    }
}

fn needs(name: &str, machine: Machine) -> Vec<String> {
    let environment = Environment::load(Path::new(env!("CARGO_MANIFEST_DIR")), name).unwrap();
    environment
        .needs_in(&[Need::variable("API_SECRET", "clients/api.toml")], &machine)
        .into_iter()
        .map(|need| {
            format!(
                "{} | {} | {:?} | {}",
                need.kind, need.name, need.present, need.needed_by
            )
        })
        .collect()
}

#[test]
fn the_sandbox_generates_what_is_missing() {
    assert_eq!(
        needs("sandbox", Machine([("DB_USER", "me"), ("DB_PASSWORD", "")].into())),
        [
            "image (simulated) | identity:1.0 | Some(true) | ecs.image",
            "variable | DB_USER | Some(true) | database.user",
            "variable (generated) | DB_PASSWORD | Some(true) | database.password",
            "variable (generated) | API_SECRET | Some(true) | clients/api.toml",
        ]
    );
}

#[test]
fn aws_needs_everything_and_values_are_never_told() {
    let machine = Machine(
        [
            ("HOME", "/home/me"),
            ("/home/me/.aws/config", "[profile identity-staging]\nregion = x\n"),
            ("STAGING_DB_USER", "me"),
            ("SMTP_PASSWORD", "hunter2"),
        ]
        .into(),
    );
    assert_eq!(
        needs("staging", machine),
        [
            "credentials | identity-staging | Some(true) | aws",
            "certificate | arn:aws:acm:eu-central-1:111122223333:certificate/0a1b2c3d-0000-4000-8000-000000000000 | \
             None | address.certificate",
            "image | identity:1.0 | None | ecs.image",
            "variable | SMTP_PASSWORD | Some(true) | ecs.secrets.Smtp__Password",
            "variable | STAGING_DB_USER | Some(true) | database.user",
            "variable | STAGING_DB_PASSWORD | Some(false) | database.password",
            "variable | API_SECRET | Some(false) | clients/api.toml",
        ]
    );
    assert!(needs("staging", Machine::default())[0].contains("Some(false)"));
    let keys = Machine([("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")].into());
    let production = needs("production", keys);
    assert!(production[0].contains("identity-production | Some(false)"));
    assert!(
        production.contains(
            &"secret (generated once) | identity-production-database-password | Some(true) | database".to_owned()
        ),
        "{production:?}"
    );
    assert!(
        production.contains(
            &"certificate authorities | certificates/eu-central-1-bundle.pem | Some(false) | database.authority"
                .to_owned()
        ),
        "{production:?}"
    );
}

#[test]
fn the_root_is_the_nearest_directory_with_environments() {
    let directory = tempfile::tempdir().unwrap();
    let deep = directory.path().join("a/b/c");
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::create_dir_all(directory.path().join("a/environments")).unwrap();
    assert_eq!(find_root(&deep).unwrap(), directory.path().join("a"));
    let error = find_root(directory.path()).unwrap_err();
    assert_eq!(error.exit(), crate::error::Exit::Invalid);
}

#[test]
fn every_key_can_be_written_in_a_script() {
    fn walk(schema: &serde_json::Value, engine: &rhai::Engine) -> usize {
        let properties = schema.get("properties").and_then(serde_json::Value::as_object);
        let variants = schema.get("anyOf").and_then(serde_json::Value::as_array);
        let mut keys = variants.into_iter().flatten().map(|schema| walk(schema, engine)).sum();
        for (key, schema) in properties.into_iter().flatten() {
            engine
                .compile(format!("let x = #{{ {key}: 1 }}; x.{key}"))
                .unwrap_or_else(|error| panic!("{key}: {error}"));
            keys += 1 + walk(schema, engine);
        }
        keys
    }
    let schema = crate::schema::of::<Environment>();
    assert!(walk(schema.as_value(), &rhai::Engine::new()) > 50);
}
