"""Step `dedup`: sign every shard; order, fold, compare and join all rows; tell every shard what became of its own."""

from __future__ import annotations

from typing import Any

from curation import engine
from curation.dedup.candidates import Bands, Candidates, Fold, Pairs, band_groups
from curation.dedup.clustering import Cluster, Join
from curation.dedup.merging import Merge
from curation.dedup.ordering import Order
from curation.dedup.shards import Corpus, ShardRef
from curation.dedup.shingling import Shingle, Stretch
from curation.dedup.signing import FIELDS, Sign
from curation.engine import Operation, Task
from curation.steps import Build, StepResult, shards_of
from curation.store import Marker, digest
from sources import registry


def run_dedup(build: Build) -> StepResult:
    """Find exact and near duplicates across all sources; nothing is deleted, `mix` reads the columns."""
    rows = build.load("normalise")
    settings = build.profile.dedup
    manifests = {name: registry.load(name) for name in sorted({s.source for s in rows.shards})}

    def run(operation: Operation, tasks: list[Task]) -> list[Marker]:
        return engine.run(operation, tasks, build.store, build.workers)

    families = [manifests[s.source].family for s in rows.shards]
    signed = run(
        Sign(settings),
        [Task(s.path, (s.xxh3, family), family) for s, family in zip(rows.shards, families, strict=True)],
    )
    corpus = Corpus(
        tuple(
            ShardRef(s.path, s.rows, family, manifests[s.source].priority, s.xxh3)
            for s, family in zip(rows.shards, families, strict=True)
        ),
        tuple(marker.outputs[0].xxh3 for marker in signed),
    )
    everything = corpus.identity
    (ordered,) = run(Order(settings), [Task("all", (everything,), corpus)])
    known = (everything, _hash(ordered))
    folded = run(Fold(settings), [Task(field, known, corpus) for field in FIELDS])
    groups = [
        Task(f"{field}/{group[0]:02d}", (*known, _hash(marker), digest(group)), Bands(corpus, field, group))
        for field, marker in zip(FIELDS, folded, strict=True)
        for group in band_groups(corpus.rows, settings.bands)
    ]
    found = run(Candidates(settings), groups)
    pairs = run(Pairs(settings), [_pairs_of(field, groups, found, known) for field in FIELDS])
    wanted = digest([_hash(marker) for marker in pairs])
    stretches = zip(corpus.shards, corpus.starts[:-1].tolist(), strict=True)
    shingled = run(
        Shingle(settings),
        [Task(s.path, (s.content, wanted, str(first)), Stretch(s.family, first, s.rows)) for s, first in stretches],
    )
    sets = digest([_hash(marker) for marker in shingled])
    joined = run(
        Join(settings),
        [Task(f, (*known, _hash(marker), sets), corpus) for f, marker in zip(FIELDS, pairs, strict=True)],
    )
    settled = (*known, *(_hash(marker) for marker in (*folded, *joined)))
    (clusters,) = run(Cluster(settings), [Task("all", settled, corpus)])
    (merges,) = run(Merge(settings), [Task("all", settled, corpus)])

    stats: dict[str, Any] = {
        field: {"rows": corpus.rows, "exact_duplicates": exact.stats["exact_duplicates"], **near.stats}
        for field, exact, near in zip(FIELDS, folded, joined, strict=True)
    }
    for field, entry in stats.items():
        entry["clusters"] = entry["rows"] - entry["exact_duplicates"] - entry["near_duplicates"]
        entry["clusters"] -= 0 if field == "sample" else entry["chains_cut"]  # whole components
    result = StepResult("dedup", stats=stats | {"merges": merges.stats})
    by_path = {s.path: s for s in shards_of("", "", clusters, Cluster.name, "clusters")}
    merged = {s.path: s for s in shards_of("", "", merges, Merge.name, "merges")}
    for s in rows.shards:
        content = digest([by_path[s.path].xxh3, merged[s.path].xxh3])
        result.shards.append(type(s)(s.source, s.subset, s.path, s.rows, content))
    build.save(result)
    return result


def _hash(marker: Marker) -> str:
    return digest([output.xxh3 for output in marker.outputs])


def _pairs_of(field: str, groups: list[Task], found: list[Marker], known: tuple[str, ...]) -> Task:
    """Return the task that merges what all bands of a field found."""
    outputs = [m.outputs[0] for t, m in zip(groups, found, strict=True) if t.path.startswith(f"{field}/")]
    return Task(field, (*known, *(o.xxh3 for o in outputs)), [o.path for o in outputs])
