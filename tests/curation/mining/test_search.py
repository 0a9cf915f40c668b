"""Exact search against a brute-force definition, bit for bit, whatever the blocks, threads or device."""

from contextlib import nullcontext
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.mining.masks import MASKS, Ragged, build_masks, masked_by
from curation.mining.topk import bf16
from curation.mining.topk.exact import exact_topk, search
from curation.mining.vectors import NpyVectors, score_pairs
from open_ml_embed.core.errors import SettingsError, StageError


def defined_scores(queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
    """Score by the definition: eight lanes in float64, in order."""
    width = -(-queries.shape[1] // 8) * 8
    left, right = (np.zeros((len(side), width)) for side in (queries, documents))
    left[:, : queries.shape[1]], right[:, : queries.shape[1]] = queries, documents
    lanes = np.zeros((len(left), len(right), 8))
    for start in range(0, width, 8):
        lanes = lanes + left[:, None, start : start + 8] * right[None, :, start : start + 8]
    a = [lanes[..., i] for i in range(8)]
    return (((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]))).astype(np.float32)


def best_of(scores: np.ndarray, allowed: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Sort everything: higher score first, then the lower id."""
    found, ids = np.full((len(scores), k), -np.inf, np.float32), np.full((len(scores), k), -1, np.int32)
    for row, line in enumerate(scores):
        order = [j for j in np.lexsort((np.arange(len(line)), -line)) if allowed[row, j]][:k]
        found[row, : len(order)], ids[row, : len(order)] = line[order], order
    return found, ids


def vectors(seed: int, n: int, dim: int, kind: str) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if kind == "ties":
        return rng.integers(-1, 2, (n, dim)).astype(np.float16)
    made = rng.standard_normal((n, dim)).astype(np.float32)
    if kind == "wide":  # lengths from 1e-12 to 1e12, and cancellation
        made *= 10.0 ** rng.integers(-12, 13, (n, 1)).astype(np.float32)
    if kind == "close":  # products that float32 cannot tell apart
        made = (1 + made * np.float32(1e-7)).astype(np.float32)
    return made


@given(
    st.integers(0, 2**31), st.integers(0, 20), st.integers(0, 300), st.integers(1, 40), st.integers(1, 40),
    st.sampled_from(["plain", "ties", "wide", "close"]), st.integers(1, 30), st.integers(1, 350), st.integers(1, 3),
    st.sampled_from(["cpu", "float32", "cpu:0"]),
)  # fmt: skip
@settings(deadline=None, max_examples=200)
def test_equals_brute_force_bit_for_bit(seed, n, m, dim, k, kind, query_block, document_block, threads, device):
    """On a processor without bfloat16, `cpu` and `float32` are one."""
    queries, documents = vectors(seed, n, dim, kind), vectors(seed + 1, m, dim, kind)
    scores, ids = best_of(defined_scores(queries, documents), np.ones((n, m), bool), k)
    with patch.object(bf16, "supported", lambda: False) if device == "float32" else nullcontext():
        found = exact_topk(
            queries,
            documents,
            k,
            query_block=query_block,
            document_block=document_block,
            threads=threads,
            device=device.replace("float32", "cpu"),
        )
    assert found.ids.tolist() == ids.tolist()
    assert found.scores.tobytes() == scores.tobytes()


@given(st.integers(0, 2**31), st.integers(1, 60), st.integers(1, 20), st.sampled_from(["same", "any", "cross"]))
@settings(deadline=None, max_examples=60)
def test_masks_keep_their_own_out_and_nothing_else(seed, m, k, language):
    rng = np.random.default_rng(seed)
    n, dim = 9, 5
    queries, documents = vectors(seed, n, dim, "ties"), vectors(seed + 1, m, dim, "ties")
    positives = Ragged.of([rng.integers(0, m, rng.integers(0, 3)).tolist() for _ in range(n)])
    cluster, query_cluster = rng.integers(0, 20, m), rng.integers(0, 5, n)
    texts = rng.integers(0, 30, n).astype(np.uint64), rng.integers(0, 30, m).astype(np.uint64)
    languages = rng.integers(0, 2, n).astype(np.int32), rng.integers(0, 3, m).astype(np.int32)
    labels = rng.integers(-1, 3, n), rng.integers(-1, 3, m)
    contaminated = rng.random(m) < 0.1
    masks = build_masks(
        positives,
        cluster,
        query_cluster=query_cluster,
        texts=texts,
        languages=languages,
        language=language,
        labels=labels,
        contaminated=contaminated,
    )
    reasons = [[slow_reason(q, d, positives, cluster, query_cluster, texts, languages, language, labels, contaminated)
                for d in range(m)] for q in range(n)]  # fmt: skip
    assert [[MASKS[masked_by(masks, q, d)] for d in range(m)] for q in range(n)] == reasons
    allowed = np.array(reasons) == ""
    every = defined_scores(queries, documents)
    scores, ids = best_of(every, allowed, k)
    kept_scores, kept_ids = best_of(every, ~allowed, 4)
    beaten = kept_scores < scores[:, -1:]
    kept_scores[beaten], kept_ids[beaten] = -np.inf, -1
    (here, found), *rest = search(queries, documents, k, masks=masks, masked=4, document_block=7)
    assert not rest
    assert here.tolist() == list(range(n))
    assert (found.ids.tolist(), found.masked_ids.tolist()) == (ids.tolist(), kept_ids.tolist())
    assert (found.scores.tobytes(), found.masked_scores.tobytes()) == (scores.tobytes(), kept_scores.tobytes())


def slow_reason(q, d, positives, cluster, query_cluster, texts, languages, language, labels, contaminated) -> str:
    def own(query):
        return positives.values[positives.offsets[query] : positives.offsets[query + 1]].tolist()

    near = [query for query in range(len(query_cluster)) if query_cluster[query] == query_cluster[q]]
    rules = {
        "language": {"same": languages[0][q] != languages[1][d], "any": False,
                     "cross": languages[0][q] == languages[1][d]}[language],
        "contaminated": contaminated[d],
        "own-positive": d in own(q),
        "near-positive": any(cluster[p] == cluster[d] for p in own(q)),
        "near-query-positive": any(cluster[p] == cluster[d] for query in near for p in own(query)),
        "own-text": texts[0][q] == texts[1][d],
        "same-label": labels[0][q] >= 0 and labels[0][q] == labels[1][d],
    }  # fmt: skip
    return next((name for name, holds in rules.items() if holds), "")


def test_some_queries_among_some_documents():
    queries, documents = vectors(1, 30, 12, "plain"), vectors(2, 200, 12, "plain")
    rows, among = np.array([3, 29, 7]), np.arange(1, 200, 3, dtype=np.int32)
    allowed = np.isin(np.arange(200), among)[None].repeat(3, 0)
    scores, ids = best_of(defined_scores(queries[rows], documents), allowed, 6)
    parts = list(search(queries, documents, 6, rows=rows, among=among, query_block=2, document_block=5))
    assert np.concatenate([here for here, _ in parts]).tolist() == rows.tolist()
    assert np.concatenate([found.ids for _, found in parts]).tolist() == ids.tolist()
    assert np.concatenate([found.scores for _, found in parts]).tobytes() == scores.tobytes()


def test_files_are_read_block_by_block(tmp_path):
    documents = vectors(3, 100, 11, "plain").astype(np.float16)
    np.save(tmp_path / "d.npy", documents)
    queries = vectors(4, 5, 11, "plain")
    stored = NpyVectors(tmp_path / "d.npy")
    assert (len(stored), stored.dim) == documents.shape
    assert (stored.take(np.array([5, 2, 5])) == documents[[5, 2, 5]]).all()
    expected, found = exact_topk(queries, documents, 9), exact_topk(queries, stored, 9, document_block=13)
    assert found.ids.tolist() == expected.ids.tolist()
    assert found.scores.tobytes() == expected.scores.tobytes()


@pytest.mark.parametrize("panels", [True, False])
def test_halves_are_the_nearest_and_what_rounding_took_is_known(panels):
    made = vectors(7, 100, 24, "wide")
    made[0, :4] = [0, -0.0, 1e-40, -1.2e-38]
    packed, lengths, taken = bf16.pack(made, panels=panels, multiple=bf16.PANEL)
    lines = packed.transpose(0, 2, 1).reshape(128, 12) if panels else packed
    assert not lines[100:].any()
    rounded = np.ascontiguousarray(lines[:100]).view(np.uint16).astype(np.uint32) << 16
    expected = torch.from_numpy(made).bfloat16().float().numpy()
    expected[np.abs(expected) < 2.0**-126] = 0  # as the instruction reads them
    np.testing.assert_array_equal(rounded.view(np.float32), expected)
    wide = made.astype(np.float64)
    np.testing.assert_allclose(lengths, np.linalg.norm(wide, axis=1), rtol=1e-12)
    np.testing.assert_allclose(taken, np.linalg.norm(wide - expected, axis=1), rtol=1e-12)


@pytest.mark.skipif(not bf16.supported(), reason="this processor has no instruction for it")
@given(st.integers(0, 2**31), st.integers(1, 30), st.integers(1, 200), st.integers(1, 40))
@settings(deadline=None, max_examples=40)
def test_products_of_halves_are_within_their_bound_and_flagged(seed, n, m, pairs):
    left, right = vectors(seed, n, 2 * pairs, "plain"), vectors(seed + 1, m, 2 * pairs, "plain")
    rows, lengths, taken = bf16.pack(left, panels=False, multiple=bf16.ROWS)
    panels, wide, lost = bf16.pack(right, panels=True, multiple=bf16.PANEL)
    out = np.empty((len(rows), len(panels) * bf16.PANEL), np.float32)
    least = np.full(len(rows), np.inf, np.float32)
    least[:n] = np.random.default_rng(seed).standard_normal(n) * pairs**0.5
    reached = np.empty((len(rows), len(panels)), np.uint8)
    bf16.multiply(rows, panels, out, least, reached)
    exact = left.astype(np.float64) @ right.astype(np.float64).T
    bound = taken[:, None] * wide + (lengths + taken)[:, None] * lost + 1e-4
    assert (np.abs(out[:n, :m] - exact) <= bound).all()
    flags = (out.reshape(len(rows), -1, bf16.PANEL) >= least[:, None, None]).any(-1)
    np.testing.assert_array_equal(reached, flags)


def test_pairs_are_scored_by_the_same_definition():
    queries, documents = vectors(5, 50, 19, "wide"), vectors(6, 50, 19, "wide")
    assert score_pairs(queries, documents).tobytes() == defined_scores(queries, documents).diagonal().tobytes()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"k": 0}, SettingsError, "at least 1"),
        ({"document_block": 0}, SettingsError, "at least 1"),
        ({"documents": np.zeros((3, 4), np.float32)}, SettingsError, "queries have 5 dimensions, documents 4"),
        ({"documents": np.zeros((3, 5), np.float64)}, StageError, "float64"),
        ({"documents": np.array([[0] * 5, [np.nan] * 5], np.float32)}, StageError, "vector 1 of the documents"),
        ({"queries": np.full((2, 5), np.inf, np.float16)}, StageError, "vector 0 of the queries"),
        ({"device": "abacus"}, SettingsError, "no such device"),
    ],
)
def test_what_cannot_be_searched_is_refused(change, error, message):
    arguments = {"queries": np.ones((2, 5), np.float32), "documents": np.ones((3, 5), np.float32), "k": 2} | change
    with pytest.raises(error, match=message):
        exact_topk(**arguments)


def test_files_that_hold_no_vectors_are_refused(tmp_path):
    np.save(tmp_path / "fortran.npy", np.asfortranarray(np.ones((3, 4), np.float16)))
    (tmp_path / "text.npy").write_text("no array")
    for name, message in (("fortran.npy", "Fortran"), ("text.npy", "no vectors"), ("none.npy", "no vectors")):
        with pytest.raises(StageError, match=message):
            NpyVectors(tmp_path / name)
