"""BM25 against bm25s, and its retriever against sorting everything."""

import random
from collections import Counter
from functools import partial

import bm25s
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.mining import lexical
from curation.mining.bm25 import RANGE, take_tokens
from curation.mining.lexical import LexicalRetriever
from curation.mining.masks import MASKS, Ragged, build_masks, masked_by
from curation.mining.retrievers import MASKED
from curation.mining.rules import Pool
from curation.mining.settings import MiningSettings
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.text.tokens import Tokens, tokenize


def make_text(rng: random.Random, length: int, vocabulary: int = 300) -> str:
    return " ".join(f"w{int(vocabulary * rng.random() ** 2)}" for _ in range(length))


def tokens(texts: list[str]):
    return tokenize(pa.array(texts, pa.string()), for_search=True)


def tokens_of(texts: list[str]):
    return partial(take_tokens, tokens(texts))


def split(texts: list[str]) -> list[np.ndarray]:
    found = tokens(texts)
    return np.split(found.hashes, found.offsets[1:-1]) if texts else []


def all_scores(queries: list[str], documents: list[str]) -> np.ndarray:
    """Count the words of every document, and add up what they add, rarest first; no index, and nothing left out."""
    counts = [Counter(hashes.tolist()) for hashes in split(documents)]
    lengths = np.array([count.total() for count in counts])
    holding = Counter(term for count in counts for term in count)
    n, result = len(documents), np.zeros((len(queries), len(documents)), np.float32)
    for i, hashes in enumerate(split(queries)):
        for term in sorted({*hashes.tolist()} & set(holding), key=lambda term: (holding[term], term)):
            idf = np.log1p((n - holding[term] + 0.5) / (holding[term] + 0.5))
            for j, count in enumerate(counts):
                f = count[term]
                norm = 1.5 * (1 - 0.75 + 0.75 * lengths[j] / max(lengths.mean(), 1e-9))
                result[i, j] += np.float32(idf * f * (1.5 + 1) / (f + norm)) if f else 0
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
    retriever = LexicalRetriever(tokens_of(queries), tokens_of(documents), k1=1.5, b=0.75, threads=threads)
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
            tokens_of([queries[i] for i in q]), tokens_of([documents[i] for i in d]), k1=1.5, b=0.75, threads=1
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


@pytest.mark.parametrize(
    ("vocabulary", "words", "length", "contaminated", "k"),
    [
        pytest.param(300, 60, 30, 0.3, 50, id="long queries of common words"),
        pytest.param(3000, 200, 30, 0.3, 50, id="very long queries"),
        pytest.param(30_000, 3, 30, 0.3, 50, id="short queries of rare words"),
        pytest.param(4, 2, 2, 0.3, 50, id="ties"),
        pytest.param(300, 10, 30, 0.998, 50, id="fewer than k are not masked"),
        pytest.param(300, 10, 30, 0.3, 10_000, id="k larger than the pool"),
        pytest.param(300, 10, 30, 0.3, 1, id="the best one"),
    ],
)
def test_many_ranges_of_documents_equal_adding_everything_up(monkeypatch, vocabulary, words, length, contaminated, k):
    """Long, short and empty queries, lists and rows of postings; the index is built in several chunks."""
    monkeypatch.setattr(lexical, "DOCUMENTS_AT_ONCE", RANGE)
    numbers = np.random.default_rng(vocabulary)
    n, m = 20, 2 * RANGE + 700

    def texts(count: int, length: int) -> Tokens:
        lengths = numbers.integers(0, 2 * length, count)
        lengths[:2] = 0
        word = (vocabulary ** numbers.random(lengths.sum())).astype(np.uint64)
        return Tokens(word << np.uint64(40), offsets_of(lengths), np.zeros(count, np.uint64))

    queries, documents = texts(n, words), texts(m, length)
    masked_for_all = numbers.random(m) < contaminated
    masks = build_masks(Ragged.of([[i] for i in range(n)]), np.arange(m), contaminated=masked_for_all)
    pool = Pool(masks, Ragged.of([[]] * n), np.arange(n, dtype=np.uint64))
    retriever = LexicalRetriever(
        partial(take_tokens, queries), partial(take_tokens, documents), k1=1.5, b=0.75, threads=1
    )
    (scored,) = retriever.blocks(pool, MiningSettings(preset="none", range_max=k, num_negatives=1))
    postings = retriever._parts[0].postings
    assert len(postings.rows) > 0
    document_of = np.repeat(np.arange(m), np.diff(documents.offsets))
    word_of = (documents.hashes >> np.uint64(40)).astype(np.int64)
    frequencies = {
        word: np.bincount(document_of[word_of == word], minlength=m)
        for word in np.unique(queries.hashes >> np.uint64(40)).tolist()
    }
    holding = {word: int((f > 0).sum()) for word, f in frequencies.items()}
    lengths = np.diff(documents.offsets)
    norm = 1.5 * (1 - 0.75 + 0.75 * lengths / lengths.mean())
    for q, words_of_query in enumerate(np.split(queries.hashes >> np.uint64(40), queries.offsets[1:-1])):
        scores = np.zeros(m, np.float32)
        for term in sorted(set(words_of_query.tolist()), key=lambda term: (holding[term], term)):
            f = frequencies[term]
            idf = np.log1p((m - holding[term] + 0.5) / (holding[term] + 0.5))
            scores += (idf * f * (1.5 + 1) / (f + norm)).astype(np.float32)
        by_score = [d for d in np.lexsort((np.arange(m), -scores)).tolist() if scores[d] > 0]
        admitted = [d for d in by_score if not masked_for_all[d] and d != q][:k]
        last = scores[admitted[-1]] if len(admitted) == k else 0
        masked = [d for d in by_score if (masked_for_all[d] or d == q) and scores[d] >= last][:MASKED]
        assert scored.candidates.ids[q].tolist() == admitted + [-1] * (k - len(admitted))
        assert scored.candidates.scores[q, : len(admitted)].tobytes() == scores[admitted].tobytes()
        assert [d for d in scored.candidates.masked_ids[q].tolist() if d >= 0] == masked
        assert np.nan_to_num(scored.positives[q]) == scores[q]
