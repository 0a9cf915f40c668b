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
from benchmarks.rehearsal.words import LENGTHS, SIZE
from curation.mining.api import mine_pool
from curation.mining.bm25 import RANGE, query_terms, take_tokens
from curation.mining.bm25_build import build_index
from curation.mining.bm25_search import search
from curation.mining.lexical import LexicalRetriever
from curation.mining.masks import Ragged, build_masks
from curation.mining.negatives import Negatives
from curation.mining.rules import Pool
from curation.mining.settings import MiningSettings
from curation.mining.topk.exact import TopK, exact_topk
from curation.mining.topk.heap import empty_heaps
from curation.mining.vectors import NpyVectors
from open_ml_embed.core.ragged import offsets_of
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


def rehearsed(n: int, kind: str, seed: int) -> Tokens:
    """Return the tokens of n texts of a kind of the rehearsals: 20,000 words by Zipf's law, log-normal lengths."""
    rng = np.random.default_rng(seed)
    median, spread, least, most = LENGTHS[kind]
    lengths = np.clip(np.exp(rng.normal(np.log(median), spread, n)), least, most).astype(np.int64)
    word = (SIZE ** rng.random(int(lengths.sum())) - 1).astype(np.uint64)
    return Tokens(word + np.uint64(1), offsets_of(lengths), np.zeros(n, np.uint64))


def added_up(queries: Tokens, documents: Tokens, k: int) -> tuple[TopK, float]:
    """Search without any pruning: each range by itself, with the threshold 0; return the results and CPU seconds."""
    ranges = range(0, len(documents), RANGE)
    chunks = (take_tokens(documents, np.arange(s, min(s + RANGE, len(documents)))) for s in ranges)
    index = build_index(chunks, k1=1.5, b=0.75)
    terms, starts = query_terms(index, queries)
    n, numbers = len(queries), np.arange(len(documents), dtype=np.int32)
    masks = build_masks(Ragged.empty(n), np.arange(len(documents)))
    best, begun = empty_heaps(n, k), time.process_time()
    for number in range(len(ranges)):
        part, masked, thresholds = empty_heaps(n, k), empty_heaps(n, 1), np.zeros(n, np.float32)
        search(np.arange(n), terms, starts, index, number, number + 1, numbers, masks, thresholds, part, masked)
        ids, scores = np.concatenate([best.ids, part.ids], 1), np.concatenate([best.scores, part.scores], 1)
        order = np.lexsort((ids, -scores), axis=1)[:, :k]
        best = best._replace(ids=np.take_along_axis(ids, order, 1), scores=np.take_along_axis(scores, order, 1))
    seconds = time.process_time() - begun
    best.held[:] = (best.ids >= 0).sum(1)
    nothing = np.zeros((n, 0))
    return TopK(best.scores, best.ids, nothing.astype(np.float32), nothing.astype(np.int32)), seconds


def by_bm25s(queries: Tokens, documents: Tokens, k: int) -> tuple[np.ndarray, float, float] | None:
    """Return the scores that bm25s finds, float32[n, k], and its CPU seconds: of the index, and of the search."""
    try:
        import bm25s
        from bm25s.tokenization import Tokenized
    except ModuleNotFoundError:
        return None
    vocabulary = {str(word): word for word in range(SIZE + 1)}

    def tokenized(tokens: Tokens, *, once: bool) -> Tokenized:
        parts = np.split(tokens.hashes.astype(np.int64), tokens.offsets[1:-1])
        return Tokenized([(np.unique(part) if once else part).tolist() for part in parts], vocabulary)

    given, asked = tokenized(documents, once=False), tokenized(queries, once=True)
    index = bm25s.BM25(k1=1.5, b=0.75, method="lucene", backend="numba")
    begun = time.process_time()
    index.index(given, show_progress=False)
    built = time.process_time()
    _, scores = index.retrieve(asked, k=k, show_progress=False, n_threads=1)
    return scores * 2.5, built - begun, time.process_time() - built  # Lucene leaves the factor k1 + 1 out


def scaling(sizes: list[int], queries: int) -> None:
    """Print how the CPU time of a search grows with the documents: ours, adding every word up, and bm25s."""
    print(f"BM25, {queries:,} questions, passages, 20,000 words, top 100, one thread, CPU time; index in brackets")
    settings, k = MiningSettings(preset="none"), 100
    rates: dict[str, list[float]] = {}
    for n in (2_000, *sizes):  # the first one compiles
        asked, searched = rehearsed(queries, "question", 1), rehearsed(n, "passage", 2)
        masks = build_masks(Ragged.empty(queries), np.arange(n))
        pool = Pool(masks, Ragged.of([[]] * queries), np.arange(queries, dtype=np.uint64))
        retriever = lexical(asked, searched)
        begun = time.process_time()
        list(retriever.blocks(pool, settings, np.arange(1)))
        built = time.process_time()
        found = list(retriever.blocks(pool, settings))
        ours = time.process_time() - built
        whole, exhaustive = added_up(asked, searched, k)
        ids = np.concatenate([part.candidates.ids for part in found])
        scores = np.concatenate([part.candidates.scores for part in found])
        assert ids.tobytes() == whole.ids.tobytes(), "not the documents of adding every word up"
        assert scores.tobytes() == whole.scores.tobytes(), "not the scores of adding every word up"
        seconds = {"ours": ours, "every word": exhaustive}
        shown = f"index {built - begun:.1f} s"
        if (theirs := by_bm25s(asked, searched, k)) is not None:
            np.testing.assert_allclose(theirs[0], np.maximum(scores, 0), rtol=1e-3)  # bm25s fills up with scores of 0
            seconds["bm25s"], shown = theirs[2], f"{shown}, of bm25s {theirs[1]:.1f} s"
        if n in sizes:
            for name, value in seconds.items():
                rates.setdefault(name, []).append(value / queries)
            each = ", ".join(f"{name} {value / queries * 1e3:.3f}" for name, value in seconds.items())
            print(f"  {n:9,} documents: ms a query: {each} ({shown})")
    for name, values in rates.items():
        for (n, rate), (more, slower) in pairwise(zip(sizes, values, strict=True)):
            exponent = np.log(slower * more / rate / n) / np.log(more / n)
            print(f"  {name}, from {n:,} to {more:,}: exponent {exponent:.2f}, of as many queries as documents")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default="work/peers", help="folder of packages to compare with")
    parser.add_argument("--size", type=int, default=100_000, help="queries, and documents")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument(
        "--pools", type=int, default=4, help="pool sizes of `scaling`, from 10,000 on, each 4 times as large"
    )
    parser.add_argument("--only", choices=["disguises", "search", "job", "bm25", "scaling"])
    chosen = parser.parse_args()
    parts = {
        "disguises": lambda: disguises(chosen.peers),
        "search": lambda: search_rate(chosen.size),
        "job": lambda: whole_job(chosen.size, chosen.peers, chosen.rounds),
        "bm25": lambda: bm25(min(chosen.size, 20_000)),
        "scaling": lambda: scaling([10_000, 40_000, 160_000, 640_000][: chosen.pools], 500),
    }
    for name, part in parts.items():
        if chosen.only in (None, name):
            part()


if __name__ == "__main__":
    main()
