from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.errors import StageError
from train.mix import Mix
from train.run import Run
from train.store import IDS, Ragged, open_store
from train.tokenizer import encoder_of, train_tokenizer, wrap

ROWS = st.lists(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=6), max_size=30)


@given(ROWS, st.integers(1, 7), st.data())
def test_ragged_rows_are_the_lists_that_were_written(rows: list[list[int]], size: int, data: st.DataObject) -> None:
    chunks = [pa.array(rows[i : i + size], IDS) for i in range(0, len(rows), size)]
    ragged = Ragged(pa.chunked_array(chunks, IDS))
    assert [ragged[i].tolist() for i in range(len(ragged))] == rows
    if rows:
        wanted = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=10))
        segments = ragged.gather(wanted)
        assert segments.ids.tolist() == [i for row in wanted for i in rows[row]]
        assert segments.lengths.tolist() == [len(rows[row]) for row in wanted]


def test_the_store_says_what_the_mix_says(run: Run, mix: Path) -> None:
    store = run.store(run.mixes[0])
    encoder = encoder_of(run.tokenizer, max_length=run.settings.max_length)
    documents = pa.concat_tables(map(pq.read_table, sorted((mix / "documents").iterdir()))).to_pylist()
    assert [store.documents[i].tolist() for i in range(len(store.documents))] == [
        encoder.encode(d["text"]).ids for d in documents
    ]
    assert store.cluster.tolist() == [d["cluster"] for d in documents]
    for name, split in (("train", store.train), ("validation", store.validation)):
        rows = pa.concat_tables(map(pq.read_table, sorted((mix / "samples").glob(f"{name}-*")))).to_pylist()
        assert len(split.queries) == len(rows)
        for i, row in enumerate(rows):
            dataset = store.datasets[split.dataset[i]]
            assert (dataset.source, dataset.family) == (row["source"], row["family"])
            assert split.queries[i].tolist() == encoder.encode(row["query"]).ids
            assert split.query_cluster[i] == row["query_cluster"]
            assert split.positive[i] == row["positive_id"]
            assert split.negatives[i].tolist() == row["negative_ids"]


def test_a_store_is_mapped_and_made_once(run: Run) -> None:
    ids = run.store(run.mixes[0]).documents[0]
    assert not ids.flags.owndata
    assert not ids.flags.writeable
    folders = {p: p.stat().st_mtime_ns for p in (run.work / "stores").rglob("*")}
    run.store(run.mixes[0])
    assert {p: p.stat().st_mtime_ns for p in (run.work / "stores").rglob("*")} == folders


def test_another_mix_is_another_store(run: Run, mix: Path, tmp_path: Path) -> None:
    shutil.copytree(mix, tmp_path / "moved")
    moved = Mix(tmp_path / "moved")
    assert moved.identity == Mix(mix).identity
    file = moved.files("documents")[0]
    table = pq.read_table(file)
    pq.write_table(table.set_column(1, "text", pa.array(["other"] * len(table))), file)
    assert Mix(tmp_path / "moved").identity != moved.identity


@pytest.mark.parametrize(
    ("kind", "column", "values", "message"),
    [
        ("documents", "document_id", 5, "does not count up"),
        ("train", "positive_id", 240, "outside 0 … 239"),
        ("train", "positive_id", -1, "outside 0 … 239"),
        ("train", "family", "regression", "unknown loss family 'regression'"),
    ],
)
def test_a_broken_mix_is_refused(run: Run, mix: Path, tmp_path: Path, kind, column, values, message) -> None:
    shutil.copytree(mix, tmp_path / "mix")
    file = Mix(tmp_path / "mix").files(kind)[0]
    table = pq.read_table(file)
    at = table.schema.get_field_index(column)
    pq.write_table(table.set_column(at, column, pa.array([values] * len(table))), file)
    encoder = encoder_of(run.tokenizer, max_length=8)
    for _ in range(2):  # what was half made does not count
        with pytest.raises(StageError, match=message):
            open_store(Mix(tmp_path / "mix"), encoder, tmp_path / "stores")


def test_a_missing_mix_and_a_missing_column_say_so(run: Run, mix: Path, tmp_path: Path) -> None:
    with pytest.raises(StageError, match="curate mix"):
        Mix(tmp_path).files("train")
    shutil.copytree(mix, tmp_path / "mix")
    file = Mix(tmp_path / "mix").files("documents")[0]
    pq.write_table(pq.read_table(file).drop_columns("cluster"), file)
    with pytest.raises(StageError, match="columns missing: cluster"):
        list(Mix(tmp_path / "mix").batches("documents"))


def test_tokenizers_are_repeatable_end_every_text_and_know_every_byte(tmp_path: Path) -> None:
    texts = ["the cat sat", "die Katze saß", "猫が座った", "the mat"] * 3
    first, second = (train_tokenizer(iter(texts), vocab_size=300) for _ in range(2))
    assert first.to_str() == second.to_str()
    tokenizer = wrap(first, max_length=6)
    assert tokenizer.pad_token_id != tokenizer.eos_token_id
    encoder = encoder_of(tokenizer, max_length=6)
    for text in ["", "cat", "never seen: ☃ \x00", "long " * 50]:
        ids = encoder.encode(text).ids
        assert ids[-1] == tokenizer.eos_token_id
        assert len(ids) <= 6
        assert tokenizer.eos_token_id not in ids[:-1]
    assert tokenizer.decode(tokenizer("never seen: ☃").input_ids, skip_special_tokens=True) == "never seen: ☃"
    assert np.array_equal(encoder.encode("cat").ids, tokenizer("cat").input_ids)
