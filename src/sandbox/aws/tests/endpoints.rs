//! VPC endpoints: routes and network interfaces that hold what they are in.

use aws_sdk_ec2::types::{AttributeBooleanValue, VpcEndpoint, VpcEndpointType};

use super::*;

const LOGS: &str = "com.amazonaws.eu-central-1.logs";
const S3: &str = "com.amazonaws.eu-central-1.s3";

async fn names_in_dns(cloud: &Cloud, vpc: &str) {
    let on = AttributeBooleanValue::builder().value(true).build();
    let call = cloud.ec2.modify_vpc_attribute().vpc_id(vpc).enable_dns_hostnames(on);
    call.send().await.unwrap();
}

async fn endpoint(cloud: &Cloud, id: &str) -> Option<VpcEndpoint> {
    let call = cloud.ec2.describe_vpc_endpoints().vpc_endpoint_ids(id);
    call.send().await.ok()?.vpc_endpoints?.pop()
}

async fn state(cloud: &Cloud, id: &str) -> String {
    let endpoint = endpoint(cloud, id).await;
    endpoint.map_or("gone".to_owned(), |endpoint| {
        endpoint.state.unwrap().as_str().to_owned()
    })
}

#[tokio::test]
async fn an_interface_endpoint_stands_in_its_subnets_and_holds_them() {
    let cloud = Cloud::new();
    let vpc = cloud.vpc("10.0.0.0/16").await;
    let subnet = cloud.subnet(&vpc, "10.0.1.0/24").await;
    let other = cloud.subnet_in(&vpc, "10.0.2.0/24", "eu-central-1b").await;
    let same_zone = cloud.subnet_in(&vpc, "10.0.3.0/24", "eu-central-1a").await;
    let group = cloud.group(&vpc, "endpoints").await;
    let create = || {
        cloud
            .ec2
            .create_vpc_endpoint()
            .vpc_id(&vpc)
            .service_name(LOGS)
            .vpc_endpoint_type(VpcEndpointType::Interface)
            .security_group_ids(&group)
            .client_token("one")
    };
    let (refusal, message) = refused(create().subnet_ids(&subnet).send().await);
    assert_eq!(refusal, "InvalidParameter");
    assert!(
        message.starts_with("Enabling private DNS requires both enableDnsSupport and enableDnsHostnames"),
        "{message}"
    );
    names_in_dns(&cloud, &vpc).await;
    let twice = create().subnet_ids(&subnet).subnet_ids(&same_zone).send().await;
    assert_eq!(code(twice), "DuplicateSubnetsInSameZone");
    let unknown = create().service_name("com.amazonaws.eu-central-1.lgos").send().await;
    assert_eq!(code(unknown), "InvalidServiceName");
    let gateway = create().vpc_endpoint_type(VpcEndpointType::Gateway).send().await;
    assert!(
        refused(gateway)
            .1
            .contains("Endpoint type (Gateway) does not match available service types ([Interface])")
    );
    let tables = create().route_table_ids("rtb-1").send().await;
    assert!(
        refused(tables)
            .1
            .starts_with("Route table IDs are only supported for Gateway")
    );

    let wanted = create()
        .subnet_ids(&subnet)
        .tag_specifications(tagged(ResourceType::VpcEndpoint, &[("iacsh:env", "test")]));
    let made = wanted.clone().send().await.unwrap().vpc_endpoint.unwrap();
    let id = made.vpc_endpoint_id.clone().unwrap();
    assert_eq!(
        (made.state.unwrap().as_str(), made.network_interface_ids.unwrap().len()),
        ("pending", 1)
    );
    let again = wanted.send().await.unwrap().vpc_endpoint.unwrap();
    assert_eq!(
        again.vpc_endpoint_id.as_deref(),
        Some(id.as_str()),
        "the same token makes no second one"
    );
    let conflict = create().client_token("two").send().await;
    assert!(
        refused(conflict)
            .1
            .contains("conflicting DNS domain for logs.eu-central-1.amazonaws.com")
    );
    cloud.pass(Duration::from_secs(121));
    assert_eq!(state(&cloud, &id).await, "available");
    let modify = cloud
        .ec2
        .modify_vpc_endpoint()
        .vpc_endpoint_id(&id)
        .add_subnet_ids(&other);
    modify.send().await.unwrap();
    let now = endpoint(&cloud, &id).await.unwrap();
    assert_eq!(now.network_interface_ids().len(), 2);
    assert!(
        now.dns_entries()
            .iter()
            .any(|entry| entry.dns_name() == Some("logs.eu-central-1.amazonaws.com"))
    );
    assert_eq!(now.tags(), [tag("iacsh:env", "test")]);

    assert_eq!(
        code(cloud.ec2.delete_subnet().subnet_id(&other).send().await),
        "DependencyViolation"
    );
    assert_eq!(
        code(cloud.ec2.delete_security_group().group_id(&group).send().await),
        "DependencyViolation"
    );
    let deleted = cloud
        .ec2
        .delete_vpc_endpoints()
        .vpc_endpoint_ids(&id)
        .vpc_endpoint_ids("vpce-0");
    let failed = deleted.send().await.unwrap().unsuccessful.unwrap();
    assert_eq!(failed.len(), 1);
    let why = failed[0].error.clone().unwrap();
    assert_eq!(why.code.as_deref(), Some("InvalidVpcEndpointId.NotFound"));
    assert_eq!(state(&cloud, &id).await, "deleting");
    assert_eq!(
        code(cloud.ec2.delete_subnet().subnet_id(&other).send().await),
        "DependencyViolation"
    );
    cloud.pass(Duration::from_secs(121));
    assert_eq!(state(&cloud, &id).await, "deleted");
    for subnet in [&subnet, &other, &same_zone] {
        cloud.ec2.delete_subnet().subnet_id(subnet).send().await.unwrap();
    }
    cloud.ec2.delete_security_group().group_id(&group).send().await.unwrap();
    cloud.pass(Duration::from_secs(121));
    assert_eq!(state(&cloud, &id).await, "gone");
    cloud.ec2.delete_vpc().vpc_id(&vpc).send().await.unwrap();
}

#[tokio::test]
async fn a_gateway_endpoint_is_a_route() {
    let cloud = Cloud::new();
    let vpc = cloud.vpc("10.0.0.0/16").await;
    let table = cloud.ec2.create_route_table().vpc_id(&vpc).send().await.unwrap();
    let table = table.route_table.unwrap().route_table_id.unwrap();
    let create = || cloud.ec2.create_vpc_endpoint().vpc_id(&vpc).service_name(S3);
    let made = create()
        .route_table_ids(&table)
        .send()
        .await
        .unwrap()
        .vpc_endpoint
        .unwrap();
    let id = made.vpc_endpoint_id.unwrap();
    assert_eq!(made.state.unwrap().as_str(), "available");
    let lists = cloud
        .ec2
        .describe_prefix_lists()
        .filters(filter("prefix-list-name", S3));
    let list = lists.send().await.unwrap().prefix_lists.unwrap().remove(0);
    let managed = cloud
        .ec2
        .describe_managed_prefix_lists()
        .prefix_list_ids(list.prefix_list_id().unwrap());
    assert_eq!(
        managed.send().await.unwrap().prefix_lists()[0].prefix_list_name(),
        Some(S3)
    );
    let routes = async || {
        let tables = cloud
            .ec2
            .describe_route_tables()
            .route_table_ids(&table)
            .send()
            .await
            .unwrap();
        let table = tables.route_tables.unwrap().remove(0);
        let routes = table.routes.unwrap().into_iter();
        let routes = routes.filter(|route| route.gateway_id() == Some(id.as_str()));
        routes
            .filter_map(|route| route.destination_prefix_list_id)
            .collect::<Vec<_>>()
    };
    assert_eq!(routes().await, [list.prefix_list_id.clone().unwrap()]);
    let (refusal, message) = refused(create().route_table_ids(&table).send().await);
    assert_eq!(refusal, "RouteAlreadyExists");
    assert!(
        message.ends_with(&format!("destination-prefix-list-id {}", list.prefix_list_id.unwrap())),
        "{message}"
    );
    let subnets = create().subnet_ids("subnet-1").send().await;
    assert!(
        refused(subnets)
            .1
            .starts_with("Subnet IDs are only supported for Interface")
    );

    let change = cloud.ec2.modify_vpc_endpoint().vpc_endpoint_id(&id);
    change.clone().remove_route_table_ids(&table).send().await.unwrap();
    assert!(routes().await.is_empty());
    change.add_route_table_ids(&table).send().await.unwrap();
    assert_eq!(routes().await.len(), 1);
    cloud
        .ec2
        .delete_route_table()
        .route_table_id(&table)
        .send()
        .await
        .unwrap();
    assert!(endpoint(&cloud, &id).await.unwrap().route_table_ids().is_empty());
    assert_eq!(
        code(cloud.ec2.delete_vpc().vpc_id(&vpc).send().await),
        "DependencyViolation"
    );
    cloud
        .ec2
        .delete_vpc_endpoints()
        .vpc_endpoint_ids(&id)
        .send()
        .await
        .unwrap();
    cloud.ec2.delete_vpc().vpc_id(&vpc).send().await.unwrap();
}

#[tokio::test]
async fn the_services_are_listed_with_their_types() {
    let cloud = Cloud::new();
    let all = cloud.ec2.describe_vpc_endpoint_services().send().await.unwrap();
    for suffix in ["ecr.api", "ecr.dkr", "logs", "secretsmanager", "ssm", "s3"] {
        let name = format!("com.amazonaws.eu-central-1.{suffix}");
        assert!(all.service_names().contains(&name), "{name}");
    }
    let gateways = cloud
        .ec2
        .describe_vpc_endpoint_services()
        .filters(filter("service-type", "Gateway"));
    let gateways = gateways.send().await.unwrap();
    assert!(
        gateways.service_names().iter().any(|name| name == S3)
            && !gateways.service_names().iter().any(|name| name == LOGS)
    );
    let unknown = cloud
        .ec2
        .describe_vpc_endpoint_services()
        .service_names("com.amazonaws.eu-central-1.x");
    assert_eq!(code(unknown.send().await), "InvalidServiceName");
}

fn filter(name: &str, value: &str) -> aws_sdk_ec2::types::Filter {
    aws_sdk_ec2::types::Filter::builder().name(name).values(value).build()
}
