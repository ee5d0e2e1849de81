#!/usr/bin/env python3
"""Makes the trimmed extracts of AWS's public service models that the sandbox embeds.

Usage: python3 extract.py            (needs the package botocore; writes SERVICE.json.z beside itself)
       python3 extract.py ec2        (prints one extract as JSON, to read or to compare)

Kept are facts only: operations, shapes, wire names, what is required, enums, limits, patterns and error codes.
Documentation is dropped. The output is the same for the same botocore, so a diff shows what a new one changes.
"""

import json
import pathlib
import sys
import zlib

import botocore
import botocore.loaders

# The sandbox's name of a service (the one that requests are signed for), botocore's name, and the operations.
SERVICES = {
    "ec2": ("ec2", """
        AllocateAddress AssociateAddress AssociateRouteTable AttachInternetGateway AuthorizeSecurityGroupEgress
        AuthorizeSecurityGroupIngress CreateInternetGateway CreateNatGateway CreateNetworkAcl
        CreateNetworkAclEntry CreateRoute CreateRouteTable CreateSecurityGroup CreateSubnet CreateTags CreateVpc
        CreateVpcEndpoint DeleteInternetGateway DeleteNatGateway DeleteNetworkAcl DeleteNetworkAclEntry
        DeleteRoute DeleteRouteTable DeleteSecurityGroup DeleteSubnet DeleteTags DeleteVpc DeleteVpcEndpoints
        DescribeAccountAttributes DescribeAddresses DescribeAddressesAttribute DescribeAvailabilityZones
        DescribeDhcpOptions DescribeInstances DescribeInternetGateways DescribeManagedPrefixLists
        DescribeNatGateways DescribeNetworkAcls DescribeNetworkInterfaceAttribute DescribeNetworkInterfaces
        DescribePrefixLists DescribeRegions DescribeRouteTables DescribeSecurityGroupReferences
        DescribeSecurityGroupRules DescribeSecurityGroups DescribeStaleSecurityGroups DescribeSubnets
        DescribeTags DescribeVpcAttribute DescribeVpcEndpointServices DescribeVpcEndpoints
        DescribeVpcPeeringConnections DescribeVpcs DetachInternetGateway DisassociateAddress
        DisassociateRouteTable ModifySecurityGroupRules ModifySubnetAttribute ModifyVpcAttribute
        ModifyVpcEndpoint ReleaseAddress ReplaceNetworkAclAssociation ReplaceRoute ReplaceRouteTableAssociation
        RevokeSecurityGroupEgress RevokeSecurityGroupIngress UpdateSecurityGroupRuleDescriptionsEgress
        UpdateSecurityGroupRuleDescriptionsIngress"""),
    "elasticache": ("elasticache", """
        AddTagsToResource CreateCacheParameterGroup CreateCacheSubnetGroup CreateReplicationGroup CreateSnapshot
        DecreaseReplicaCount DeleteCacheParameterGroup DeleteCacheSubnetGroup DeleteReplicationGroup DeleteSnapshot
        DescribeCacheClusters DescribeCacheEngineVersions DescribeCacheParameterGroups DescribeCacheParameters
        DescribeCacheSubnetGroups DescribeEngineDefaultParameters DescribeEvents DescribeReplicationGroups
        DescribeSnapshots IncreaseReplicaCount ListAllowedNodeTypeModifications ListTagsForResource
        ModifyCacheParameterGroup ModifyCacheSubnetGroup ModifyReplicationGroup RebootCacheCluster
        RemoveTagsFromResource ResetCacheParameterGroup TestFailover"""),
    "ecs": ("ecs", """
        CreateCluster CreateService DeleteCluster DeleteService DeleteTaskDefinitions DeregisterTaskDefinition
        DescribeCapacityProviders DescribeClusters DescribeServiceDeployments DescribeServiceRevisions DescribeServices DescribeTaskDefinition
        DescribeTasks ListClusters ListServiceDeployments ListServices ListTagsForResource ListTaskDefinitionFamilies
        ListTaskDefinitions ListTasks PutClusterCapacityProviders RegisterTaskDefinition RunTask
        StopServiceDeployment StopTask TagResource UntagResource UpdateCluster UpdateClusterSettings UpdateService"""),
    "elasticloadbalancing": ("elbv2", """
        AddListenerCertificates AddTags CreateListener CreateLoadBalancer CreateRule CreateTargetGroup DeleteListener DeleteLoadBalancer
        DeleteRule DeleteTargetGroup DeregisterTargets DescribeCapacityReservation DescribeListenerAttributes DescribeListenerCertificates DescribeListeners
        DescribeLoadBalancerAttributes DescribeLoadBalancers DescribeRules DescribeTags
        DescribeTargetGroupAttributes DescribeTargetGroups DescribeTargetHealth ModifyListener
        ModifyListenerAttributes ModifyLoadBalancerAttributes ModifyRule ModifyTargetGroup
        ModifyTargetGroupAttributes RegisterTargets RemoveListenerCertificates RemoveTags SetRulePriorities SetSecurityGroups SetSubnets"""),
    "ecr": ("ecr", """
        BatchCheckLayerAvailability BatchDeleteImage BatchGetImage CreateRepository DeleteLifecyclePolicy
        DeleteRepository DeleteRepositoryPolicy DescribeImageScanFindings DescribeImages DescribeRegistry
        DescribeRepositories GetAuthorizationToken GetLifecyclePolicy GetRepositoryPolicy ListImages
        ListTagsForResource PutImage PutImageScanningConfiguration PutImageTagMutability PutLifecyclePolicy
        SetRepositoryPolicy StartImageScan TagResource UntagResource"""),
    "iam": ("iam", """
        AttachRolePolicy CreatePolicy CreatePolicyVersion CreateRole CreateServiceLinkedRole DeletePolicy
        DeletePolicyVersion DeleteRole DeleteRolePermissionsBoundary DeleteRolePolicy DeleteServiceLinkedRole
        DetachRolePolicy GetAccountAuthorizationDetails GetPolicy GetPolicyVersion GetRole GetRolePolicy
        GetServiceLinkedRoleDeletionStatus ListAttachedRolePolicies ListEntitiesForPolicy ListInstanceProfilesForRole
        ListPolicies ListPolicyTags ListPolicyVersions ListRolePolicies ListRoleTags ListRoles
        PutRolePermissionsBoundary PutRolePolicy SimulatePrincipalPolicy TagPolicy TagRole UntagPolicy
        UntagRole UpdateAssumeRolePolicy UpdateRole UpdateRoleDescription"""),
    "logs": ("logs", """
        CreateLogGroup CreateLogStream DeleteLogGroup DeleteLogStream DeleteRetentionPolicy DescribeLogGroups
        DescribeLogStreams FilterLogEvents GetLogEvents ListTagsForResource ListTagsLogGroup PutLogEvents
        PutRetentionPolicy TagLogGroup TagResource UntagLogGroup UntagResource"""),
    "ssm": ("ssm", """
        AddTagsToResource DeleteParameter DeleteParameters DescribeParameters GetParameter GetParameterHistory
        GetParameters GetParametersByPath LabelParameterVersion ListTagsForResource PutParameter
        RemoveTagsFromResource UnlabelParameterVersion"""),
    "secretsmanager": ("secretsmanager", """
        BatchGetSecretValue CreateSecret DeleteResourcePolicy DeleteSecret DescribeSecret GetRandomPassword
        GetResourcePolicy GetSecretValue ListSecretVersionIds ListSecrets PutResourcePolicy PutSecretValue
        RestoreSecret TagResource UntagResource UpdateSecret UpdateSecretVersionStage"""),
    "sts": ("sts", "GetCallerIdentity"),
    "rds": ("rds", """
        AddRoleToDBInstance AddTagsToResource CopyDBSnapshot CreateDBInstance CreateDBParameterGroup
        CreateDBSnapshot CreateDBSubnetGroup CreateOptionGroup DeleteDBInstance DeleteDBParameterGroup
        DeleteDBSnapshot DeleteDBSubnetGroup DeleteOptionGroup DescribeDBEngineVersions DescribeDBInstances
        DescribeDBParameterGroups DescribeDBParameters DescribeDBSnapshotAttributes DescribeDBSnapshots
        DescribeDBSubnetGroups DescribeEngineDefaultParameters DescribeEvents DescribeOptionGroupOptions
        DescribeOptionGroups DescribeOrderableDBInstanceOptions DescribePendingMaintenanceActions
        ListTagsForResource ModifyDBInstance ModifyDBParameterGroup ModifyDBSubnetGroup ModifyOptionGroup
        RebootDBInstance RemoveRoleFromDBInstance RemoveTagsFromResource ResetDBParameterGroup
        RestoreDBInstanceFromDBSnapshot StartDBInstance StopDBInstance"""),
    "acm": ("acm", """
        AddTagsToCertificate DeleteCertificate DescribeCertificate GetCertificate ImportCertificate
        ListCertificates ListTagsForCertificate RemoveTagsFromCertificate RequestCertificate
        UpdateCertificateOptions"""),
    "route53": ("route53", """
        AssociateVPCWithHostedZone ChangeResourceRecordSets ChangeTagsForResource CreateHostedZone DeleteHostedZone
        DisassociateVPCFromHostedZone GetChange GetDNSSEC GetHostedZone GetHostedZoneCount GetHostedZoneLimit
        ListHostedZones ListHostedZonesByName ListHostedZonesByVPC ListResourceRecordSets ListTagsForResource
        ListTagsForResources TestDNSAnswer UpdateHostedZoneComment UpdateHostedZoneFeatures"""),
    "tagging": ("resourcegroupstaggingapi", "GetResources GetTagKeys GetTagValues TagResources UntagResources"),
}

METADATA = ["apiVersion", "jsonVersion", "protocol", "targetPrefix", "xmlNamespace"]
SHAPE = ["enum", "error", "exception", "flattened", "key", "locationName", "max", "member", "members", "min",
         "pattern", "required", "sensitive", "type", "union", "value"]
HTTP = ["method", "requestUri", "responseCode"]
MEMBER = ["flattened", "location", "locationName", "queryName", "shape", "timestampFormat"]


def only(names, what):
    return {name: what[name] for name in names if name in what}


def trim(shape):
    kept = only(SHAPE, shape)
    if "members" in kept:
        kept["members"] = {name: only(MEMBER, member) for name, member in kept["members"].items()}
    for part in ("member", "key", "value"):
        if part in kept:
            kept[part] = only(MEMBER, kept[part])
    return kept


def references(shape):
    for part in ("member", "key", "value"):
        if part in shape:
            yield shape[part]["shape"]
    for member in shape.get("members", {}).values():
        yield member["shape"]


def extract(name, names):
    model = botocore.loaders.Loader().load_service_model(name, "service-2")
    metadata, rest = only(METADATA, model["metadata"]), model["metadata"]["protocol"] == "rest-xml"
    operations, wanted = {}, []
    for operation in sorted(names.split()):
        whole = model["operations"][operation]
        kept = operations[operation] = {}
        if "input" in whole:
            kept["input"] = whole["input"]["shape"]
            wanted.append(kept["input"])
            if rest:
                kept["http"] = only(HTTP, whole["http"])
                kept.update({"inputName": whole["input"][name] for name in ["locationName"] if name in whole["input"]})
                # One namespace holds for the whole service, and only its inputs name it.
                metadata.update({"xmlNamespace": whole["input"][name]["uri"]
                                 for name in ["xmlNamespace"] if name in whole["input"]})
        if "output" in whole:
            kept["output"] = whole["output"]["shape"]
            wanted.append(kept["output"])
            kept.update(only(["resultWrapper"], whole["output"]))
        kept["errors"] = [error["shape"] for error in whole.get("errors", [])]
        wanted.extend(kept["errors"])
    shapes = {}
    while wanted:
        shape = wanted.pop()
        if shape not in shapes:
            shapes[shape] = trim(model["shapes"][shape])
            wanted.extend(references(shapes[shape]))
    return {
        "metadata": metadata,
        "operations": operations,
        "shapes": dict(sorted(shapes.items())),
    }


def main():
    here = pathlib.Path(__file__).parent
    if len(sys.argv) > 1:
        json.dump(extract(*SERVICES[sys.argv[1]]), sys.stdout, indent=1)
        return
    plain = packed = count = 0
    for service, (name, names) in SERVICES.items():
        text = json.dumps(extract(name, names), separators=(",", ":")).encode()
        body = zlib.compress(text, 9)
        (here / f"{service}.json.z").write_bytes(body)
        plain, packed, count = plain + len(text), packed + len(body), count + len(names.split())
    print(f"botocore {botocore.__version__}: {count} operations, {plain} bytes, deflated {packed}")


if __name__ == "__main__":
    main()
