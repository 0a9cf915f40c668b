"""Probing by heads: how little is read, from where, and that a token stays with its host."""

import bz2
import gzip
import io
import json
import lzma
import os
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sources.fetch import FetchOptions, url
from sources.manifest import Manifest
from sources.probing import probe as probing
from sources.probing.heads import cut_records
from sources.probing.probe import probe
from tests.support import hub_set
from tests.support.hub.files import serving_files
from tests.support.hub.server import Failure
from tests.support.hub_set import options

LARGE = 50 << 20
MOST_SENT = 6 << 20
"""Of a file of 50 MiB; what a client left on the line included."""
FIELDS = {"q": "string", "d": "string"}


@pytest.fixture
def server(tmp_path, monkeypatch):
    with hub_set.serving_set(tmp_path / "hub", monkeypatch) as running:
        yield running


def pairs(query, positive):
    return {"kind": "pair", "args": {"query": query, "positive": positive}}


def manifest(files, kind="jsonl", **changes) -> Manifest:
    """A source of pairs on the Hub of this machine, with one table."""
    data = hub_set.manifest().model_dump()
    table = {"files": files if isinstance(files, list) else [files], "format": kind, "fields": FIELDS}
    of_table = {key: changes.pop(key) for key in ("members", "header", "other_names", "fields") if key in changes}
    data |= {
        "tables": {"records": table | of_table},
        "shape": pairs("q", "d"),
        "subsets": {"en": {"query_lang": "eng-Latn"}},
    }
    return Manifest.model_validate(data | changes)


def run(of: Manifest, with_options, threads=4):
    with ThreadPoolExecutor(threads) as pool:
        return probe(of, with_options, pool)


def records(count, width=40, start=0):
    return [{"q": f"question {i}", "d": f"answer {i} " + os.urandom(width).hex()} for i in range(start, start + count)]


def lines(count, width=40):
    return "".join(json.dumps(record) + "\n" for record in records(count, width)).encode()


def large_lines(bound=LARGE):
    block = lines(1000, 500)
    return block * (bound // len(block) + 1)


def large_parquet() -> bytes:
    block = pa.Table.from_pylist(records(26_000, 500))
    table = pa.concat_tables([block, block])
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=26_000, compression="none", use_dictionary=False)
    assert len(out.getvalue()) > LARGE
    return out.getvalue()


def large_zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("README", "no data")
        archive.writestr("set/train.jsonl", large_lines())
    return out.getvalue()


def large_tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in (("README", b"no data"), ("set/train.jsonl", large_lines())):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


LARGE_FILES = {
    "jsonl": ("train.jsonl", "jsonl", large_lines, {}),
    "gzip": ("train.jsonl.gz", "jsonl", lambda: gzip.compress(large_lines(), 0), {}),
    "parquet": ("train.parquet", "parquet", large_parquet, {}),
    "zip": ("all.zip", "jsonl", large_zip, {"members": ["set/*.jsonl"]}),
    "tar": ("all.tar", "jsonl", large_tar, {"members": ["set/*.jsonl"]}),
}


@pytest.mark.parametrize("kind", LARGE_FILES)
def test_of_a_large_file_little_is_read(server, tmp_path, kind):
    name, form, make, more = LARGE_FILES[kind]
    data = make()
    server.add("org/set", name, data)
    found = run(manifest(name, form, **more), options(server, tmp_path))
    assert (found.verdict, found.findings) == ("ok", [])
    assert found.size.bytes == len(data) > LARGE
    assert found.rows >= 100
    assert 0 < found.read < server.sent < MOST_SENT
    assert found.subsets["en"].first[0]["query"] == "question 0"
    assert found.size.records == (52_000 if kind == "parquet" else None)


@pytest.mark.parametrize("ranges", [True, False])
def test_of_a_large_file_behind_an_address_little_is_read(tmp_path, monkeypatch, ranges):
    monkeypatch.setattr(url, "PAUSE_S", 0.001)
    data = large_lines()
    with serving_files(files={"v1/train.jsonl": data}, ranges=ranges) as server:
        of = manifest("train.jsonl", origin={"kind": "url", "base": f"{server.endpoint}/v1"})
        found = run(of, options(server, tmp_path))
        assert (found.verdict, found.size.bytes) == ("ok", len(data))
        assert found.rows > 100
        assert server.sent < (MOST_SENT if ranges else LARGE // 2)  # what the kernel takes before it hears of the end


def test_of_a_zip_behind_an_address_without_ranges_nothing_is_read_to_the_end(tmp_path):
    with serving_files(files={"v1/all.zip": large_zip()}, ranges=False) as server:
        of = manifest("all.zip", members=["set/*.jsonl"], origin={"kind": "url", "base": f"{server.endpoint}/v1"})
        found = run(of, options(server, tmp_path))
        assert found.verdict == "warning"
        assert "the server gives files only as a whole" in found.findings[0].what
        assert server.sent < LARGE // 2


def test_many_files_share_what_is_read_and_every_head_is_read(server, tmp_path):
    data = pa.Table.from_pylist(records(3000, 100))
    for number in range(40):
        out = io.BytesIO()
        pq.write_table(data, out, compression="none", use_dictionary=False)
        server.add("org/set", f"many/{number:02d}.parquet", out.getvalue())
    found = run(manifest("many/*.parquet", "parquet"), options(server, tmp_path))
    assert (found.verdict, found.size.files, found.size.records) == ("ok", 40, 120_000)
    assert found.rows == 256, "rows of the first file; of the others the footer"
    assert found.read < 4 << 20
    assert server.requests("/lfs/.*many") >= 40


PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "br": None, "zst": None}


@pytest.mark.parametrize("ending", PACKERS)
def test_heads_of_compressed_files_are_whole_records(server, tmp_path, ending):
    plain = lines(30_000)
    if PACKERS[ending]:
        packed = PACKERS[ending](plain)
    else:
        packed = pa.compress(plain, codec={"br": "brotli", "zst": "zstd"}[ending], asbytes=True)
    server.add("org/set", f"train.jsonl.{ending}", packed)
    found = run(manifest(f"train.jsonl.{ending}"), options(server, tmp_path))
    assert (found.verdict, found.findings, found.quarantined.total()) == ("ok", [], 0)
    assert 100 < found.rows < 30_000
    assert found.read < 2 << 20


FORMS = {
    "csv": (b"q,d\n" + b'question,"an answer,\nin ""two"" lines"\n' * 40_000, {}),
    "tsv": (b"q\td\n" + b"question\tan answer, at some length, of one line\n" * 40_000, {}),
    "json": (json.dumps(records(10_000), indent=1).encode(), {}),
    "jsonl": (json.dumps(records(10_000)).encode(), {}),
    "tmx": (
        b'<?xml version="1.0"?><tmx><body>'
        + b'<tu><tuv xml:lang="q"><seg>Ja</seg></tuv><tuv xml:lang="d"><seg>Yes, of course</seg></tuv></tu>\n' * 20_000
        + b"</body></tmx>",
        {},
    ),
    "json-map": (
        json.dumps({f"key {i}": f"message {i} " * 9 for i in range(12_000)}).encode(),
        {"fields": {"key": "string", "value": "string"}, "shape": pairs("key", "value")},
    ),
    "text": (b"a line of text\n" * 80_000, {"fields": {"text": "string"}, "shape": pairs("text", "text")}),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_cut_is_not_held_against_a_file(server, tmp_path, form):
    data, more = FORMS[form]
    server.add("org/set", f"data.{form}", data)
    found = run(manifest(f"data.{form}", form, **more), options(server, tmp_path))
    if form == "text":  # query and positive are the same there
        assert set(found.quarantined) == {"query-equals-positive"}
        return
    assert (found.verdict, found.findings, found.quarantined.total()) == ("ok", [], 0)
    assert found.rows > 1000
    assert found.rows == found.records
    assert found.read < len(data)


def test_utf_16_is_cut_between_its_characters():
    of = manifest("a.csv", "csv").tables["records"]
    for encoding in ("utf-16-le", "utf-16-be"):
        said = "q,d\nĊ1,2\n3,".encode(encoding)  # U+010A has the byte of a line end
        marked = b"\xff\xfe" if encoding.endswith("le") else b"\xfe\xff"
        assert cut_records(marked + said, of) == marked + "q,d\nĊ1,2\n".encode(encoding)
        assert cut_records(said, of.model_copy(update={"encoding": encoding})) == "q,d\nĊ1,2\n".encode(encoding)


@pytest.mark.parametrize("threads", [1, 8])
def test_who_reads_changes_nothing(server, tmp_path, threads):
    for number in range(12):
        server.add("org/set", f"many/{number:02d}.jsonl", lines(2000 + number))
    of = manifest("many/*.jsonl")
    first, again = (run(of, options(server, tmp_path / str(i)), n).as_json() for i, n in enumerate((threads, 3)))
    assert first == again


def test_a_token_goes_to_no_other_host(server, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_IMPLICIT_TOKEN", False)
    server.gated.add("org/set")
    data = lines(100)
    server.add("org/set", "train.jsonl", data)
    with serving_files(files={"cdn": data}) as other:
        away = {"Location": f"{other.endpoint}/cdn"}
        server.failures.append(Failure("/resolve/.*train.jsonl", 302, times=99, headers=away))
        found = run(manifest("train.jsonl"), options(server, tmp_path))
        assert (found.verdict, found.rows) == ("ok", 100)
        asked = [request for request in server.seen if "/resolve/" in request.path]
        assert {headers_of(request)["authorization"] for request in asked} == {"Bearer hf_secret"}
        assert other.seen
        assert not any("authorization" in headers_of(request) for request in other.seen)
        assert "hf_secret" not in json.dumps(found.as_json())


def headers_of(request):
    return {name.lower(): value for name, value in request.headers.items()}


def test_files_of_a_folder_here_are_probed_without_a_network(tmp_path):
    home = tmp_path / "local/org/set"
    home.mkdir(parents=True)
    (home / "train.jsonl").write_bytes(lines(500))
    nobody = FetchOptions(str(tmp_path), endpoint="http://127.0.0.1:9", local_root=str(tmp_path / "local"))
    found = run(manifest("train.jsonl"), nobody)
    assert (found.verdict, found.reach, found.rows, found.read) == ("ok", "local", 500, 0)


def test_a_slice_is_measured_whole_and_looked_at_in_part(server, tmp_path):
    of = hub_set.manifest().model_copy(update={"subsets": {"en": hub_set.manifest().subsets["en"]}})
    of = of.model_copy(
        update={"shape": manifest("x").shape.model_copy(update={"args": {"query": "a", "positive": "a"}})}
    )
    found = run(of, options(server, tmp_path, files_per_table=2))
    assert found.size.files == 12
    assert found.records == 3
    assert found.read <= probing.SOURCE_BYTES
