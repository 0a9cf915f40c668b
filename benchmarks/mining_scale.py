"""`curate mine` on a million documents with 384 dimensions: time, peak memory, and identical results after kills.

    .venv/bin/python -m benchmarks.mining_scale
    .venv/bin/python -m benchmarks.mining_scale --kills 5
    .venv/bin/python -m benchmarks.mining_scale --teacher bm25

Documents are generated sentences about 20,000 topics, fifty for each; each query is about one topic. The vectors are
given (`vectors:FOLDER`), since the cost of a model depends on the model. The benchmark fails if the memory, including
child processes, exceeds 4 GB, or if the negatives of a query are not those of a plain matrix product.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import yaml

from benchmarks._footprint import Footprint
from curation.pipeline.freshness import load

ROOT = Path(__file__).resolve().parent.parent
DIM, SHARD, WORDS = 384, 100_000, 30
MOST_MEMORY = 4_000_000_000
MANIFEST = {
    "name": "made", "title": "Made for a benchmark", "collection": "offline", "task": "question-answering",
    "family": "retrieval", "origin": {"kind": "manual", "url": "nowhere", "folder": "nowhere"},
    "tables": {"records": {"files": ["*.jsonl"], "format": "jsonl", "fields": {"q": "string"}}},
    "shape": {"kind": "pair", "args": {"query": "q", "positive": "q"}},
    "license": {"id": "CC0-1.0", "commercial": True, "redistribution": True},
    "citation": "This benchmark.", "samples": 1, "instruction": "Given a query, find its document.",
    "subsets": {"all": {"query_lang": "eng-Latn"}},
}  # fmt: skip


def topic_of(documents: np.ndarray, topics: int) -> np.ndarray:
    return documents % topics


def text_of(document: int, topics: int) -> str:
    rng = random.Random(document)
    topic = random.Random(-1 - document % topics)
    words = [f"t{topic.randrange(50_000)}" for _ in range(6)] + [
        f"w{int(30_000 * rng.random() ** 4)}" for _ in range(WORDS)
    ]
    return f"{' '.join(words)} d{document}"


def query_of(topic: int) -> str:
    own = random.Random(-1 - topic)
    return " ".join(f"t{own.randrange(50_000)}" for _ in range(6)) + f" q{topic}"


def vectors_of(side: int, numbers: np.ndarray, topics: int) -> np.ndarray:
    """Return vectors around those of the topics, not normalized: float16[n, DIM]."""
    centres = np.stack([np.random.default_rng([7, t]).normal(size=DIM) for t in topic_of(numbers, topics).tolist()])
    noise = np.stack([np.random.default_rng([side, n]).normal(size=DIM) for n in numbers.tolist()])
    return (centres + (1.0, 0.7)[side] * noise).astype(np.float16)


def prepare(root: Path, documents: int, topics: int, *, vectors: bool) -> None:
    """Write rows, their clusters, and vectors, in the form in which the previous steps write them."""
    import pyarrow as pa

    from curation.build import Build, Shard, StepResult
    from curation.dedup.settings import DedupSettings
    from curation.dedup.step.signatures import Sign
    from curation.mining.teachers.precomputed import text_id
    from curation.pipeline.freshness import save_as_made
    from curation.settings import Profile
    from open_ml_embed.core import engine
    from open_ml_embed.core.task import Task
    from sources.schema import ROW_SCHEMA

    (root / "manifests" / "sources").mkdir(parents=True)
    (root / "manifests" / "sources" / "made.yaml").write_text(yaml.safe_dump(MANIFEST))
    os.environ["CORPUS_MANIFESTS"] = str(root / "manifests")
    build = Build("scale", Profile.model_validate({"sources": {"collection": "offline"}}), root)
    rows, clusters = StepResult("normalize"), StepResult("dedup")
    for side, folder, count in ((0, "queries", topics), (1, "documents", documents)) if vectors else ():
        (root / "vectors" / folder).mkdir(parents=True)
        target = np.lib.format.open_memmap(root / "vectors" / folder / "all.npy", "w+", np.float16, (count, DIM))
        with (root / "vectors" / folder / "all.ids.txt").open("w") as ids:
            for start in range(0, count, 10_000):
                numbers = np.arange(start, min(start + 10_000, count))
                target[numbers] = vectors_of(side, numbers, topics)
                texts = (query_of(n) if side == 0 else text_of(n, topics) for n in numbers.tolist())
                ids.writelines(text_id(text) + "\n" for text in texts)
    for number, start in enumerate(range(0, documents, SHARD)):
        numbers = np.arange(start, min(start + SHARD, documents))
        topic = topic_of(numbers, topics)
        n = len(numbers)
        columns = {
            "row_id": [(i * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128).to_bytes(16, "big") for i in numbers.tolist()],
            "source": ["made"] * n, "subset": ["all"] * n, "query": [query_of(t) for t in topic.tolist()],
            "positive": [text_of(i, topics) for i in numbers.tolist()], "negatives": [[]] * n, "label": [None] * n,
            "query_lang": ["eng-Latn"] * n, "positive_lang": ["eng-Latn"] * n,
            "origin": [{"file": "made", "record": i} for i in numbers.tolist()],
        }  # fmt: skip
        path = f"made/all/00000.{number:05d}"
        made = build.store.write_table(
            f"rows/{path}.rows.arrow", pa.table(columns, schema=ROW_SCHEMA).to_batches(max_chunksize=8192), ROW_SCHEMA
        )
        rows.shards.append(Shard("made", "all", path, made.rows, made.xxh3))
        table = pa.table(
            {
                "query_cluster": topic,
                "document_cluster": numbers + topics,
                "negative_clusters": pa.array([[]] * n, pa.list_(pa.int64())),
            }
        )
        made = build.store.write_table(f"clusters/{path}.clusters.arrow", table.to_batches(), table.schema)
        clusters.shards.append(Shard("made", "all", path, made.rows, made.xxh3))
    engine.run(
        Sign(DedupSettings()), [Task(s.path, (s.xxh3,), "retrieval") for s in rows.shards], build.store, build.workers
    )
    save_as_made(build, StepResult("fetch", stats={"files": {"made": {}}}))
    save_as_made(build, rows)
    save_as_made(build, clusters)


def start(root: Path, teacher: str) -> subprocess.Popen[bytes]:
    name = f"vectors:{root / 'vectors'}" if teacher == "vectors" else teacher
    settings = {"sources": {"collection": "offline"}, "mining": {"teacher": name}}
    (root / "params.yaml").write_text(yaml.safe_dump({"profile": "scale", "scale": settings}))
    environment = os.environ | {"CORPUS_MANIFESTS": str(root / "manifests"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "curation.cli.app", "mine"]
    return subprocess.Popen(command, cwd=root, env=environment, start_new_session=True)


def check(root: Path, documents: int, topics: int) -> None:
    """Assert that the negatives of some queries are those of a plain matrix product."""
    import pyarrow as pa

    from curation.build import Build
    from curation.settings import load_profile
    from curation.tables.pools import documents_of

    os.environ["CORPUS_MANIFESTS"] = str(root / "manifests")
    name, profile = load_profile(root / "params.yaml", None)
    build = Build(name, profile, root)
    offered = documents_of(build, "made", "all")
    rng = np.random.default_rng(0)
    shards = load(build, "mine").shards
    mined = build.store.read_table(f"negatives/{shards[0].path}.negatives.arrow")
    written = np.load(root / "vectors" / "documents" / "all.npy", mmap_mode="r")
    wanted = np.sort(rng.choice(min(topics, SHARD), 32, replace=False))
    asked = _unit(np.load(root / "vectors" / "queries" / "all.npy")[wanted])
    scores = np.concatenate(
        [asked @ _unit(written[start : start + 50_000]).T for start in range(0, documents, 50_000)], axis=1
    )
    rules = profile.mining
    for row, topic in enumerate(wanted.tolist()):
        own = np.arange(topic, documents, topics)
        p = scores[row, own].min()
        scores[row, own] = -np.inf
        best = np.argsort(-scores[row], kind="stable")[: rules.range_max][rules.range_min :]
        best = best[(scores[row, best] < rules.max_score) & (scores[row, best] < p - abs(p) * rules.relative_margin)]
        found = mined.slice(topic, 1).to_pylist()[0]
        kept = [score for score, origin in zip(found["scores"], found["origins"], strict=True) if origin == 1]
        np.testing.assert_allclose(kept, scores[row, best[: rules.num_negatives]], atol=1e-5)
        texts = offered.texts(np.array(found["negatives"])).to_pylist()
        assert not {text_of(int(i), topics) for i in own} & set(texts)
        if len(kept) == len(found["negatives"]) and np.diff(kept).max() < -1e-6:  # no ties: the very same documents
            assert texts == [text_of(int(i), topics) for i in best[: rules.num_negatives]]
    assert sum(pa.compute.list_value_length(mined["negatives"]).to_pylist()) > 0
    print("32 queries checked against a plain product")


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Normalize vectors as the teacher does, and round them to the precision of the shards."""
    full = vectors.astype(np.float32)
    full /= np.linalg.norm(full, axis=1, keepdims=True)
    return full.astype(np.float16).astype(np.float64)


def tree(root: Path) -> dict[str, int]:
    import xxhash

    made = [
        p for name in ("pools", "embeddings", "mined", "negatives") for p in (root / "work/scale" / name).rglob("*")
    ]
    made.append(root / "out/scale/steps/mine.json")
    return {
        str(p.relative_to(root)): xxhash.xxh3_64_intdigest(p.read_bytes())
        for p in made
        if p.suffix in (".arrow", ".json")
    }


def killed(root: Path, teacher: str, kills: int, whole_s: float) -> None:
    """Kill the command at random moments, complete it, and assert that it writes the same bytes."""
    expected = tree(root)
    for name in ("pools", "embeddings", "mined", "negatives"):
        shutil.rmtree(root / "work/scale" / name, ignore_errors=True)
    rng = random.Random(0)
    for number in range(kills):
        process = start(root, teacher)
        time.sleep(rng.uniform(0.1, 1.5) * whole_s / kills)
        if process.poll() is not None:
            print(f"it was done before death {number + 1}")
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert start(root, teacher).wait() == 0
    found = tree(root)
    assert found == expected, [name for name in expected if found.get(name) != expected[name]]
    print(f"after {kills} deaths: the same {len(expected)} files")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=20_000)
    parser.add_argument("--teacher", choices=("vectors", "bm25"), default="vectors")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--root", type=Path, default=ROOT / "work" / "mining-scale")
    parser.add_argument("--prepare", action="store_true", help="write the rows and vectors, and no more")
    chosen = parser.parse_args()
    root = chosen.root / f"{chosen.teacher}-{chosen.documents}-{chosen.queries}"
    if chosen.prepare:
        prepare(root, chosen.documents, chosen.queries, vectors=chosen.teacher == "vectors")
        return
    if not (root / "out").is_dir():  # in a process of its own: this one's memory is measured
        shutil.rmtree(root, ignore_errors=True)
        subprocess.run(
            [sys.executable, "-m", "benchmarks.mining_scale", *sys.argv[1:], "--prepare"],
            check=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
    for name in ("pools", "embeddings", "mined", "negatives"):
        shutil.rmtree(root / "work/scale" / name, ignore_errors=True)
    began = time.perf_counter()
    with Footprint([root / "work" / "scale"]) as footprint:
        assert start(root, chosen.teacher).wait() == 0
    seconds = time.perf_counter() - began
    print(
        f"{chosen.queries:,} queries × {chosen.documents:,} documents, {chosen.teacher}: {seconds:.0f} s, "
        f"memory {footprint.memory / 1e9:.2f} GB at its peak, children included; work/ {footprint.disk / 1e9:.2f} GB"
    )
    assert footprint.memory < MOST_MEMORY, f"more than {MOST_MEMORY / 1e9:.0f} GB"
    if chosen.kills:
        killed(root, chosen.teacher, chosen.kills, seconds)
    if chosen.teacher == "vectors":
        check(root, chosen.documents, chosen.queries)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
