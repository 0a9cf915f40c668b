"""BM25 against bm25s, and its retriever against sorting everything."""

import random

import bm25s
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.mining.bm25 import build_index, query_terms
from curation.mining.lexical import LexicalRetriever
from curation.mining.masks import MASKS, Ragged, build_masks, masked_by
from curation.mining.rules import Pool
from curation.mining.settings import MiningSettings
from open_ml_embed.core.text.tokens import tokenize


def make_text(rng: random.Random, length: int, vocabulary: int = 300) -> str:
    return " ".join(f"w{int(vocabulary * rng.random() ** 2)}" for _ in range(length))


def tokens(texts: list[str]):
    return tokenize(pa.array(texts, pa.string()), for_search=True)


def all_scores(queries: list[str], documents: list[str]) -> np.ndarray:
    """Add everything up, leaving nothing out."""
    index = build_index(tokens(documents), k1=1.5, b=0.75)
    terms, offsets = query_terms(index, tokens(queries))
    result = np.zeros((len(queries), len(documents)), np.float32)
    for i in range(len(queries)):
        for term in terms[offsets[i] : offsets[i + 1]]:
            of_term = slice(index.starts[term], index.starts[term + 1])
            result[i, index.documents[of_term]] += index.impacts[of_term]
    return result


def test_scores_equal_bm25s():
    rng = random.Random(1)
    documents = [make_text(rng, rng.randrange(5, 40)) for _ in range(200)]
    queries = [" ".join(sorted(set(make_text(rng, 6).split()))) for _ in range(50)]
    oracle = bm25s.BM25(k1=1.5, b=0.75, method="lucene")
    oracle.index([d.split() for d in documents], show_progress=False)
    expected = np.stack([oracle.get_scores(q.split()) for q in queries])
    # Lucene's variant leaves the constant factor k1 + 1 out
    assert all_scores(queries, documents) / 2.5 == pytest.approx(expected, rel=1e-4, abs=1e-4)


@given(st.integers(0, 10_000), st.integers(0, 150), st.integers(1, 40), st.integers(1, 3))
@settings(deadline=None, max_examples=60)
def test_the_retriever_equals_sorting_everything(seed, m, k, threads):
    rng = random.Random(seed)
    numbers = np.random.default_rng(seed)
    n = 12
    queries = [make_text(rng, rng.randrange(0, 9), 60) for _ in range(n)]
    documents = [make_text(rng, rng.randrange(0, 12), 60) for _ in range(m)]
    positives, given = (
        [numbers.integers(0, m, numbers.integers(0, 3)).tolist() if m else [] for _ in range(n)] for _ in range(2)
    )
    masks = build_masks(Ragged.of(positives), numbers.integers(0, 30, m), contaminated=numbers.random(m) < 0.2)
    pool = Pool(masks, Ragged.of(given), np.arange(n, dtype=np.uint64))
    retriever = LexicalRetriever(tokens(queries), tokens(documents), k1=1.5, b=0.75, threads=threads)
    (scored,) = retriever.blocks(pool, MiningSettings(preset="none", range_max=k, num_negatives=1))
    scores = all_scores(queries, documents)
    for q in range(n):
        by_score = sorted(np.flatnonzero(scores[q] > 0).tolist(), key=lambda d: (-scores[q, d], d))
        admitted = [d for d in by_score if not MASKS[masked_by(masks, q, d)]][:k]
        last = scores[q, admitted[-1]] if len(admitted) == k else 0
        masked = [d for d in by_score if MASKS[masked_by(masks, q, d)] and scores[q, d] >= last]
        assert scored.candidates.ids[q].tolist() == admitted + [-1] * (k - len(admitted))
        assert scored.candidates.scores[q, : len(admitted)].tolist() == [scores[q, d] for d in admitted]
        assert [d for d in scored.candidates.masked_ids[q].tolist() if d >= 0] == masked
    flat = [(q, d) for q in range(n) for d in positives[q]]
    expected = [scores[q, d] if scores[q, d] else np.nan for q, d in flat]
    np.testing.assert_array_equal(scored.positives, np.array(expected, np.float32))
    assert scored.given.tolist() == [scores[q, d] for q in range(n) for d in given[q]]


@given(st.integers(0, 10_000), st.integers(1, 40))
@settings(deadline=None, max_examples=30)
def test_each_language_is_searched_as_if_it_were_alone(seed, m):
    """Whichever rows are asked for, and whatever other languages the pool holds."""
    rng, numbers = random.Random(seed), np.random.default_rng(seed)
    n = 12
    queries = [make_text(rng, rng.randrange(0, 5), 20) for _ in range(n)]
    documents = [make_text(rng, rng.randrange(0, 8), 20) for _ in range(m)]
    asks, speaks = numbers.integers(0, 3, n).astype(np.int32), numbers.integers(0, 4, m).astype(np.int32)
    positives = [numbers.integers(0, m, numbers.integers(1, 3)).tolist() for _ in range(n)]
    chosen = MiningSettings(preset="none", range_max=30)

    def search(q: list[int], d: list[int], rows: np.ndarray | None = None, **languages):
        where = {document: place for place, document in enumerate(d)}
        lists = Ragged.of([[where[p] for p in positives[i]] for i in q])
        pool = Pool(build_masks(lists, np.arange(len(d)), **languages), Ragged.of([[]] * len(q)), np.zeros(len(q)))
        retriever = LexicalRetriever(
            tokens([queries[i] for i in q]), tokens([documents[i] for i in d]), k1=1.5, b=0.75, threads=1
        )
        lines = {}
        for scored in retriever.blocks(pool, chosen, rows):
            own = np.split(scored.positives, np.cumsum(lists.counts(scored.rows))[:-1])
            for i, row in enumerate(scored.rows):
                held = scored.candidates.ids[i] >= 0
                ids = [d[x] for x in scored.candidates.ids[i][held]]
                lines[q[row]] = ids, scored.candidates.scores[i][held].tolist(), np.nan_to_num(own[i]).tolist()
        return lines

    everything = list(range(n)), list(range(m))
    together = search(*everything, languages=(asks, speaks), language="same")
    assert sorted(together) == list(range(n))
    some = np.sort(numbers.permutation(n)[:5])
    assert search(*everything, some, languages=(asks, speaks), language="same") == {
        row: together[row] for row in some.tolist()
    }
    for language in np.unique(asks):
        q = np.flatnonzero(asks == language).tolist()
        named = {p for i in q for p in positives[i]}
        d = sorted(named | set(np.flatnonzero(speaks == language).tolist()))
        alone = search(q, d, languages=(asks[q], speaks[d]), language="same")
        assert alone == {row: together[row] for row in q}
