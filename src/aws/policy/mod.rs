//! The permissions that iacsh needs, as policies: what a kind or a verb calls, on this environment's resources only.
//!
//! Source: the Service Authorization Reference, for resources and condition keys of each action; "IAM and STS character
//! quotas", for the size of a managed policy.

mod grants;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::reads::is_read_action;
pub use grants::{Facts, Sample, samples};
use grants::{Grant, grant, of};

/// "Each managed policy can't exceed 6,144 characters. ... IAM doesn't count white space".
const LONGEST: usize = 6144;

/// What is called although no kind and no verb lists it: the guard, the sweep by tags, and the preflight.
const ALWAYS: [&str; 7] = [
    "ec2:DescribeNatGateways",
    "ec2:DescribeVpcEndpoints",
    "ecs:DescribeTaskDefinition",
    "iam:GetRole",
    "iam:SimulatePrincipalPolicy",
    "sts:GetCallerIdentity",
    "tag:GetResources",
];

/// The lease and the contracts.
const CONTRACTS: [&str; 5] = [
    "ssm:GetParameter",
    "ssm:GetParametersByPath",
    "ssm:PutParameter",
    "ssm:DeleteParameter",
    "ssm:DeleteParameters",
];

/// One policy document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub document: Value,
    /// As IAM counts them.
    pub characters: usize,
}

/// Why a statement is about every resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wide {
    pub statement: &'static str,
    pub why: &'static str,
}

/// The policies for actions, and what in them is about every resource. `plan`: only what a plan needs, which reads.
pub fn documents<'a>(
    facts: &Facts,
    actions: impl IntoIterator<Item = &'a str>,
    plan: bool,
) -> (Vec<Document>, Vec<Wide>) {
    let mut all: BTreeSet<&str> = actions.into_iter().collect();
    all.extend(ALWAYS);
    all.extend(CONTRACTS);
    all.retain(|action| !plan || is_read_action(action));

    let mut statements: BTreeMap<&'static str, (Grant, BTreeSet<&str>)> = BTreeMap::new();
    for action in all {
        for sid in of(facts, action) {
            let entry = statements
                .entry(sid)
                .or_insert_with(|| (grant(facts, sid), BTreeSet::new()));
            entry.1.insert(action);
        }
    }
    let wide = statements.iter().filter_map(|(sid, (grant, _))| {
        Some(Wide {
            statement: sid,
            why: grant.why?,
        })
    });
    let wide = wide.collect();
    let statements = statements.into_iter().map(|(sid, (grant, actions))| {
        let mut statement = json!({
            "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": grant.resources,
        });
        if let (Some(statement), Some(condition)) = (statement.as_object_mut(), grant.condition) {
            statement.insert("Condition".into(), condition);
        }
        statement
    });
    (packed(statements.collect()), wide)
}

/// Divides statements into as few documents as their order allows.
fn packed(statements: Vec<Value>) -> Vec<Document> {
    let document = |statements: &[Value]| {
        let document = json!({ "Version": "2012-10-17", "Statement": statements });
        let characters = document.to_string().chars().filter(|c| !c.is_whitespace()).count();
        Document { document, characters }
    };
    let mut documents: Vec<Document> = Vec::new();
    let mut open: Vec<Value> = Vec::new();
    for statement in statements {
        open.push(statement);
        if document(&open).characters > LONGEST && open.len() > 1 {
            let last = open.split_off(open.len() - 1);
            documents.push(document(&open));
            open = last;
        }
    }
    if !open.is_empty() {
        documents.push(document(&open));
    }
    documents
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::testing::World;

    fn facts() -> Facts {
        Facts {
            partition: "aws".into(),
            region: "eu-central-1".into(),
            account: "123456789012".into(),
            project: "shop".into(),
            environment: "staging".into(),
            given: Vec::new(),
            host: Some("login.example.org".into()),
            zone: None,
            adopts: false,
        }
    }

    /// Everything that the program lists.
    fn actions() -> BTreeSet<&'static str> {
        let world = World::sandbox();
        let kinds = crate::aws::kinds(&world.aws);
        let verbs = crate::aws::verbs(&world.aws);
        let of_kinds = kinds.iter().flat_map(|kind| kind.about().actions.iter().copied());
        let of_verbs = verbs.iter().flat_map(|verb| verb.actions.iter().copied());
        of_kinds.chain(of_verbs).collect()
    }

    fn statements(documents: &[Document]) -> Vec<&Value> {
        let lists = documents
            .iter()
            .filter_map(|document| document.document["Statement"].as_array());
        lists.flatten().collect()
    }

    fn about<'a>(statements: &'a [&Value], action: &str) -> Vec<&'a Value> {
        let has = |statement: &&&Value| {
            let mut actions = statement["Action"].as_array().into_iter().flatten();
            actions.any(|known| known == action)
        };
        statements.iter().filter(has).copied().collect()
    }

    #[test]
    fn every_policy_fits_and_every_action_is_in_one() {
        let (documents, _) = documents(&facts(), actions(), false);
        assert!((1..=10).contains(&documents.len()), "{} policies", documents.len());
        for document in &documents {
            assert!(document.characters <= LONGEST, "{} characters", document.characters);
            assert_eq!(
                document.characters,
                document.document.to_string().chars().filter(|c| *c != ' ').count()
            );
        }
        let all = statements(&documents);
        let mut sids = BTreeSet::new();
        assert!(all.iter().all(|statement| sids.insert(statement["Sid"].to_string())));
        for action in actions() {
            assert!(!about(&all, action).is_empty(), "{action}");
        }
    }

    /// Nothing that changes something is allowed everywhere, but for what the services offer no other way for.
    #[test]
    fn what_writes_is_bound_to_the_environment() {
        let (documents, wide) = documents(&facts(), actions(), false);
        let mut unbound = BTreeSet::new();
        for statement in statements(&documents) {
            let everywhere = statement["Resource"]
                .as_array()
                .unwrap()
                .iter()
                .any(|resource| resource == "*");
            if everywhere && statement.get("Condition").is_none() {
                assert!(
                    wide.iter().any(|wide| statement["Sid"] == wide.statement),
                    "{statement}"
                );
                let actions = statement["Action"].as_array().unwrap().iter().filter_map(Value::as_str);
                unbound.extend(actions.filter(|action| !is_read_action(action)).map(str::to_owned));
            }
        }
        assert_eq!(
            unbound.into_iter().collect::<Vec<_>>(),
            ["ecs:DeregisterTaskDefinition", "route53:AssociateVPCWithHostedZone"]
        );
    }

    /// The calls in the sources of kinds, verbs, and what they share.
    #[test]
    fn every_call_in_the_sources_is_allowed() {
        let (documents, _) = documents(&facts(), actions(), false);
        let all = statements(&documents);
        let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/aws")];
        let call = regex::Regex::new("\\.call\\(\"([a-z0-9]+:[A-Z][A-Za-z0-9]+)\"").unwrap();
        let mut called = BTreeSet::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.to_string_lossy().contains("tests") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    called.extend(call.captures_iter(&text).map(|found| found[1].to_owned()));
                }
            }
        }
        assert!(called.len() > 100, "{called:?}");
        called.retain(|action| about(&all, action).is_empty());
        // The images of the sandbox are simulated; on AWS nobody is allowed to push them here.
        assert_eq!(called.into_iter().collect::<Vec<_>>(), ["ecr:PutImage"]);
    }

    #[test]
    fn a_plan_gets_no_permission_to_write() {
        let (documents, _) = documents(&facts(), actions(), true);
        assert_eq!(documents.len(), 1);
        for statement in statements(&documents) {
            let mut actions = statement["Action"].as_array().unwrap().iter().filter_map(Value::as_str);
            assert!(actions.all(is_read_action), "{statement}");
        }
        // Values of secrets are read of the environment's own.
        let all = statements(&documents);
        let secrets = about(&all, "secretsmanager:GetSecretValue");
        assert_eq!(
            secrets[0]["Resource"],
            json!(["arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-staging-*"])
        );
    }

    #[test]
    fn roles_are_passed_to_two_services_only_and_what_is_deleted_must_carry_the_tags() {
        let (documents, _) = documents(&facts(), actions(), false);
        let all = statements(&documents);
        let pass = about(&all, "iam:PassRole");
        assert_eq!(pass.len(), 1);
        assert_eq!(
            pass[0]["Resource"],
            json!(["arn:aws:iam::123456789012:role/shop-staging-*"])
        );
        assert_eq!(
            pass[0]["Condition"],
            json!({ "StringEquals": { "iam:PassedToService": ["ecs-tasks.amazonaws.com", "rds.amazonaws.com"] } })
        );
        for action in [
            "ec2:DeleteVpc",
            "rds:DeleteDBInstance",
            "ecs:DeleteService",
            "iam:DeleteRole",
        ] {
            for statement in about(&all, action) {
                let equals = &statement["Condition"]["StringEquals"];
                assert_eq!(equals["aws:ResourceTag/iacsh:env"], "staging", "{action}: {statement}");
                assert_eq!(equals["aws:ResourceTag/iacsh:project"], "shop", "{action}: {statement}");
            }
        }
        let record = about(&all, "route53:ChangeResourceRecordSets");
        assert_eq!(
            record[0]["Condition"]["ForAllValues:StringEquals"]["route53:ChangeResourceRecordSetsNormalizedRecordNames"],
            json!(["login.example.org"])
        );
    }

    #[test]
    fn what_nobody_has_is_tagged_only_where_adopting_is_meant() {
        let tagging = |facts: &Facts| {
            let (documents, _) = documents(facts, actions(), false);
            let all = statements(&documents);
            let tagging = about(&all, "ec2:CreateTags").into_iter().cloned();
            tagging.collect::<Vec<_>>()
        };
        let plain = tagging(&facts());
        let adopting = tagging(&Facts {
            adopts: true,
            ..facts()
        });
        let more: Vec<_> = adopting.iter().filter(|one| !plain.contains(one)).collect();
        assert_eq!((more.len(), adopting.len()), (1, plain.len() + 1), "{more:?}");
        assert_eq!(more[0]["Action"], json!(["ec2:CreateTags"]));
        // Without adopting, nothing is tagged that does not carry the tags or is not being made.
        for statement in &plain {
            let equals = &statement["Condition"]["StringEquals"];
            let is_ours = equals["aws:ResourceTag/iacsh:env"] == "staging";
            assert!(is_ours || equals["ec2:CreateAction"].is_array(), "{statement}");
        }
        // With it, what no environment has, and only with this environment's tags.
        let yes = "true";
        assert_eq!(
            more[0]["Condition"],
            json!({
                "StringEquals": {
                    "aws:RequestTag/iacsh:project": "shop", "aws:RequestTag/iacsh:env": "staging",
                },
                "Null": { "aws:ResourceTag/iacsh:project": yes, "aws:ResourceTag/iacsh:env": yes },
            })
        );
    }

    #[test]
    fn a_network_that_is_only_used_is_named() {
        let given = "arn:aws:ec2:eu-central-1:123456789012:vpc/vpc-1".to_owned();
        let facts = Facts {
            given: vec![given.clone()],
            ..facts()
        };
        let (documents, _) = documents(&facts, actions(), false);
        let all = statements(&documents);
        let create = about(&all, "ec2:CreateSecurityGroup");
        assert!(
            create.iter().any(|statement| statement["Resource"] == json!([given])),
            "{create:#?}"
        );
        assert!(
            about(&all, "ec2:DeleteVpc")
                .iter()
                .all(|statement| statement["Resource"] != json!([given]))
        );
    }
}
