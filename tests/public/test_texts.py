"""The functions over texts at hand: what they return, and what they refuse."""

import random

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

import open_ml_embed as ome
from curation.dedup.minhash import jaccard
from open_ml_embed.core.text.tokens import tokenize

TEXTS = ["Die Bücher liegen auf dem Tisch im Wohnzimmer.", "The books are on the table in the living room.", "42"]
KINDS = {
    "tuple": tuple,
    "Arrow": pa.array,
    "large": lambda texts: pa.array(texts, pa.large_string()),
    "view": lambda texts: pa.array(texts, pa.string_view()),
    "dictionary": lambda texts: pa.array(texts).dictionary_encode(),
    "chunks": lambda texts: pa.chunked_array([texts[:1], texts[1:]]),
    "polars": pl.Series,
    "pandas": pd.Series,
    "NumPy": lambda texts: np.array(texts, object),
    "datasets": lambda texts: datasets.Dataset.from_dict({"text": texts})["text"],
}
WRONG = {
    "one string": "a text",
    "bytes": b"a text",
    "tensor": torch.zeros(2),
    "generator": (text for text in TEXTS),
    "numbers": [1, 2],
    "missing": ["a text", None],
}
FUNCTIONS = {
    "texts": ome.identify,
    "texts ": ome.find_duplicates,
    "texts  ": lambda texts: ome.find_contamination(texts, ["a text"]),
    "evaluation": lambda texts: ome.find_contamination(["a text"], texts),
    "queries": lambda texts: ome.mine_hard_negatives(texts, ["a", "b"], [0, 1], 1),
    "documents": lambda texts: ome.mine_hard_negatives(["a"], texts, [0], 1),
}


@pytest.mark.parametrize("kind", KINDS)
def test_texts_of_every_kind_give_the_same(kind):
    given = KINDS[kind](TEXTS)
    assert ome.identify(given).languages == ome.identify(TEXTS).languages == ["deu-Latn", "eng-Latn", "zxx-Zxxx"]
    assert ome.find_duplicates(given).selected == TEXTS
    assert ome.find_contamination(given, given).contaminated.tolist() == [True, True, False]
    mined = ome.mine_hard_negatives(given, given, [0, 1, 2], 1, None)
    assert mined.table.equals(ome.mine_hard_negatives(TEXTS, TEXTS, [0, 1, 2], 1, None).table)


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_no_list_of_texts_is_refused_by_the_arguments_name(name, wrong):
    with pytest.raises(ValueError, match=f"{name.strip()}: ") as caught:
        FUNCTIONS[name](WRONG[wrong])
    assert isinstance(caught.value, ome.CorpusError)
    assert caught.value.remedy
    assert wrong != "missing" or "text 1 is missing" in caught.value.what


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: ome.identify(["a"], backend="bundeld"), "unknown backend 'bundeld'\n  remedy: did you mean bundled?"),
        (lambda: ome.identify(["a"], top_k=0), "top_k: 0 answers are none"),
        (lambda: ome.find_duplicates(["a"], 1.5), "find_duplicates: threshold: .* less than or equal to 1 .got 1.5."),
        (lambda: ome.find_duplicates(["a"], num_perm=100), "find_duplicates: num_perm: .* multiple of 64"),
        (lambda: ome.find_contamination(["a"], ["b"], run=5), "find_contamination: .*run .5. is shorter than ngram"),
        (lambda: ome.mine_hard_negatives(["a"], ["b"], [0, 1]), "positives: 2 entries for 1 queries"),
        (lambda: ome.mine_hard_negatives(["a"], ["b"], [1]), "positives: 1 is not between 0 and 0: there are 1 doc"),
        (lambda: ome.mine_hard_negatives(["a"], ["b"], [0.5]), "positives: entry 0 has 0.5"),
        (lambda: ome.mine_hard_negatives(["a"], ["b"], [0], 200), "mine_hard_negatives: .*200 cannot be kept"),
        (lambda: ome.mine_hard_negatives(["a"], ["b"], [0], 1, model="no"), "no such folder"),
        (lambda: ome.mine_hard_negatives([[0.5]], [[1.0]], [0], 1), "queries: vectors have to be a NumPy array"),
        (lambda: ome.sources.load("squat"), "unknown source 'squat'\n  remedy: did you mean squad"),
        (lambda: ome.sources.list(family="retreival"), "unknown family 'retreival'"),
    ],
)
def test_an_argument_that_cannot_be_is_a_value_error_in_words(call, said):
    with pytest.raises(ValueError, match=said) as caught:
        call()
    assert isinstance(caught.value, ome.CorpusError)


def test_languages_have_confidences_and_a_table():
    found = ome.identify([*TEXTS, "la", TEXTS[0]], top_k=2)
    assert found.undetermined.tolist() == [False, False, False, True, False]
    assert found.confidence.dtype == np.float32
    assert found.confidence[0] > 0.9
    assert found.table["alternatives"].to_pylist()[0][0]["code"] == "deu"
    assert repr(found) == "Languages(5 texts: deu-Latn 2, eng-Latn 1, und-Latn 1, zxx-Zxxx 1)"
    assert repr(ome.identify([])) == "Languages(0 texts: none)"


def documents(count: int, seed: int = 0, words: int = 60) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(f"w{rng.randrange(3000)}" for _ in range(words)) for _ in range(count)]


def changed(text: str, words: int, seed: int) -> str:
    """Replace so many words."""
    rng, parts = random.Random(seed), text.split()
    for place in rng.sample(range(len(parts)), words):
        parts[place] = f"x{rng.randrange(10**6)}"
    return " ".join(parts)


def test_duplicates_say_which_and_why_and_a_higher_threshold_needs_no_text():
    base = documents(40)
    texts = [*base, *(text.upper() for text in base[:10]), *(changed(text, i % 3, i) for i, text in enumerate(base))]
    found = ome.find_duplicates(texts, 0.5)
    assert found.kept.tolist() == list(range(40))
    assert found.selected == base
    assert [group[0] for group in found.clusters] == list(range(40))
    assert found.clusters[3] == [3, 43, 53]
    rows = found.duplicates.to_pylist()
    tokens = tokenize(pa.array(texts))
    true = jaccard(tokens, np.array([r["row"] for r in rows]), np.array([r["kept"] for r in rows]), 5)
    assert np.allclose([row["jaccard"] for row in rows], true)
    for threshold in (0.5, 0.7, 0.9, 1.0):
        again = found.rethreshold(threshold)
        assert again.table.equals(ome.find_duplicates(texts, threshold).table)
        assert again.threshold == threshold
        assert min(again.duplicates["jaccard"].to_pylist()) >= threshold
    with pytest.raises(ValueError, match=r"threshold: 0.4 is not between 0.5 and 1"):
        found.rethreshold(0.4)
    assert repr(found) == "Duplicates(90 texts: 40 kept, 24 exact duplicates, 26 near-duplicates at threshold 0.5)"


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.9])
def test_few_pairs_at_any_threshold_are_missed(threshold):
    """With 21 bands of six values three of four pairs of Jaccard index 0.5 would be."""
    base = documents(300, seed=1, words=160)
    pairs = [(text, changed(text, (1, 2, 4, 8, 12, 16)[i % 6], i)) for i, text in enumerate(base)]
    texts = [text for pair in pairs for text in pair]
    even = np.arange(0, len(texts), 2)
    above = jaccard(tokenize(pa.array(texts)), even, even + 1, 5) >= threshold
    assert above.sum() > 30
    gone = set(ome.find_duplicates(texts, threshold).duplicates["row"].to_pylist())
    missed = [row for row in (even + 1)[above].tolist() if row not in gone]
    assert len(missed) <= 0.02 * above.sum()


def test_a_new_text_is_found_in_the_index_for_datasketch():
    base = documents(50)
    found = ome.find_duplicates([*base, base[0].upper(), "a short text"])
    index = found.to_datasketch()
    assert (index.h, index.b, index.r) == (128, 21, 6)
    near, other, short = found.minhash([changed(base[7], 1, 0), documents(1, seed=9)[0], "a short text"])
    assert index.query(near) == [7]
    assert index.query(other) == []
    assert index.query(short) == []
    assert near.jaccard(found.minhash([base[7]])[0]) > 0.7
    assert index.query(found.minhash(base[:1])[0]) == [0]


def test_contamination_is_a_mask_and_pairs_with_reasons():
    held_out = documents(3)
    texts = [held_out[1], "nothing of it", f"before it {held_out[2]} and after it", changed(held_out[0], 1, 0)]
    found = ome.find_contamination(texts, held_out)
    assert found.contaminated.tolist() == [True, False, True, True]
    assert [(hit["row"], hit["evaluated"]) for hit in found.hits.to_pylist()] == [(0, 1), (2, 2), (3, 0)]
    assert (found.clean.tolist(), found.selected) == ([1], ["nothing of it"])
    assert repr(found).startswith("Contamination(4 texts: 3 contaminated, 3 pairs: ")
    assert found.table is found.hits


QUERIES = ["how is bread baked", "what is won from the sea"]
DOCUMENTS = [
    "Bread is baked from flour, water and salt.", "Bread was baked in stone ovens for centuries.",
    "Salt is won from the sea.", "Gold was won from the rivers of the sea coast.", "How far is the moon?",
]  # fmt: skip


def test_hard_negatives_are_numbers_a_table_and_n_tuples():
    mined = ome.mine_hard_negatives(QUERIES, DOCUMENTS, [0, [2]], num_negatives=2)
    assert len(mined) == 2
    rows = mined.table.to_pylist()
    for query in (0, 1):
        assert mined.of(query).tolist() == [row["document"] for row in rows if row["query"] == query]
        assert set(mined.of(query).tolist()) & {(0, 2)[query]} == set()
        scores = [row["score"] for row in rows if row["query"] == query]
        assert scores == sorted(scores, reverse=True)
        assert max(scores) < 0.95 * mined.positive_scores[query]
    assert mined.rejected["own-positive"] == 2
    tuples = mined.to_datasets(QUERIES, pl.Series(DOCUMENTS))
    assert tuples.column_names == ["query", "positive", "negative_1", "negative_2"]
    full = [query for query in (0, 1) if len(mined.of(query)) == 2]
    assert full
    for row, query in zip(tuples, full, strict=True):
        assert (row["query"], row["positive"]) == (QUERIES[query], DOCUMENTS[(0, 2)[query]])
        assert [row["negative_1"], row["negative_2"]] == [DOCUMENTS[i] for i in mined.of(query)]
    assert repr(mined).startswith("HardNegatives(2 queries, 5 documents: ")


def test_n_tuples_have_a_row_for_each_positive_and_none_for_queries_that_lack_negatives():
    vectors = np.array([[1, 0], [0.95, 0.312], [0.6, 0.8], [0, 1]], np.float32)
    mined = ome.mine_hard_negatives(vectors[[0, 3]], vectors, [[0, 1], [3]], num_negatives=2, max_score=0.7)
    assert (mined.of(0).tolist(), mined.of(1).tolist()) == ([2, 3], [1, 0])
    texts = ["a", "b", "c", "d"]
    rows = mined.to_datasets(["q", "r"], texts).to_list()
    assert [tuple(row.values()) for row in rows] == [("q", "a", "c", "d"), ("q", "b", "c", "d"), ("r", "d", "b", "a")]
    fewer = ome.mine_hard_negatives(vectors[[0, 3]], vectors, [[0, 1], [3]], num_negatives=3, max_score=0.7)
    assert [row["query"] for row in fewer.to_datasets(["q", "r"], texts)] == []
    with pytest.raises(ValueError, match="queries: 1 entries for 2 queries that were searched with"):
        mined.to_datasets(["q"], texts)
    with pytest.raises(ValueError, match="documents: 3 entries for 4 documents that were searched"):
        mined.to_datasets(["q", "r"], texts[:3])


def test_sources_are_listed_by_what_they_are():
    chosen = ome.sources.list(language="swa", license="commercial")
    assert len(chosen) == len(chosen.names) == chosen.table.num_rows > 0
    assert [manifest.name for manifest in chosen] == list(chosen.names) == sorted(chosen.names)
    assert len(ome.sources.list()) > len(chosen)
    assert ome.sources.load(chosen.names[0]).license.commercial
    assert repr(chosen).startswith(f"SourceList({len(chosen)} sources, ")
