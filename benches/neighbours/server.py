"""moto's server with two deletions that it lacks: without them no tool could finish its destroy.

A deleted replication group stays `deleting` in moto 5.2, and there is no DeleteCacheSubnetGroup.
"""

import sys

from moto.core.responses import EmptyResult
from moto.elasticache.exceptions import CacheSubnetGroupNotFound
from moto.elasticache.models import ElastiCacheBackend
from moto.elasticache.responses import ElastiCacheResponse
from moto.server import main

delete_replication_group = ElastiCacheBackend.delete_replication_group


def gone_at_once(self, replication_group_id, retain_primary_cluster):
    group = delete_replication_group(self, replication_group_id, retain_primary_cluster)
    self.replication_groups.pop(replication_group_id, None)
    return group


def delete_cache_subnet_group(self):
    name = self._get_param("CacheSubnetGroupName")
    if self.elasticache_backend.cache_subnet_groups.pop(name, None) is None:
        raise CacheSubnetGroupNotFound(name)
    return EmptyResult()


ElastiCacheBackend.delete_replication_group = gone_at_once
ElastiCacheResponse.delete_cache_subnet_group = delete_cache_subnet_group
main(sys.argv[1:])
