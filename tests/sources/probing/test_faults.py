"""Faults of every kind, each planted in a source and each named by its probe, with a remedy."""

import gzip
import io
import json
import tarfile
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sources import registry
from sources.fetch import FetchOptions, hub, retry, url
from sources.lock import Lock
from tests.sources.probing.test_probing import manifest, run
from tests.support import hub_set
from tests.support.hub.files import serving_files
from tests.support.hub.server import Failure
from tests.support.hub_set import options

ROWS = [{"q": f"question {i}", "d": f"answer {i}"} for i in range(40)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 5000000\n"
PAGE = b"<!DOCTYPE html>\n<html><body><h1>Please log in</h1></body></html>\n" * 20


@pytest.fixture
def server(tmp_path, monkeypatch):
    with hub_set.serving_set(tmp_path / "hub", monkeypatch) as running:
        running.add("org/set", "train.jsonl", LINES)
        yield running


def parquet(columns) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def lines(rows) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def zipped(members) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(members) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def worst(found):
    return found.findings[0]


def test_nothing_is_said_of_a_source_that_is_as_it_should_be(server, tmp_path):
    found = run(manifest("train.jsonl"), options(server, tmp_path))
    assert (found.verdict, found.reach, found.findings, found.rows) == ("ok", "reachable", [], 40)
    assert found.columns == {"records": {"q": "string", "d": "string"}}
    ((repo, ref, commit, now),) = found.revisions
    assert (repo, ref, commit, now) == ("org/set", "main", server.commit("org/set", "main"), None)


CONTENT = {
    "another column": ("parquet", parquet({"q": ["a"], "document": ["b"]}), "no column 'd'", "`fields`"),
    "a column nearly so called": (
        "parquet",
        parquet({"q": ["a"] * 9, "ds": ["b"] * 9}),
        "no column 'd'; found: ds, q; expected: d, q",
        "'d' may be 'ds'",
    ),
    "another column of lines": (
        "jsonl",
        lines({"q": "a", "dd": f"b {i}"} for i in range(9)),
        "no column 'd'; found: dd, q",
        "'d' may be 'dd'",
    ),
    "another column of csv": ("csv", b"q,document\na,b\n" * 9, "no column 'd'; found: document, q", "`fields`"),
    "no header": ("tsv", b"a question\tan answer\n" * 9, "no column 'q', 'd'", "declare its column names as `header`"),
    "a wrong type": (
        "parquet",
        parquet({"q": [["a"]] * 9, "d": ["b"] * 9}),
        "column 'q' is list<element: string>, which cannot become string",
        "declare the type the file has",
    ),
    "a wrong type of lines": (
        "jsonl",
        lines({"q": {"text": ["a"]}, "d": f"b {i}"} for i in range(9)),
        "which cannot become string",
        "declare the type the file has",
    ),
    "a cut parquet": (
        "parquet",
        parquet({"q": ["a"] * 9000, "d": [str(i) for i in range(9000)]})[:-400],
        "no Parquet file",
        "",
    ),
    "a large cut parquet": (
        "parquet",
        parquet({"q": ["a"] * 200_000, "d": [str(i) for i in range(200_000)]})[:-400],
        "no Parquet file, or a cut one: its footer is not at its end",
        "whole file",
    ),
    "an LFS pointer": ("jsonl", POINTER, "a Git LFS pointer, not the data", "whole file"),
    "an LFS pointer for parquet": ("parquet", POINTER, "a Git LFS pointer, not the data", "whole file"),
    "a page": ("csv", PAGE, "an HTML page, not the data", "whole file"),
    "a large page for parquet": ("parquet", PAGE * 1000, "an HTML page, not the data", "whole file"),
    "an empty file": ("jsonl", b"", "the file is empty (0 bytes)", "whole file"),
    "another encoding": (
        "jsonl",
        "".join(f'{{"q": "où {i}", "d": "là-bas, bientôt"}}\n' for i in range(50)).encode("cp1252"),
        "not UTF-8",
        "",
    ),
    "equal texts": (
        "jsonl",
        lines({"q": str(i), "d": str(i)} for i in range(30)),
        "query-equals-positive 30",
        "compare",
    ),
    "a damaged gzip": ("jsonl", gzip.compress(LINES * 20)[:-30], "the gzip data end before their end", "whole file"),
}


@pytest.mark.parametrize("kind", CONTENT)
def test_content_that_is_not_the_data(server, tmp_path, kind):
    form, data, what, remedy = CONTENT[kind]
    server.add("org/set", "odd.data", data)
    found = run(manifest("odd.data", form), options(server, tmp_path))
    assert (found.verdict, found.transient) == ("failed", False)
    assert what in worst(found).what
    assert "odd.data" in worst(found).where
    assert remedy in worst(found).remedy
    assert found.size.files == 1


ARCHIVES = {"set.zip": zipped, "set.tar.gz": tarred}


@pytest.mark.parametrize("name", ARCHIVES)
def test_archive_without_matching_members(server, tmp_path, name):
    server.add("org/set", name, ARCHIVES[name]({"v2/training.jsonl": LINES, "README": b"no data"}))
    found = run(manifest(name, members=["v1/train*.jsonl"]), options(server, tmp_path))
    assert found.verdict == "failed"
    assert worst(found).what == "no member of the archive matches v1/train*.jsonl"
    assert worst(found).remedy.startswith("nearest names: v2/training.jsonl")
    assert "correct `members`" in worst(found).remedy
    whole = run(manifest(name, members=["v2/*.jsonl"]), options(server, tmp_path))
    assert (whole.verdict, whole.rows) == ("ok", 40)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_archive_with_a_bad_stream(server, tmp_path, method):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("a.jsonl", LINES * 50)
    data = bytearray(out.getvalue())
    data[45:53] = b"\xaa" * 8
    server.add("org/set", "set.zip", bytes(data))
    found = run(manifest("set.zip", members=["*.jsonl"]), options(server, tmp_path))
    assert (found.verdict, found.transient) == ("failed", False)


@pytest.mark.parametrize("name", ARCHIVES)
def test_archive_that_is_none(server, tmp_path, name):
    server.add("org/set", name, PAGE)
    found = run(manifest(name, members=["*.jsonl"]), options(server, tmp_path))
    assert found.verdict == "failed"
    assert "an HTML page" in worst(found).what


def test_one_empty_file_among_others_is_a_warning(server, tmp_path):
    server.add("org/set", "some/a.jsonl", LINES)
    server.add("org/set", "some/b.jsonl", b"")
    found = run(manifest("some/*.jsonl"), options(server, tmp_path))
    assert found.verdict == "warning"
    assert (worst(found).what, worst(found).where) == ("the file is empty (0 bytes)", "some/b.jsonl")


def test_no_file_matches(server, tmp_path):
    found = run(manifest("data/trian-*.jsonl"), options(server, tmp_path))
    assert found.verdict == "failed"
    assert "no file matches data/trian-*.jsonl" in worst(found).what
    assert "nearest names: data/train-" in worst(found).remedy


def test_gated_repository(server, tmp_path):
    server.gated.add("org/set")
    found = run(manifest("train.jsonl"), options(server, tmp_path))
    assert (found.verdict, found.reach, found.transient) == ("failed", "gated", False)
    assert "the repository is gated" in worst(found).what
    assert "HF_TOKEN" in worst(found).remedy


@pytest.mark.parametrize(("status", "reach"), [(403, "gated"), (451, "refused")])
def test_refused_file(server, tmp_path, status, reach):
    server.failures.append(Failure("/resolve/", status, times=99))
    found = run(manifest("train.jsonl"), options(server, tmp_path))
    assert (found.verdict, found.reach) == ("failed", reach)
    assert f"HTTP {status}" in worst(found).what


def test_repository_that_is_gone(server, tmp_path):
    found = run(manifest("train.jsonl", origin={"kind": "hub", "repo": "org/gone"}), options(server, tmp_path))
    assert (found.verdict, found.reach) == ("failed", "gone")
    assert "no such repository" in worst(found).what


def test_revision_that_is_gone(server, tmp_path):
    of = manifest("train.jsonl", origin={"kind": "hub", "repo": "org/set", "ref": "refs/convert/parquet"})
    found = run(of, options(server, tmp_path))
    assert (found.verdict, found.reach) == ("failed", "gone")
    assert "no Parquet conversion" in worst(found).what


def test_mirror_stands_in_for_what_is_gone_or_gated(server, tmp_path):
    server.add("org/copy", "train.jsonl", LINES)
    for repo in ("org/gone", "org/set"):
        server.gated = {"org/set"}
        hub._listings.clear()
        of = manifest("train.jsonl", origin={"kind": "hub", "repo": repo, "mirrors": ["org/copy"]})
        found = run(of, options(server, tmp_path))
        assert (found.verdict, found.rows, found.reach) == ("warning", 40, "reachable")
        assert "read from the mirror org/copy, as" in worst(found).what
        assert [one[0] for one in found.revisions] == ["org/copy"]
    of = manifest("train.jsonl", origin={"kind": "hub", "repo": "org/gone", "mirrors": ["org/set"]})
    found = run(of, options(server, tmp_path))
    assert (found.verdict, found.reach) == ("failed", "gone")
    assert "mirror org/set: the repository is gated" in worst(found).what


@pytest.mark.parametrize("where", ["/revision/", "/tree/", "/resolve/"])
def test_busy_server_is_asked_again(server, tmp_path, where):
    server.failures.append(Failure(where, 429))
    found = run(manifest("train.jsonl"), options(server, tmp_path))
    assert (found.verdict, found.rows) == ("ok", 40)


@pytest.mark.parametrize("where", ["/revision/", "/resolve/"])
def test_server_that_stays_busy_is_for_another_run(server, tmp_path, monkeypatch, where):
    monkeypatch.setattr(retry.time, "sleep", lambda _: None)
    server.failures.append(Failure(where, 429, times=999))
    found = run(manifest("train.jsonl"), options(server, tmp_path))
    assert (found.verdict, found.transient, found.reach) == ("failed", True, "busy")
    assert "too many requests" in worst(found).what


def test_cut_range_is_asked_for_again(server, tmp_path):
    server.failures.append(Failure("/resolve/.*train.jsonl", cut_after=1))
    found = run(manifest("train.jsonl"), options(server, tmp_path))
    assert (found.verdict, found.rows) == ("ok", 40)


URL_FAULTS = {
    401: ("gated", False),
    403: ("gated", False),
    404: ("gone", False),
    410: ("gone", False),
    503: ("busy", True),
}


@pytest.mark.parametrize("status", URL_FAULTS)
def test_refusals_of_a_plain_server(tmp_path, monkeypatch, status):
    monkeypatch.setattr(retry.time, "sleep", lambda _: None)
    with serving_files(files={"v1/train.jsonl": LINES}) as files:
        files.failures.append(Failure("train", status, times=99))
        of = manifest("train.jsonl", origin={"kind": "url", "base": f"{files.endpoint}/v1"})
        found = run(of, FetchOptions(str(tmp_path)))
    assert (found.reach, found.transient, found.verdict) == (*URL_FAULTS[status], "failed")
    assert f"HTTP {status}" in worst(found).what
    assert (found.size.files, found.size.bytes) == (1, None)


def test_plain_server_that_is_busy_once_or_gives_a_page_or_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(url, "PAUSE_S", 0.001)
    with serving_files(files={"v1/train.jsonl": LINES, "v1/page.jsonl": PAGE, "v1/none.jsonl": b""}) as files:
        files.failures.append(Failure("train", 429))

        def probed(name):
            return run(
                manifest(name, origin={"kind": "url", "base": f"{files.endpoint}/v1"}), FetchOptions(str(tmp_path))
            )

        assert (probed("train.jsonl").verdict, probed("train.jsonl").size.bytes) == ("ok", len(LINES))
        assert "an HTML page" in worst(probed("page.jsonl")).what
        assert (worst(probed("none.jsonl")).what, probed("none.jsonl").size.bytes) == ("the file is empty (0 bytes)", 0)


DAMAGE = {
    "mojibake": "the cafÃ© was closed number {i}",
    "entities": "bread &amp; butter number {i}",
    "tags": "one line<br>another number {i}",
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_texts_are_a_warning(server, tmp_path, kind):
    rows = [{"q": f"question {i}", "d": DAMAGE[kind].replace("{i}", str(i))} for i in range(30)]
    server.add("org/set", "damaged.jsonl", lines(rows))
    found = run(manifest("damaged.jsonl"), options(server, tmp_path))
    assert (found.verdict, found.rows) == ("warning", 30)
    assert worst(found).what == f"30 of 60 texts of the heads show damage: {kind}"
    assert found.checks[kind] == 30
    mended = run(manifest("damaged.jsonl", clean=["encoding", "entities", "tags"]), options(server, tmp_path))
    assert (mended.verdict, mended.checks[kind]) == ("ok", 0)


def test_records_that_a_rule_leaves_out_are_a_warning(server, tmp_path):
    of = manifest("train.jsonl", where={"q": ["a question that nobody asks"]})
    found = run(of, options(server, tmp_path))
    assert (found.verdict, found.rows) == ("warning", 0)
    assert "all of the first 40 records are left out by rule: where 40" in worst(found).what


def test_few_records_that_become_rows_are_a_warning(server, tmp_path):
    server.add("org/set", "few.jsonl", lines({"q": "" if i % 3 else f"q {i}", "d": f"d {i}"} for i in range(60)))
    found = run(manifest("few.jsonl"), options(server, tmp_path))
    assert (found.verdict, found.rows) == ("warning", 20)
    assert "of the first 60 records 40 cannot become rows: empty-query 40" in worst(found).what


def test_other_names_of_columns_are_found_as_by_the_reader(server, tmp_path):
    server.add("org/set", "renamed.jsonl", lines({"question": f"q {i}", "d": f"d {i}"} for i in range(9)))
    server.add(
        "org/set", "renamed.parquet", parquet({"question": ["a", "b"] * 9000, "d": [str(i) for i in range(18_000)]})
    )
    for form in ("jsonl", "parquet"):
        found = run(manifest(f"renamed.{form}", form, other_names={"q": ["question"]}), options(server, tmp_path))
        assert (found.verdict, found.renamed) == ("ok", {"records": {"q": "question"}})
        assert found.rows > 0


def test_commit_that_moved_since_the_lock(server, tmp_path):
    of = manifest("train.jsonl")
    locked = hub.resolve(of, options(server, tmp_path))
    before = locked["org/set", "main"].commit
    given = options(server, tmp_path / "raw", lock=Lock(locked))
    assert run(of, given).verdict == "ok"
    server.add("org/set", "more.jsonl", LINES)
    now = server.commit("org/set", "main")
    server.aliases = {before: "main"}
    found = run(of, options(server, tmp_path / "later", lock=Lock(locked)))
    assert (found.verdict, found.rows) == ("warning", 40)
    assert f"it was {before[:12]}" in worst(found).what
    assert f"is {now[:12]} now" in worst(found).what
    assert "curate lock" in worst(found).remedy
    assert found.revisions[0][3] == now


def test_lock_without_the_repository_and_lock_of_a_commit_that_is_gone(server, tmp_path):
    of = manifest("train.jsonl")
    found = run(of, options(server, tmp_path, lock=Lock({})))
    assert (found.verdict, found.rows) == ("warning", 40)
    assert "not in the lock" in worst(found).what
    locked = hub.resolve(of, options(server, tmp_path))
    server.add("org/set", "more.jsonl", LINES)
    found = run(of, options(server, tmp_path / "again", lock=Lock(locked)))
    assert (found.verdict, found.reach) == ("failed", "gone")
    assert "this commit no more" in worst(found).what


def test_origin_that_is_dead_by_the_manifest(server, tmp_path):
    of = manifest("train.jsonl", access={"kind": "dead", "replaced_by": "another set"})
    found = run(of, options(server, tmp_path))
    assert (found.verdict, found.reach, server.seen) == ("warning", "dead", [])
    assert "another set takes its place" in worst(found).what


def test_files_that_a_person_has_to_fetch(tmp_path):
    of = manifest(
        "train.jsonl",
        access={"kind": "manual", "steps": "Fill in the form there."},
        origin={"kind": "manual", "url": "https://example.org", "folder": "by_hand"},
    )
    found = run(of, FetchOptions(str(tmp_path), local_root=str(tmp_path / "local")))
    assert (found.verdict, found.reach) == ("failed", "manual")
    assert "put the files into <local_root>/by_hand" in worst(found).remedy
    home = tmp_path / "local/by_hand"
    home.mkdir(parents=True)
    (home / "train.jsonl").write_bytes(LINES)
    found = run(of, FetchOptions(str(tmp_path), local_root=str(tmp_path / "local")))
    assert (found.verdict, found.reach, found.rows) == ("ok", "local", 40)


def test_shape_that_needs_a_whole_subset_is_said_to_be_partial(server, tmp_path):
    rows = [{"q": f"a text about {i}, written at some length", "d": f"class {i % 5}"} for i in range(20_000)]
    server.add("org/set", "classes.jsonl", lines(rows))
    of = manifest(
        "classes.jsonl",
        family="clustering",
        task="topic-classification",
        shape={"kind": "label", "args": {"mode": "clustering", "text": "q", "label": "d"}},
    )
    found = run(of, options(server, tmp_path))
    assert found.verdict == "ok"
    assert found.subsets["en"].partial
    assert found.rows > 1000
    assert worst(found).level == "note"
    assert "need a whole subset" in worst(found).what
    assert found.checks["under_both"] == 0


def test_sources_of_tools_say_what_they_need(tmp_path, monkeypatch):
    for name, words in (("debian_descriptions", "apt-get"), ("python_docstrings", "standard library")):
        found = run(registry.load(name), FetchOptions(str(tmp_path)))
        assert found.reach == "unprobed"
        assert words in found.findings[-1].what
        assert not list(tmp_path.iterdir()), "nothing was run"
    monkeypatch.setattr("sources.fetch.apt.shutil.which", lambda _: None)
    found = run(registry.load("debian_descriptions"), FetchOptions(str(tmp_path)))
    assert found.verdict == "warning"
    assert "apt-get is not installed, so that `curate fetch` will skip it" in worst(found).what
