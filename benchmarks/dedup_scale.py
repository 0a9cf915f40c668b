"""`curate dedup` on up to 50 million samples: time, memory, disk usage, and a check of every planted duplicate.

    .venv/bin/python -m benchmarks.dedup_scale --millions 1 5 10 25 50 --compare

The texts come from the sample build (made by `python3 tasks.py demo`: package descriptions and interface messages in
400 languages, and docstrings). They are cut into pieces and recombined to new pairs. 5 % of all rows are exact copies
of an earlier row of another source (half of them in upper case or with extra white space). 5 % are near-duplicates (a
changed last word, or a changed word in the middle of a longer text). 5 % have another query for an earlier document;
none of these may be dropped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml

from benchmarks._footprint import Footprint
from benchmarks._planted import (
    ASKED,
    EXACT,
    NEAR,
    SHARD,
    SOURCES,
    kinds,
    originals,
    pieces,
    row_texts,
    shard_table,
    source_of,
)
from curation.pipeline.freshness import load
from curation.pipeline.run import run_step

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = {
    "title": "Made for a benchmark", "collection": "offline", "task": "title-matching", "family": "retrieval",
    "origin": {"kind": "manual", "url": "nowhere", "folder": "nowhere"},
    "tables": {"records": {"files": ["*.jsonl"], "format": "jsonl", "fields": {"q": "string"}}},
    "shape": {"kind": "pair", "args": {"query": "q", "positive": "q"}},
    "license": {"id": "CC0-1.0", "commercial": True, "redistribution": True},
    "citation": "This benchmark.", "samples": 1, "instruction": "Given a query, find its document.",
    "subsets": {"all": {"query_lang": "eng-Latn"}},
}  # fmt: skip


def prepare(root: Path, millions: int, shard: int, queries: pa.Array, parts: pa.Array) -> object:
    """Write the rows that do not exist yet, and return the build."""
    from curation.build import Build, Shard, StepResult
    from curation.pipeline.freshness import save_as_made
    from curation.settings import Profile
    from open_ml_embed.core.engine import Workers

    manifests = root / "manifests" / "sources"
    manifests.mkdir(parents=True, exist_ok=True)
    for i in range(SOURCES):
        data = MANIFEST | {"name": f"made_{i}", "priority": 10 + i}
        (manifests / f"made_{i}.yaml").write_text(yaml.safe_dump(data))
    os.environ["CORPUS_MANIFESTS"] = str(root / "manifests")
    build = Build("scale", Profile.model_validate({"sources": {"collection": "offline"}}), root, Workers())
    result = StepResult("normalize")
    for number in range(millions * 1_000_000 // shard):
        path = f"{source_of(number, shard)}/all/{number:05d}.00000"
        file = root / "work" / "scale" / "rows" / f"{path}.rows.arrow"
        if not file.is_file():
            table = shard_table(number, shard, queries, parts)
            build.store.write_table(f"rows/{path}.rows.arrow", table.to_batches(), table.schema)
        result.shards.append(Shard(source_of(number, shard), "all", path, shard, f"{number}-{shard}"))
    result.shards.sort(key=lambda s: s.path)
    save_as_made(build, StepResult("fetch", stats={"files": {f"made_{i}": {} for i in range(SOURCES)}}))
    save_as_made(build, result)
    return build


def similarity(copies: np.ndarray, queries: pa.Array, parts: pa.Array) -> dict[str, np.ndarray]:
    """Return the exact Jaccard index of every planted copy and its original, by side; 1 for equal texts."""
    from curation.dedup.minhash import jaccard
    from curation.dedup.settings import DedupSettings
    from open_ml_embed.core.text.tokens import tokenize

    shingle = DedupSettings().shingle
    found: dict[str, list[np.ndarray]] = {"query": [np.zeros(0)], "positive": [np.zeros(0)]}
    for start in range(0, len(copies), 100_000):
        here = copies[start : start + 100_000]
        both = pa.concat_tables([row_texts(here, queries, parts), row_texts(originals(here), queries, parts)])
        n = np.arange(len(here))
        for side, indices in found.items():
            tokens = tokenize(both[side])
            short = np.diff(tokens.offsets) < shingle
            index = np.where(short[n] | short[n + len(here)], 0.0, jaccard(tokens, n, n + len(here), shingle))
            indices.append(np.where(tokens.exact[n] == tokens.exact[n + len(here)], 1.0, index))
    return {side: np.concatenate(indices) for side, indices in found.items()}


def look_up(
    build: object, result: object, shard: int, queries: pa.Array, parts: pa.Array
) -> dict[str, dict[str, float] | int]:
    """Look up every planted duplicate in the clusters, and classify those that are in another cluster."""
    from curation.dedup.settings import DedupSettings

    settings = DedupSettings()
    total = sum(s.rows for s in result.shards)
    cluster, keep = np.empty(total, np.int64), np.empty(total, bool)
    for s in result.shards:
        first = int(s.path.rsplit("/", 1)[1].split(".")[0]) * shard
        table = build.store.read_table(f"clusters/{s.path}.clusters.arrow", ["keep", "sample_cluster"])
        cluster[first : first + s.rows] = table["sample_cluster"].to_numpy()
        keep[first : first + s.rows] = table["keep"].to_numpy()
    kind = kinds(np.arange(total))
    exact, near, asked = (np.flatnonzero(kind == planted) for planted in (EXACT, NEAR, ASKED))
    assert (cluster[exact] == cluster[originals(exact)]).all(), "a planted exact copy was not found"
    indices = similarity(near, queries, parts)
    truth = np.minimum(indices["query"], indices["positive"])
    duplicate = truth >= settings.threshold
    same = cluster[near] == cluster[originals(near)]
    # In another cluster: dropped in favor of a row before the original, or missed by all bands.
    missed = keep[near] & keep[originals(near)] & ~same & duplicate
    theory = float(((1 - truth[duplicate] ** (settings.num_perm // settings.bands)) ** settings.bands).sum())
    assert missed.sum() <= theory + 5 * theory**0.5 + 1, "more near-duplicates were missed than the bands explain"
    assert not (same & ~duplicate & ~keep[near] & keep[originals(near)]).any(), (
        "a row went for one it does not resemble"
    )
    other_question = similarity(asked, queries, parts)["query"] < settings.threshold
    fallen = ~keep[asked] & (cluster[asked] == cluster[originals(asked)]) & other_question
    assert not fallen.any(), "a row went although it asks another question"
    return {
        "exact": {"planted": len(exact), "found": len(exact)},
        "other questions": {"planted": int(other_question.sum()), "gone for the document's first": 0},
        "near": {
            "planted": len(near),
            "at or above the threshold": int(duplicate.sum()),
            "of these in the original's cluster": int((same & duplicate).sum()),
            "dropped or kept for a third row": int((~same & duplicate).sum() - missed.sum()),
            "missed": int(missed.sum()),
            "missed in theory": round(theory, 1),
        },
        "dropped beyond the planted": int((~keep).sum() - len(exact) - (same & duplicate).sum()),
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--millions", type=int, nargs="+", default=[1])
    arguments.add_argument("--plot", type=Path, help="draw the figures into this SVG")
    arguments.add_argument("--compare", action="store_true", help="also compare workers and shard sizes, at 1 million")
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--shard", type=int, default=SHARD)
    arguments.add_argument("--root", type=Path, default=ROOT / "work" / "dedup-scale")
    arguments.add_argument("--rows", type=Path, default=ROOT / "work" / "sample" / "rows")
    chosen = arguments.parse_args()
    queries, parts = pieces(chosen.rows)
    assert SHARD % chosen.shard == 0, f"--shard must divide {SHARD}"
    print(f"{len(queries):,} queries and {len(parts):,} pieces of real text")
    figures = []
    for millions in chosen.millions:
        began = time.monotonic()
        build = prepare(chosen.root, millions, chosen.shard, queries, parts)
        print(f"{millions} million rows written in {time.monotonic() - began:.0f} s", flush=True)
        figures.append(measure(build, chosen, millions, queries, parts))
        print(json.dumps(figures[-1]), flush=True)
    if chosen.plot:
        plot(figures, chosen.plot)
    if chosen.compare:
        compare(chosen, queries, parts)


def plot(figures: list[dict[str, object]], path: Path) -> None:
    """Plot time, memory and disk usage over the number of samples."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams |= {"svg.hashsalt": "dedup", "svg.fonttype": "none", "font.family": "sans-serif"}
    from matplotlib import pyplot

    sizes = [f["millions"] for f in figures]
    figure, axes = pyplot.subplots(1, 3, figsize=(9, 2.6), layout="constrained")
    shown = (("minutes", "minutes, two cores"), ("peak_memory_gib", "peak memory, GiB"), ("peak_disk_gib", "disk, GiB"))
    for axis, (name, title) in zip(axes, shown, strict=True):
        axis.plot(sizes, [f[name] for f in figures], marker="o", color="#2a6f97")
        axis.set(title=title, xlabel="million samples", xlim=(0, None), ylim=(0, None))
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


def compare(chosen: argparse.Namespace, queries: pa.Array, parts: pa.Array) -> None:
    """Assert that one worker, two workers, and five times as many shards give the same clusters for a million rows."""
    digests = set()
    for workers, shard in ((1, SHARD), (2, SHARD), (2, SHARD // 5)):
        shutil.rmtree(chosen.root, ignore_errors=True)
        chosen.workers, chosen.shard = workers, shard
        build = prepare(chosen.root, 1, shard, queries, parts)
        measure(build, chosen, 1, queries, parts)
        found = hashlib.sha256()
        for suffix in ("clusters", "merges"):
            paths = [f"{suffix}/{s.path}.{suffix}.arrow" for s in load(build, "dedup").shards]
            table = pa.concat_tables(build.store.read_table(path) for path in paths).combine_chunks()
            for batch in table.to_batches():
                found.update(batch.serialize())
        digests.add(found.hexdigest())
    assert len(digests) == 1, "clusters depend on workers or shards"
    print("the same bytes from one worker and two, and from two shards and ten")


def measure(
    build: object, chosen: argparse.Namespace, millions: int, queries: pa.Array, parts: pa.Array
) -> dict[str, object]:
    """Run the step from scratch and return its measurements."""
    from dataclasses import replace

    from open_ml_embed.core.engine import Workers

    work = chosen.root / "work" / "scale"
    for name in ("signatures", "clusters", "merges", "dedup"):
        shutil.rmtree(work / name, ignore_errors=True)
    build = replace(build, workers=Workers("local", chosen.workers))
    began = time.monotonic()
    with Footprint([work / name for name in ("signatures", "clusters", "merges", "dedup")]) as footprint:
        result = run_step(build, "dedup")
    seconds = time.monotonic() - began
    return {
        "millions": millions, "workers": chosen.workers, "minutes": round(seconds / 60, 2),
        "peak_memory_gib": round(footprint.memory / 2**30, 2), "peak_disk_gib": round(footprint.disk / 2**30, 2),
        "planted": look_up(build, result, chosen.shard, queries, parts), "stats": result.stats,
    }  # fmt: skip


if __name__ == "__main__":
    main()
