//! Requests that no SDK would send.

use proptest::prelude::*;

use super::super::model::{self, Protocol};
use super::super::{Request, protocol::Reply};
use super::*;

pub fn send(cloud: &Cloud, service: &str, target: &str, body: &[u8]) -> Reply {
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-central-1/{service}/aws4_request, SignedHeaders=host");
    cloud.sandbox.aws().answer(Request {
        authorization: &authorization,
        target,
        body,
    })
}

/// Whether a reply has the form that AWS gives it, and is not the sandbox's own failure.
fn is_of_aws(reply: &Reply) -> bool {
    let body = String::from_utf8_lossy(&reply.body);
    let error = reply.status >= 400;
    let shaped = match serde_json::from_str::<serde_json::Value>(&body) {
        Ok(json) => !error || (json["__type"].is_string() && json["message"].is_string()),
        Err(_) => {
            let mut reader = quick_xml::Reader::from_str(&body);
            let whole = std::iter::from_fn(|| match reader.read_event() {
                Ok(quick_xml::events::Event::Eof) => None,
                event => Some(event.is_ok()),
            });
            whole.into_iter().all(|ok| ok) && (!error || body.contains("<Code>"))
        }
    };
    shaped && reply.status != 500
}

#[test]
fn unsigned_and_unknown_requests_are_told_so() {
    let cloud = Cloud::new();
    let unsigned = cloud.sandbox.aws().answer(Request {
        body: b"Action=DescribeVpcs",
        ..Request::default()
    });
    assert_eq!(unsigned.status, 403);
    let text = |reply: Reply| String::from_utf8(reply.body).unwrap();
    let s3 = send(&cloud, "s3", "", b"Action=ListBuckets");
    assert!(is_of_aws(&s3) && text(s3).contains("not in the sandbox: s3:ListBuckets"));
    let dynamo = send(&cloud, "dynamodb", "DynamoDB_20120810.ListTables", b"{}");
    assert!(is_of_aws(&dynamo));
    let wrong = send(&cloud, "ssm", "AmazonECS.GetParameter", b"{}");
    assert!(text(wrong).contains("not in the sandbox"));
    let parameter = send(&cloud, "ec2", "", b"Action=DescribeVpcs&VpcIdd.1=x");
    assert!(text(parameter).contains("<Code>UnknownParameter</Code><Message>The parameter VpcIdd is not recognized"));
    let number = send(&cloud, "ec2", "", b"Action=DescribeVpcs&MaxResults=many");
    assert!(text(number).contains("<Code>InvalidParameterValue</Code>"));
    let deep = format!("Action=DescribeVpcs&{}=x", ["a"; 5000].join("."));
    assert!(text(send(&cloud, "ec2", "", deep.as_bytes())).contains("MalformedQueryString"));
    let kind = send(
        &cloud,
        "tagging",
        "ResourceGroupsTaggingAPI_20170126.GetResources",
        br#"{"TagFilters":"x"}"#,
    );
    assert!(text(kind).contains("SerializationException"));
}

#[test]
fn constraints_of_the_model_are_checked_in_aws_words() {
    let cloud = Cloud::new();
    let text = |reply: Reply| String::from_utf8(reply.body).unwrap();
    let missing = send(&cloud, "iam", "", b"Action=GetRole");
    assert_eq!(missing.status, 400);
    assert!(text(missing).contains(
        "1 validation error detected: Value null at &apos;roleName&apos; failed to satisfy \
             constraint: Member must not be null"
    ));
    let secret = br#"{"Name":"","ClientRequestToken":"short","SecretString":"s3cr3t"}"#;
    let secret = text(send(&cloud, "secretsmanager", "secretsmanager.CreateSecret", secret));
    assert!(
        secret.contains("2 validation errors detected") && secret.contains("ValidationException"),
        "{secret}"
    );
    let ec2 = send(&cloud, "ec2", "", b"Action=DeleteVpc");
    assert!(text(ec2).contains("<Message>The request must contain the parameter vpcId</Message>"));
}

/// A path of a form: mostly parts that mean something.
fn path() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "(Filter|Name|Value|VpcId|CidrBlock|TagSpecification|Tag|Key|member|entry|MaxResults|GroupId|IpPermissions)",
        "[0-9]{1,3}",
        "\\PC{0,6}",
    ];
    prop::collection::vec(part, 1..6).prop_map(|parts| parts.join("."))
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "\\PC{0,12}".prop_map(Into::into),
    ];
    let name = "(Name|Value|Tags|TagFilters|Key|Values|ResourceARNList|ResourcesPerPage|Parameters|[a-z]{1,5})";
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::Array),
            prop::collection::vec((name, inner), 0..4)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_form_gets_an_answer_of_awss_form(
        forms in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec((path(), "\\PC{0,12}"), 0..6)), 8)
    ) {
        let cloud = Cloud::new();
        for service in model::SERVICES {
            let (_, model) = model::of(service).unwrap();
            if model.metadata.protocol == Protocol::Json {
                continue;
            }
            let mut operations: Vec<_> = model.operations.keys().collect();
            operations.sort();
            for (index, parameters) in &forms {
                let operation = index.get(&operations);
                let mut form = form_urlencoded::Serializer::new(format!("Action={operation}&Version=1"));
                form.extend_pairs(parameters);
                let form = form.finish();
                let reply = send(&cloud, service, "", form.as_bytes());
                prop_assert!(is_of_aws(&reply), "{form}: {} {}", reply.status, String::from_utf8_lossy(&reply.body));
            }
        }
    }

    #[test]
    fn any_body_gets_an_answer_of_awss_form(
        body in prop_oneof![
            json().prop_map(|json| json.to_string().into_bytes()),
            prop::collection::vec(any::<u8>(), 0..40),
        ],
        index in any::<prop::sample::Index>(),
    ) {
        let cloud = Cloud::new();
        for service in model::SERVICES {
            let (_, model) = model::of(service).unwrap();
            let mut operations: Vec<_> = model.operations.keys().collect();
            operations.sort();
            let target = format!("{}.{}", model.metadata.target_prefix, index.get(&operations));
            let reply = send(&cloud, service, &target, &body);
            prop_assert!(is_of_aws(&reply), "{target}: {}", String::from_utf8_lossy(&reply.body));
        }
    }

    #[test]
    fn any_header_is_safe(authorization in "\\PC{0,40}", target in "\\PC{0,20}", body in "\\PC{0,20}") {
        let cloud = Cloud::new();
        let request = Request { authorization: &authorization, target: &target, body: body.as_bytes() };
        prop_assert!(is_of_aws(&cloud.sandbox.aws().answer(request)));
    }
}
