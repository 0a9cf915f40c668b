"""A build whose shards lie in a bucket: every verb, the same bytes, raw files included."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from curation.build import Build
from curation.raw_copies import RawCopies
from curation.settings import load_profile
from sources.parts import RawFile
from tests.support import project
from tests.support.hub.files import serving_files
from tests.support.s3 import objects, serving_bucket


@pytest.fixture(scope="module")
def bucket():
    with serving_bucket() as url:
        yield url


@pytest.fixture(scope="module")
def temporary(tmp_path_factory):
    """A folder for temporary files that the commands share, as on one machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("temporary")))
        yield


def make(folder, server, **profile):
    """A project with one source that is downloaded, besides those read in place."""
    sources = {"include": ["pairs", "classes", "opinions", "letters"], "local_root": str(folder / "raw")}
    root = project.make(folder, rows=120, sources=sources, **profile)
    project.manifest(
        root, "letters",
        origin={"kind": "url", "base": f"{server.endpoint}/v1"},
        tables={"records": {"files": ["letters.jsonl"], "format": "jsonl", "fields": {"q": "string", "d": "string"}}},
        shape={"kind": "pair", "args": {"query": "q", "positive": "d"}},
    )  # fmt: skip
    return root


@pytest.fixture(scope="module")
def server():
    with serving_files() as running:
        lines = [
            json.dumps({"q": f"who wrote letter {i}", "d": f"letter {i} was written by {i * 7}"}) for i in range(60)
        ]
        running.files["v1/letters.jsonl"] = ("\n".join(lines) + "\n").encode()
        yield running


@pytest.fixture(scope="module")
def built(bucket, server, temporary, tmp_path_factory):
    """The same project twice: built on the disk and in the bucket."""
    here, there = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("there")
    make(here, server)
    make(there, server, work=f"{bucket}/work")
    for step in project.STEPS:
        project.run(here, *step)
        if step in (("normalize",), ("mine",)):  # in processes of their own
            project.curate(there, *step, "--workers", "2")
        else:
            project.run(there, *step)
        if step == ("fetch",):
            shutil.rmtree(there / "work" / "raw")  # another machine of the cluster has no raw files
    return here, there


def test_the_same_bytes_as_on_a_disk(built):
    here, there = built
    ours, theirs = project.tree(here), project.tree(there)
    in_bucket = objects("work/tiny/")
    on_disk = {name: data for name, data in ours.items() if name.startswith("work/")}
    assert in_bucket == on_disk
    assert {name: data for name, data in theirs.items() if name.startswith("out/")} == {
        name: data for name, data in ours.items() if name.startswith("out/")
    }
    assert [name for name in theirs if name.startswith("work/")] == []
    assert {name.split("/")[1] for name in objects("work/")} == {"tiny", "raw", "evaluations"}


def test_status_and_show_see_what_is_in_the_bucket(built):
    here, there = built
    ours, theirs = (json.loads(project.run(root, "status", "--json")) for root in (here, there))
    times = [status.pop("last_runs") for status in (ours, theirs)]
    assert ours == theirs
    assert [sorted(runs) for runs in times] == [sorted("-".join(step) for step in project.STEPS)] * 2
    assert (there / "work/tiny/.runs.jsonl").is_file()
    for verb in (
        ("show", "letters", "--json"),
        ("show", "pairs", "all", "-n", "3", "--json"),
        ("show", "pairs", "--quarantined", "--json"),
    ):
        shown = project.run(there, *verb)
        assert shown
        assert shown == project.run(here, *verb)


def test_report_and_export_are_the_same(built):
    here, there = built
    for root in built:
        project.run(root, "report")
        project.run(
            root,
            "export",
            "retrieval",
            "--format",
            "sentence-transformers",
            "--shortage",
            "repeat",
            "--to",
            "out/exported",
        )
    assert (here / "out/tiny/report.html").read_bytes() == (there / "out/tiny/report.html").read_bytes()
    exported = [
        {p.relative_to(root): p.read_bytes() for p in (root / "out/exported").rglob("*") if p.is_file()}
        for root in built
    ]
    assert exported[0] == exported[1]
    assert exported[0]


def test_a_second_run_does_nothing(built):
    _, there = built
    before = objects("work/")
    for step in (("normalize",), ("dedup",), ("mine",)):
        lines = project.curate(there, *step).stderr.splitlines()
        progress = [json.loads(line) for line in lines if line.startswith("{") and "resumed" in line]
        assert progress
        assert all(line["resumed"] == line["total"] for line in progress)
    assert objects("work/") == before


def test_lost_shards_are_named_with_their_address_and_made_again(built, bucket):
    from tests.support.s3 import bucket as client

    _, there = built
    before = objects("work/tiny/")
    (name,) = [name for name in before if name.endswith(".rows.arrow") and "/letters/" in name]
    client().Object(name).delete()
    status = json.loads(project.run(there, "status", "--json"))
    assert status["stages"]["normalize"] == "lost"
    assert f"{bucket}/work/tiny/" in status["problems"]["normalize"]["why"]
    project.run(there, "normalize")
    assert objects("work/tiny/") == before


def test_where_shards_lie_changes_no_result(built):
    """Nothing is stale when `work` moves to another place with the same files."""
    here, _ = built
    moved = here.parent / "moved"
    params = yaml.safe_load((here / "params.yaml").read_text())
    params["tiny"]["work"] = str(moved)
    shutil.copytree(here / "work", moved)
    (here / "params.yaml").write_text(yaml.safe_dump(params))
    status = json.loads(project.run(here, "status", "--json"))
    assert {status["stages"][step] for step in ("normalize", "dedup", "mine", "mix-retrieval")} == {"done"}
    (moved / "tiny" / "rows").rename(moved / "tiny" / "elsewhere")
    assert json.loads(project.run(here, "status", "--json"))["stages"]["normalize"] == "lost"


def test_raw_files_are_uploaded_once_by_their_content(bucket, tmp_path):
    copies = RawCopies(str(tmp_path / "raw"), f"{bucket}/once")
    path = tmp_path / "raw" / "a" / "b.jsonl.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"one")
    file, outside = RawFile("t", "b", str(path), 3, "1"), RawFile("t", "c", str(tmp_path / "c"), 3, "1")
    copies.upload([file, outside])
    assert list(objects("once/").values()) == [b"one"]
    path.write_bytes(b"two")
    copies.upload([RawFile("t", "b", str(path), 3, "2")])
    assert sorted(objects("once/").values()) == [b"one", b"two"]
    path.unlink()
    assert copies.missing([file]) is None
    assert copies.missing([file, outside]) == outside
    with copies.here([file]) as (here,):
        assert here.path.endswith("/b.jsonl.gz"), "readers go by the suffix"
        assert Path(here.path).read_bytes() == b"one"
    assert not path.exists()


@pytest.mark.parametrize(("work", "says"), [("/", "must name a folder or an address"), ("", "must name a folder")])
def test_an_empty_place_is_refused(tmp_path, work, says):
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"profile": "a", "a": {"work": work}}))
    with pytest.raises(ValueError, match=says):
        load_profile(tmp_path / "params.yaml", None)


def test_locks_and_caches_stay_on_this_machine(tmp_path):
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"profile": "a", "a": {"work": "s3://b/c/"}}))
    build = Build(*load_profile(tmp_path / "params.yaml", None), tmp_path)
    assert (build.work, build.local_work) == ("s3://b/c", tmp_path / "work")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"profile": "a", "a": {"work": "big"}}))
    build = Build(*load_profile(tmp_path / "params.yaml", None), tmp_path)
    assert (build.work, build.local_work) == (str(tmp_path / "big"), tmp_path / "big")
