"""A stranger's session with the sandbox: more than a hundred commands of boto3 over all its services.

Arguments: the address and the two halves of the access key, as `iacsh sandbox serve --json` prints them. Prints how many
commands ran; ends with 1 and one line for each that did not do what it should.

What is checked of every answer: botocore parses it, it has a request id, and the members that the command names are there.
"""

import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

ENDPOINT, KEY, SECRET = sys.argv[1:4]
REGION = "eu-central-1"
SESSION = boto3.Session(KEY, SECRET, region_name=REGION)
CONFIG = Config(retries={"max_attempts": 1}, parameter_validation=True)

count = 0
failures = []


class Service:
    """A client whose calls are counted and checked."""

    def __init__(self, name):
        self.name = name
        self.client = SESSION.client(name, endpoint_url=ENDPOINT, config=CONFIG)

    def __getattr__(self, operation):
        def call(_has=(), _refused=None, **parameters):
            global count
            count += 1
            told = f"{self.name} {operation}"
            try:
                answer = getattr(self.client, operation)(**parameters)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code != _refused:
                    failures.append(f"{told}: {error}")
                return None
            except BotoCoreError as error:
                failures.append(f"{told}: {type(error).__name__}: {error}")
                return None
            if _refused:
                failures.append(f"{told}: not refused with {_refused}")
            if not answer["ResponseMetadata"].get("RequestId"):
                failures.append(f"{told}: no request id")
            for member in [_has] if isinstance(_has, str) else _has:
                if member not in answer:
                    failures.append(f"{told}: no {member} in the answer")
            return answer

        return call

    def wait(self, waiter, **parameters):
        global count
        count += 1
        try:
            self.client.get_waiter(waiter).wait(WaiterConfig={"Delay": 0.05, "MaxAttempts": 400}, **parameters)
        except BotoCoreError as error:
            failures.append(f"{self.name} wait {waiter}: {error}")

    def pages(self, operation, member, **parameters):
        """All items of a listing, two at a time."""
        global count
        count += 1
        size = parameters.pop("_size", 2)
        try:
            pages = self.client.get_paginator(operation).paginate(PaginationConfig={"PageSize": size}, **parameters)
            return [item for page in pages for item in page[member]]
        except (BotoCoreError, ClientError) as error:
            failures.append(f"{self.name} pages {operation}: {error}")
            return []


def expect(what, found, wanted):
    if found != wanted:
        failures.append(f"{what}: {found!r} instead of {wanted!r}")


def patiently(what, holds):
    """For what takes a moment and has no waiter."""
    end = time.monotonic() + 20
    while not holds():
        if time.monotonic() > end:
            failures.append(f"{what}: not within 20 s")
            return
        time.sleep(0.02)


def tags(**pairs):
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


def identity():
    sts = Service("sts")
    answer = sts.get_caller_identity(_has=["Account", "Arn", "UserId"])
    return answer["Account"]


def network():
    ec2 = Service("ec2")
    ec2.describe_availability_zones(_has="AvailabilityZones")
    vpc = ec2.create_vpc(
        CidrBlock="10.30.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": tags(Name="strangers")}]
    )["Vpc"]["VpcId"]
    ec2.wait("vpc_exists", VpcIds=[vpc])
    ec2.wait("vpc_available", VpcIds=[vpc])
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    answer = ec2.describe_vpc_attribute(VpcId=vpc, Attribute="enableDnsHostnames")
    expect("DNS hostnames", answer["EnableDnsHostnames"]["Value"], True)
    answer = ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["stran*"]}])
    expect("VPCs by tag", [one["VpcId"] for one in answer["Vpcs"]], [vpc])
    ec2.describe_vpcs(VpcIds=["vpc-00000000000000000"], _refused="InvalidVpcID.NotFound")
    subnets = []
    for place, zone in enumerate(["a", "b", "a", "b"]):
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.30.{place}.0/24", AvailabilityZone=REGION + zone)
        subnets.append(subnet["Subnet"]["SubnetId"])
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.30.0.0/25", _refused="InvalidSubnet.Conflict")
    ec2.wait("subnet_available", SubnetIds=subnets)
    ec2.modify_subnet_attribute(SubnetId=subnets[0], MapPublicIpOnLaunch={"Value": True})
    found = ec2.pages("describe_subnets", "Subnets", Filters=[{"Name": "vpc-id", "Values": [vpc]}], _size=5)
    expect("subnets", sorted(one["SubnetId"] for one in found), sorted(subnets))
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.wait("internet_gateway_exists", InternetGatewayIds=[gateway])
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.describe_internet_gateways(InternetGatewayIds=[gateway], _has="InternetGateways")
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    for subnet in subnets[:2]:
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet, _has="AssociationId")
    ec2.describe_route_tables(RouteTableIds=[table], _has="RouteTables")
    address = ec2.allocate_address(Domain="vpc", _has="PublicIp")["AllocationId"]
    ec2.describe_addresses(AllocationIds=[address], _has="Addresses")
    ec2.describe_addresses_attribute(AllocationIds=[address], Attribute="domain-name", _has="Addresses")
    nat = ec2.create_nat_gateway(SubnetId=subnets[0], AllocationId=address)["NatGateway"]["NatGatewayId"]
    ec2.wait("nat_gateway_available", NatGatewayIds=[nat])
    private = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=private, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    for subnet in subnets[2:]:
        ec2.associate_route_table(RouteTableId=private, SubnetId=subnet)
    groups = {}
    for name in ["front", "service"]:
        group = ec2.create_security_group(VpcId=vpc, GroupName=name, Description=f"for {name}")
        groups[name] = group["GroupId"]
    ec2.wait("security_group_exists", GroupIds=list(groups.values()))
    web = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    rules = ec2.authorize_security_group_ingress(GroupId=groups["front"], IpPermissions=[web], _has="SecurityGroupRules")
    ec2.authorize_security_group_ingress(
        GroupId=groups["front"], IpPermissions=[web], _refused="InvalidPermission.Duplicate"
    )
    inner = {"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535, "UserIdGroupPairs": [{"GroupId": groups["front"]}]}
    ec2.authorize_security_group_ingress(GroupId=groups["service"], IpPermissions=[inner])
    rule = rules["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule], _has="SecurityGroupRules")
    ec2.describe_security_groups(GroupIds=[groups["front"]], _has="SecurityGroups")
    ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc]}], _has="NetworkAcls")
    ec2.create_tags(Resources=[gateway, table], Tags=tags(team="a"))
    ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [gateway]}], _has="Tags")
    ec2.delete_tags(Resources=[table], Tags=[{"Key": "team"}])
    ec2.delete_vpc(VpcId=vpc, _refused="DependencyViolation")

    def destroy():
        ec2.delete_nat_gateway(NatGatewayId=nat)
        ec2.wait("nat_gateway_deleted", NatGatewayIds=[nat])
        ec2.release_address(AllocationId=address)
        ec2.revoke_security_group_ingress(GroupId=groups["service"], IpPermissions=[inner])
        filters = [{"Name": "subnet-id", "Values": subnets}]
        patiently(
            "interfaces are gone",
            lambda: not ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"],
        )
        for group in groups.values():
            ec2.delete_security_group(GroupId=group)
        for subnet in subnets:
            ec2.delete_subnet(SubnetId=subnet)
        for one in [table, private]:
            ec2.delete_route_table(RouteTableId=one)
        ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        ec2.delete_internet_gateway(InternetGatewayId=gateway)
        ec2.delete_vpc(VpcId=vpc)
        ec2.describe_vpcs(VpcIds=[vpc], _refused="InvalidVpcID.NotFound")

    return vpc, subnets, groups, destroy


def roles():
    iam = Service("iam")
    trust = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",'
        '"Principal":{"Service":"ecs-tasks.amazonaws.com"}}]}'
    )
    role = iam.create_role(RoleName="strangers", AssumeRolePolicyDocument=trust, Tags=tags(team="a"))["Role"]["Arn"]
    iam.create_role(RoleName="strangers", AssumeRolePolicyDocument=trust, _refused="EntityAlreadyExists")
    iam.wait("role_exists", RoleName="strangers")
    managed = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    iam.attach_role_policy(RoleName="strangers", PolicyArn=managed)
    everything = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
    iam.put_role_policy(RoleName="strangers", PolicyName="own", PolicyDocument=everything)
    iam.put_role_policy(
        RoleName="strangers", PolicyName="bad", PolicyDocument="{", _refused="MalformedPolicyDocument"
    )
    iam.get_role_policy(RoleName="strangers", PolicyName="own", _has="PolicyDocument")
    iam.list_role_policies(RoleName="strangers", _has="PolicyNames")
    iam.list_attached_role_policies(RoleName="strangers", _has="AttachedPolicies")
    policy = iam.create_policy(PolicyName="strangers", PolicyDocument=everything)["Policy"]["Arn"]
    iam.wait("policy_exists", PolicyArn=policy)
    iam.get_policy_version(PolicyArn=policy, VersionId="v1", _has="PolicyVersion")
    iam.list_policies(Scope="Local", _has="Policies")
    iam.tag_role(RoleName="strangers", Tags=tags(more="b"))
    iam.list_role_tags(RoleName="strangers", _has="Tags")
    iam.get_role(RoleName="strangers", _has="Role")
    found = iam.pages("list_roles", "Roles")
    expect("roles", "strangers" in [one["RoleName"] for one in found], True)

    def destroy():
        iam.delete_role(RoleName="strangers", _refused="DeleteConflict")
        iam.detach_role_policy(RoleName="strangers", PolicyArn=managed)
        iam.delete_role_policy(RoleName="strangers", PolicyName="own")
        iam.delete_role(RoleName="strangers")
        iam.get_role(RoleName="strangers", _refused="NoSuchEntity")
        iam.delete_policy(PolicyArn=policy)

    return role, destroy


def settings():
    ssm = Service("ssm")
    for place in range(3):
        ssm.put_parameter(Name=f"/strangers/{place}", Type="String", Value=str(place), _has="Version")
    ssm.put_parameter(Name="/strangers/secret", Type="SecureString", Value="hidden", Tags=tags(team="a"))
    ssm.put_parameter(Name="/strangers/0", Type="String", Value="x", _refused="ParameterAlreadyExists")
    answer = ssm.get_parameter(Name="/strangers/secret", WithDecryption=True)
    expect("decrypted", answer["Parameter"]["Value"], "hidden")
    ssm.get_parameters(Names=["/strangers/0", "/none"], _has=["Parameters", "InvalidParameters"])
    found = ssm.pages("get_parameters_by_path", "Parameters", Path="/strangers")
    expect("parameters by path", len(found), 4)
    ssm.describe_parameters(_has="Parameters")
    ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId="/strangers/0", Tags=tags(team="a"))
    ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/strangers/0", _has="TagList")
    ssm.get_parameter_history(Name="/strangers/0", _has="Parameters")
    ssm.delete_parameters(Names=[f"/strangers/{place}" for place in range(3)], _has="DeletedParameters")
    ssm.delete_parameter(Name="/strangers/secret")
    ssm.get_parameter(Name="/strangers/secret", _refused="ParameterNotFound")

    secrets = Service("secretsmanager")
    password = secrets.get_random_password(PasswordLength=20)["RandomPassword"]
    arn = secrets.create_secret(Name="strangers/token", SecretString=password, Tags=tags(team="a"))["ARN"]
    answer = secrets.get_secret_value(SecretId="strangers/token", _has=["CreatedDate", "VersionStages"])
    expect("the secret", answer["SecretString"], password)
    secrets.put_secret_value(SecretId=arn, SecretBinary=b"\x00\xff", _has="VersionId")
    answer = secrets.get_secret_value(SecretId=arn)
    expect("the binary secret", answer["SecretBinary"], b"\x00\xff")
    secrets.get_secret_value(SecretId=arn, VersionStage="AWSPREVIOUS", _has="SecretString")
    secrets.list_secret_version_ids(SecretId=arn, _has="Versions")
    secrets.put_resource_policy(SecretId=arn, ResourcePolicy='{"Version":"2012-10-17","Statement":[]}')
    secrets.get_resource_policy(SecretId=arn, _has="ResourcePolicy")
    secrets.tag_resource(SecretId=arn, Tags=tags(more="b"))
    secrets.describe_secret(SecretId=arn, _has=["Tags", "VersionIdsToStages"])
    secrets.list_secrets(_has="SecretList")
    secrets.delete_secret(SecretId=arn, RecoveryWindowInDays=7, _has="DeletionDate")
    secrets.create_secret(Name="strangers/token", SecretString="x", _refused="InvalidRequestException")
    secrets.restore_secret(SecretId=arn)
    secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    secrets.describe_secret(SecretId=arn, _refused="ResourceNotFoundException")

    logs = Service("logs")
    logs.create_log_group(logGroupName="/strangers", tags={"team": "a"})
    logs.put_retention_policy(logGroupName="/strangers", retentionInDays=7)
    logs.describe_log_groups(logGroupNamePrefix="/strangers", _has="logGroups")
    logs.create_log_stream(logGroupName="/strangers", logStreamName="one")
    now = int(time.time() * 1000)
    events = [{"timestamp": now + place, "message": f"line {place}"} for place in range(5)]
    logs.put_log_events(logGroupName="/strangers", logStreamName="one", logEvents=events)
    found = logs.pages("filter_log_events", "events", logGroupName="/strangers", filterPattern="line")
    expect("log events", len(found), 5)
    logs.get_log_events(logGroupName="/strangers", logStreamName="one", _has=["events", "nextForwardToken"])
    logs.describe_log_streams(logGroupName="/strangers", _has="logStreams")
    logs.list_tags_log_group(logGroupName="/strangers", _has="tags")
    logs.create_log_group(logGroupName="/strangers", _refused="ResourceAlreadyExistsException")
    return lambda: logs.delete_log_group(logGroupName="/strangers")


def repository():
    ecr = Service("ecr")
    ecr.create_repository(repositoryName="strangers", tags=tags(team="a"), _has="repository")
    ecr.create_repository(repositoryName="strangers", _refused="RepositoryAlreadyExistsException")
    arn = ecr.describe_repositories(repositoryNames=["strangers"])["repositories"][0]["repositoryArn"]
    ecr.put_image_tag_mutability(repositoryName="strangers", imageTagMutability="IMMUTABLE")
    ecr.put_lifecycle_policy(
        repositoryName="strangers",
        lifecyclePolicyText='{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any",'
        '"countType":"imageCountMoreThan","countNumber":5},"action":{"type":"expire"}}]}',
    )
    ecr.get_lifecycle_policy(repositoryName="strangers", _has="lifecyclePolicyText")
    ecr.get_authorization_token(_has="authorizationData")
    ecr.list_images(repositoryName="strangers", _has="imageIds")
    ecr.list_tags_for_resource(resourceArn=arn, _has="tags")
    ecr.tag_resource(resourceArn=arn, tags=tags(more="b"))

    def destroy():
        ecr.delete_repository(repositoryName="strangers", force=True)
        ecr.describe_repositories(repositoryNames=["strangers"], _refused="RepositoryNotFoundException")

    return destroy


def cache(subnets, group):
    cache = Service("elasticache")
    cache.describe_cache_engine_versions(Engine="redis", _has="CacheEngineVersions")
    cache.create_cache_subnet_group(
        CacheSubnetGroupName="strangers", CacheSubnetGroupDescription="for strangers", SubnetIds=subnets
    )
    cache.describe_cache_subnet_groups(CacheSubnetGroupName="strangers", _has="CacheSubnetGroups")
    cache.create_cache_parameter_group(
        CacheParameterGroupName="strangers", CacheParameterGroupFamily="redis7", Description="for strangers"
    )
    cache.modify_cache_parameter_group(
        CacheParameterGroupName="strangers",
        ParameterNameValues=[{"ParameterName": "maxmemory-policy", "ParameterValue": "allkeys-lru"}],
    )
    cache.describe_cache_parameters(CacheParameterGroupName="strangers", Source="user", _has="Parameters")
    arn = cache.create_replication_group(
        ReplicationGroupId="strangers",
        ReplicationGroupDescription="for strangers",
        Engine="redis",
        CacheNodeType="cache.t4g.micro",
        NumCacheClusters=2,
        AutomaticFailoverEnabled=True,
        MultiAZEnabled=True,
        CacheSubnetGroupName="strangers",
        CacheParameterGroupName="strangers",
        SecurityGroupIds=[group],
        TransitEncryptionEnabled=True,
        AuthToken="a-token-of-some-length",
        Tags=tags(team="a"),
    )["ReplicationGroup"]["ARN"]
    cache.wait("replication_group_available", ReplicationGroupId="strangers")
    found = cache.describe_replication_groups(ReplicationGroupId="strangers")["ReplicationGroups"][0]
    expect("nodes", len(found["NodeGroups"][0]["NodeGroupMembers"]), 2)
    cache.wait("cache_cluster_available", CacheClusterId=found["MemberClusters"][0])
    found = cache.describe_cache_clusters(ShowCacheNodeInfo=True)["CacheClusters"]
    expect("members", len(found), 2)
    cache.list_tags_for_resource(ResourceName=arn, _has="TagList")
    cache.add_tags_to_resource(ResourceName=arn, Tags=tags(more="b"))
    cache.describe_events(SourceType="replication-group", _has="Events")
    cache.test_failover(ReplicationGroupId="strangers", NodeGroupId="0001")
    cache.wait("replication_group_available", ReplicationGroupId="strangers")
    cache.delete_cache_subnet_group(CacheSubnetGroupName="strangers", _refused="CacheSubnetGroupInUse")

    def destroy():
        cache.delete_replication_group(ReplicationGroupId="strangers")
        cache.wait("replication_group_deleted", ReplicationGroupId="strangers")
        cache.describe_replication_groups(ReplicationGroupId="strangers", _refused="ReplicationGroupNotFoundFault")
        cache.delete_cache_subnet_group(CacheSubnetGroupName="strangers")
        cache.delete_cache_parameter_group(CacheParameterGroupName="strangers")

    return destroy


def database(subnets, group):
    rds = Service("rds")
    rds.describe_db_engine_versions(Engine="sqlserver-ex", _has="DBEngineVersions")
    rds.describe_orderable_db_instance_options(Engine="sqlserver-ex", _has="OrderableDBInstanceOptions")
    rds.create_db_subnet_group(
        DBSubnetGroupName="strangers", DBSubnetGroupDescription="for strangers", SubnetIds=subnets
    )
    rds.describe_db_subnet_groups(DBSubnetGroupName="strangers", _has="DBSubnetGroups")
    rds.create_db_parameter_group(
        DBParameterGroupName="strangers", DBParameterGroupFamily="sqlserver-ex-16.0", Description="for strangers"
    )
    rds.modify_db_parameter_group(
        DBParameterGroupName="strangers",
        Parameters=[
            {"ParameterName": "max degree of parallelism", "ParameterValue": "2", "ApplyMethod": "immediate"}
        ],
    )
    rds.describe_db_parameters(DBParameterGroupName="strangers", Source="user", _has="Parameters")
    arn = rds.create_db_instance(
        DBInstanceIdentifier="strangers",
        Engine="sqlserver-ex",
        DBInstanceClass="db.t3.small",
        AllocatedStorage=20,
        MasterUsername="admin",
        MasterUserPassword="a-password-of-some-length",
        DBSubnetGroupName="strangers",
        DBParameterGroupName="strangers",
        VpcSecurityGroupIds=[group],
        BackupRetentionPeriod=1,
        Tags=tags(team="a"),
    )["DBInstance"]["DBInstanceArn"]
    rds.wait("db_instance_available", DBInstanceIdentifier="strangers")
    found = rds.describe_db_instances(DBInstanceIdentifier="strangers")["DBInstances"][0]
    expect("the database's port", found["Endpoint"]["Port"], 1433)
    rds.modify_db_instance(DBInstanceIdentifier="strangers", BackupRetentionPeriod=2, ApplyImmediately=True)
    rds.wait("db_instance_available", DBInstanceIdentifier="strangers")
    rds.reboot_db_instance(DBInstanceIdentifier="strangers")
    rds.wait("db_instance_available", DBInstanceIdentifier="strangers")
    rds.create_db_snapshot(DBInstanceIdentifier="strangers", DBSnapshotIdentifier="strangers-1")
    rds.wait("db_snapshot_completed", DBSnapshotIdentifier="strangers-1")
    rds.wait("db_snapshot_available", DBSnapshotIdentifier="strangers-1")
    rds.list_tags_for_resource(ResourceName=arn, _has="TagList")
    rds.describe_events(SourceType="db-instance", SourceIdentifier="strangers", _has="Events")
    rds.delete_db_subnet_group(DBSubnetGroupName="strangers", _refused="InvalidDBSubnetGroupStateFault")

    def destroy():
        rds.delete_db_instance(DBInstanceIdentifier="strangers", FinalDBSnapshotIdentifier="strangers-2")
        rds.wait("db_instance_deleted", DBInstanceIdentifier="strangers")
        rds.describe_db_instances(DBInstanceIdentifier="strangers", _refused="DBInstanceNotFound")
        for snapshot in ["strangers-1", "strangers-2"]:
            rds.delete_db_snapshot(DBSnapshotIdentifier=snapshot)
            rds.wait("db_snapshot_deleted", DBSnapshotIdentifier=snapshot)
        rds.delete_db_parameter_group(DBParameterGroupName="strangers")
        rds.delete_db_subnet_group(DBSubnetGroupName="strangers")

    return destroy


def endpoints(vpc, subnets, group):
    ec2 = Service("ec2")
    ec2.describe_vpc_endpoint_services(_has="ServiceNames")
    endpoint = ec2.create_vpc_endpoint(
        VpcId=vpc,
        VpcEndpointType="Interface",
        ServiceName=f"com.amazonaws.{REGION}.logs",
        SubnetIds=subnets,
        SecurityGroupIds=[group],
    )["VpcEndpoint"]["VpcEndpointId"]
    state = lambda: ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"][0]["State"]
    patiently("an endpoint is available", lambda: state() == "available")
    ec2.describe_prefix_lists(_has="PrefixLists")

    def destroy():
        ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint], _has="Unsuccessful")

        def gone():
            filters = [{"Name": "vpc-endpoint-id", "Values": [endpoint]}]
            left = ec2.describe_vpc_endpoints(Filters=filters)["VpcEndpoints"]
            return all(one["State"] == "deleted" for one in left)

        patiently("an endpoint is gone", gone)

    return destroy


def front(vpc, subnets, group):
    elb = Service("elbv2")
    balancer = elb.create_load_balancer(Name="strangers", Subnets=subnets, SecurityGroups=[group], Tags=tags(team="a"))
    balancer = balancer["LoadBalancers"][0]["LoadBalancerArn"]
    elb.wait("load_balancer_exists", LoadBalancerArns=[balancer])
    elb.wait("load_balancer_available", LoadBalancerArns=[balancer])
    elb.describe_load_balancers(Names=["none"], _refused="LoadBalancerNotFound")
    elb.modify_load_balancer_attributes(
        LoadBalancerArn=balancer, Attributes=tags(**{"idle_timeout.timeout_seconds": "30"})
    )
    elb.describe_load_balancer_attributes(LoadBalancerArn=balancer, _has="Attributes")
    target = elb.create_target_group(Name="strangers", Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip")
    target = target["TargetGroups"][0]["TargetGroupArn"]
    elb.modify_target_group_attributes(
        TargetGroupArn=target, Attributes=tags(**{"deregistration_delay.timeout_seconds": "5"})
    )
    listener = elb.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": target}],
    )["Listeners"][0]["ListenerArn"]
    rule = elb.create_rule(
        ListenerArn=listener,
        Priority=5,
        Conditions=[{"Field": "path-pattern", "Values": ["/x"]}],
        Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
    )["Rules"][0]["RuleArn"]
    elb.describe_listeners(LoadBalancerArn=balancer, _has="Listeners")
    elb.describe_rules(ListenerArn=listener, _has="Rules")
    elb.modify_listener_attributes(
        ListenerArn=listener, Attributes=tags(**{"routing.http.response.server.enabled": "false"})
    )
    answer = elb.describe_listener_attributes(ListenerArn=listener)
    expect("the server header", {"Key": "routing.http.response.server.enabled", "Value": "false"} in answer["Attributes"], True)
    elb.describe_target_groups(LoadBalancerArn=balancer, _has="TargetGroups")
    elb.describe_target_health(TargetGroupArn=target, _has="TargetHealthDescriptions")
    elb.describe_tags(ResourceArns=[balancer, target], _has="TagDescriptions")
    elb.add_tags(ResourceArns=[target], Tags=tags(team="a"))
    elb.delete_target_group(TargetGroupArn=target, _refused="ResourceInUse")

    def destroy():
        elb.delete_rule(RuleArn=rule)
        elb.delete_listener(ListenerArn=listener)
        elb.delete_load_balancer(LoadBalancerArn=balancer)
        elb.wait("load_balancers_deleted", LoadBalancerArns=[balancer])
        elb.delete_target_group(TargetGroupArn=target)

    return balancer, target, destroy


def name_and_certificate(balancer):
    """A zone, a certificate that its record validates, and an alias; `balancer` is a load balancer's ARN."""
    dns = Service("route53")
    zone = dns.create_hosted_zone(Name="strangers.example.org", CallerReference="strangers", _has="DelegationSet")
    zone = zone["HostedZone"]["Id"]
    dns.create_hosted_zone(
        Name="strangers.example.org", CallerReference="strangers", _refused="HostedZoneAlreadyExists"
    )
    dns.list_hosted_zones_by_name(DNSName="strangers.example.org", _has="HostedZones")
    dns.change_tags_for_resource(
        ResourceType="hostedzone", ResourceId=zone.split("/")[-1], AddTags=tags(team="a")
    )
    dns.list_tags_for_resource(ResourceType="hostedzone", ResourceId=zone.split("/")[-1], _has="ResourceTagSet")

    acm = Service("acm")
    certificate = acm.request_certificate(
        DomainName="login.strangers.example.org", ValidationMethod="DNS", Tags=tags(team="a")
    )["CertificateArn"]

    def described():
        return acm.describe_certificate(CertificateArn=certificate)["Certificate"]

    def options():
        return described()["DomainValidationOptions"][0]

    patiently("the record that validates", lambda: "ResourceRecord" in options())
    record = options()["ResourceRecord"]
    front = Service("elbv2").describe_load_balancers(LoadBalancerArns=[balancer])["LoadBalancers"][0]
    records = [
        {"Name": record["Name"], "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": record["Value"]}]},
        {
            "Name": "login.strangers.example.org",
            "Type": "A",
            "AliasTarget": {
                "DNSName": front["DNSName"],
                "HostedZoneId": front["CanonicalHostedZoneId"],
                "EvaluateTargetHealth": True,
            },
        },
    ]

    def change(action, **parameters):
        changes = [{"Action": action, "ResourceRecordSet": record} for record in records]
        return dns.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes}, **parameters)

    changed = change("UPSERT", _has="ChangeInfo")["ChangeInfo"]["Id"]
    dns.wait("resource_record_sets_changed", Id=changed)
    change("CREATE", _refused="InvalidChangeBatch")
    found = dns.pages("list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone)
    expect("record sets", sorted(one["Type"] for one in found), ["A", "CNAME", "NS", "SOA"])
    acm.wait("certificate_validated", CertificateArn=certificate)
    patiently("the certificate is issued", lambda: described()["Status"] == "ISSUED")
    acm.list_certificates(CertificateStatuses=["ISSUED"], _has="CertificateSummaryList")
    acm.add_tags_to_certificate(CertificateArn=certificate, Tags=tags(more="b"))
    acm.list_tags_for_certificate(CertificateArn=certificate, _has="Tags")

    def destroy():
        dns.delete_hosted_zone(Id=zone, _refused="HostedZoneNotEmpty")
        change("DELETE")
        dns.delete_hosted_zone(Id=zone, _has="ChangeInfo")
        dns.get_hosted_zone(Id=zone, _refused="NoSuchHostedZone")
        acm.delete_certificate(CertificateArn=certificate)
        acm.describe_certificate(CertificateArn=certificate, _refused="ResourceNotFoundException")

    return destroy


def service(role, subnets, group, target):
    ecs = Service("ecs")
    ecs.create_cluster(clusterName="strangers", tags=[{"key": "team", "value": "a"}], _has="cluster")
    definition = ecs.register_task_definition(
        family="strangers",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        executionRoleArn=role,
        containerDefinitions=[
            {
                "name": "web",
                "image": "public.ecr.aws/docker/library/nginx:1.27",
                "portMappings": [{"containerPort": 8080}],
            }
        ],
    )["taskDefinition"]["taskDefinitionArn"]
    network = {"awsvpcConfiguration": {"subnets": subnets, "securityGroups": [group]}}
    arn = ecs.create_service(
        cluster="strangers",
        serviceName="web",
        taskDefinition=definition,
        desiredCount=2,
        launchType="FARGATE",
        networkConfiguration=network,
        loadBalancers=[{"targetGroupArn": target, "containerName": "web", "containerPort": 8080}],
    )["service"]["serviceArn"]
    ecs.wait("services_stable", cluster="strangers", services=["web"])
    tasks = ecs.list_tasks(cluster="strangers", serviceName="web")["taskArns"]
    expect("tasks", len(tasks), 2)
    ecs.wait("tasks_running", cluster="strangers", tasks=tasks)
    answer = ecs.describe_tasks(cluster="strangers", tasks=tasks + ["0" * 32], _has="failures")
    expect("failures", len(answer["failures"]), 1)
    Service("elbv2").wait("target_in_service", TargetGroupArn=target)
    ecs.update_service(cluster="strangers", service="web", desiredCount=1)
    ecs.wait("services_stable", cluster="strangers", services=["web"])
    ecs.list_services(cluster="strangers", _has="serviceArns")
    ecs.describe_clusters(clusters=["strangers"], include=["TAGS", "SETTINGS"], _has="clusters")
    ecs.list_service_deployments(service="web", cluster="strangers", _has="serviceDeployments")
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "a"}])
    ecs.list_tags_for_resource(resourceArn=arn, _has="tags")
    one = ecs.run_task(
        cluster="strangers", taskDefinition="strangers", launchType="FARGATE", networkConfiguration=network
    )["tasks"][0]["taskArn"]
    ecs.wait("tasks_running", cluster="strangers", tasks=[one])
    ecs.stop_task(cluster="strangers", task=one, reason="enough")
    ecs.wait("tasks_stopped", cluster="strangers", tasks=[one])
    ecs.describe_task_definition(taskDefinition="strangers", _has="taskDefinition")
    ecs.list_task_definitions(familyPrefix="strangers", _has="taskDefinitionArns")
    ecs.delete_cluster(cluster="strangers", _refused="ClusterContainsServicesException")

    def destroy():
        ecs.delete_service(cluster="strangers", service="web", force=True)
        ecs.wait("services_inactive", cluster="strangers", services=["web"])
        left = lambda: ecs.list_tasks(cluster="strangers")["taskArns"]
        patiently("tasks have stopped", lambda: not left())
        ecs.delete_cluster(cluster="strangers")
        ecs.deregister_task_definition(taskDefinition=definition)

    return destroy


def tagged():
    tagging = Service("resourcegroupstaggingapi")
    found = tagging.pages("get_resources", "ResourceTagMappingList", TagFilters=[{"Key": "team", "Values": ["a"]}])
    expect("tagged resources", len(found) > 5, True)
    tagging.get_tag_keys(_has="TagKeys")
    tagging.get_tag_values(Key="team", _has="TagValues")


def refused():
    """Other keys than the server's."""
    stranger = boto3.Session(KEY, "not-the-secret", region_name=REGION)
    for name, operation, code in [
        ("ec2", "describe_vpcs", "AuthFailure"),
        ("iam", "list_roles", "SignatureDoesNotMatch"),
        ("ecs", "list_clusters", "InvalidSignatureException"),
    ]:
        client = Service(name)
        client.client = stranger.client(name, endpoint_url=ENDPOINT, config=CONFIG)
        getattr(client, operation)(_refused=code)


def main():
    identity()
    refused()
    vpc, subnets, groups, destroy_network = network()
    role, destroy_roles = roles()
    destroy_settings = settings()
    destroy_repository = repository()
    destroy_cache = cache(subnets[2:], groups["service"])
    destroy_database = database(subnets[2:], groups["service"])
    destroy_endpoints = endpoints(vpc, subnets[2:], groups["service"])
    balancer, target, destroy_front = front(vpc, subnets[:2], groups["front"])
    destroy_name = name_and_certificate(balancer)
    destroy_service = service(role, subnets[2:], groups["service"], target)
    tagged()
    for destroy in [
        destroy_service,
        destroy_name,
        destroy_front,
        destroy_endpoints,
        destroy_database,
        destroy_cache,
        destroy_repository,
        destroy_settings,
        destroy_roles,
        destroy_network,
    ]:
        destroy()
    for failure in failures:
        print(failure)
    print(f"{count} commands")
    return 1 if failures else 0


sys.exit(main())
