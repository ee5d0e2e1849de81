//! Requests that no SDK would send.

use proptest::prelude::*;

use super::super::model::{self, Protocol};
use super::super::{Request, protocol::Reply};
use super::*;

/// A request of a REST protocol, to Route 53.
pub fn call(cloud: &Cloud, method: &str, uri: &str, body: &[u8]) -> Reply {
    let authorization = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/route53/aws4_request, SignedHeaders=host";
    cloud.sandbox.aws().answer(Request {
        method,
        uri,
        authorization,
        body,
        ..Request::default()
    })
}

pub fn send(cloud: &Cloud, service: &str, target: &str, body: &[u8]) -> Reply {
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-central-1/{service}/aws4_request, SignedHeaders=host");
    cloud.sandbox.aws().answer(Request {
        method: "POST",
        uri: "/",
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
fn rest_requests_are_read_by_method_path_and_document() {
    let cloud = Cloud::new();
    let text = |reply: Reply| String::from_utf8(reply.body).unwrap();
    let zones = "/2013-04-01/hostedzone";
    let known = call(&cloud, "DELETE", "/2013-04-01/hostedzone/Z1", b"");
    assert!(is_of_aws(&known) && !text(known).contains("not in the sandbox: route53:DELETE"));
    // A DELETE sent as a POST is another operation, and a PUT is none.
    let unknown = text(call(&cloud, "PUT", "/2013-04-01/hostedzone/Z1", b""));
    assert!(
        unknown.contains("not in the sandbox: route53:PUT /2013-04-01/hostedzone/Z1"),
        "{unknown}"
    );
    let old = text(call(&cloud, "GET", "/2012-12-12/hostedzone", b""));
    assert!(old.contains("not in the sandbox: route53:GET /2012-12-12/hostedzone"));
    let query = text(call(&cloud, "GET", "/2013-04-01/hostedzone?maxitem=1", b""));
    assert!(
        query.contains("<Code>InvalidInput</Code><Message>The parameter maxitem is not recognized"),
        "{query}"
    );

    let ns = "xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"";
    let wrong = [
        (
            "<Name>example.org</Name>".to_owned(),
            "Name is not valid, expected CreateHostedZoneRequest",
        ),
        (
            "<CreateHostedZoneRequest/>".to_owned(),
            "cvc-elt.1: Cannot find the declaration of element",
        ),
        (format!("<CreateHostedZoneRequest {ns}>"), "MalformedInput"),
        (
            format!("<CreateHostedZoneRequest {ns}><Nam>x</Nam></CreateHostedZoneRequest>"),
            "Invalid content was found starting with element &apos;Nam&apos;",
        ),
        (
            format!("<CreateHostedZoneRequest {ns}><Name>x</Name></CreateHostedZoneRequest>"),
            "Value null at &apos;callerReference&apos; failed to satisfy constraint",
        ),
        (
            format!(
                "<CreateHostedZoneRequest {ns}><Name>x</Name><HostedZoneConfig><PrivateZone>maybe</PrivateZone>\
                 </HostedZoneConfig></CreateHostedZoneRequest>"
            ),
            "&apos;maybe&apos; is not a valid value for &apos;boolean&apos;",
        ),
        (
            format!("<!DOCTYPE a [<!ENTITY b 'c'>]><CreateHostedZoneRequest {ns}/>"),
            "a document type is not allowed",
        ),
        ("<a>".repeat(100), "MalformedInput"),
    ];
    for (body, told) in wrong {
        let reply = call(&cloud, "POST", zones, body.as_bytes());
        assert_eq!(reply.status, 400, "{body}");
        let reply = text(reply);
        assert!(reply.contains(told), "{body}: {reply}");
    }
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

/// An XML document: mostly elements that mean something.
fn document() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[a-z0-9.]{0,8}",
        "\\PC{0,6}",
        Just("&amp;&#65;".to_owned()),
        Just("&x;".to_owned())
    ];
    let name = "(ChangeBatch|Changes|Change|Action|ResourceRecordSet|Name|Type|TTL|ResourceRecords|Value|AliasTarget)";
    let inner = leaf.prop_recursive(6, 40, 4, move |inner| {
        prop::collection::vec((name, inner), 0..4).prop_map(|elements| {
            let elements = elements.iter().map(|(name, inner)| format!("<{name}>{inner}</{name}>"));
            elements.collect()
        })
    });
    ("(ChangeResourceRecordSetsRequest|CreateHostedZoneRequest)", inner).prop_map(|(name, inner)| {
        format!("<{name} xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">{inner}</{name}>")
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
            if matches!(model.metadata.protocol, Protocol::Json | Protocol::RestXml) {
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
    fn any_address_and_document_gets_an_answer_of_awss_form(
        method in "(GET|POST|DELETE|PUT)",
        path in prop::collection::vec("(2013-04-01|hostedzone|rrset|tags|change|Z1|%zz|\\PC{0,6})", 0..6),
        query in "(|[?](maxitems|name|type|marker|x)=\\PC{0,6}(&maxitems=%)?)",
        body in prop_oneof![document(), Just(String::new()), "\\PC{0,40}"],
        cut in any::<prop::sample::Index>(),
    ) {
        let cloud = Cloud::new();
        let uri = format!("/{}{query}", path.join("/"));
        let reply = call(&cloud, &method, &uri, body.as_bytes());
        prop_assert!(is_of_aws(&reply), "{method} {uri}: {}", String::from_utf8_lossy(&reply.body));
        let cut = cut.index(body.len() + 1);
        for name in ["/2013-04-01/hostedzone", "/2013-04-01/hostedzone/Z1/rrset/"] {
            for body in [body.as_bytes(), &body.as_bytes()[..cut]] {
                let reply = call(&cloud, "POST", name, body);
                prop_assert!(is_of_aws(&reply), "{}", String::from_utf8_lossy(&reply.body));
            }
        }
    }

    #[test]
    fn any_header_is_safe(authorization in "\\PC{0,40}", target in "\\PC{0,20}", body in "\\PC{0,20}") {
        let cloud = Cloud::new();
        let (authorization, target) = (authorization.as_str(), target.as_str());
        let request = Request { authorization, target, body: body.as_bytes(), ..Request::default() };
        prop_assert!(is_of_aws(&cloud.sandbox.aws().answer(request)));
    }
}
