"""Hard-negative mining beside other miners: the whole job on the same vectors, exact search, false negatives, and BM25.

    pip install --no-deps --target work/peers faiss-cpu FlagEmbedding==1.2.11
    .venv/bin/python -m benchmarks.mining --peers work/peers

FlagEmbedding 1.2.11 is the last release that contains its miner; the script in its repository has not changed since.
Every miner runs in a separate process and reads the same float16 vectors and texts. It retrieves 100 documents, keeps
24 by the f2llm rules as far as it supports them, and writes the texts of the negatives to the disk. Ours also finds the
near-duplicates of every text in that time. Miners that are not installed are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from datasets import load_from_disk

from benchmarks._mining_contestants import CONTESTANTS, read
from benchmarks._timing import compare
from curation.mining.api import mine_pool
from curation.mining.bm25 import take_tokens
from curation.mining.lexical import LexicalRetriever
from curation.mining.masks import Ragged, build_masks
from curation.mining.negatives import Negatives
from curation.mining.rules import Pool
from curation.mining.settings import MiningSettings
from curation.mining.topk.exact import exact_topk
from curation.mining.vectors import NpyVectors
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.splitmix import GOLDEN
from open_ml_embed.core.text.tokens import Tokens, tokenize
from tests.support.disguises import disguised, word_vectors

DIM = 384
SUBJECTS = 2000
READ = 2000
"""Number of queries whose negatives are compared."""
F2LLM = {"skip": 5, "ceiling": 0.8, "share": 0.95}
DISGUISE_RULES = {
    "the first 24": {"skip": 0, "ceiling": None, "share": None},
    "below 95 % of the positive": {"skip": 0, "ceiling": None, "share": 0.95},
    "f2llm": F2LLM,
}


def write_folder(
    folder: Path, queries: list[str], documents: list[str], positives: list[int], vectors: tuple[np.ndarray, np.ndarray]
) -> None:
    """Write the input of all contestants."""
    for side, columns in (("queries", {"text": queries, "positive": positives}), ("documents", {"text": documents})):
        table = pa.table(columns)
        with pa.ipc.new_file(str(folder / f"{side}.arrow"), table.schema) as sink:
            sink.write_table(table)
    np.save(folder / "queries.npy", vectors[0].astype(np.float16))
    np.save(folder / "documents.npy", vectors[1].astype(np.float16))
    with (folder / "queries.jsonl").open("w") as sink:
        for text, positive in zip(queries, positives, strict=True):
            sink.write(json.dumps({"query": text, "pos": [documents[positive]]}) + "\n")
    with (folder / "documents.jsonl").open("w") as sink:
        sink.writelines(json.dumps({"text": text}) + "\n" for text in documents)


def made_up(folder: Path, n: int) -> None:
    """Write n queries and n documents: vectors around topics, each query near its positive, texts of 30 words."""
    rng, words = np.random.default_rng(0), random.Random(0)
    vocabulary = [f"word{i}" for i in range(50_000)]
    centres = rng.standard_normal((SUBJECTS, DIM), dtype=np.float32)
    documents = centres[rng.integers(0, SUBJECTS, n)] + 0.8 * rng.standard_normal((n, DIM), dtype=np.float32)
    queries = documents + 0.9 * rng.standard_normal((n, DIM), dtype=np.float32)
    for side in (queries, documents):
        np.divide(side, np.linalg.norm(side, axis=1, keepdims=True), out=side)
    texts = [" ".join(words.choices(vocabulary, k=30)) for _ in range(n)]
    asked = [" ".join(text.split()[:8]) for text in texts]
    write_folder(folder, asked, texts, list(range(n)), (queries, documents))


def run(name: str, folder: Path, peers: str) -> dict[str, float] | None:
    """Run one contestant and return its measurements, or None if it is not installed."""
    environment = os.environ | {"PYTHONPATH": peers, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks._mining_contestants", name, folder],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        missing = [
            line for line in done.stderr.splitlines() if "ModuleNotFoundError" in line or "StopIteration" in line
        ]
        if not missing:
            sys.exit(done.stderr)
        print(f"  {name}: left out, {missing[-1]}")
        return None
    return json.loads(done.stdout.splitlines()[-1])


def whole_job(n: int, peers: str, rounds: int) -> None:
    print(f"the whole job, {n:,} queries × {n:,} documents × {DIM} dimensions, {len(os.sched_getaffinity(0))} cores")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made_up(folder, n)
        (folder / "rules.json").write_text(json.dumps(F2LLM))
        results: dict[str, list[dict[str, float]]] = {}
        output: dict[str, list[tuple[str, list[str]]]] = {}
        for _ in range(rounds):
            for contestant in CONTESTANTS:
                if found := run(contestant, folder, peers):
                    results.setdefault(contestant, []).append(found)
                    output[contestant] = read_output(folder)
        agree(output)
    print(f"  {'':30} {'seconds':>9} {'peak MB':>9} {'imports MB':>11} {'ours: faster':>13} {'smaller':>9}")
    own = results["ours"]
    for contestant, found in results.items():
        seconds, peak, imported = (
            float(np.median([one[key] for one in found])) for key in ("seconds", "peak", "imported")
        )
        faster = seconds / np.median([one["seconds"] for one in own])
        smaller = peak / np.median([one["peak"] for one in own])
        sizes = f"{peak / 2**20:9,.0f} {imported / 2**20:11,.0f}"
        print(f"  {contestant:30} {seconds:9.1f} {sizes} {faster:12.2f}× {smaller:8.2f}×")


def agree(output: dict[str, list[tuple[str, list[str]]]]) -> None:
    """Assert that our negatives are those of sentence-transformers; these generated texts have no duplicates."""
    ours = dict(output["ours"])
    for contestant, rows in output.items():
        if contestant.startswith("sentence-transformers"):
            pairs = [(set(ours[query]), set(texts)) for query, texts in rows]
            shared = sum(len(a & b) for a, b in pairs) / sum(len(a | b) for a, b in pairs)
            print(f"  negatives shared with {contestant}: {shared:.2%}")
            assert shared > 0.999


def product_rate() -> dict[str, float]:
    """Return library → GFLOP/s of its matrix product on this machine."""
    import torch

    rng = np.random.default_rng(0)
    left, right = (rng.standard_normal((rows, DIM), dtype=np.float32) for rows in (4096, 8192))
    out = np.empty((4096, 8192), np.float32)
    a, b, c = map(torch.from_numpy, (left, right, out))
    rates: dict[str, list[float]] = {"numpy": [], "torch": []}
    for _ in range(15):
        for name, product in (
            ("numpy", lambda: np.matmul(left, right.T, out=out)),
            ("torch", lambda: torch.mm(a, b.T, out=c)),
        ):
            start = time.perf_counter()
            product()
            rates[name].append(2 * left.shape[0] * right.shape[0] * DIM / (time.perf_counter() - start) / 1e9)
    return {name: float(np.median(values)) for name, values in rates.items()}


def search_rate(n: int) -> None:
    queries = min(n, 20_000)
    print(f"exact search, {queries:,} queries × {n:,} documents, top 100, beside the bare product of the same machine")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made_up(folder, n)
        asked = NpyVectors(folder / "queries.npy").block(0, queries)
        documents = NpyVectors(folder / "documents.npy")
        found = exact_topk(asked[:100], documents, 100)
        brute = asked[:100].astype(np.float64) @ documents.block(0, n).astype(np.float64).T
        assert (np.argsort(-brute, axis=1, kind="stable")[:, :100] == found.ids).mean() > 0.999
        shares = []
        for _ in range(3):
            before = product_rate()
            start = time.perf_counter()
            exact_topk(asked, documents, 100)
            rate = 2 * queries * n * DIM / (time.perf_counter() - start) / 1e9
            after = product_rate()
            bare = {name: (before[name] + after[name]) / 2 for name in before}
            shares.append(rate / max(bare.values()))
            beside = ", ".join(f"{name} {speed:.0f}" for name, speed in bare.items())
            print(f"  search {rate:6.0f} GFLOP/s; {beside}: {shares[-1]:.0%}")
        print(f"  median share of the faster product: {np.median(shares):.0%}")


def disguises(peers: str) -> None:
    made = disguised(400)
    answers = {q: {made.documents[d] for d in own} for q, own in zip(made.queries, made.answers, strict=True)}
    print(f"false negatives, of all negatives of {len(made.queries):,} queries")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        vectors = word_vectors(made.queries), word_vectors(made.documents)
        write_folder(folder, made.queries, made.documents, [own[0] for own in made.positives], vectors)
        for title, rules in DISGUISE_RULES.items():
            (folder / "rules.json").write_text(json.dumps(rules))
            for contestant in CONTESTANTS:
                if run(contestant, folder, peers) is None:
                    continue
                rows = read_output(folder)
                wrong = sum(text in answers[query] for query, texts in rows for text in texts)
                print(f"  {title:28} {contestant:30} {wrong:6,} of {sum(len(texts) for _, texts in rows):,}")
                assert wrong == 0 or contestant != "ours"


def read_output(folder: Path) -> list[tuple[str, list[str]]]:
    """Read the output of a contestant for the first queries, and delete it."""
    if (path := folder / "negatives.arrow").exists():
        rows = [(row["query"], row["negatives"]) for row in read(folder, "negatives").slice(0, READ).to_pylist()]
        path.unlink()
    elif (path := folder / "found").exists():
        written = load_from_disk(path)
        rows = [(row["query"], row["answer"][1:]) for row in written.select(range(min(READ, len(written))))]
        shutil.rmtree(path)
    else:
        path = folder / "found.jsonl"
        with path.open() as lines:
            rows = [(row["query"], row["neg"]) for row in map(json.loads, islice(lines, READ))]
        path.unlink()
    return rows


def lexical(queries: Tokens, documents: Tokens) -> LexicalRetriever:
    return LexicalRetriever(partial(take_tokens, queries), partial(take_tokens, documents), k1=1.5, b=0.75, threads=1)


def bm25(n: int) -> None:
    try:
        import bm25s
    except ModuleNotFoundError:
        print("BM25: left out, bm25s is not installed")
        return
    rng = random.Random(0)
    documents = [" ".join(f"w{int(30_000 * rng.random() ** 4)}" for _ in range(60)) for _ in range(n)]
    queries = [" ".join(rng.sample(d.split(), 6)) for d in documents]
    settings = MiningSettings(preset="none")
    links = Ragged.of([[i] for i in range(n)])

    def ours() -> Negatives:
        asked, searched = (tokenize(pa.array(texts), for_search=True) for texts in (queries, documents))
        pool = Pool(
            build_masks(links, np.arange(n), texts=(asked.exact, searched.exact)), Ragged.of([[]] * n), asked.exact
        )
        return mine_pool(lexical(asked, searched), pool, settings)

    def theirs() -> None:
        index = bm25s.BM25(k1=1.5, b=0.75, method="lucene", backend="numba")
        index.index([d.split() for d in documents], show_progress=False)
        index.retrieve([q.split() for q in queries], k=100, show_progress=False, n_threads=1)

    index = bm25s.BM25(k1=1.5, b=0.75, method="lucene")
    index.index([d.split() for d in documents], show_progress=False)
    mined = ours()
    for i in range(20):
        part = slice(mined.offsets[i], mined.offsets[i + 1])
        expected = index.get_scores(sorted(set(queries[i].split())))[mined.ids[part]] * 2.5  # Lucene leaves k1 + 1 out
        np.testing.assert_allclose(mined.scores[part], expected, rtol=1e-3)
    theirs()
    contestants = {"ours, with masks": (ours, n), "bm25s (numba)": (theirs, n)}
    compare(f"BM25, {n:,} queries × {n:,} documents, top 100, one core, tokenizing included", contestants)


def long_texts(n: int, words: tuple[int, int], seed: int) -> Tokens:
    """Return the tokens of n long texts with a vocabulary that follows Zipf's law (200,000 words, exponent 1)."""
    rng = np.random.default_rng(seed)
    share = np.cumsum(1 / np.arange(1, 200_001))
    lengths = rng.integers(*words, n)
    word = np.searchsorted(share, rng.random(lengths.sum()) * share[-1]).astype(np.uint64)
    return Tokens((word + np.uint64(1)) * np.uint64(GOLDEN), offsets_of(lengths), np.zeros(n, np.uint64))


def scaling(sizes: list[int], queries: int) -> None:
    """Print how the CPU time of a search grows with the documents; documents and queries are long, as code is."""
    print(f"BM25, queries of 60 to 120 words, documents of 60 to 300, {queries:,} queries, one thread, CPU time")
    rates = []
    for n in sizes:
        asked, searched = long_texts(queries, (60, 120), 1), long_texts(n, (60, 300), 2)
        masks = build_masks(Ragged.of([[i % n] for i in range(queries)]), np.arange(n))
        pool = Pool(masks, Ragged.of([[]] * queries), np.arange(queries, dtype=np.uint64))
        retriever, settings = lexical(asked, searched), MiningSettings()
        begun = time.process_time()
        list(retriever.blocks(pool, settings, np.arange(1)))
        built = time.process_time()
        list(retriever.blocks(pool, settings))
        rates.append((time.process_time() - built) / queries)
        whole = f"{rates[-1] * n:7.1f} s for as many queries as documents"
        print(f"  {n:9,} documents: index {built - begun:5.1f} s, {rates[-1] * 1e3:6.3f} ms a query, {whole}")
    for (n, rate), (more, slower) in pairwise(zip(sizes, rates, strict=True)):
        exponent = np.log(slower * more / rate / n) / np.log(more / n)
        print(f"  from {n:,} to {more:,}: exponent {exponent:.2f}, of as many queries as documents")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default="work/peers", help="folder of packages to compare with")
    parser.add_argument("--size", type=int, default=100_000, help="queries, and documents")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", choices=["disguises", "search", "job", "bm25", "scaling"])
    chosen = parser.parse_args()
    parts = {
        "disguises": lambda: disguises(chosen.peers),
        "search": lambda: search_rate(chosen.size),
        "job": lambda: whole_job(chosen.size, chosen.peers, chosen.rounds),
        "bm25": lambda: bm25(min(chosen.size, 20_000)),
        "scaling": lambda: scaling([5_000, 20_000, 80_000], 1000),
    }
    for name, part in parts.items():
        if chosen.only in (None, name):
            part()


if __name__ == "__main__":
    main()
