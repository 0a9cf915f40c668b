"""Effect of deduplication rules for web pages on question answering: datatrove's and NeMo Curator's rules beside ours.

    .venv/bin/python -m benchmarks.dedup_rules

There are 100 passages of each length, with 20 questions of 4 to 30 words about each. Fourteen questions are different;
six repeat one of these with at most one word changed. A rule for documents gets question and passage as one text.
datatrove runs with its defaults (five-word shingles, 14 buckets of 8 hashes). NeMo Curator needs a GPU, so its rule is
applied with datasketch and NeMo's defaults (24-character shingles, 20 bands of 13 hashes). Both join all rows that
share a band into one component and keep one row of it. The ground truth is brute force: a row is a repetition if both
its question and its passage have a Jaccard index of at least 0.8 with those of a kept row.
"""

from __future__ import annotations

import logging
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import yaml

from curation.pipeline.run import run_step

LENGTHS = (20, 60, 92, 150, 200, 400)
PASSAGES, DIFFERENT, REPEATED = 100, 14, 6
THRESHOLD = 0.8
Row = tuple[str, str]


def rows_of(length: int, seed: int) -> list[Row]:
    rng = random.Random(seed)

    def word() -> str:  # of letters: datatrove reads all numbers as one
        return "".join(rng.choice("abcdefghij") for _ in range(4))

    def text(words: int) -> str:
        return " ".join(word() for _ in range(words))

    def changed(one: str) -> str:
        words = one.split()
        if len(words) >= 15:
            words[rng.randrange(len(words))] = f"x{word()}"
        return " ".join(words)

    rows = []
    for _ in range(PASSAGES):
        passage = text(length)
        questions = [text(rng.choice([4, 8, 10, 15, 30])) for _ in range(DIFFERENT)]
        questions += [changed(rng.choice(questions)) for _ in range(REPEATED)]
        rows += [(question, passage) for question in questions]
    rng.shuffle(rows)
    return rows


def shingles(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}


def resembles(a: str, b: str) -> bool:
    if a == b:
        return True
    x, y = shingles(a), shingles(b)
    return bool(x and y) and len(x & y) >= THRESHOLD * len(x | y)


def truth(rows: list[Row]) -> list[bool]:
    """Return which rows to keep according to brute force (one bool per row)."""
    staying: dict[str, list[str]] = {}
    found = []
    for question, passage in rows:  # passages are equal or share nothing
        before = staying.setdefault(passage, [])
        found.append(not any(resembles(question, other) for other in before))
        if found[-1]:
            before.append(question)
    return found


def ours(rows: list[Row]) -> list[bool]:
    """Return which rows this project's step keeps."""
    from curation.build import Build, Shard, StepResult
    from curation.pipeline.freshness import save_as_made
    from curation.settings import Profile
    from open_ml_embed.core.engine import Workers
    from open_ml_embed.core.records import Records
    from sources.schema import ROW_SCHEMA

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "manifests" / "sources").mkdir(parents=True)
        from dedup_scale import MANIFEST

        (root / "manifests" / "sources" / "made.yaml").write_text(yaml.safe_dump(MANIFEST | {"name": "made"}))
        os.environ["CORPUS_MANIFESTS"] = str(root / "manifests")
        build = Build("rules", Profile.model_validate({"sources": {"include": ["made"]}}), root, Workers("local", 1))
        import pyarrow as pa

        table = pa.Table.from_pylist(
            [
                {
                    "row_id": (i + 1 << 100).to_bytes(16, "big"), "source": "made", "subset": "all", "query": question,
                    "positive": passage, "negatives": [], "label": None, "query_lang": "eng-Latn",
                    "positive_lang": "eng-Latn", "origin": {"file": "made", "record": i},
                }
                for i, (question, passage) in enumerate(rows)
            ],
            schema=ROW_SCHEMA,
        )  # fmt: skip
        made = build.store.write_table("rows/made/all/0.rows.arrow", table.to_batches(), ROW_SCHEMA)
        save_as_made(build, StepResult("fetch", stats={"files": {"made": {}}}))
        shards = Records(Shard, [Shard("made", "all", "made/all/0", made.rows, made.xxh3)])
        save_as_made(build, StepResult("normalize", shards))
        run_step(build, "dedup")
        return build.store.read_table("clusters/made/all/0.clusters.arrow", ["keep"])["keep"].to_pylist()


def datatrove(rows: list[Row]) -> list[bool]:
    """Return which rows datatrove keeps; runs its four blocks on its local executor."""
    from datatrove.data import Document
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.base import PipelineStep
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature
    from datatrove.utils.hashing import HashConfig
    from datatrove.utils.word_tokenizers import WordTokenizer

    class Split(WordTokenizer):
        word_tokenize = staticmethod(str.split)
        sent_tokenize = span_tokenize = None

    class Rows(PipelineStep):
        name, type = "rows", "reader"

        def run(self, data: object = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
            for i, row in enumerate(rows):
                yield Document("\n".join(row), str(i))

    class Kept(PipelineStep):
        name, type = "kept", "writer"

        def run(self, data: Iterator[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
            for document in data:
                kept.add(int(document.id))
                yield document

    kept: set[int] = set()
    config = MinhashConfig(hash_config=HashConfig(hash_fc="sha1", precision=64))
    with tempfile.TemporaryDirectory() as folder:
        sign = MinhashDedupSignature(f"{folder}/s", config, Split())
        buckets = MinhashDedupBuckets(f"{folder}/s", f"{folder}/b", config=config)
        stages = [
            ([Rows(), sign], 1),
            ([buckets], config.num_buckets),
            ([MinhashDedupCluster(f"{folder}/b", f"{folder}/r", config)], 1),
            ([Rows(), MinhashDedupFilter(f"{folder}/r"), Kept()], 1),
        ]
        for number, (pipeline, tasks) in enumerate(stages):
            LocalPipelineExecutor(pipeline, tasks=tasks, workers=1, logging_dir=f"{folder}/logs/{number}").run()
    return [i in kept for i in range(len(rows))]


def nemo_rule(rows: list[Row]) -> list[bool]:
    """Return which rows NeMo Curator's fuzzy rule keeps: the first row of each component of rows that share a band."""
    from datasketch import MinHash
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    bands, width, grams = 20, 13, 24
    texts = ["\n".join(row).lower() for row in rows]
    sets = [{t[i : i + grams].encode() for i in range(max(len(t) - grams + 1, 1))} for t in texts]
    values = np.stack([m.hashvalues for m in MinHash.bulk(sets, num_perm=bands * width)])
    left, right = [], []
    for band in range(bands):
        _, first, same = np.unique(
            values[:, band * width : (band + 1) * width], axis=0, return_index=True, return_inverse=True
        )
        left.append(first[same.ravel()])
        right.append(np.arange(len(rows)))
    pairs = np.concatenate(left), np.concatenate(right)
    _, label = connected_components(coo_array((np.ones(len(pairs[0])), pairs), (len(rows),) * 2), directed=False)
    _, first = np.unique(label, return_index=True)
    return np.isin(np.arange(len(rows)), first).tolist()


def main() -> None:
    logging.disable(logging.CRITICAL)
    os.environ["LOGURU_LEVEL"] = "ERROR"
    from loguru import logger

    logger.remove()
    logger.add(sys.stderr, level="ERROR")
    rules: dict[str, Callable[[list[Row]], list[bool]]] = {
        "ours": ours,
        "datatrove": datatrove,
        "NeMo Curator's rule": nemo_rule,
    }
    print("| words a passage | rule | different questions kept | repetitions gone |\n| --- | --- | --- | --- |")
    for length in LENGTHS:
        rows = rows_of(length, length)
        expected = truth(rows)
        for name, rule in rules.items():
            kept = rule(rows)
            different = sum(k for k, stays in zip(kept, expected, strict=True) if stays)
            gone = sum(not k for k, stays in zip(kept, expected, strict=True) if not stays)
            total = sum(expected)
            print(f"| {length} | {name} | {different:,} of {total:,} | {gone} of {len(rows) - total} |", flush=True)
            assert name != "ours" or kept == expected, "ours and brute force differ"


if __name__ == "__main__":
    main()
