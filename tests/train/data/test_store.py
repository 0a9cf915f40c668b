from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from open_ml_embed.core import hashing
from open_ml_embed.core.engine import Workers
from open_ml_embed.core.errors import StageError
from train.data import tokenize
from train.data.memmap_columns import Column, Ragged, Rows, Runs
from train.data.mix import Mix
from train.data.token_store import open_store
from train.data.tokenize import IDS
from train.data.tokenizer import encoder_of, train_tokenizer, wrap
from train.loop.run import Run

ROWS = st.lists(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=6), max_size=30)


@given(ROWS, st.integers(1, 7), st.data())
def test_ragged_rows_are_the_lists_that_were_written(rows: list[list[int]], size: int, data: st.DataObject) -> None:
    chunks = [pa.array(rows[i : i + size], IDS) for i in range(0, len(rows), size)]
    ragged = Ragged(chunks)
    assert [ragged[i].tolist() for i in range(len(ragged))] == rows
    if rows:
        wanted = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=10))
        segments = ragged.gather(wanted)
        assert segments.ids.tolist() == [i for row in wanted for i in rows[row]]
        assert segments.lengths.tolist() == [len(rows[row]) for row in wanted]


@given(st.lists(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5), min_size=1, max_size=6), st.data())
def test_columns_give_the_values_of_any_rows(parts: list[list[int]], data: st.DataObject) -> None:
    column, values = (
        Column([pa.array(part, pa.int64()) for part in parts]),
        np.array([v for part in parts for v in part], np.int64),
    )
    assert len(column) == len(values)
    assert [part.tolist() for _, part in column.parts()] == parts
    assert [first for first, _ in column.parts()] == [sum(map(len, parts[:i])) for i in range(len(parts))]
    if len(values):
        shape = data.draw(st.sampled_from([(0,), (4,), (2, 3)]))
        drawn = data.draw(st.lists(st.integers(0, len(values) - 1), min_size=6, max_size=6))
        rows = np.array(drawn[: int(np.prod(shape))], np.int64).reshape(shape)
        assert np.array_equal(column[rows], values[rows])
        assert column[rows].dtype == np.int64


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), max_size=8))
def test_runs_are_the_codes_written_out(runs: list[tuple[int, int]]) -> None:
    codes = np.array([code for code, length in runs for _ in range(length)], np.int32)
    table = Runs((code for code, _ in runs), (length for _, length in runs))
    assert table[np.arange(len(codes))].tolist() == codes.tolist()
    for code in range(4):
        own: Rows = table.of(code)
        assert own[np.arange(len(own))].tolist() == np.flatnonzero(codes == code).tolist()


def test_the_store_says_what_the_mix_says(run: Run, mix: Path) -> None:
    store = run.store(run.mixes[0])
    encoder = encoder_of(run.tokenizer, max_length=run.settings.max_length)
    documents = pa.concat_tables(map(pq.read_table, sorted((mix / "documents").iterdir()))).to_pylist()
    assert [store.documents[i].tolist() for i in range(len(store.documents))] == [
        encoder.encode(d["text"]).ids for d in documents
    ]
    assert store.cluster[np.arange(len(documents))].tolist() == [d["cluster"] for d in documents]
    assert [(d.source, d.subset, d.family) for d in store.datasets] == [
        ("alpha", "all", "retrieval"),
        ("beta", "all", "retrieval"),
        ("gamma", "all", "clustering"),
    ]
    for name, split in (("train", store.train), ("validation", store.validation)):
        rows = pa.concat_tables(map(pq.read_table, sorted((mix / "samples").glob(f"{name}-*")))).to_pylist()
        rows.sort(key=lambda row: row["source"])  # within a part, the samples of a source stand together
        assert len(split.queries) == len(rows) == len(split.dataset)
        for i, row in enumerate(rows):
            dataset = store.datasets[split.dataset[np.array([i])][0]]
            assert (dataset.source, dataset.family) == (row["source"], row["family"])
            assert split.queries[i].tolist() == encoder.encode(row["query"]).ids
            assert split.query_cluster[np.array([i])].tolist() == [row["query_cluster"]]
            assert split.positive[np.array([i])].tolist() == [row["positive_id"]]
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


def test_a_mix_is_hashed_once_and_again_when_it_changes(mix: Path, tmp_path: Path, monkeypatch) -> None:
    shutil.copytree(mix, tmp_path / "mix")
    files = [path for kind in ("documents", "train", "validation") for path in Mix(tmp_path / "mix").files(kind)]
    for path in files:
        os.utime(path, ns=(10**18, 10**18))
    remembered = tmp_path / "digests.json"
    first = Mix(tmp_path / "mix", remembered).identity
    assert first == Mix(mix).identity
    read: list[Path] = []
    hashed = hashing.hash_file
    monkeypatch.setattr(hashing, "hash_file", lambda path, *rest: read.append(path) or hashed(path, *rest))
    assert Mix(tmp_path / "mix", remembered).identity == first
    assert read == []
    changed = files[1]
    changed.write_bytes(changed.read_bytes()[::-1])
    for _ in range(2):  # too young to be remembered
        assert Mix(tmp_path / "mix", remembered).identity != first
    assert read == [changed, changed]


def test_tokenizing_goes_on_after_a_kill_and_workers_change_nothing(run: Run, mix: Path, tmp_path: Path) -> None:
    encoder = encoder_of(run.tokenizer, max_length=24)
    stopped = tokenize.Tokenize.run
    calls: list[str] = []

    def dies(self, task, *rest):
        calls.append(task.path)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return stopped(self, task, *rest)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tokenize, "PART_ROWS", 90)
        patched.setattr(tokenize.Tokenize, "run", dies)
        with pytest.raises(KeyboardInterrupt):
            open_store(Mix(mix), encoder, tmp_path / "a")
        assert len(calls) == 2
        store = open_store(Mix(mix), encoder, tmp_path / "a")
    assert len(calls) == len(set(calls)) + 1
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tokenize, "PART_ROWS", 90)
        patched.setattr(tokenize, "ROWS_WORTH_A_PROCESS", 50)
        open_store(Mix(mix), encoder, tmp_path / "b", Workers(count=2))
    ours, theirs = (
        {p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*") if p.is_file()} for n in "ab"
    )
    assert ours == theirs
    assert len(store.documents) == 240


@pytest.mark.parametrize(
    ("kind", "column", "values", "message"),
    [
        ("documents", "document_id", 5, "does not count up"),
        ("train", "positive_id", 240, "outside 0 … 239"),
        ("train", "positive_id", -1, "outside 0 … 239"),
        ("train", "family", "regression", "the loss family 'regression'"),
        ("train", "family", None, "the column family has nulls"),
        ("train", "source", None, "the column source has nulls"),
        ("train", "subset", None, "the column subset has nulls"),
        ("documents", "text", None, "the column text has nulls"),
        ("documents", "cluster", None, "the column cluster has nulls"),
        ("train", "query", None, "the column query has nulls"),
        ("train", "positive_id", None, "the column positive_id has nulls"),
        ("train", "negative_ids", [None], "the column negative_ids has nulls"),
    ],
)
def test_a_broken_mix_is_refused(run: Run, mix: Path, tmp_path: Path, kind, column, values, message) -> None:
    shutil.copytree(mix, tmp_path / "mix")
    broken = Mix(tmp_path / "mix")
    files = broken.files(kind) if kind == "documents" else [*broken.files("train"), *broken.files("validation")]
    for number, file in enumerate(files):
        table = pq.read_table(file)
        at = table.schema.get_field_index(column)
        kept = table[column] if number else pa.array([values] * len(table), table.schema.field(at).type)
        pq.write_table(table.set_column(at, column, kept), file)  # the column may now be null, in all files alike
    encoder = encoder_of(run.tokenizer, max_length=8)
    for _ in range(2):  # what was half made does not count
        with pytest.raises(StageError, match=message):
            open_store(Mix(tmp_path / "mix"), encoder, tmp_path / "stores")


@pytest.mark.parametrize(("family", "refused"), [("clustering", True), ("classification", True), ("retrieval", False)])
def test_a_family_that_lives_on_negatives_needs_some(mix: Path, tmp_path: Path, family: str, *, refused: bool) -> None:
    shutil.copytree(mix, tmp_path / "mix")
    for file in (path for split in ("train", "validation") for path in Mix(tmp_path / "mix").files(split)):
        rows = pq.read_table(file).to_pylist()
        schema = pq.read_schema(file)
        for row in rows:
            if row["source"] == "gamma":
                row |= {"family": family, "negative_ids": []}
        pq.write_table(pa.Table.from_pylist(rows, schema), file)
    if not refused:
        assert len(Mix(tmp_path / "mix").datasets()) == 3
        return
    with pytest.raises(StageError, match="none of the 80 samples of gamma/all has a negative") as caught:
        Mix(tmp_path / "mix").datasets()
    assert "curate mine" in caught.value.remedy


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
