"""moto's server with what no tool could finish without.

In moto 5.2 a deleted replication group stays `deleting`, there is no DeleteCacheSubnetGroup, the members of a
replication group, which Terraform reads, are no cache clusters, and what Elastic Load Balancing makes takes no tag once it
has 10; at AWS it is 50.
"""

import inspect
import sys

from moto.core.responses import EmptyResult
from moto.elasticache.exceptions import CacheSubnetGroupNotFound
from moto.elasticache.models import ElastiCacheBackend
from moto.elasticache.responses import ElastiCacheResponse
from moto.elbv2.exceptions import TooManyTagsError
from moto.elbv2.models import ELBv2Backend
from moto.server import main

create = ElastiCacheBackend.create_replication_group
delete = ElastiCacheBackend.delete_replication_group
MEMBER = inspect.signature(ElastiCacheBackend.create_cache_cluster).parameters


def with_members(self, **wanted):
    group = create(self, **wanted)
    for member in group.member_clusters:
        settings = {name: wanted.get(name) for name in MEMBER if name != "self"}
        made = self.create_cache_cluster(**{**settings, "cache_cluster_id": member, "tags": []})
        made.security_groups = [
            {"security_group_id": one, "status": "active"} for one in wanted["security_group_ids"] or []
        ]
        made.cache_parameter_group = {"cache_parameter_group_name": wanted["cache_parameter_group_name"]}
    return group


def gone_at_once(self, replication_group_id, retain_primary_cluster):
    members = list(self.replication_groups[replication_group_id].member_clusters)
    group = delete(self, replication_group_id, retain_primary_cluster)
    self.replication_groups.pop(replication_group_id)
    for member in members:
        self.cache_clusters.pop(member, None)
    return group


def delete_cache_subnet_group(self):
    name = self._get_param("CacheSubnetGroupName")
    if self.elasticache_backend.cache_subnet_groups.pop(name, None) is None:
        raise CacheSubnetGroupNotFound(name)
    return EmptyResult()


def add_tags(self, resource_arns, tags):
    for arn in resource_arns:
        self._get_resource_by_arn(arn)
        there = self.tagging_service.get_tag_dict_for_resource(arn)
        if len(there | self.tagging_service.flatten_tag_list(tags)) > 50:
            raise TooManyTagsError()
        self.tagging_service.tag_resource(arn, tags)


ELBv2Backend.add_tags = add_tags
ElastiCacheBackend.create_replication_group = with_members
ElastiCacheBackend.delete_replication_group = gone_at_once
ElastiCacheResponse.delete_cache_subnet_group = delete_cache_subnet_group
main(sys.argv[1:])
