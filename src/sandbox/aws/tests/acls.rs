//! Network ACLs: how a subnet is cut off, and comes back.

use aws_sdk_ec2::types::{Filter, PortRange, RuleAction};
use aws_sdk_ecs::types::AssignPublicIp;

use super::shop::Shop;
use super::*;

#[tokio::test]
async fn a_subnet_is_cut_off_by_another_acl_and_comes_back() {
    let shop = Shop::new().await;
    let [subnet, _] = shop.subnets.clone();
    let shop = Shop {
        subnets: [subnet.clone(), subnet],
        ..shop
    };
    let ec2 = &shop.cloud.ec2;
    let definition = shop.define("1", None).await;
    let running = || async { shop.run(&definition, AssignPublicIp::Enabled).await };
    assert_eq!(running().await.last_status(), Some("RUNNING"));

    let acl = ec2.create_network_acl().vpc_id(&shop.vpc).send().await.unwrap();
    let acl = acl.network_acl.unwrap();
    assert_eq!(
        (acl.is_default(), acl.entries().len()),
        (Some(false), 2),
        "only the last ones"
    );
    let acl = acl.network_acl_id.unwrap();
    // An ACL that lets answers and calls of HTTP pass, and nothing else.
    let entry = |number: i32, egress: bool, from: i32, to: i32, action: RuleAction| {
        ec2.create_network_acl_entry()
            .network_acl_id(&acl)
            .rule_number(number)
            .protocol("tcp")
            .egress(egress)
            .cidr_block("10.0.0.0/16")
            .port_range(PortRange::builder().from(from).to(to).build())
            .rule_action(action)
            .send()
    };
    entry(100, true, 80, 80, RuleAction::Allow).await.unwrap();
    assert_eq!(
        code(entry(100, true, 80, 80, RuleAction::Allow).await),
        "NetworkAclEntryAlreadyExists"
    );
    let delete = ec2
        .delete_network_acl_entry()
        .network_acl_id(&acl)
        .rule_number(7)
        .egress(true);
    assert_eq!(code(delete.send().await), "InvalidNetworkAclEntry.NotFound");

    let association = || async {
        let of_subnet = Filter::builder()
            .name("association.subnet-id")
            .values(&shop.subnets[0])
            .build();
        let found = ec2.describe_network_acls().filters(of_subnet).send().await.unwrap();
        let acl = &found.network_acls()[0];
        let held = acl
            .associations()
            .iter()
            .find(|one| one.subnet_id() == Some(shop.subnets[0].as_str()));
        (
            acl.network_acl_id().unwrap().to_owned(),
            held.unwrap().network_acl_association_id().unwrap().to_owned(),
        )
    };
    let (before, held) = association().await;
    let swap = |association: String, acl: &str| {
        ec2.replace_network_acl_association()
            .association_id(association)
            .network_acl_id(acl)
            .send()
    };
    swap(held.clone(), &acl).await.unwrap();
    assert_eq!(
        code(swap(held, &acl).await),
        "InvalidAssociationID.NotFound",
        "it has a new id"
    );
    assert_eq!(
        code(ec2.delete_network_acl().network_acl_id(&acl).send().await),
        "DependencyViolation"
    );
    let cut = running().await;
    assert!(
        cut.stopped_reason()
            .unwrap()
            .contains("There is a connection issue between the task and Amazon ECR"),
        "{cut:?}"
    );
    // HTTPS out is not enough: the answers need a rule of their own.
    for (number, egress, from, to) in [(110, true, 443, 443), (100, false, 1024, 65535)] {
        assert_eq!(running().await.last_status(), Some("STOPPED"));
        let allow = ec2
            .create_network_acl_entry()
            .network_acl_id(&acl)
            .rule_number(number)
            .protocol("6")
            .egress(egress)
            .cidr_block("0.0.0.0/0")
            .port_range(PortRange::builder().from(from).to(to).build())
            .rule_action(RuleAction::Allow);
        allow.send().await.unwrap();
    }
    assert_eq!(running().await.last_status(), Some("RUNNING"));
    let (_, held) = association().await;
    swap(held, &before).await.unwrap();
    ec2.delete_network_acl().network_acl_id(&acl).send().await.unwrap();
    assert_eq!(
        code(ec2.delete_network_acl().network_acl_id(&before).send().await),
        "InvalidParameterValue",
        "the default one stays"
    );
}
