"""What moto holds, as boto3 sees it: nothing of iacsh looks.

Argument: the address of moto. Reads ids of accounts, one a line, and prints for each one line of JSON: lists of documents
by kind. Lists of tags become maps.
"""

import json
import sys

import boto3

account = ""


def client(service):
    made = boto3.client(
        service,
        endpoint_url=sys.argv[1],
        region_name="eu-central-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    made.meta.events.register("before-sign", lambda request, **_: request.headers.add_header("x-moto-account-id", account))
    return made


ec2, cache, elb, ecs, iam, logs, secrets, ssm, tagging = map(
    client,
    [
        "ec2",
        "elasticache",
        "elbv2",
        "ecs",
        "iam",
        "logs",
        "secretsmanager",
        "ssm",
        "resourcegroupstaggingapi",
    ],
)


def all_of(service, operation, member, **parameters):
    if service.can_paginate(operation):
        pages = service.get_paginator(operation).paginate(**parameters)
        return [item for page in pages for item in page[member]]
    return getattr(service, operation)(**parameters)[member]


def network():
    for kind, operation, member in [
        ("subnet", "describe_subnets", "Subnets"),
        ("security group", "describe_security_groups", "SecurityGroups"),
        ("security group rule", "describe_security_group_rules", "SecurityGroupRules"),
        ("route table", "describe_route_tables", "RouteTables"),
        ("internet gateway", "describe_internet_gateways", "InternetGateways"),
        ("NAT gateway", "describe_nat_gateways", "NatGateways"),
        ("address", "describe_addresses", "Addresses"),
        ("VPC endpoint", "describe_vpc_endpoints", "VpcEndpoints"),
    ]:
        for item in all_of(ec2, operation, member):
            yield kind, item
    for vpc in all_of(ec2, "describe_vpcs", "Vpcs"):
        for name in ["enableDnsHostnames", "enableDnsSupport"]:
            answer = ec2.describe_vpc_attribute(VpcId=vpc["VpcId"], Attribute=name)
            vpc[name] = answer[name[0].upper() + name[1:]]["Value"]
        yield "VPC", vpc


def redis():
    for kind, operation, member in [
        ("replication group", "describe_replication_groups", "ReplicationGroups"),
        ("cache subnet group", "describe_cache_subnet_groups", "CacheSubnetGroups"),
        ("cache cluster", "describe_cache_clusters", "CacheClusters"),
    ]:
        for item in all_of(cache, operation, member):
            item["Tags"] = cache.list_tags_for_resource(ResourceName=item["ARN"])["TagList"]
            yield kind, item


def front():
    def tags(arn):
        return elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]

    for balancer in all_of(elb, "describe_load_balancers", "LoadBalancers"):
        arn = balancer["LoadBalancerArn"]
        attributes = elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        yield "load balancer", {**balancer, "Tags": tags(arn), "Attributes": attributes}
        for listener in all_of(elb, "describe_listeners", "Listeners", LoadBalancerArn=arn):
            yield "listener", {**listener, "Tags": tags(listener["ListenerArn"])}
            for rule in all_of(elb, "describe_rules", "Rules", ListenerArn=listener["ListenerArn"]):
                yield "rule", rule
    for group in all_of(elb, "describe_target_groups", "TargetGroups"):
        arn = group["TargetGroupArn"]
        attributes = elb.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
        yield "target group", {**group, "Tags": tags(arn), "Attributes": attributes}


def containers():
    for cluster in all_of(ecs, "list_clusters", "clusterArns"):
        described = ecs.describe_clusters(clusters=[cluster], include=["TAGS"])["clusters"][0]
        # moto counts up and down by other rules.
        del described["runningTasksCount"], described["activeServicesCount"]
        yield "cluster", described
        services = all_of(ecs, "list_services", "serviceArns", cluster=cluster)
        for service in services:
            described = ecs.describe_services(cluster=cluster, services=[service], include=["TAGS"])
            yield "service", described["services"][0]
    for status in ["ACTIVE", "INACTIVE", "DELETE_IN_PROGRESS"]:
        for arn in all_of(ecs, "list_task_definitions", "taskDefinitionArns", status=status):
            described = ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
            yield "task definition", {**described["taskDefinition"], "tags": described.get("tags", [])}


def rights():
    for role in all_of(iam, "list_roles", "Roles"):
        name = {"RoleName": role["RoleName"]}
        role["Tags"] = all_of(iam, "list_role_tags", "Tags", **name)
        role["Attached"] = all_of(iam, "list_attached_role_policies", "AttachedPolicies", **name)
        inline = all_of(iam, "list_role_policies", "PolicyNames", **name)
        role["Inline"] = [iam.get_role_policy(PolicyName=policy, **name)["PolicyDocument"] for policy in inline]
        yield "role", role


def rest():
    for group in all_of(logs, "describe_log_groups", "logGroups"):
        yield "log group", {**group, "Tags": logs.list_tags_for_resource(resourceArn=group["arn"].removesuffix(":*"))["tags"]}
    for secret in all_of(secrets, "list_secrets", "SecretList", IncludePlannedDeletion=True):
        yield "secret", secret
    for parameter in all_of(ssm, "describe_parameters", "Parameters"):
        name = parameter["Name"]
        if "/lease/" not in name:
            parameter["Value"] = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
            parameter["Tags"] = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
            yield "parameter", parameter
    for tagged in all_of(tagging, "get_resources", "ResourceTagMappingList"):
        yield "tagged", tagged


def plain(value):
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items() if name != "ResponseMetadata"}
    if isinstance(value, list):
        for key in ["Key", "key"]:
            if value and all(isinstance(item, dict) and key in item for item in value):
                return {item[key]: item.get("Value", item.get("value")) for item in value}
        return [plain(item) for item in value]
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    return "TIME"


for line in sys.stdin:
    account = line.strip()
    found = {}
    for part in [network, redis, front, containers, rights, rest]:
        for kind, document in part():
            found.setdefault(kind, []).append(plain(document))
    print(json.dumps(found), flush=True)
