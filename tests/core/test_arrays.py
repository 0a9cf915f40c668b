"""Text beyond what 32-bit offsets reach, and Python strings that UTF-8 has no bytes for."""

import resource

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

from curation.decontamination.api import overlaps
from curation.dedup import cluster, signatures
from curation.langid import identify
from curation.mining import mine
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.store import Store, take_rows
from open_ml_embed.core.text.arrays import one_array, text_array
from open_ml_embed.core.text.tokens import string_buffers

MEGABYTE = 1 << 20
ROWS, CHUNKS = 1 << 10, 48
"""Of 64 KiB each: a chunk has 64 MB, all of them 3 GiB."""


@pytest.fixture(scope="module")
def chunk():
    """A batch of 64 MB of text; a row begins with its number."""
    texts = [f"{i:05d}".ljust(64 << 10, "x") for i in range(ROWS)]
    numbers = pa.array(np.arange(ROWS))
    return pa.record_batch([numbers, pa.array(texts)], names=["number", "text"])


def used() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_rows_of_three_gigabytes_of_text_are_taken_without_joining_it(chunk):
    table = pa.Table.from_batches([chunk] * CHUNKS)
    wanted = np.array([0, 1, ROWS, 20 * ROWS + 7, 20 * ROWS + 7, CHUNKS * ROWS - 1], np.uint32)
    with pytest.raises(pa.ArrowInvalid, match="overflow"):
        table.take(pa.array(wanted))  # why there is a helper
    before = used()
    taken = take_rows(table.to_batches(), wanted, table.schema)
    assert taken["number"].to_pylist() == [0, 1, 0, 7, 7, ROWS - 1]
    assert [text[:5] for text in taken["text"].to_pylist()] == ["00000", "00001", "00000", "00007", "00007", "01023"]
    assert used() - before < 64 * MEGABYTE


def test_a_shard_of_three_gigabytes_gives_a_few_rows(chunk, tmp_path):
    store = Store(str(tmp_path))
    store.write_table("rows/a.rows.arrow", [chunk] * CHUNKS, chunk.schema)
    before = used()
    taken = store.read_rows("rows/a.rows.arrow", np.array([5, 40 * ROWS + 3]), ["text", "number"])
    assert taken.column_names == ["text", "number"]
    assert taken["number"].to_pylist() == [5, 3]
    assert [text[:5] for text in taken["text"].to_pylist()] == ["00005", "00003"]
    assert used() - before < 512 * MEGABYTE


@pytest.mark.parametrize("rows", [[], [0], [3], [0, 1, 2, 3, 4], [1, 1, 4]])
@pytest.mark.parametrize("columns", [None, ["b"], ["b", "a"]])
def test_rows_read_are_those_of_the_whole_table(tmp_path, rows, columns):
    table = pa.table({"a": ["v", "w", None, "y", "z"], "b": [[1], [], [2, 3], [4], [5]]})
    store = Store(str(tmp_path))
    store.write_table("t.arrow", table.to_batches(max_chunksize=2), table.schema)
    found = store.read_rows("t.arrow", np.array(rows, np.int64), columns)
    expected = table.take(pa.array(rows, pa.int64()))
    assert found.equals(expected if columns is None else expected.select(columns))


def test_nothing_is_read_beyond_the_last_row_wanted():
    batches = iter(pa.table({"a": [1, 2, 3, 4]}).to_batches(max_chunksize=1))
    assert take_rows(batches, np.array([1]), pa.schema([("a", pa.int64())]))["a"].to_pylist() == [2]
    assert next(batches)["a"].to_pylist() == [3]


def test_a_row_beyond_the_last_is_no_row():
    table = pa.table({"a": [1, 2]})
    with pytest.raises(AssertionError, match="beyond the last"):
        take_rows(table.to_batches(), np.array([1, 2]), table.schema)


def test_chunks_that_32_bits_do_not_reach_are_joined_as_large_strings(monkeypatch):
    texts = ["four", None, "中", "", "some", "text"]
    chunked = pa.chunked_array([texts[:2], texts[2:3], texts[3:]], pa.string())
    size = sum(len(text.encode()) for text in texts if text)
    for most, kind in ((size, pa.string()), (size - 1, pa.large_string())):
        monkeypatch.setattr("open_ml_embed.core.text.arrays.MOST_BYTES", most)
        assert one_array(chunked).type == kind
        assert one_array(chunked).to_pylist() == texts
        offsets, data = string_buffers(chunked)
        assert offsets.tolist() == [0, 4, 4, 7, 7, 11, 15]
        assert data.tobytes() == "four中sometext".encode()


HALVES = ["a text with \ud83d half a pair in it", "a text with \ufffd half a pair in it", "\udc00", "another text"]


def test_half_a_surrogate_pair_reads_as_the_replacement_character():
    assert cluster(HALVES)["cluster"].to_pylist() == [0, 0, 2, 3]
    signed, enough = signatures(HALVES)
    assert (signed[0] == signed[1]).all()
    assert enough.tolist() == [True, True, False, False]
    found = overlaps(HALVES[:2], [HALVES[0], HALVES[3]])
    assert list(zip(found["row"].to_pylist(), found["evaluated"].to_pylist(), strict=True)) == [(0, 0), (1, 0)]


WORDS = ["a text of some words that is longer than twelve bytes", None, "another one of the same kind", "short"] * 2
ENCODED = pa.array(WORDS).dictionary_encode()
DATASET = datasets.Dataset.from_dict({"text": ["another", *reversed(WORDS)]}).select([8, 7, 6, 5, 4, 3, 2, 1])
KINDS = {
    "list": WORDS,
    "tuple": tuple(WORDS),
    "string": pa.array(WORDS),
    "large": pa.array(WORDS, pa.large_string()),
    "view": pa.array(WORDS, pa.string_view()),
    "dictionary": ENCODED,
    "dictionary of views": pa.DictionaryArray.from_arrays(ENCODED.indices, ENCODED.dictionary.cast(pa.string_view())),
    "chunks of views": pa.chunked_array([WORDS[:3], WORDS[3:]], pa.string_view()),
    "run ends": pa.RunEndEncodedArray.from_arrays(pa.array([*range(1, 9)], pa.int32()), pa.array(WORDS)),
    "objects": np.array(WORDS, object),
    "polars": pl.Series(WORDS),
    "polars categories": pl.Series(WORDS, dtype=pl.Categorical),
    "pandas": pd.Series(WORDS),
    "pandas objects": pd.Series([np.nan if text is None else text for text in WORDS], dtype=object),
    "pandas categories": pd.Series(WORDS, dtype="category"),
    "pandas on Arrow": pd.Series(WORDS, dtype="string[pyarrow]"),
    "objects with NaN": np.array([np.nan if text is None else text for text in WORDS], object),
    "a dataset's column": DATASET["text"],
    "a dataset's column as numpy": DATASET.with_format("numpy")["text"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_strings_of_every_kind_are_read_as_the_same_texts(kind):
    plain = text_array(KINDS[kind])
    assert plain.type in (pa.string(), pa.large_string())
    assert plain.to_pylist() == WORDS
    offsets, data = string_buffers(plain)
    assert data.tobytes() == "".join(text or "" for text in WORDS).encode()
    assert len(offsets) == len(WORDS) + 1


@pytest.mark.parametrize("kind", ["view", "dictionary", "chunks of views"])
def test_functions_for_other_programs_read_what_other_libraries_give(kind):
    texts = KINDS[kind]
    plain = pa.array([text or "" for text in WORDS])
    assert cluster(texts).equals(cluster(plain))
    assert (signatures(texts)[0] == signatures(plain)[0]).all()
    assert overlaps(texts, texts).equals(overlaps(plain, plain))
    assert identify(texts).equals(identify(plain))
    mined = [mine(given, given, list(range(len(WORDS))), "none") for given in (texts, plain)]
    assert repr(mined[0]) == repr(mined[1])


NO_TEXTS = {
    "one string": "a text",
    "bytes": b"a text",
    "numbers": [1, 2],
    "bytes in a list": ["a", b"b"],
    "a matrix": np.zeros((2, 2)),
    "a row of numbers": np.zeros(2),
    "a tensor": torch.zeros(3),
    "a set": {"a", "b"},
    "a mapping": {"a": "b"},
    "a frame": pl.DataFrame({"a": ["b"]}),
    "a table": pa.table({"a": ["b"]}),
    "an array of numbers": pa.array([1, 2]),
    "an array of lists": pa.array([["a"]]),
    "an array of bytes": pa.array([b"a"]),
    "not UTF-8": pa.array([b"\xff\xfe"]).view(pa.string()),
    "a number": 3,
    "nothing": None,
    "a generator": (text for text in WORDS),
    "an iterator": iter(WORDS),
    "numbers of pandas": pd.Series([1, 2]),
    "objects of pandas": pd.Series(["a", 1], dtype=object),
    "numbers of a dataset": datasets.Dataset.from_dict({"number": [1, 2]})["number"],
    "a dataset": DATASET,
    "a stream": DATASET.to_iterable_dataset()["text"],
    "lists": [["a"], ["b"]],
    "arrays": [np.zeros(2)],
    "a scalar": pa.scalar("a"),
}


@pytest.mark.parametrize("kind", NO_TEXTS)
def test_what_is_no_list_of_texts_is_refused_in_words(kind):
    for function in (cluster, signatures, identify, lambda texts: overlaps(texts, ["a"])):
        with pytest.raises(SettingsError) as caught:
            function(NO_TEXTS[kind])
        assert caught.value.remedy
        assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ("abc", "texts: one str is no list of texts\n  remedy: pass it in a list: [text]; taken are a list"),
        (iter(["a"]), "texts: a list_iterator can be read only once, and nobody knows its length\n  remedy: pass list"),
        (torch.zeros(3), "texts: a torch.Tensor is no list of texts\n  remedy: pass one column of texts; taken are"),
        (["a", 7], "texts: text 1 is 7, an int\n  remedy: pass strings only"),
        (None, "texts: None is no list of texts\n  remedy: pass a list or tuple of str"),
    ],
)
def test_a_refusal_says_what_was_given_what_is_taken_and_what_to_do(texts, said):
    with pytest.raises(SettingsError) as caught:
        text_array(texts)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_text_is_refused_by_its_place_where_none_may_be(kind):
    with pytest.raises(SettingsError, match=r"queries: text 1 is missing \(None, null or NaN\)"):
        text_array(KINDS[kind], "queries", nulls=False)


POSITIVES = {
    "numbers": [1, 0],
    "lists": [[1], [0]],
    "an array": np.array([1, 0], np.uint8),
    "a matrix": np.array([[1], [0]]),
    "Arrow": pa.array([1, 0]),
    "lists of Arrow": pa.chunked_array([[[1]], [[0]]]),
    "pandas": pd.Series([1, 0]),
    "polars": pl.Series([1, 0]),
    "arrays": [np.array([1]), np.array([0])],
}


@pytest.mark.parametrize("kind", POSITIVES)
def test_positives_of_every_kind_are_read_as_the_same_numbers(kind):
    vectors = np.eye(3, dtype=np.float32)
    found = mine(vectors[:2], vectors, POSITIVES[kind], "none")
    assert (found.of(0).tolist(), found.of(1).tolist()) == ([0, 2], [1, 2])


@pytest.mark.parametrize(
    "positives", [[0.5, 1.0], np.array([0.5, 1.0]), ["0", "1"], [[0], [None]], "01", [True, False], [[0], [1.5]], 3]
)
def test_positives_that_are_no_numbers_of_documents_are_refused(positives):
    vectors = np.eye(3, dtype=np.float32)
    with pytest.raises(SettingsError, match="positives: ") as caught:
        mine(vectors[:2], vectors, positives, "none")
    assert "the number of its document" in caught.value.remedy


@pytest.mark.parametrize("vectors", [[[0.1, 0.2]], [np.zeros(2)], torch.zeros(2, 2)])
def test_vectors_that_are_no_array_are_refused_with_what_to_do(vectors):
    with pytest.raises(SettingsError, match=r"queries: vectors have to be a NumPy array"):
        mine(vectors, np.eye(2, dtype=np.float32), [0], "none")


def test_no_answers_are_refused():
    with pytest.raises(SettingsError, match="top_k: 0 answers are none"):
        identify(["a text"], top_k=0)
