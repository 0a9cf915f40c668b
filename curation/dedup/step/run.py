"""Step `dedup`: hash every shard; rank, fold, compare and cluster all rows; write the results for each shard."""

from __future__ import annotations

from typing import Any

from curation.build import Build, Inputs, StepResult, output_ending, shards_of
from curation.dedup.step.candidates import Bands, Candidates, Fold, Pairs, band_groups
from curation.dedup.step.clusters import Cluster
from curation.dedup.step.components import Components
from curation.dedup.step.merge import Merge
from curation.dedup.step.ranks import Order
from curation.dedup.step.sample_pairs import Match
from curation.dedup.step.shards import Corpus, ShardRef
from curation.dedup.step.shingles import ShardRange, Shingle
from curation.dedup.step.signatures import FIELDS, FOLDED, Sign
from open_ml_embed.core import engine
from open_ml_embed.core.hashing import digest
from open_ml_embed.core.store import Marker
from open_ml_embed.core.task import Operation, Task


def run_dedup(build: Build, inputs: Inputs) -> StepResult:
    """Find exact and near-duplicates across all sources. No row is deleted; step `mix` reads the resulting columns."""
    rows = inputs["normalize"]
    inputs.begin()
    settings = build.profile.dedup
    manifests = {name: build.manifest(name) for name in sorted({s.source for s in rows.shards})}

    def run(operation: Operation, tasks: list[Task]) -> list[Marker]:
        return engine.run(operation, tasks, build.store, build.workers)

    families = [manifests[s.source].family for s in rows.shards]
    signed = run(
        Sign(settings),
        [Task(s.path, (s.xxh3, family), family) for s, family in zip(rows.shards, families, strict=True)],
    )
    corpus = Corpus(
        tuple(
            ShardRef(
                s.path, s.rows, output_ending(marker, "negatives").rows, family, manifests[s.source].priority, s.xxh3
            )
            for s, family, marker in zip(rows.shards, families, signed, strict=True)
        ),
        tuple(_hash(marker) for marker in signed),
    )
    everything = corpus.identity
    (ordered,) = run(Order(settings), [Task("all", (everything,), corpus)])
    known = (everything, _hash(ordered))
    folded = run(Fold(settings), [Task(field, known, corpus) for field in FOLDED])
    leaders = dict(zip(FOLDED, folded, strict=True))
    groups = [
        Task(f"{field}/{group[0]:02d}", (*known, _hash(leaders[field]), digest(group)), Bands(corpus, field, group))
        for field in FIELDS
        for group in band_groups(corpus.size(field), settings.bands)
    ]
    candidates = run(Candidates(settings), groups)
    pairs = run(Pairs(settings), [_pairs_of(field, groups, candidates, known) for field in FIELDS])
    wanted = digest([_hash(marker) for marker in pairs])
    ranges = zip(corpus.shards, corpus.starts[:-1].tolist(), corpus.negative_starts[:-1].tolist(), strict=True)
    shingled = run(
        Shingle(settings),
        [
            Task(s.path, (s.content, wanted, f"{first}/{given}"), ShardRange(first, s.rows, given, s.negatives))
            for s, first, given in ranges
        ],
    )
    sets = digest([_hash(marker) for marker in shingled])
    joined = run(
        Components(settings),
        [
            Task(field, (*known, _hash(leaders[field]), _hash(marker), sets), corpus)
            for field, marker in zip(FIELDS, pairs, strict=True)
        ],
    )
    compared = (*known, *(_hash(marker) for marker in (*folded, *joined)), sets)
    (matched,) = run(Match(settings), [Task("all", compared, corpus)])
    settled = (*known, *(_hash(marker) for marker in (*folded, *joined, matched)))
    (clusters,) = run(Cluster(settings), [Task("all", settled, corpus)])
    (merges,) = run(Merge(settings), [Task("all", (*settled, _hash(clusters)), corpus)])

    exact = {field: marker.stats["exact_duplicates"] for field, marker in leaders.items()}
    stats: dict[str, Any] = {
        "sample": _counted(corpus.rows, exact["sample"], matched),
        **{f: _counted(corpus.size(f), exact[f], marker) for f, marker in zip(FIELDS, joined, strict=True)},
    }
    result = inputs.result(
        stats=stats | {"merges": merges.stats, "sources": clusters.stats["sources"]},
        files=[output for marker in (*signed, clusters, merges) for output in marker.outputs],
    )
    made = [
        {s.path: s.xxh3 for s in shards_of("", "", marker, operation.name, operation.name)}
        for marker, operation in ((clusters, Cluster), (merges, Merge))
    ]
    for s, signature in zip(rows.shards, corpus.signed, strict=True):
        content = digest([*(of[s.path] for of in made), signature])
        result.shards.append(type(s)(s.source, s.subset, s.path, s.rows, content))
    build.save(result)
    return result


def _counted(texts: int, exact: int, marker: Marker) -> dict[str, int]:
    """Return the statistics of samples or of a field: texts, exact duplicates, clusters, and the marker's own."""
    near = marker.stats["near_duplicates"]
    return {"rows": texts, "exact_duplicates": exact, "clusters": texts - exact - near, **marker.stats}


def _hash(marker: Marker) -> str:
    return digest([output.xxh3 for output in marker.outputs])


def _pairs_of(field: str, groups: list[Task], candidates: list[Marker], known: tuple[str, ...]) -> Task:
    """Return the task that merges the candidate pairs of all bands of a field."""
    outputs = [m.outputs[0] for t, m in zip(groups, candidates, strict=True) if t.path.startswith(f"{field}/")]
    return Task(field, (*known, *(o.xxh3 for o in outputs)), [o.path for o in outputs])
