"""Step `dedup`: sign every shard, cluster all of them."""

from __future__ import annotations

from curation import engine
from curation.dedup.clustering import Cluster, ShardRef
from curation.dedup.signing import Sign
from curation.engine import Task
from curation.steps import Build, StepResult, shards_of
from sources import registry


def run_dedup(build: Build) -> StepResult:
    """Find exact and near duplicates across all sources; nothing is deleted, `mix` reads the columns."""
    rows = build.load("normalise")
    manifests = {name: registry.load(name) for name in sorted({s.source for s in rows.shards})}
    sign = Sign(build.profile.dedup)
    tasks = [Task(s.path, (s.xxh3, manifests[s.source].family), manifests[s.source].family) for s in rows.shards]
    signed = engine.run(sign, tasks, build.store, build.workers)
    shards = [ShardRef(s.path, s.rows, manifests[s.source].family, manifests[s.source].priority) for s in rows.shards]
    inputs = [f"{s.path}:{s.family}:{s.priority}:{m.outputs[0].xxh3}" for s, m in zip(shards, signed, strict=True)]
    inputs += [s.xxh3 for s in rows.shards]
    cluster = Cluster(build.profile.dedup)
    (marker,) = engine.run(cluster, [Task("all", tuple(inputs), shards)], build.store, build.workers)
    by_path = {s.path: s for s in shards_of("", "", marker, cluster.name, "clusters")}
    result = StepResult("dedup", stats=marker.stats)
    result.shards = [type(s)(s.source, s.subset, s.path, s.rows, by_path[s.path].xxh3) for s in rows.shards]
    build.save(result)
    return result
