"""Dedup against independent oracles: datasketch for the estimator, brute force for the clusters."""

import itertools
import random

import numpy as np
import pyarrow as pa
import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.dedup.minhash import bands, jaccard, signatures_of
from curation.dedup.step import run_dedup
from curation.settings import DedupSettings
from curation.text.tokens import tokenise

SETTINGS = DedupSettings()


def words(text: str, k: int = 5) -> set[tuple[str, ...]]:
    parts = text.split()
    return {tuple(parts[i : i + k]) for i in range(len(parts) - k + 1)}


def true_jaccard(a: str, b: str) -> float:
    x, y = words(a), words(b)
    return len(x & y) / len(x | y) if x | y else 1.0


def near(rng: random.Random, text: str, changed: int) -> str:
    parts = text.split()
    for i in rng.sample(range(len(parts)), changed):
        parts[i] = f"other{rng.randrange(10**6)}"
    return " ".join(parts)


def make_text(rng: random.Random, length: int) -> str:
    return " ".join(f"word{rng.randrange(5000)}" for _ in range(length))


def test_jaccard_equals_brute_force():
    rng = random.Random(1)
    left = [make_text(rng, rng.randrange(6, 60)) for _ in range(200)]
    right = [near(rng, text, rng.randrange(0, 4)) for text in left]
    got = jaccard(tokenise(pa.array(left + right)), np.arange(200), np.arange(200, 400), 5)
    assert got == pytest.approx([true_jaccard(a, b) for a, b in zip(left, right, strict=True)])


def test_estimator_is_as_good_as_theory_and_as_datasketch():
    rng = random.Random(2)
    left = [make_text(rng, 60) for _ in range(600)]
    right = [near(rng, text, rng.randrange(0, 12)) for text in left]
    truth = np.array([true_jaccard(a, b) for a, b in zip(left, right, strict=True)])
    signed, enough = signatures_of(tokenise(pa.array(left + right)), SETTINGS)
    assert enough.all()
    ours = (signed[:600] == signed[600:]).mean(1)
    theory = np.sqrt((truth * (1 - truth) / SETTINGS.permutations).mean())
    assert np.sqrt(((ours - truth) ** 2).mean()) < 1.1 * theory
    theirs = []
    for a, b in zip(left[:60], right[:60], strict=True):
        x, y = MinHash(128), MinHash(128)
        for shingle in words(a):
            x.update(" ".join(shingle).encode())
        for shingle in words(b):
            y.update(" ".join(shingle).encode())
        theirs.append(x.jaccard(y))
    assert np.abs(ours[:60] - np.array(theirs)).mean() < 0.1


@given(st.lists(st.text(max_size=40), min_size=1, max_size=6))
@settings(max_examples=200, deadline=None)
def test_tokens_of_a_text_do_not_depend_on_its_neighbours(texts):
    together = tokenise(pa.array(texts))
    for i, text in enumerate(texts):
        alone = tokenise(pa.array([text]))
        assert together.hashes[together.offsets[i] : together.offsets[i + 1]].tolist() == alone.hashes.tolist()
        assert together.exact[i] == alone.exact[0]


@pytest.mark.parametrize(
    ("text", "shingling", "searching"),
    [
        ("Hello wörld, foo_bar", 4, 4), ("日本語のテスト", 7, 6), ("สวัสดี", 6, 5), ("", 0, 0), ("+-*/", 0, 0),
        ("camelCase", 1, 2), ("𠀀𠀁", 2, 1), ("הַשָּׁלוֹם", 1, 1), ("a\u0300 b", 2, 2),
    ],
)  # fmt: skip
def test_tokens_by_script(text, shingling, searching):
    assert len(tokenise(pa.array([text])).hashes) == shingling
    assert len(tokenise(pa.array([text]), for_search=True).hashes) == searching


def test_exact_hash_folds_case_and_space_but_not_punctuation():
    same = tokenise(pa.array(["Save  Page", "save page", " SAVE\npage "])).exact
    assert len(set(same.tolist())) == 1
    assert len(set(tokenise(pa.array(["a+b", "a-b", "ab", "a b", ""])).exact.tolist())) == 5


def test_short_texts_have_no_signature():
    _, enough = signatures_of(tokenise(pa.array(["one two three four", "one two three four five"])), SETTINGS)
    assert enough.tolist() == [False, True]


def test_bands_are_equal_exactly_where_signature_rows_are():
    signed = np.zeros((2, 128), np.uint32)
    signed[1, 7] = 1
    hashed = bands(signed, SETTINGS)
    assert (hashed[:, 0] != hashed[:, 1]).nonzero()[0].tolist() == [7 // (128 // 21)]


def planted(rng: random.Random) -> dict:
    """Two sources; b repeats some of a verbatim, some nearly, and has texts of its own."""
    a = [{"query": make_text(rng, 8), "positive": make_text(rng, 60)} for _ in range(120)]
    verbatim = [dict(row) for row in a[:20]]
    nearly = [{"query": r["query"], "positive": near(rng, r["positive"], 1)} for r in a[20:40]]
    own = [{"query": make_text(rng, 8), "positive": make_text(rng, 60)} for _ in range(50)]
    return {("a", "x"): a, ("b", "x"): verbatim + nearly + own}


@pytest.mark.parametrize("shard_rows", [1000, 17])
def test_planted_duplicates_are_found_and_nothing_else(workshop, shard_rows):
    workshop.manifest("a", ["x"], priority=1)
    workshop.manifest("b", ["x"], priority=2)
    pools = planted(random.Random(3))
    build = workshop.build()
    workshop.rows(build, pools, shard_rows)
    result = run_dedup(build)
    tables = [build.store.read_table(f"clusters/{s.path}.clusters.arrow") for s in result.shards]
    table = pa.concat_tables(tables).to_pydict()
    texts = [r["query"] + " " + r["positive"] for key in sorted(pools) for r in pools[key]]
    oracle = [any(true_jaccard(texts[i], texts[j]) >= 0.8 for j in range(i)) for i in range(len(texts))]
    assert [not keep for keep in table["keep"]] == oracle
    assert table["reason"][:120] == [None] * 120
    assert table["reason"][120:140] == ["exact-duplicate"] * 20
    assert table["reason"][140:160] == ["near-duplicate"] * 20
    assert table["document_cluster"][120:160] == table["document_cluster"][:40]
    assert len(set(table["document_cluster"])) == 120 + 50


def test_clusters_do_not_depend_on_the_shard_size(workshop):
    workshop.manifest("a", ["x"], priority=1)
    workshop.manifest("b", ["x"], priority=2)
    pools = planted(random.Random(6))
    found = []
    for shard_rows in (1000, 31):
        build = workshop.build()
        workshop.rows(build, pools, shard_rows)
        shards = run_dedup(build).shards
        tables = [build.store.read_table(f"clusters/{s.path}.clusters.arrow") for s in shards]
        merges = [build.store.read_table(f"merges/{s.path}.merges.arrow") for s in shards]
        found.append((pa.concat_tables(tables).combine_chunks(), pa.concat_tables(merges).combine_chunks()))
    assert found[0] == found[1]


def test_the_lower_priority_number_keeps_the_row(workshop):
    workshop.manifest("a", ["x"], priority=9)
    workshop.manifest("b", ["x"], priority=1)
    row = {"query": "the one query that there is", "positive": "and its one document"}
    build = workshop.build()
    workshop.rows(build, {("a", "x"): [dict(row)], ("b", "x"): [dict(row)]})
    result = run_dedup(build)
    kept = [build.store.read_table(f"clusters/{s.path}.clusters.arrow")["keep"].to_pylist() for s in result.shards]
    assert kept == [[False], [True]]


def test_families_do_not_meet(workshop):
    workshop.manifest("a", ["x"])
    workshop.manifest("b", ["x"], family="clustering")
    row = {"query": "the one text that there is", "positive": "and its one document", "label": "and its one document"}
    build = workshop.build()
    workshop.rows(build, {("a", "x"): [dict(row)], ("b", "x"): [dict(row)]})
    assert run_dedup(build).stats["sample"]["clusters"] == 2


def test_cluster_numbers_survive_a_new_source(workshop):
    for name in "ab":
        workshop.manifest(name, ["x"])
    pools = planted(random.Random(4))
    numbers = []
    for keys in ([("b", "x")], [("a", "x"), ("b", "x")]):
        build = workshop.build()
        workshop.rows(build, {key: pools[key] for key in keys})
        shard = run_dedup(build).shards[-1]
        numbers.append(build.store.read_table(f"clusters/{shard.path}.clusters.arrow")["sample_cluster"].to_pylist())
    assert numbers[0][40:] == numbers[1][40:]


def test_recall_over_similarity(workshop):
    """Pairs well above the threshold are candidates nearly always (1 - (1 - J⁶)²¹ at J = 0.9 is 1 - 3e-7)."""
    rng = random.Random(5)
    left = [make_text(rng, 80) for _ in range(300)]
    right = [near(rng, text, 1) for text in left]
    signed, _ = signatures_of(tokenise(pa.array(left + right)), SETTINGS)
    hashed = bands(signed, SETTINGS)
    found = (hashed[:, :300] == hashed[:, 300:]).any(0)
    truth = np.array([true_jaccard(a, b) for a, b in zip(left, right, strict=True)])
    assert found[truth >= 0.85].mean() > 0.99
    strangers = list(itertools.combinations(range(60), 2))
    assert not any((hashed[:, i] == hashed[:, j]).any() for i, j in strangers)
