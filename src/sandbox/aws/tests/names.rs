//! Zones and records.

use aws_sdk_route53::operation::change_resource_record_sets::{
    ChangeResourceRecordSetsError, ChangeResourceRecordSetsOutput,
};
use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeAction, ChangeBatch, ChangeStatus, HostedZoneConfig, ResourceRecord, ResourceRecordSet,
    RrType, Tag as ZoneTag, TagResourceType, Vpc, VpcRegion,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::*;

pub(super) struct Names {
    pub(super) cloud: Cloud,
    dns: aws_sdk_route53::Client,
}

impl Names {
    pub(super) fn new() -> Self {
        let cloud = Cloud::new();
        let dns = aws_sdk_route53::Client::new(&cloud.config);
        Self { cloud, dns }
    }

    pub(super) async fn zone(&self, name: &str) -> String {
        let call = self.dns.create_hosted_zone().name(name).caller_reference(name);
        let id = call.send().await.unwrap().hosted_zone.unwrap().id;
        // As an SDK does it for an id in the path; TestDNSAnswer has it in the query, and takes only this form.
        id.trim_start_matches("/hostedzone/").to_owned()
    }

    pub(super) async fn change(
        &self,
        zone: &str,
        changes: &[(ChangeAction, ResourceRecordSet)],
    ) -> Result<ChangeResourceRecordSetsOutput, SdkError<ChangeResourceRecordSetsError, HttpResponse>> {
        let changes = changes.iter().map(|(action, set)| {
            let change = Change::builder().action(action.clone());
            change.resource_record_set(set.clone()).build().unwrap()
        });
        let batch = ChangeBatch::builder()
            .set_changes(Some(changes.collect()))
            .build()
            .unwrap();
        let call = self.dns.change_resource_record_sets();
        call.hosted_zone_id(zone).change_batch(batch).send().await
    }

    /// Names and types of a zone's records, all pages of two.
    async fn records(&self, zone: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let (mut name, mut kind) = (None, None);
        loop {
            let call = self.dns.list_resource_record_sets().hosted_zone_id(zone).max_items(2);
            let page = call
                .set_start_record_name(name)
                .set_start_record_type(kind)
                .send()
                .await
                .unwrap();
            found.extend(
                page.resource_record_sets
                    .iter()
                    .map(|set| (set.name.clone(), set.r#type.as_str().to_owned())),
            );
            if !page.is_truncated {
                return found;
            }
            (name, kind) = (page.next_record_name, page.next_record_type);
        }
    }
}

pub(super) fn set(name: &str, kind: RrType, values: &[&str]) -> ResourceRecordSet {
    let values = values
        .iter()
        .map(|value| ResourceRecord::builder().value(*value).build().unwrap());
    ResourceRecordSet::builder()
        .name(name)
        .r#type(kind)
        .ttl(300)
        .set_resource_records(Some(values.collect()))
        .build()
        .unwrap()
}

fn alias(name: &str, zone: &str, target: &str) -> ResourceRecordSet {
    let target = AliasTarget::builder()
        .hosted_zone_id(zone)
        .dns_name(target)
        .evaluate_target_health(true);
    ResourceRecordSet::builder()
        .name(name)
        .r#type(RrType::A)
        .alias_target(target.build().unwrap())
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_zone_comes_with_its_name_servers_and_goes_only_when_it_is_empty() {
    let names = Names::new();
    let made = names
        .dns
        .create_hosted_zone()
        .name("Example.ORG")
        .caller_reference("1")
        .hosted_zone_config(HostedZoneConfig::builder().comment("ours").build())
        .send()
        .await
        .unwrap();
    let zone = made.hosted_zone.unwrap();
    assert_eq!(
        (zone.name.as_str(), zone.resource_record_set_count),
        ("example.org.", Some(2))
    );
    assert!(zone.id.starts_with("/hostedzone/Z") && made.location.ends_with(&zone.id[1..]));
    assert_eq!(made.delegation_set.unwrap().name_servers.len(), 4);
    let change = made.change_info.unwrap();
    assert_eq!(change.status, ChangeStatus::Pending);
    names.cloud.pass(Duration::from_secs(61));
    let change = names
        .dns
        .get_change()
        .id(&change.id)
        .send()
        .await
        .unwrap()
        .change_info
        .unwrap();
    assert_eq!(change.status, ChangeStatus::Insync);
    assert_eq!(code(names.dns.get_change().id("C0").send().await), "NoSuchChange");
    assert_eq!(
        names.records(&zone.id).await,
        [
            ("example.org.".to_owned(), "NS".to_owned()),
            ("example.org.".to_owned(), "SOA".to_owned())
        ]
    );

    let again = names.dns.create_hosted_zone().name("example.net").caller_reference("1");
    assert_eq!(code(again.send().await), "HostedZoneAlreadyExists");
    let wrong = names.dns.create_hosted_zone().name("a..org").caller_reference("2");
    assert_eq!(code(wrong.send().await), "InvalidDomainName");

    let www = (ChangeAction::Create, set("www.example.org", RrType::A, &["192.0.2.1"]));
    names.change(&zone.id, std::slice::from_ref(&www)).await.unwrap();
    let full = names.dns.delete_hosted_zone().id(&zone.id).send().await;
    assert_eq!(code(full), "HostedZoneNotEmpty");
    names.change(&zone.id, &[(ChangeAction::Delete, www.1)]).await.unwrap();
    names.dns.delete_hosted_zone().id(&zone.id).send().await.unwrap();
    let (code, message) = refused(names.dns.get_hosted_zone().id(&zone.id).send().await);
    assert_eq!(code, "NoSuchHostedZone");
    assert!(message.starts_with("No hosted zone found with ID: Z"));
}

#[tokio::test]
async fn a_batch_is_made_whole_or_not_at_all() {
    let names = Names::new();
    let zone = names.zone("example.org").await;
    let (create, upsert, delete) = (ChangeAction::Create, ChangeAction::Upsert, ChangeAction::Delete);
    let www = set("www.example.org", RrType::A, &["192.0.2.1", "192.0.2.2"]);
    names.change(&zone, &[(create.clone(), www.clone())]).await.unwrap();

    let (code, message) = refused(
        names
            .change(
                &zone,
                &[
                    (create.clone(), set("new.example.org", RrType::A, &["192.0.2.3"])),
                    (create.clone(), www.clone()),
                    (delete.clone(), set("gone.example.org", RrType::A, &["192.0.2.1"])),
                ],
            )
            .await,
    );
    assert_eq!(code, "InvalidChangeBatch");
    assert_eq!(
        message,
        "[Tried to create resource record set [name='www.example.org.', type='A'] but it already exists, Tried to delete \
         resource record set [name='gone.example.org.', type='A'] but it was not found]"
    );
    assert_eq!(names.records(&zone).await.len(), 3, "nothing of the batch was made");

    // To delete, the whole content must be said; the order of values does not matter.
    let other = set("www.example.org", RrType::A, &["192.0.2.1"]);
    let (_, message) = refused(names.change(&zone, &[(delete.clone(), other)]).await);
    assert!(
        message.contains("but the values provided do not match the current values"),
        "{message}"
    );
    let turned = set("WWW.example.org.", RrType::A, &["192.0.2.2", "192.0.2.1"]);
    let cname = set("www.example.org", RrType::Cname, &["example.net"]);
    names
        .change(&zone, &[(delete.clone(), turned), (create.clone(), cname.clone())])
        .await
        .unwrap();

    let refusals = [
        (
            vec![(create.clone(), set("www.example.org", RrType::A, &["192.0.2.1"]))],
            "RRSet of type A with DNS name www.example.org. is not permitted because a conflicting RRSet of type CNAME",
        ),
        (
            vec![(upsert.clone(), set("example.org", RrType::Cname, &["example.net"]))],
            "is not permitted at apex in zone example.org.",
        ),
        (
            vec![(create.clone(), set("example.com", RrType::A, &["192.0.2.1"]))],
            "RRSet with DNS name example.com. is not permitted in zone example.org.",
        ),
        (
            vec![(create.clone(), set("a.example.org", RrType::A, &["example.net"]))],
            "Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) \
             encountered with 'example.net''",
        ),
        (
            vec![(create.clone(), set("a..example.org", RrType::A, &["192.0.2.1"]))],
            "DomainLabelEmpty",
        ),
        (
            vec![(
                create.clone(),
                set("a.example.org", RrType::A, &["192.0.2.1", "192.0.2.1"]),
            )],
            "Duplicate Resource Record: '192.0.2.1'",
        ),
        (
            vec![(upsert.clone(), cname.clone()), (upsert.clone(), cname.clone())],
            "The request contains an invalid set of changes for a resource record set 'CNAME www.example.org.'",
        ),
    ];
    for (changes, told) in refusals {
        let (code, message) = refused(names.change(&zone, &changes).await);
        assert_eq!(code, "InvalidChangeBatch");
        assert!(message.contains(told), "{message}");
    }
    let none = ResourceRecordSet::builder()
        .name("a.example.org")
        .r#type(RrType::A)
        .build()
        .unwrap();
    let (code, message) = refused(names.change(&zone, &[(create.clone(), none)]).await);
    assert_eq!(code, "InvalidInput");
    assert!(
        message
            .contains("but found none in Change with [Action=CREATE, Name=a.example.org, Type=A, SetIdentifier=null]"),
        "{message}"
    );
    let weighted = ResourceRecordSet::builder().name("a.example.org").r#type(RrType::A);
    let weighted = weighted.set_identifier("one").weight(1).build().unwrap();
    let (code, message) = refused(names.change(&zone, &[(create, weighted)]).await);
    assert_eq!(code, "UnsupportedOperation");
    assert!(message.starts_with("not in the sandbox: the parameter"), "{message}");

    // Its name servers and its authority keep a zone alive.
    let listed = names
        .dns
        .list_resource_record_sets()
        .hosted_zone_id(&zone)
        .send()
        .await
        .unwrap();
    for own in listed
        .resource_record_sets
        .iter()
        .filter(|set| set.name == "example.org.")
    {
        let (_, message) = refused(names.change(&zone, &[(delete.clone(), own.clone())]).await);
        assert!(message.contains("A HostedZone must contain"), "{message}");
    }
}

#[tokio::test]
async fn records_are_listed_by_their_labels_from_the_right_in_pages() {
    let names = Names::new();
    let zone = names.zone("example.org").await;
    let upserts: Vec<_> = ["www.example.org", "*.example.org", "b.a.example.org", "a.example.org"]
        .iter()
        .map(|name| (ChangeAction::Upsert, set(name, RrType::A, &["192.0.2.1"])))
        .chain([(ChangeAction::Upsert, set("a.example.org", RrType::Txt, &["\"x\""]))])
        .collect();
    names.change(&zone, &upserts).await.unwrap();
    names.change(&zone, &upserts).await.unwrap();
    let listed = names.records(&zone).await;
    let listed: Vec<_> = listed.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
    assert_eq!(
        listed,
        [
            "example.org. NS",
            "example.org. SOA",
            "\\052.example.org. A",
            "a.example.org. A",
            "a.example.org. TXT",
            "b.a.example.org. A",
            "www.example.org. A",
        ]
    );
    let from = names
        .dns
        .list_resource_record_sets()
        .hosted_zone_id(&zone)
        .start_record_name("aa.example.org");
    let from = from.send().await.unwrap();
    assert_eq!(from.resource_record_sets[0].name, "www.example.org.");
    let kind = names
        .dns
        .list_resource_record_sets()
        .hosted_zone_id(&zone)
        .start_record_type(RrType::A);
    assert_eq!(code(kind.send().await), "InvalidInput");
    let zones = names.dns.get_hosted_zone().id(&zone).send().await.unwrap();
    assert_eq!(zones.hosted_zone.unwrap().resource_record_set_count, Some(7));

    let ask = async |name: &str, kind: RrType| {
        let call = names.dns.test_dns_answer().hosted_zone_id(&zone).record_name(name);
        let answer = call.record_type(kind).send().await.unwrap();
        (answer.response_code, answer.record_data)
    };
    let (code, data) = ask("anything.example.org", RrType::A).await;
    assert_eq!((code.as_str(), data), ("NOERROR", vec!["192.0.2.1".to_owned()]));
    assert_eq!(ask("deep.b.a.example.org", RrType::A).await.0, "NXDOMAIN");
}

#[tokio::test]
async fn zones_are_listed_by_id_by_name_and_by_vpc() {
    let names = Names::new();
    for name in ["example.org", "a.example.org", "example.net"] {
        names.zone(name).await;
    }
    let vpc = names.cloud.vpc("10.0.0.0/16").await;
    let within = |id: &str| Vpc::builder().vpc_id(id).vpc_region(VpcRegion::EuCentral1).build();
    let private = |reference: &str, id: &str| {
        let call = names
            .dns
            .create_hosted_zone()
            .name("example.org")
            .caller_reference(reference);
        call.vpc(within(id))
    };
    assert_eq!(code(private("p0", "vpc-0").send().await), "InvalidVPCId");
    let made = private("p1", &vpc).send().await.unwrap();
    let own = made.hosted_zone.unwrap();
    assert!(own.config.unwrap().private_zone);
    assert_eq!(code(private("p2", &vpc).send().await), "ConflictingDomainExists");

    let first = names.dns.list_hosted_zones().max_items(3).send().await.unwrap();
    assert!(first.is_truncated && first.hosted_zones.len() == 3);
    let rest = names
        .dns
        .list_hosted_zones()
        .marker(first.next_marker.unwrap())
        .send()
        .await
        .unwrap();
    assert!(!rest.is_truncated && rest.hosted_zones.len() == 1);
    let named = names.dns.list_hosted_zones_by_name().send().await.unwrap();
    let listed: Vec<_> = named.hosted_zones.iter().map(|zone| zone.name.as_str()).collect();
    assert_eq!(
        listed,
        ["example.net.", "example.org.", "example.org.", "a.example.org."]
    );
    let named = names
        .dns
        .list_hosted_zones_by_name()
        .dns_name("example.org")
        .max_items(1);
    let named = named.send().await.unwrap();
    assert_eq!(
        (named.hosted_zones[0].name.as_str(), named.is_truncated),
        ("example.org.", true)
    );
    assert_eq!(named.next_dns_name.as_deref(), Some("example.org."));
    let by_vpc = names
        .dns
        .list_hosted_zones_by_vpc()
        .vpc_id(&vpc)
        .vpc_region(VpcRegion::EuCentral1);
    let by_vpc = by_vpc.send().await.unwrap();
    assert_eq!(
        format!("/hostedzone/{}", by_vpc.hosted_zone_summaries[0].hosted_zone_id),
        own.id
    );

    let other = names.cloud.vpc("10.1.0.0/16").await;
    let dns = &names.dns;
    let last = dns
        .disassociate_vpc_from_hosted_zone()
        .hosted_zone_id(&own.id)
        .vpc(within(&vpc));
    assert_eq!(code(last.clone().send().await), "LastVPCAssociation");
    let join = dns
        .associate_vpc_with_hosted_zone()
        .hosted_zone_id(&own.id)
        .vpc(within(&other));
    join.send().await.unwrap();
    last.send().await.unwrap();
    let vpcs = dns.get_hosted_zone().id(&own.id).send().await.unwrap().vpcs.unwrap();
    assert_eq!(vpcs, [within(&other)]);
    let public = &first.hosted_zones.iter().find(|zone| zone.id != own.id).unwrap().id;
    let join = dns
        .associate_vpc_with_hosted_zone()
        .hosted_zone_id(public)
        .vpc(within(&other));
    assert_eq!(code(join.send().await), "PublicZoneVPCAssociation");

    let tag = ZoneTag::builder().key("owner").value("us").build();
    let id = own.id.trim_start_matches("/hostedzone/");
    let call = dns
        .change_tags_for_resource()
        .resource_type(TagResourceType::Hostedzone);
    call.resource_id(id).add_tags(tag.clone()).send().await.unwrap();
    let call = dns.list_tags_for_resource().resource_type(TagResourceType::Hostedzone);
    let tags = call
        .resource_id(id)
        .send()
        .await
        .unwrap()
        .resource_tag_set
        .unwrap()
        .tags;
    assert_eq!(tags, Some(vec![tag]));
    // The service is global: every region sees the same.
    let elsewhere = aws_sdk_route53::Client::new(&super::config(&names.cloud.sandbox, "us-west-2"));
    assert_eq!(
        elsewhere.list_hosted_zones().send().await.unwrap().hosted_zones.len(),
        4
    );
}

#[tokio::test]
async fn an_alias_leads_to_a_load_balancer_that_is_there() {
    let names = Names::new();
    let zone = names.zone("example.org").await;
    let vpc = names.cloud.vpc("10.0.0.0/16").await;
    let subnets = [
        names.cloud.subnet(&vpc, "10.0.1.0/24").await,
        names.cloud.subnet_in(&vpc, "10.0.2.0/24", "eu-central-1b").await,
    ];
    names.cloud.gateway(&vpc).await;
    let elb = aws_sdk_elasticloadbalancingv2::Client::new(&names.cloud.config);
    let front = elb
        .create_load_balancer()
        .name("front")
        .set_subnets(Some(subnets.to_vec()));
    let front = front.send().await.unwrap().load_balancers.unwrap().remove(0);
    let (canonical, dns) = (front.canonical_hosted_zone_id.unwrap(), front.dns_name.unwrap());
    let upsert = |zone: &str, name: &str| (ChangeAction::Upsert, alias("login.example.org", zone, name));
    names
        .change(&zone, &[upsert(&canonical, &format!("dualstack.{dns}"))])
        .await
        .unwrap();
    let call = names
        .dns
        .test_dns_answer()
        .hosted_zone_id(&zone)
        .record_name("login.example.org");
    let answer = call.record_type(RrType::A).send().await.unwrap();
    assert_eq!(
        answer.record_data.len(),
        2,
        "the load balancer has an address in each subnet"
    );
    let listed = names
        .dns
        .list_resource_record_sets()
        .hosted_zone_id(&zone)
        .send()
        .await
        .unwrap();
    let kept = listed
        .resource_record_sets
        .iter()
        .find_map(|set| set.alias_target.clone())
        .unwrap();
    assert_eq!(
        (kept.hosted_zone_id, kept.dns_name),
        (canonical.clone(), format!("dualstack.{}.", dns.to_lowercase()))
    );

    for (target, name, told) in [
        (
            canonical.as_str(),
            "gone-1.eu-central-1.elb.amazonaws.com",
            "but that target was not found",
        ),
        (
            canonical.as_str(),
            "example.net",
            "but the alias target name does not lie within the target zone",
        ),
        (zone.as_str(), "other.example.org", "but that target was not found"),
    ] {
        let (code, message) = refused(names.change(&zone, &[upsert(target, name)]).await);
        assert_eq!(code, "InvalidChangeBatch");
        assert!(message.contains(told), "{message}");
    }
    let (code, message) = refused(
        names
            .change(&zone, &[upsert("Z2FDTNDATAQYW2", "x.cloudfront.net")])
            .await,
    );
    assert_eq!(code, "UnsupportedOperation");
    assert!(message.contains("an alias to the zone Z2FDTNDATAQYW2"), "{message}");
}
