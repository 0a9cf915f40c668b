"""BM25 negatives of one pool, one core, tokenising included: ours (with masks) beside bm25s (top k only)."""

from __future__ import annotations

import random

import bm25s
import numpy as np
import pyarrow as pa
from _timing import compare

from curation.mining.bm25 import build_index, query_terms, score_one
from curation.mining.retrieval import Pool, mine_retrieval
from curation.settings import MiningSettings
from curation.text.tokens import tokenise

DOCUMENTS, QUERIES = 20_000, 20_000
SETTINGS = MiningSettings(retrieved=100, keep=24, shortage="keep")


def texts() -> tuple[list[str], list[str]]:
    """Return (queries, documents) with Zipf-like words; query i is about document i."""
    rng = random.Random(0)
    documents = [" ".join(f"w{int(30_000 * rng.random() ** 4)}" for _ in range(60)) for _ in range(DOCUMENTS)]
    return [" ".join(rng.sample(d.split(), 6)) for d in documents[:QUERIES]], documents


def pool(queries: list[str], documents: list[str]) -> Pool:
    """Build the pool the way `curate mine` does."""
    asked = tokenise(pa.array(queries), for_search=True)
    searched = tokenise(pa.array(documents), for_search=True)
    n = np.arange(len(documents))
    key = np.random.default_rng(0).integers(0, 2**63, len(n)).astype(np.uint64)
    return Pool(searched, asked, n.astype(np.int32), asked.exact, searched.exact, n, n, np.zeros(len(n), np.int32), key)


def theirs(queries: list[str], documents: list[str]) -> np.ndarray:
    index = bm25s.BM25(k1=1.5, b=0.75, method="lucene", backend="numba")
    index.index([d.split() for d in documents], show_progress=False)
    found, _ = index.retrieve([q.split() for q in queries], k=100, show_progress=False, n_threads=1)
    return found


def check(queries: list[str], documents: list[str]) -> None:
    """Assert that both find the same scores."""
    index = build_index(tokenise(pa.array(documents), for_search=True), k1=1.5, b=0.75)
    terms, offsets = query_terms(index, tokenise(pa.array(queries[:20]), for_search=True))
    oracle = bm25s.BM25(k1=1.5, b=0.75, method="lucene")
    oracle.index([d.split() for d in documents], show_progress=False)
    for i in range(20):
        scores, touched = np.zeros(len(documents), np.float32), np.empty(len(documents), np.int32)
        score_one(terms[offsets[i] : offsets[i + 1]], index.starts, index.documents, index.impacts, scores, touched)
        np.testing.assert_allclose(
            scores / 2.5, oracle.get_scores(sorted(set(queries[i].split()))), rtol=1e-3, atol=1e-3
        )
    print("scores equal bm25s's on 20 queries")


if __name__ == "__main__":
    asked, searched = texts()
    check(asked, searched)
    mine_retrieval(pool(asked[:50], searched[:50]), SETTINGS)
    theirs(asked[:50], searched[:200])
    compare(
        f"BM25, {QUERIES:,} queries × {DOCUMENTS:,} documents, top 100",
        {
            "ours": (lambda: mine_retrieval(pool(asked, searched), SETTINGS), QUERIES),
            "bm25s (numba)": (lambda: theirs(asked, searched), QUERIES),
        },
    )
