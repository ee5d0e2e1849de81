//! Certificates as scripts refer to them. Only on the sandbox: moto issues one after a minute, and takes none that it cannot
//! verify.

use aws_sdk_acm::primitives::Blob;

use crate::aws::testing::World;
use crate::error::Result;
use crate::map;
use crate::sandbox::aws::acm::x509::testing::self_signed;
use crate::value::{Map, Value};

async fn import(world: &World, names: &[&str]) -> String {
    let (text, key) = self_signed(names, names[0], 1);
    let call = world.aws.acm.import_certificate().certificate(Blob::new(text));
    let answer = call.private_key(Blob::new(key)).send().await.unwrap();
    answer.certificate_arn.unwrap()
}

async fn ask(world: &World, which: Map) -> Result<Map> {
    let answer = world.call("acm::certificate", vec![Value::Map(which)]).await?;
    Ok(answer.as_map().unwrap().clone())
}

#[tokio::test]
async fn a_certificate_is_found_by_the_name_that_it_covers() {
    let world = World::sandbox();
    let arn = import(&world, &["example.org", "*.example.org"]).await;
    for which in [
        map! { "domain" => "login.example.org" },
        map! { "arn" => arn.as_str() },
        map! { "arn" => arn.as_str(), "domain" => "example.org" },
    ] {
        let found = ask(&world, which).await.unwrap();
        assert_eq!(
            (found["arn"].as_str(), found["status"].as_str()),
            (Some(arn.as_str()), Some("ISSUED"))
        );
    }
    let call = world
        .aws
        .acm
        .request_certificate()
        .domain_name("deep.login.example.org");
    let call = call.validation_method(aws_sdk_acm::types::ValidationMethod::Dns);
    let pending = call.send().await.unwrap().certificate_arn.unwrap();
    for (which, told) in [
        (
            map! { "domain" => "example.net" },
            "no certificate in eu-west-1 is issued for example.net",
        ),
        (
            map! { "arn" => arn.as_str(), "domain" => "a.b.example.org" },
            "does not cover a.b.example.org: it is for example.org, *.example.org",
        ),
        (
            map! { "arn" => arn.replace("eu-west-1", "us-east-1") },
            "is in us-east-1, the environment in eu-west-1",
        ),
        (
            map! { "arn" => pending.as_str() },
            "cannot be used: it is PENDING_VALIDATION",
        ),
        (map! {}, "which certificate is meant?"),
    ] {
        let error = ask(&world, which).await.unwrap_err();
        assert!(error.message().contains(told), "{error}");
    }
    let error = ask(&world, map! { "domain" => "deep.login.example.org" })
        .await
        .unwrap_err();
    assert!(
        error.notes().iter().any(|note| note.contains("is PENDING_VALIDATION")),
        "{error}"
    );
    let all = world.call("acm::certificates", Vec::new()).await.unwrap();
    assert!(matches!(&all, Value::List(all) if all.len() == 2), "{all:?}");
}
