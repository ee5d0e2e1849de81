//! What a call costs does not grow with what the sandbox holds.

use serde_json::{Value, json};

use super::super::Request;
use super::*;

/// Sends one call as a client would, without the client: quick enough for thousands.
fn send(sandbox: &Sandbox, region: &str, service: &str, target: &str, body: &str) -> Value {
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential=AKIASANDBOX/20270115/{region}/{service}/aws4_request, Signature=0");
    let reply = sandbox.aws().answer(Request {
        method: "POST",
        uri: "/",
        authorization: &authorization,
        target,
        body: body.as_bytes(),
    });
    let text = String::from_utf8(reply.body).unwrap();
    assert_eq!(reply.status, 200, "{body}: {text}");
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

fn ec2(sandbox: &Sandbox, body: &str) -> String {
    let body = format!("Version=2016-11-15&{body}");
    match send(sandbox, "eu-central-1", "ec2", "", &body) {
        Value::String(text) => text,
        other => panic!("not XML: {other}"),
    }
}

fn query(sandbox: &Sandbox, service: &str, body: &str) -> String {
    match send(sandbox, "eu-central-1", service, "", body) {
        Value::String(text) => text,
        other => panic!("not XML: {other}"),
    }
}

fn ecs(sandbox: &Sandbox, operation: &str, input: &Value) -> Value {
    let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
    send(sandbox, "eu-central-1", "ecs", &target, &input.to_string())
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> &'a str {
    let (_, rest) = text.split_once(open).unwrap();
    rest.split_once(close).unwrap().0
}

/// What one call costs, in steps of SQLite.
fn cost(sandbox: &Sandbox, call: impl FnOnce()) -> u64 {
    let before = sandbox.aws().steps();
    call();
    sandbox.aws().steps() - before
}

/// A network with a cluster, a task definition, a cache subnet group, and a number of everything.
struct World {
    cloud: Cloud,
    vpc: String,
    subnet: String,
    made: usize,
}

impl World {
    fn new() -> Self {
        let cloud = Cloud::new();
        let at = &cloud.sandbox;
        let vpc = ec2(at, "Action=CreateVpc&CidrBlock=10.0.0.0/16");
        let vpc = between(&vpc, "<vpcId>", "</vpcId>").to_owned();
        let subnet = ec2(at, &format!("Action=CreateSubnet&VpcId={vpc}&CidrBlock=10.0.0.0/17"));
        let subnet = between(&subnet, "<subnetId>", "</subnetId>").to_owned();
        // Tasks need a way to their images.
        let gateway = ec2(at, "Action=CreateInternetGateway");
        let gateway = between(&gateway, "<internetGatewayId>", "</internetGatewayId>").to_owned();
        ec2(
            at,
            &format!("Action=AttachInternetGateway&InternetGatewayId={gateway}&VpcId={vpc}"),
        );
        let tables = ec2(at, "Action=DescribeRouteTables");
        let table = between(&tables, "<routeTableId>", "</routeTableId>");
        ec2(
            at,
            &format!("Action=CreateRoute&RouteTableId={table}&DestinationCidrBlock=0.0.0.0/0&GatewayId={gateway}"),
        );
        query(
            at,
            "elasticache",
            &format!(
                "Action=CreateCacheSubnetGroup&Version=2015-02-02&CacheSubnetGroupName=all\
                 &CacheSubnetGroupDescription=all&SubnetIds.SubnetIdentifier.1={subnet}"
            ),
        );
        ecs(at, "CreateCluster", &json!({ "clusterName": "all" }));
        let container = json!({ "name": "web", "image": "example/web:1", "essential": true });
        ecs(
            at,
            "RegisterTaskDefinition",
            &json!({
                "family": "web",
                "networkMode": "awsvpc",
                "requiresCompatibilities": ["FARGATE"],
                "cpu": "256",
                "memory": "512",
                "containerDefinitions": [container],
            }),
        );
        Self {
            cloud,
            vpc,
            subnet,
            made: 0,
        }
    }

    /// One more of everything; what each call cost.
    fn one_more(&mut self) -> Vec<(&'static str, u64)> {
        self.made += 1;
        let (at, number, vpc, subnet) = (&self.cloud.sandbox, self.made, &self.vpc, &self.subnet);
        let network = json!({ "awsvpcConfiguration": { "subnets": [subnet], "assignPublicIp": "ENABLED" } });
        let service = json!({
            "cluster": "all",
            "serviceName": format!("web-{number}"),
            "taskDefinition": "web",
            "desiredCount": 1,
            "launchType": "FARGATE",
            "networkConfiguration": network,
        });
        let tags = format!("TagSpecification.1.Tag.1.Key=number&TagSpecification.1.Tag.1.Value={number}");
        vec![
            (
                "CreateSecurityGroup",
                cost(at, || {
                    ec2(
                        at,
                        &format!(
                            "Action=CreateSecurityGroup&VpcId={vpc}&GroupName=g{number}&GroupDescription=g\
                             &TagSpecification.1.ResourceType=security-group&{tags}"
                        ),
                    );
                }),
            ),
            (
                "CreateInternetGateway",
                cost(at, || {
                    ec2(
                        at,
                        &format!(
                            "Action=CreateInternetGateway&TagSpecification.1.ResourceType=internet-gateway&{tags}"
                        ),
                    );
                }),
            ),
            (
                "AllocateAddress",
                cost(at, || {
                    ec2(at, "Action=AllocateAddress");
                }),
            ),
            (
                "CreateReplicationGroup",
                cost(at, || {
                    query(
                        at,
                        "elasticache",
                        &format!(
                            "Action=CreateReplicationGroup&Version=2015-02-02&ReplicationGroupId=r{number}\
                             &ReplicationGroupDescription=r&NumCacheClusters=1&CacheNodeType=cache.t4g.micro\
                             &Engine=redis&CacheSubnetGroupName=all"
                        ),
                    );
                }),
            ),
            (
                "CreateService",
                cost(at, || {
                    ecs(at, "CreateService", &service);
                }),
            ),
        ]
    }

    /// Lets everything become what it will be, as far as calls see it.
    fn settle(&self) {
        self.cloud.pass(Duration::from_secs(3600));
        ecs(&self.cloud.sandbox, "ListClusters", &json!({}));
        query(
            &self.cloud.sandbox,
            "elasticache",
            "Action=DescribeCacheEngineVersions&Version=2015-02-02",
        );
    }
}

#[test]
fn a_write_costs_the_same_however_much_there_is() {
    let mut world = World::new();
    for _ in 0..3 {
        world.one_more();
        world.settle();
    }
    let few = world.one_more();
    for _ in 0..150 {
        world.one_more();
    }
    world.settle();
    world.settle();
    let many = world.one_more();
    for ((call, before), (_, after)) in few.iter().zip(&many) {
        // A few steps more are the deeper index.
        assert!(
            *after <= before + before / 5 + 40,
            "{call}: {before} steps with 4 of each, {after} with 155"
        );
    }
}

#[test]
fn a_page_costs_what_is_on_it() {
    let cloud = Cloud::new();
    let at = &cloud.sandbox;
    for _ in 0..300 {
        ec2(at, "Action=CreateInternetGateway");
    }
    let mut token = String::new();
    let mut costs = Vec::new();
    let mut listed = 0;
    loop {
        let mut page = String::new();
        let body = format!("Action=DescribeInternetGateways&MaxResults=10{token}");
        costs.push(cost(at, || page = ec2(at, &body)));
        listed += page.matches("<internetGatewayId>").count();
        match page.contains("<nextToken>") {
            true => token = format!("&NextToken={}", between(&page, "<nextToken>", "</nextToken>")),
            false => break,
        }
    }
    assert_eq!((listed, costs.len()), (300, 30));
    let (first, last) = (costs[0], costs[28]);
    assert!(
        last <= first + first / 5,
        "{first} steps for page 1, {last} for page 29"
    );
}

#[test]
fn a_page_of_what_is_listed_by_name_costs_what_is_on_it_too() {
    let cloud = Cloud::new();
    let at = &cloud.sandbox;
    let ssm = |operation: &str, input: Value| {
        let target = format!("AmazonSSM.{operation}");
        send(at, "eu-central-1", "ssm", &target, &input.to_string())
    };
    for number in 0..300 {
        let name = format!("/shop/{number:03}");
        ssm("PutParameter", json!({ "Name": name, "Value": "x", "Type": "String" }));
    }
    let (mut token, mut costs, mut names) = (Value::Null, Vec::new(), Vec::new());
    loop {
        let mut page = Value::Null;
        let input = match &token {
            Value::Null => json!({ "Path": "/shop", "MaxResults": 10 }),
            token => json!({ "Path": "/shop", "MaxResults": 10, "NextToken": token }),
        };
        costs.push(cost(at, || page = ssm("GetParametersByPath", input)));
        names.extend(
            page["Parameters"]
                .as_array()
                .unwrap()
                .iter()
                .map(|found| found["Name"].clone()),
        );
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    let all: Vec<Value> = (0..300).map(|number| json!(format!("/shop/{number:03}"))).collect();
    assert_eq!((names, costs.len()), (all, 30));
    assert!(
        costs[28] <= costs[0] + costs[0] / 5,
        "{} steps for page 1, {} for page 29",
        costs[0],
        costs[28]
    );
}

#[tokio::test]
async fn regions_and_accounts_see_only_their_own() {
    let cloud = Cloud::new();
    let id = cloud.vpc("10.0.0.0/16").await;
    let elsewhere = aws_sdk_ec2::Client::new(&config(&cloud.sandbox, "us-east-1"));
    assert!(elsewhere.describe_vpcs().send().await.unwrap().vpcs().is_empty());
    assert_eq!(
        code(elsewhere.describe_vpcs().vpc_ids(&id).send().await),
        "InvalidVpcID.NotFound"
    );
    let options = Options {
        account: "111111111111".into(),
        ..Options::default()
    };
    let other = Sandbox::open(cloud.path(), options).unwrap();
    let other = config(&other, "eu-central-1");
    let theirs = aws_sdk_ec2::Client::new(&other);
    assert!(theirs.describe_vpcs().send().await.unwrap().vpcs().is_empty());
    assert_eq!(
        code(theirs.delete_vpc().vpc_id(&id).send().await),
        "InvalidVpcID.NotFound"
    );

    // A global service is the same in every region, and another one in each account.
    let role = async |config: &SdkConfig| {
        let iam = aws_sdk_iam::Client::new(config);
        iam.get_role().role_name("task").send().await.is_ok()
    };
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",
        "Principal":{"Service":"ecs-tasks.amazonaws.com"}}]}"#;
    let iam = aws_sdk_iam::Client::new(&cloud.config);
    iam.create_role()
        .role_name("task")
        .assume_role_policy_document(trust)
        .send()
        .await
        .unwrap();
    assert!(role(&config(&cloud.sandbox, "us-east-1")).await);
    assert!(!role(&other).await);
}
