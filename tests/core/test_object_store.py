"""A store in a bucket behaves as one on a disk."""

import os
import uuid

import numpy as np
import pyarrow as pa
import pytest

from open_ml_embed.core import shard_cache
from open_ml_embed.core.errors import CorpusError
from open_ml_embed.core.store import WRITER, Marker, Store, flat
from tests.support.s3 import bucket, objects, serving_bucket

TABLE = pa.table({"n": pa.array(range(1000), pa.int64()), "t": [f"text {i}" for i in range(1000)]})


@pytest.fixture(scope="module")
def address():
    with serving_bucket() as url:
        yield url


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(shard_cache.tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture(params=["disk", "bucket"])
def store(request, address, tmp_path):
    return Store(str(tmp_path / "store") if request.param == "disk" else f"{address}/{uuid.uuid4().hex}")


def write(store, path, table=TABLE):
    return store.write_table(path, table.to_batches(max_chunksize=300), table.schema)


def test_what_is_written_is_read(store):
    output = write(store, "rows/a/0.arrow")
    assert store.read_table("rows/a/0.arrow").equals(TABLE)
    assert store.read_table("rows/a/0.arrow", ["t"]).equals(TABLE.select(["t"]))
    rows = np.array([0, 299, 300, 999])
    assert store.read_rows("rows/a/0.arrow", rows).equals(TABLE.take(rows))
    assert flat(store, "rows/a/0.arrow", "n")[0].tolist() == list(range(1000))
    with store.opened("rows/a/0.arrow") as source:
        assert pa.ipc.open_file(source).num_record_batches == 4
    sizes = store.sizes(["rows/a/0.arrow", "rows/a/none.arrow", "rows/a", "nowhere/x"])
    assert sizes == {
        "rows/a/0.arrow": output.bytes,
        "rows/a/none.arrow": None,
        "rows/a": sizes["rows/a"],
        "nowhere/x": None,
    }


def test_a_file_that_is_written_again_is_read_anew(store):
    write(store, "a.arrow")
    assert store.read_table("a.arrow").num_rows == 1000
    write(store, "a.arrow", TABLE.slice(0, 10))
    assert store.read_table("a.arrow").num_rows == 10
    backwards = TABLE.slice(0, 10).take(pa.array(range(9, -1, -1)))
    write(store, "a.arrow", backwards)
    assert store.read_table("a.arrow").equals(backwards), "as many bytes, other content"


def test_a_write_that_fails_leaves_what_was_there(store):
    store.write_bytes("a/b", b"before")

    def fail(path):
        with store.writing(path) as sink:
            sink.write(b"half")
            raise KeyError

    for path in ("a/b", "a/c"):
        with pytest.raises(KeyError):
            fail(path)
    assert store.files.read_all(["a/b", "a/c"]) == [b"before", None]


def test_paths_and_counts_are_of_all_folders_below(store):
    for name in ("op/a/x.done.json", "op/b/c/y.done.json", "op/z.arrow", "other/q.done.json"):
        store.write_bytes(name, b"1")
    assert sorted(store.files.paths("op")) == ["op/a/x.done.json", "op/b/c/y.done.json", "op/z.arrow"]
    assert len(list(store.files.paths(""))) == 4
    assert store.count("op", ".done.json") == 2
    assert store.count("none", ".done.json") == 0


def test_removing_and_exporting(store, tmp_path):
    store.write_bytes("a/b", b"content")
    store.export("a/b", tmp_path / "new" / "folder" / "b")
    assert (tmp_path / "new" / "folder" / "b").read_bytes() == b"content"
    store.put(tmp_path / "new" / "folder" / "b", "c")
    store.remove("a/b")
    store.remove("a/b")
    assert store.files.read_all(["a/b", "c"]) == [None, b"content"]


def test_a_marker_counts_for_its_key_and_its_whole_outputs(store):
    output, shared = write(store, "op/a.t.arrow"), write(store, "op/shared.t.arrow")
    store.write_writer(shared, "k")
    marker = Marker("k", (output, shared), {"rows": 1})
    store.write_marker("op/a.done.json", marker)
    store.write_bytes("op/broken.done.json", b"{")
    wanted = [
        ("op/a.done.json", "k"),
        ("op/a.done.json", "other"),
        ("op/none.done.json", "k"),
        ("op/broken.done.json", "k"),
    ]
    assert store.read_markers(wanted) == [marker, None, None, None]
    store.write_bytes("op/shared.t.arrow" + WRITER, b"another task")
    assert store.read_marker("op/a.done.json", "k") is None
    store.write_writer(shared, "k")
    store.write_bytes("op/a.t.arrow", b"cut")
    assert store.read_marker("op/a.done.json", "k") is None


def test_sizes_are_one_listing_for_a_folder_of_many(address, monkeypatch):
    store = Store(f"{address}/{uuid.uuid4().hex}")
    names = [f"rows/a/{i}.arrow" for i in range(40)] + ["rows/b/0.arrow"]
    for name in names:
        store.write_bytes(name, name.encode())
    calls: list[str] = []
    for method in ("ls", "info"):
        real = getattr(store.files.fs, method)
        monkeypatch.setattr(
            store.files.fs, method, lambda path, *a, real=real, **more: calls.append(path) or real(path, *a, **more)
        )
    sizes = store.sizes([*names, "rows/a/none.arrow", "nowhere/at/all.arrow"])
    assert sizes == {name: len(name) for name in names} | {"rows/a/none.arrow": None, "nowhere/at/all.arrow": None}
    assert len(calls) == 3


def test_copies_are_downloaded_once_and_removed_when_others_need_the_room(address, cache, monkeypatch):
    store = Store(f"{address}/{uuid.uuid4().hex}")
    for name in "abcd":
        store.write_bytes(name, os.urandom(1000))
    downloads: list[str] = []
    real = store.files.fs.get_file
    monkeypatch.setattr(
        store.files.fs, "get_file", lambda path, target: downloads.append(path[-1]) or real(path, target)
    )
    monkeypatch.setattr(shard_cache, "MOST_BYTES", 2500)
    monkeypatch.setattr(shard_cache, "IN_USE_SECONDS", 0)

    def read(name):
        with store.files.opened(name) as source:
            return len(source.read())

    assert [read(name) for name in "aabab"] == [1000] * 5
    assert downloads == ["a", "b"]
    assert read("c") == 1000
    assert read("b") == 1000
    assert downloads == ["a", "b", "c"], "the least recently used copy was removed, and only that"
    assert read("a") == 1000
    copies = list(shard_cache.folder().iterdir())
    assert len(copies) == 2
    assert shard_cache.folder().stat().st_mode & 0o077 == 0


def test_the_copies_of_a_dead_process_are_removed(address, tmp_path):
    (shard_cache.folder() / "999999999-1-1.tmp").write_bytes(b"half")
    store = Store(f"{address}/{uuid.uuid4().hex}")
    store.write_bytes("a", b"1")
    store.files.opened("a").close()
    assert [path.suffix for path in shard_cache.folder().iterdir()] == [""]


def test_objects_are_plain_files_with_the_names_of_the_disk(address, tmp_path):
    name = uuid.uuid4().hex
    remote, local = Store(f"{address}/{name}"), Store(str(tmp_path / "disk"))
    for store in (remote, local):
        write(store, "op/a/0.arrow")
        store.write_marker("op/a/0.done.json", Marker("k", (), {}))
    on_disk = {
        str(p.relative_to(tmp_path / "disk")): p.read_bytes() for p in (tmp_path / "disk").rglob("*") if p.is_file()
    }
    assert objects(name) == {f"{name}/{path}": data for path, data in on_disk.items()}


@pytest.mark.parametrize(
    ("url", "says", "remedy"),
    [
        ("s3://no-such-bucket/folder", "there is no bucket 'no-such-bucket'", "make it, or correct"),
        ("s3:///folder", "names no bucket", "s3://bucket/folder"),
        ("s4://bucket/folder", "unknown kind of address 's4'", "s3"),
        ("abfs://container/folder", "needs the package adlfs", "pip install adlfs"),
    ],
)
def test_a_wrong_address_is_said(address, url, says, remedy):
    with pytest.raises(CorpusError) as raised:
        Store(url)
    assert says in raised.value.what
    assert remedy in raised.value.remedy
    assert url in raised.value.where


def test_a_server_that_is_gone_is_said(address, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    script = "from open_ml_embed.core.store import Store; Store('s3://elsewhere/folder')"
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert "StageError: " in done.stderr
    assert "does not answer" in done.stderr
    assert "AWS_ENDPOINT_URL" in done.stderr


def test_a_bucket_is_left_as_it_was(address):
    before = {entry.key for entry in bucket().objects.all()}
    store = Store(f"{address}/{uuid.uuid4().hex}")
    store.sweep("rows")
    assert store.read_markers([]) == []
    assert {entry.key for entry in bucket().objects.all()} == before
