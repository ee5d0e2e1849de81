"""The environment of environment.rhai, made by hand: one call after the other, nothing looked at, nothing found again.

Usage: create.py ENDPOINT MORE
"""

import json
import secrets
import sys

import boto3

ENDPOINT, MORE = sys.argv[1], int(sys.argv[2])
NAME, FOLDER = "identity-byhand", "/identity/byhand"
REGION = "eu-central-1"
ZONES = ["eu-central-1a", "eu-central-1b"]


def client(service):
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    return boto3.client(service, endpoint_url=ENDPOINT, region_name=REGION, **keys)


def pairs(name):
    return {"Name": f"{NAME}-{name}", "project": "identity", "env": "byhand", "owner": "team", "created-by": "bench"}


def tags(name):
    return [{"Key": key, "Value": value} for key, value in pairs(name).items()]


def low(name):
    return [{"key": key, "value": value} for key, value in pairs(name).items()]


def spec(kind, name):
    return [{"ResourceType": kind, "Tags": tags(name)}]


ec2, elb, ecs, iam = client("ec2"), client("elbv2"), client("ecs"), client("iam")
logs, ssm, vault, cache = client("logs"), client("ssm"), client("secretsmanager"), client("elasticache")

# Network
vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=spec("vpc", "main"))["Vpc"]["VpcId"]
ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
gateway = ec2.create_internet_gateway(TagSpecifications=spec("internet-gateway", "main"))
gateway = gateway["InternetGateway"]["InternetGatewayId"]
ec2.attach_internet_gateway(VpcId=vpc, InternetGatewayId=gateway)


def subnet(name, number, zone):
    made = ec2.create_subnet(
        VpcId=vpc, CidrBlock=f"10.0.{number * 16}.0/20", AvailabilityZone=zone, TagSpecifications=spec("subnet", name)
    )
    return made["Subnet"]["SubnetId"]


public = [subnet(f"public-{i + 1}", i, zone) for i, zone in enumerate(ZONES)]
private = [subnet(f"private-{i + 1}", 8 + i, zone) for i, zone in enumerate(ZONES)]
for one in public:
    ec2.modify_subnet_attribute(SubnetId=one, MapPublicIpOnLaunch={"Value": True})
for name, subnets in [("public", public), ("inner", private)]:
    table = ec2.create_route_table(VpcId=vpc, TagSpecifications=spec("route-table", name))
    table = table["RouteTable"]["RouteTableId"]
    if name == "public":
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    for one in subnets:
        ec2.associate_route_table(RouteTableId=table, SubnetId=one)


def group(name, description):
    made = ec2.create_security_group(
        GroupName=f"{NAME}-{name}", Description=description, VpcId=vpc, TagSpecifications=spec("security-group", name)
    )
    return made["GroupId"]


def allow(group, port, source):
    rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **source}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])


front_group, service_group, cache_group = group("front", "Load balancer"), group("service", "Id"), group("redis", "Redis")
allow(front_group, 80, {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]})
allow(service_group, 8080, {"UserIdGroupPairs": [{"GroupId": front_group}]})
allow(cache_group, 6379, {"UserIdGroupPairs": [{"GroupId": service_group}]})

# Redis
cache.create_cache_subnet_group(
    CacheSubnetGroupName=f"{NAME}-redis", CacheSubnetGroupDescription="Redis", SubnetIds=private, Tags=tags("redis")
)
token = secrets.token_hex(24)
token_secret = vault.create_secret(Name=f"{NAME}-redis-token", SecretString=token, Tags=tags("redis-token"))["ARN"]
cache.create_replication_group(
    ReplicationGroupId=f"{NAME}-redis", ReplicationGroupDescription="redis", Engine="redis", EngineVersion="7.1",
    CacheNodeType="cache.t4g.micro", NumCacheClusters=1, CacheSubnetGroupName=f"{NAME}-redis",
    SecurityGroupIds=[cache_group], CacheParameterGroupName="default.redis7", TransitEncryptionEnabled=True,
    AtRestEncryptionEnabled=True, AuthToken=token, Tags=tags("redis"),
)
while True:
    redis = cache.describe_replication_groups(ReplicationGroupId=f"{NAME}-redis")["ReplicationGroups"][0]
    if redis["Status"] == "available":
        break
endpoint = redis["NodeGroups"][0]["PrimaryEndpoint"]["Address"]

# Load balancer
balancer = elb.create_load_balancer(
    Name=f"{NAME}-front", Subnets=public, SecurityGroups=[front_group], Tags=tags("front"), Type="application"
)["LoadBalancers"][0]
elb.modify_load_balancer_attributes(
    LoadBalancerArn=balancer["LoadBalancerArn"], Attributes=[{"Key": "idle_timeout.timeout_seconds", "Value": "60"}]
)
targets = elb.create_target_group(
    Name=f"{NAME}-service", VpcId=vpc, Port=8080, Protocol="HTTP", TargetType="ip", Tags=tags("service"),
    HealthCheckPath="/.well-known/openid-configuration", HealthCheckIntervalSeconds=10, HealthCheckTimeoutSeconds=5,
)["TargetGroups"][0]["TargetGroupArn"]
elb.modify_target_group_attributes(
    TargetGroupArn=targets, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}]
)
while True:
    state = elb.describe_load_balancers(LoadBalancerArns=[balancer["LoadBalancerArn"]])["LoadBalancers"][0]["State"]
    if state["Code"] == "active":
        break
elb.create_listener(
    LoadBalancerArn=balancer["LoadBalancerArn"], Port=80, Protocol="HTTP", Tags=tags("http"),
    DefaultActions=[{"Type": "forward", "TargetGroupArn": targets}],
)
url = f"http://{balancer['DNSName']}"

# Service
connection = vault.create_secret(
    Name=f"{NAME}-connection-string", SecretString="Server=db", Tags=tags("connection-string")
)["ARN"]
logs.create_log_group(logGroupName=f"{NAME}-identityserver", tags=pairs("identityserver"))
logs.put_retention_policy(logGroupName=f"{NAME}-identityserver", retentionInDays=30)
trust = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}
    }],
})
roles = {}
for name in ["execution", "task"]:
    role = iam.create_role(
        RoleName=f"{NAME}-{name}", Path="/identity/byhand/", AssumeRolePolicyDocument=trust, Tags=tags(name)
    )
    roles[name] = role["Role"]["Arn"]
iam.attach_role_policy(
    RoleName=f"{NAME}-execution",
    PolicyArn="arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy",
)
read = {
    "Version": "2012-10-17",
    "Statement": [{
        "Effect": "Allow", "Action": ["secretsmanager:GetSecretValue", "ssm:GetParameters"],
        "Resource": [connection, token_secret],
    }],
}
iam.put_role_policy(RoleName=f"{NAME}-execution", PolicyName="secrets", PolicyDocument=json.dumps(read))
cluster = ecs.create_cluster(clusterName=f"{NAME}-main", capacityProviders=["FARGATE"], tags=low("main"))
task = ecs.register_task_definition(
    family=f"{NAME}-identityserver", requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="512", memory="1024",
    executionRoleArn=roles["execution"], taskRoleArn=roles["task"], tags=low("identityserver"),
    containerDefinitions=[{
        "name": "identityserver", "image": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/identity:1.0",
        "essential": True, "portMappings": [{"containerPort": 8080}],
        "environment": [
            {"name": "Redis__Endpoint", "value": f"{endpoint}:6379"},
            {"name": "IdentityServer__IssuerUri", "value": url},
        ],
        "secrets": [
            {"name": "ConnectionStrings__Default", "valueFrom": connection},
            {"name": "Redis__Token", "valueFrom": token_secret},
        ],
    }],
)["taskDefinition"]["taskDefinitionArn"]
ecs.create_service(
    cluster=cluster["cluster"]["clusterArn"], serviceName=f"{NAME}-identityserver", taskDefinition=task, desiredCount=1,
    launchType="FARGATE", tags=low("identityserver"), propagateTags="SERVICE", enableECSManagedTags=True,
    networkConfiguration={
        "awsvpcConfiguration": {"subnets": public, "securityGroups": [service_group], "assignPublicIp": "ENABLED"}
    },
    loadBalancers=[{"targetGroupArn": targets, "containerName": "identityserver", "containerPort": 8080}],
)
while True:
    service = ecs.describe_services(
        cluster=cluster["cluster"]["clusterArn"], services=[f"{NAME}-identityserver"]
    )["services"][0]
    if service["runningCount"] == service["desiredCount"]:
        break

# Published for other scripts
for name, value in [
    ("redis.endpoint", endpoint), ("redis.token-secret", token_secret), ("database.secret", connection),
    ("identityserver.url", url),
]:
    ssm.put_parameter(Name=f"{FOLDER}/{name}", Value=value, Type="String", Tags=tags(name))

# More of the same
for number in range(1, MORE + 1):
    name = f"more-{number}"
    group(name, name)
    ssm.put_parameter(Name=f"{FOLDER}/{name}", Value=str(number), Type="String", Tags=tags(name))
    logs.create_log_group(logGroupName=f"{NAME}-{name}", tags=pairs(name))
