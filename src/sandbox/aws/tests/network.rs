//! The life of a VPC and what is in it.

use std::time::Duration;

use aws_sdk_ec2::types::{AttributeBooleanValue, NatGatewayState, ResourceType, RouteState, VpcState};

use super::*;

#[tokio::test]
async fn a_vpc_comes_with_a_main_table_and_a_default_group_and_takes_them_along() {
    let cloud = Cloud::new();
    let made = cloud
        .ec2
        .create_vpc()
        .cidr_block("10.0.0.7/16")
        .send()
        .await
        .unwrap()
        .vpc
        .unwrap();
    let id = made.vpc_id.unwrap();
    assert!(
        id.strip_prefix("vpc-")
            .is_some_and(|hex| hex.len() == 17 && hex.bytes().all(|c| c.is_ascii_hexdigit()))
    );
    assert_eq!(made.cidr_block.unwrap(), "10.0.0.0/16", "the canonical form");
    assert_eq!(made.state, Some(VpcState::Pending));

    let listed = cloud.ec2.describe_vpcs().vpc_ids(&id).send().await.unwrap();
    assert_eq!(listed.vpcs()[0].state, Some(VpcState::Available));
    let tables = cloud.ec2.describe_route_tables().send().await.unwrap();
    let [table] = tables.route_tables() else {
        panic!("{tables:?}")
    };
    assert_eq!(table.associations()[0].main, Some(true));
    assert_eq!(table.routes()[0].gateway_id(), Some("local"));
    assert_eq!(table.routes()[0].destination_cidr_block(), Some("10.0.0.0/16"));
    let groups = cloud.ec2.describe_security_groups().send().await.unwrap();
    let [group] = groups.security_groups() else {
        panic!("{groups:?}")
    };
    assert_eq!(
        (group.group_name(), group.vpc_id()),
        (Some("default"), Some(id.as_str()))
    );
    assert_eq!(
        group.ip_permissions()[0].user_id_group_pairs()[0].group_id(),
        group.group_id()
    );
    assert_eq!(
        group.ip_permissions_egress()[0].ip_ranges()[0].cidr_ip(),
        Some("0.0.0.0/0")
    );

    cloud.ec2.delete_vpc().vpc_id(&id).send().await.unwrap();
    assert_eq!(
        code(cloud.ec2.describe_vpcs().vpc_ids(&id).send().await),
        "InvalidVpcID.NotFound"
    );
    assert!(
        cloud
            .ec2
            .describe_route_tables()
            .send()
            .await
            .unwrap()
            .route_tables()
            .is_empty()
    );
    assert!(
        cloud
            .ec2
            .describe_security_groups()
            .send()
            .await
            .unwrap()
            .security_groups()
            .is_empty()
    );
    assert!(
        cloud
            .ec2
            .describe_security_group_rules()
            .send()
            .await
            .unwrap()
            .security_group_rules()
            .is_empty()
    );
}

#[tokio::test]
async fn what_does_not_exist_is_an_error_and_not_an_empty_list() {
    let cloud = Cloud::new();
    let ec2 = &cloud.ec2;
    let id = |prefix: &str| format!("{prefix}-0123456789abcdef0");
    for (found, expected) in [
        (
            code(ec2.describe_vpcs().vpc_ids(id("vpc")).send().await),
            "InvalidVpcID.NotFound",
        ),
        (
            code(ec2.describe_subnets().subnet_ids(id("subnet")).send().await),
            "InvalidSubnetID.NotFound",
        ),
        (
            code(ec2.describe_security_groups().group_ids(id("sg")).send().await),
            "InvalidGroup.NotFound",
        ),
        (
            code(ec2.describe_route_tables().route_table_ids(id("rtb")).send().await),
            "InvalidRouteTableID.NotFound",
        ),
        (
            code(ec2.describe_nat_gateways().nat_gateway_ids(id("nat")).send().await),
            "NatGatewayNotFound",
        ),
        (
            code(ec2.describe_addresses().allocation_ids(id("eipalloc")).send().await),
            "InvalidAllocationID.NotFound",
        ),
        (
            code(ec2.delete_vpc().vpc_id(id("vpc")).send().await),
            "InvalidVpcID.NotFound",
        ),
        (
            code(
                ec2.delete_internet_gateway()
                    .internet_gateway_id(id("igw"))
                    .send()
                    .await,
            ),
            "InvalidInternetGatewayID.NotFound",
        ),
        (
            code(
                ec2.create_subnet()
                    .vpc_id(id("vpc"))
                    .cidr_block("10.0.0.0/24")
                    .send()
                    .await,
            ),
            "InvalidVpcID.NotFound",
        ),
        (
            code(
                ec2.disassociate_route_table()
                    .association_id(id("rtbassoc"))
                    .send()
                    .await,
            ),
            "InvalidAssociationID.NotFound",
        ),
    ] {
        assert_eq!(found, expected);
    }
    let (_, message) = refused(ec2.describe_vpcs().vpc_ids(id("vpc")).send().await);
    assert_eq!(message, "The vpc ID 'vpc-0123456789abcdef0' does not exist");
}

#[tokio::test]
async fn blocks_are_checked() {
    let cloud = Cloud::new();
    let vpc = cloud.vpc("10.0.0.0/16").await;
    let subnet = |block: &str| cloud.ec2.create_subnet().vpc_id(&vpc).cidr_block(block).send();
    assert_eq!(
        code(cloud.ec2.create_vpc().cidr_block("10.0.0.0/8").send().await),
        "InvalidVpc.Range"
    );
    assert_eq!(
        code(cloud.ec2.create_vpc().cidr_block("nonsense").send().await),
        "InvalidParameterValue"
    );
    assert_eq!(code(cloud.ec2.create_vpc().send().await), "MissingParameter");
    subnet("10.0.0.0/24").await.unwrap();
    assert_eq!(code(subnet("10.0.0.128/25").await), "InvalidSubnet.Conflict");
    assert_eq!(code(subnet("10.1.0.0/24").await), "InvalidSubnet.Range");
    assert_eq!(code(subnet("10.0.9.0/29").await), "InvalidSubnet.Range");
    assert_eq!(code(subnet("10.0.9.0/33").await), "InvalidParameterValue");
    let elsewhere = cloud
        .ec2
        .create_subnet()
        .vpc_id(&vpc)
        .cidr_block("10.0.1.0/24")
        .availability_zone("eu-central-1z");
    assert_eq!(code(elsewhere.send().await), "InvalidParameterValue");
}

#[tokio::test]
async fn a_subnet_has_a_zone_and_attributes() {
    let cloud = Cloud::new();
    let vpc = cloud.vpc("10.0.0.0/16").await;
    let zones = cloud.ec2.describe_availability_zones().send().await.unwrap();
    let names: Vec<_> = zones
        .availability_zones()
        .iter()
        .filter_map(|zone| zone.zone_name())
        .collect();
    assert_eq!(names, ["eu-central-1a", "eu-central-1b", "eu-central-1c"]);
    let made = cloud
        .ec2
        .create_subnet()
        .vpc_id(&vpc)
        .cidr_block("10.0.1.0/24")
        .availability_zone("eu-central-1b");
    let made = made.send().await.unwrap().subnet.unwrap();
    assert_eq!(made.availability_zone_id(), Some("euc1-az2"));
    assert_eq!(made.available_ip_address_count(), Some(251));
    assert_eq!(made.map_public_ip_on_launch(), Some(false));
    let id = made.subnet_id.unwrap();
    let yes = AttributeBooleanValue::builder().value(true).build();
    cloud
        .ec2
        .modify_subnet_attribute()
        .subnet_id(&id)
        .map_public_ip_on_launch(yes.clone())
        .send()
        .await
        .unwrap();
    let subnets = cloud.ec2.describe_subnets().send().await.unwrap();
    assert_eq!(subnets.subnets()[0].map_public_ip_on_launch(), Some(true));
    cloud
        .ec2
        .modify_vpc_attribute()
        .vpc_id(&vpc)
        .enable_dns_hostnames(yes)
        .send()
        .await
        .unwrap();
    let asked = cloud
        .ec2
        .describe_vpc_attribute()
        .vpc_id(&vpc)
        .attribute("enableDnsHostnames".into());
    assert_eq!(
        asked.send().await.unwrap().enable_dns_hostnames.unwrap().value,
        Some(true)
    );
}

#[tokio::test]
async fn what_is_in_use_cannot_be_deleted() {
    let cloud = Cloud::new();
    let ec2 = &cloud.ec2;
    let vpc = cloud.vpc("10.0.0.0/16").await;
    let gateway = cloud.gateway(&vpc).await;
    let (code, message) = refused(ec2.delete_vpc().vpc_id(&vpc).send().await);
    assert_eq!(code, "DependencyViolation");
    assert_eq!(
        message,
        format!("The vpc '{vpc}' has dependencies and cannot be deleted.")
    );
    let code = super::code(ec2.delete_internet_gateway().internet_gateway_id(&gateway).send().await);
    assert_eq!(code, "DependencyViolation", "it is attached");

    let subnet = cloud.subnet(&vpc, "10.0.0.0/24").await;
    let address = cloud.address().await;
    let nat = ec2
        .create_nat_gateway()
        .subnet_id(&subnet)
        .allocation_id(&address)
        .send()
        .await
        .unwrap();
    let nat = nat.nat_gateway.unwrap().nat_gateway_id.unwrap();
    for code in [
        super::code(ec2.delete_subnet().subnet_id(&subnet).send().await),
        super::code(
            ec2.detach_internet_gateway()
                .internet_gateway_id(&gateway)
                .vpc_id(&vpc)
                .send()
                .await,
        ),
        super::code(ec2.delete_vpc().vpc_id(&vpc).send().await),
    ] {
        assert_eq!(code, "DependencyViolation");
    }
    assert_eq!(
        super::code(ec2.release_address().allocation_id(&address).send().await),
        "InvalidIPAddress.InUse"
    );

    ec2.delete_nat_gateway().nat_gateway_id(&nat).send().await.unwrap();
    assert_eq!(
        super::code(ec2.delete_subnet().subnet_id(&subnet).send().await),
        "DependencyViolation"
    );
    cloud.pass(Duration::from_secs(60));
    ec2.release_address().allocation_id(&address).send().await.unwrap();
    ec2.detach_internet_gateway()
        .internet_gateway_id(&gateway)
        .vpc_id(&vpc)
        .send()
        .await
        .unwrap();
    ec2.delete_internet_gateway()
        .internet_gateway_id(&gateway)
        .send()
        .await
        .unwrap();
    ec2.delete_subnet().subnet_id(&subnet).send().await.unwrap();
    ec2.delete_vpc().vpc_id(&vpc).send().await.unwrap();
}

#[tokio::test]
async fn a_nat_gateway_is_pending_then_available_and_deleted_long_before_it_is_gone() {
    let cloud = Cloud::new();
    let vpc = cloud.vpc("10.0.0.0/16").await;
    let subnet = cloud.subnet(&vpc, "10.0.0.0/24").await;
    let make = async |token: &str, address: &str| {
        cloud
            .ec2
            .create_nat_gateway()
            .subnet_id(&subnet)
            .allocation_id(address)
            .client_token(token)
            .send()
            .await
    };
    let state = async |id: &str| {
        let listed = cloud
            .ec2
            .describe_nat_gateways()
            .nat_gateway_ids(id)
            .send()
            .await
            .unwrap();
        listed.nat_gateways()[0].clone()
    };
    let address = cloud.address().await;
    let failed = make("first", &address)
        .await
        .unwrap()
        .nat_gateway
        .unwrap()
        .nat_gateway_id
        .unwrap();
    cloud.pass(Duration::from_secs(120));
    let shown = state(&failed).await;
    assert_eq!(
        (shown.state, shown.failure_code.as_deref()),
        (Some(NatGatewayState::Failed), Some("Gateway.NotAttached"))
    );

    cloud.gateway(&vpc).await;
    let made = make("second", &address).await.unwrap().nat_gateway.unwrap();
    assert_eq!(made.state, Some(NatGatewayState::Pending));
    let id = made.nat_gateway_id.unwrap();
    let again = make("second", &address).await.unwrap().nat_gateway.unwrap();
    assert_eq!(
        again.nat_gateway_id.as_ref(),
        Some(&id),
        "the same token gives the same gateway"
    );
    assert_eq!(code(make("third", &address).await), "Resource.AlreadyAssociated");
    assert_eq!(state(&id).await.state, Some(NatGatewayState::Pending));
    cloud.pass(Duration::from_secs(120));
    let shown = state(&id).await;
    assert_eq!(shown.state, Some(NatGatewayState::Available));
    assert!(shown.nat_gateway_addresses()[0].public_ip().is_some());

    cloud.ec2.delete_nat_gateway().nat_gateway_id(&id).send().await.unwrap();
    assert_eq!(state(&id).await.state, Some(NatGatewayState::Deleting));
    cloud.pass(Duration::from_secs(60));
    assert_eq!(state(&id).await.state, Some(NatGatewayState::Deleted));
    cloud.pass(Duration::from_secs(3600));
    assert_eq!(
        code(cloud.ec2.describe_nat_gateways().nat_gateway_ids(&id).send().await),
        "NatGatewayNotFound"
    );
}

#[tokio::test]
async fn routes_lead_somewhere_or_into_a_blackhole() {
    let cloud = Cloud::new();
    let ec2 = &cloud.ec2;
    let vpc = cloud.vpc("10.0.0.0/16").await;
    let subnet = cloud.subnet(&vpc, "10.0.0.0/24").await;
    let gateway = cloud.gateway(&vpc).await;
    let table = ec2.create_route_table().vpc_id(&vpc).send().await.unwrap();
    let table = table.route_table.unwrap().route_table_id.unwrap();
    let route = || {
        ec2.create_route()
            .route_table_id(&table)
            .destination_cidr_block("0.0.0.0/0")
            .gateway_id(&gateway)
            .send()
    };
    assert_eq!(route().await.unwrap().r#return, Some(true));
    assert_eq!(code(route().await), "RouteAlreadyExists");
    let associate = || {
        ec2.associate_route_table()
            .route_table_id(&table)
            .subnet_id(&subnet)
            .send()
    };
    let association = associate().await.unwrap().association_id.unwrap();
    assert_eq!(code(associate().await), "Resource.AlreadyAssociated");
    assert_eq!(
        code(ec2.delete_route_table().route_table_id(&table).send().await),
        "DependencyViolation"
    );

    ec2.detach_internet_gateway()
        .internet_gateway_id(&gateway)
        .vpc_id(&vpc)
        .send()
        .await
        .unwrap();
    let shown = ec2
        .describe_route_tables()
        .route_table_ids(&table)
        .send()
        .await
        .unwrap();
    assert_eq!(shown.route_tables()[0].routes()[1].state, Some(RouteState::Blackhole));

    ec2.delete_route()
        .route_table_id(&table)
        .destination_cidr_block("0.0.0.0/0")
        .send()
        .await
        .unwrap();
    let again = ec2
        .delete_route()
        .route_table_id(&table)
        .destination_cidr_block("0.0.0.0/0")
        .send()
        .await;
    assert_eq!(code(again), "InvalidRoute.NotFound");
    ec2.disassociate_route_table()
        .association_id(association)
        .send()
        .await
        .unwrap();
    ec2.delete_route_table().route_table_id(&table).send().await.unwrap();
}

#[tokio::test]
async fn regions_do_not_see_each_other() {
    let cloud = Cloud::new();
    let vpc = cloud.vpc("10.0.0.0/16").await;
    let elsewhere = aws_sdk_ec2::Client::new(&config(&cloud.sandbox, "us-east-1"));
    assert!(elsewhere.describe_vpcs().send().await.unwrap().vpcs().is_empty());
    assert_eq!(
        code(elsewhere.delete_vpc().vpc_id(vpc).send().await),
        "InvalidVpcID.NotFound"
    );
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let cloud = Cloud::new();
    let run = cloud
        .ec2
        .create_vpc()
        .cidr_block("10.0.0.0/16")
        .dry_run(true)
        .send()
        .await;
    assert_eq!(code(run), "DryRunOperation");
    let refused = cloud
        .ec2
        .create_vpc()
        .cidr_block("10.0.0.0/4")
        .dry_run(true)
        .send()
        .await;
    assert_eq!(code(refused), "InvalidVpc.Range");
    assert!(cloud.ec2.describe_vpcs().send().await.unwrap().vpcs().is_empty());
}

#[tokio::test]
async fn what_the_sandbox_does_not_have_is_told_by_name_and_not_retried() {
    let cloud = Cloud::new();
    let (code, message) = refused(cloud.ec2.describe_dhcp_options().send().await);
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("InvalidAction", "not in the sandbox: ec2:DescribeDhcpOptions")
    );
    let ecs = aws_sdk_ecs::Client::new(&cloud.config);
    let (code, message) = refused(ecs.list_account_settings().send().await);
    assert_eq!(code, "UnknownOperationException");
    assert_eq!(message, "not in the sandbox: ecs:ListAccountSettings");
    let parameter = cloud
        .ec2
        .create_vpc()
        .cidr_block("10.0.0.0/16")
        .amazon_provided_ipv6_cidr_block(true)
        .send()
        .await;
    let (code, message) = refused(parameter);
    assert_eq!(code, "UnsupportedOperation");
    assert_eq!(
        message,
        "not in the sandbox: the parameter AmazonProvidedIpv6CidrBlock of ec2:CreateVpc"
    );
    let wrong_kind = cloud.ec2.create_vpc().cidr_block("10.0.0.0/16");
    let wrong_kind = wrong_kind
        .tag_specifications(tagged(ResourceType::Subnet, &[("a", "b")]))
        .send()
        .await;
    assert_eq!(super::code(wrong_kind), "InvalidParameterValue");
    assert!(
        cloud.ec2.describe_vpcs().send().await.unwrap().vpcs().is_empty(),
        "a refused call leaves nothing"
    );
}

#[tokio::test]
async fn a_vpc_comes_with_a_network_acl_to_which_its_subnets_belong() {
    let cloud = Cloud::new();
    let vpc = cloud.vpc("10.0.0.0/16").await;
    cloud.vpc("10.1.0.0/16").await;
    let subnet = cloud.subnet(&vpc, "10.0.0.0/24").await;
    let of_vpc = aws_sdk_ec2::types::Filter::builder()
        .name("vpc-id")
        .values(&vpc)
        .build();
    let listed = || cloud.ec2.describe_network_acls().filters(of_vpc.clone()).send();
    let acls = listed().await.unwrap();
    let [acl] = acls.network_acls() else { panic!("{acls:?}") };
    assert_eq!(acl.is_default(), Some(true));
    assert_eq!(acl.associations()[0].subnet_id(), Some(subnet.as_str()));
    let allowed: Vec<_> = acl
        .entries()
        .iter()
        .map(|entry| {
            (
                entry.rule_number(),
                entry.egress(),
                entry.rule_action().map(|action| action.as_str()),
            )
        })
        .collect();
    assert_eq!(
        allowed,
        [
            (Some(100), Some(true), Some("allow")),
            (Some(32_767), Some(true), Some("deny")),
            (Some(100), Some(false), Some("allow")),
            (Some(32_767), Some(false), Some("deny")),
        ]
    );
    cloud.ec2.delete_subnet().subnet_id(&subnet).send().await.unwrap();
    assert!(listed().await.unwrap().network_acls()[0].associations().is_empty());
    cloud.ec2.delete_vpc().vpc_id(&vpc).send().await.unwrap();
    let id = acl.network_acl_id().unwrap();
    let gone = cloud.ec2.describe_network_acls().network_acl_ids(id).send().await;
    assert_eq!(code(gone), "InvalidNetworkAclID.NotFound");
}

#[tokio::test]
async fn an_address_has_a_name_and_is_released_where_it_is() {
    let cloud = Cloud::new();
    let id = cloud.address().await;
    let named = cloud
        .ec2
        .describe_addresses_attribute()
        .allocation_ids(&id)
        .attribute(aws_sdk_ec2::types::AddressAttributeName::DomainName)
        .send()
        .await
        .unwrap();
    let address = &named.addresses()[0];
    let dashed = address.public_ip().unwrap().replace('.', "-");
    assert_eq!(
        address.ptr_record(),
        Some(format!("ec2-{dashed}.eu-central-1.compute.amazonaws.com.").as_str())
    );
    let release = |group: &str| {
        cloud
            .ec2
            .release_address()
            .allocation_id(&id)
            .network_border_group(group)
            .send()
    };
    assert_eq!(code(release("eu-west-1").await), "InvalidAddress.NotFound");
    release("eu-central-1").await.unwrap();
}
