"""A shard is checked against its record when it is read; a listing finds every damaged file of a folder."""

import os
import random
from dataclasses import replace

import pyarrow as pa
import pytest

from open_ml_embed.core import recorded
from open_ml_embed.core.listing import damaged_in, write_listing
from open_ml_embed.core.recorded import DamagedFileError, record_of
from open_ml_embed.core.sealed import DamagedRecordError
from open_ml_embed.core.store import MARKER, WRITER, Store, flat
from open_ml_embed.core.task import NoSettings, Outputs, Task, execute
from tests.support.corruption import corrupt

SCHEMA = pa.schema([("n", pa.int64())])


class Numbers:
    """Writes one table of its own and one that other tasks may write too."""

    name, version, settings = "numbers", 1, NoSettings()

    def run(self, task: Task, store: Store, out: Outputs) -> dict:
        batch = pa.record_batch([pa.array(range(5000))], schema=SCHEMA)
        out.table("own", [batch], SCHEMA)
        out.table("shared", [batch], SCHEMA, at="elsewhere/part.0")
        return {}


@pytest.fixture
def store(tmp_path):
    execute(Numbers(), Task("a/part.0", (), None), "key", str(tmp_path))
    return Store(str(tmp_path))


OWN, SHARED = "numbers/a/part.0.own.arrow", "numbers/elsewhere/part.0.shared.arrow"


def read(store: Store, path: str) -> None:
    assert store.read_table(path)["n"].to_pylist() == list(range(5000))
    assert store.read_rows(path, pa.array([0, 4999]).to_numpy())["n"].to_pylist() == [0, 4999]
    assert flat(store, path, "n")[0].sum() == sum(range(5000))


@pytest.mark.parametrize("path", [OWN, SHARED])
def test_what_was_written_is_read_and_what_was_damaged_is_not(store, tmp_path, path):
    read(store, path)
    for seed in range(5):
        whole = (tmp_path / path).read_bytes()
        corrupt(tmp_path / path, random.Random(seed))
        recorded.forget()  # a file of the same size, times and inode is checked once a process
        for reading in (
            lambda: store.read_table(path),
            lambda: store.read_rows(path, pa.array([1]).to_numpy()),
            lambda: flat(store, path, "n"),
        ):
            with pytest.raises(DamagedFileError) as caught:
                reading()
        assert caught.value.where == str(tmp_path / path)
        assert "curate verify --repair" in caught.value.remedy
        (tmp_path / path).write_bytes(whole)
    read(store, path)


def test_a_file_that_was_written_again_is_checked_again(store, tmp_path):
    read(store, OWN)
    data = (tmp_path / OWN).read_bytes()
    (tmp_path / OWN).write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    with pytest.raises(DamagedFileError):
        store.read_table(OWN)


def test_a_file_is_hashed_once_a_process(store, monkeypatch):
    hashed = []
    hash_file = recorded.hash_file
    monkeypatch.setattr(recorded, "hash_file", lambda path: hashed.append(path) or hash_file(path))
    for _ in range(3):
        read(store, OWN)
    assert len(hashed) == 1


def test_a_damaged_record_is_an_error_and_a_file_without_one_is_read(store, tmp_path):
    marker = tmp_path / "numbers/a" / f"part.0{MARKER}"
    whole = marker.read_bytes()
    marker.write_bytes(whole.replace(b"5000", b"5001"))
    recorded.forget()
    with pytest.raises(DamagedRecordError):
        store.read_table(OWN)
    assert store.read_marker(f"numbers/a/part.0{MARKER}", "key") is None
    marker.unlink()
    assert record_of(str(tmp_path), OWN) is None
    assert store.read_table(OWN).num_rows == 5000
    (tmp_path / (SHARED + WRITER)).write_text("key")  # of an older version
    with pytest.raises(DamagedRecordError):
        store.read_table(SHARED)


def test_a_record_of_another_file_is_an_error(store, tmp_path):
    """The record of a sibling, whole and of the same task, was taken for no record: the table was not checked."""
    execute(Numbers(), Task("a/part.1", (), None), "key", str(tmp_path))
    output = store.read_marker(f"numbers/a/part.0{MARKER}", "key").outputs[1]
    store.write_writer(replace(output, path="numbers/elsewhere/part.1.shared.arrow"), "key")
    (tmp_path / "numbers/elsewhere/part.1.shared.arrow.writer").rename(tmp_path / (SHARED + WRITER))
    recorded.forget()
    with pytest.raises(DamagedRecordError, match="another one's"):
        store.read_table(SHARED)
    assert store.read_marker(f"numbers/a/part.0{MARKER}", "key") is None


def test_a_listing_finds_what_is_damaged_missing_or_cut(tmp_path):
    for name in ("a", "sub/b", "sub/c", "free"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(os.urandom(100))
    write_listing(tmp_path, without=("free",))
    (tmp_path / "free").write_bytes(b"")
    (tmp_path / "new").write_bytes(b"")
    assert damaged_in(tmp_path) == {}
    (tmp_path / "a").write_bytes(bytes(100))
    (tmp_path / "sub/b").write_bytes(bytes(99))
    (tmp_path / "sub/c").unlink()
    assert damaged_in(tmp_path) == {
        "a": "does not have the bytes that were written",
        "sub/b": "has 99 bytes, and 100 were written",
        "sub/c": "is missing",
    }
    assert set(damaged_in(tmp_path, deep=False)) == {"sub/b", "sub/c"}
    assert damaged_in(tmp_path / "sub") is None
