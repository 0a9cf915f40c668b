"""One source's failure, of whatever kind, keeps no other from being worked on; the end names all of them."""

import json

import pytest
import yaml

from curation.build import StepResult
from curation.failures import Failures, RefusedError, RefusedForNowError
from curation.fetch import lock as locking
from curation.fetch import step as fetching
from curation.pipeline.freshness import Checker, load
from curation.pipeline.outcome import outcome_of
from curation.pipeline.run import run_step
from open_ml_embed.core.engine import Workers, run_all
from open_ml_embed.core.errors import FetchError, ManifestError, SchemaError, StageError, TransientError, exit_code
from open_ml_embed.core.store import Store
from open_ml_embed.core.task import Task
from tests.core.test_engine import TASKS, Squares
from tests.curation.normalize.test_yields import FIELDS, PAIR, lines, make, profile, records
from tests.support import project

TABLE = {"files": ["*.jsonl"], "format": "jsonl", "fields": FIELDS}


def table(**changes):
    return {"tables": {"records": TABLE | changes}}


@pytest.fixture(scope="module")
def troubled(tmp_path_factory):
    """Sources that fail in fetch each in a way of its own, and two good ones; `fetch` has run."""
    address = {"kind": "url", "base": "http://127.0.0.1:9/nothing"}
    sources = {
        "aaa_good": ({"a.jsonl": lines(records(3))}, {}),
        "no_match": ({"a.jsonl": lines(records(3))}, table(files=["b*.jsonl"])),
        "wildcard": ({"a.jsonl": lines(records(3))}, {"origin": address} | table(files=["*.jsonl"])),
        "empty_files": ({"a.jsonl": "", "b.jsonl": ""}, {}),
        "no_folder": ({"a.jsonl": "x"}, {"origin": {"kind": "manual", "url": "a shelf", "folder": "elsewhere"}}),
        "not_installed": (
            {"a.jsonl": "x"},
            {"origin": {"kind": "python", "stdlib": False, "distributions": ["no-such-distribution-of-python"]}},
        ),
        "zzz_good": ({"a.jsonl": lines(records(4))}, {}),
    }
    root = make(tmp_path_factory.mktemp("troubled"), sources)
    return root, sources, project.curate(root, "fetch", "--json", check=False)


def test_fetch_names_every_source_that_fails_and_brings_the_others(troubled):
    _, _, done = troubled
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert (
        "5 of 7 sources could not be fetched: empty_files, no_folder, no_match, not_installed, wildcard" in done.stderr
    )
    said = done.stderr[done.stderr.index("could not be fetched") :]
    for expected in (
        "empty_files: all 2 files are empty: a.jsonl, b.jsonl",
        "    no_folder/all: nothing in",
        "remedy: fetch it from a shelf",
        "no file matches b*.jsonl",
        "nearest names: a.jsonl",
        "not_installed: no file of table 'records': nothing matches * in any subset",
        "wildcard",
    ):
        assert expected in said, expected
    fetched = {line["source"]: line["files"] for line in json.loads(done.stdout)["sources"]}
    assert (fetched["aaa_good"], fetched["zzz_good"]) == (1, 1)
    assert sorted(json.loads(done.stdout)["refused"])[:2] == ["empty_files", "no_folder"]


def test_what_was_not_fetched_is_not_normalized_until_it_is_mended_or_left_out(troubled):
    root, _, _ = troubled
    early = project.curate(root, "normalize", check=False)
    assert early.returncode == 1
    assert "step fetch does not count as done: empty_files, no_folder" in early.stderr
    profile(root, ("aaa_good", "zzz_good"))
    project.curate(root, "fetch")
    assert json.loads(project.curate(root, "normalize", "--json").stdout)["total"]["rows"] == 7


def test_a_file_that_cannot_be_read_ends_fetch_for_its_source_alone(tmp_path, monkeypatch, workshop):
    for name in ("pears", "plums"):
        workshop.manifest(name, ["t"], origin={"kind": "manual", "url": "x", "folder": name}, shape=PAIR, **table())
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jsonl").write_text(lines(records(2)))
    whole = fetching.begin

    def failing(manifest, subset, options):
        if manifest.name == "pears":
            raise PermissionError(13, "Permission denied", "pears/a.jsonl")
        return whole(manifest, subset, options)

    monkeypatch.setattr(fetching, "begin", failing)
    build = workshop.build(sources={"collection": "offline", "local_root": str(tmp_path)})
    with pytest.raises(
        RefusedError, match=r"pears/a.jsonl: this user may not do that: permission denied\n.*ls -ld"
    ) as caught:
        run_step(build, "fetch")
    assert list(caught.value.result.stats["files"]) == ["plums"]


def test_normalize_goes_on_whatever_a_source_raises(tmp_path, workshop):
    good, shape = {"a.jsonl": lines(records(5))}, {"kind": "pair", "args": {"query": "q", "positive": "d"}}
    said = {
        "a_shape": {"kind": "paar"}, "an_argument": {"kind": "pair", "args": {"query": "q", "positiv": "d"}},
        "fine": shape, "other_columns": shape, "where": shape,
    }  # fmt: skip
    for name, used in said.items():
        more = {"where": {"z": ["a"]}} if name == "where" else {}
        origin = {"kind": "manual", "url": "x", "folder": name}
        workshop.manifest(name, ["t"], origin=origin, shape=used, **table(), **more)
        (tmp_path / name).mkdir()
        for file, text in good.items():
            (tmp_path / name / file).write_text(text if name != "other_columns" else '{"x": 1}\n')
    build = workshop.build(sources={"collection": "offline", "local_root": str(tmp_path)})
    run_step(build, "fetch")
    with pytest.raises(RefusedError) as caught:
        run_step(build, "normalize")
    assert "4 of 5 sources could not be normalized: a_shape, an_argument, other_columns, where" in str(caught.value)
    for expected in (
        "a_shape: unknown shape 'paar'",
        "did you mean pair?",
        "    an_argument: shape.args.positive: the argument 'positive' is missing",
        "other_columns: a.jsonl: no column",
        "    where: `where` names 'z', which no table declares",
    ):
        assert expected in str(caught.value), expected
    result = Checker(build).require("normalize", refused=True)
    assert [(shard.source, shard.rows) for shard in result.shards] == [("fine", 5)]
    with pytest.raises(StageError, match="step normalize does not count as done: a_shape"):
        load(build, "normalize")
    assert outcome_of(result).lines[-1].source == "fine"


def test_a_source_added_since_fetch_is_named(tmp_path, workshop):
    for name in ("first", "second"):
        workshop.manifest(name, ["t"], origin={"kind": "manual", "url": "x", "folder": name}, shape=PAIR, **table())
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jsonl").write_text(lines(records(2)))
    run_step(workshop.build(sources={"include": ["first"], "local_root": str(tmp_path)}), "fetch")
    build = workshop.build(sources={"include": ["first", "second"], "local_root": str(tmp_path)})
    with pytest.raises(StageError, match=r"source second was added\n.*curate fetch"):
        run_step(build, "normalize")


def test_lock_goes_on_after_a_source_that_raises_another_error(workshop, monkeypatch):
    for name in ("laws", "tales"):
        workshop.manifest(name, ["t"], origin={"kind": "hub", "repo": f"o/{name}"})
    workshop.root.joinpath("manifests/sources").mkdir(exist_ok=True)

    def resolving(manifest, options, unlocked):
        if manifest.name == "laws":
            raise ManifestError("a table names a repository that is none", where="laws", remedy="correct `repo`")
        return {}

    monkeypatch.setattr(locking, "resolve", resolving)
    with pytest.raises(RefusedError, match="1 of 2 sources could not be locked: laws") as caught:
        locking.run_lock(workshop.build())
    assert "correct `repo`" in str(caught.value)
    assert caught.value.result.stats["sources"] == {"tales": {"revisions": 0, "changed": 0, "files": 0}}


def test_evaluation_sets_are_all_gathered_though_one_cannot_be_read(tmp_path):
    root = make(tmp_path, {"tales": ({"a.jsonl": lines(records(30))}, {})})
    sets = root / "manifests/evaluations/sets"
    sets.mkdir(parents=True)
    example = yaml.safe_load((root / "manifests/sources/tales.yaml").read_text())
    for name, changes in {
        "good": table(),
        "other_columns": table(fields={"no": "string"}),
        "empty": table(files=["none.jsonl"]),
    }.items():
        folder = {"kind": "manual", "url": "x", "folder": "tales" if name != "empty" else "hollow"}
        (sets / f"{name}.yaml").write_text(yaml.safe_dump(example | changes | {"name": name, "origin": folder}))
    (root / "raw/hollow").mkdir()
    (root / "raw/hollow/none.jsonl").write_text("")
    decontaminate = {"sets": ["empty", "good", "other_columns"]}
    profile(root, ["tales"], decontaminate=decontaminate)
    for step in ("fetch", "normalize"):
        project.curate(root, step, "--workers", "1")
    done = project.curate(root, "decontaminate", "--workers", "1", check=False)
    assert done.returncode == 1
    assert "2 of 3 evaluation sets could not be had: empty, other_columns" in done.stderr
    assert "empty: nothing to read in its 1 files" in done.stderr
    assert "other_columns: 'd' is not among the declared fields" in done.stderr
    fetched = project.curate(root, "evaluations", "fetch", "--json", check=False)
    assert fetched.returncode == 1
    assert list(json.loads(fetched.stdout)["refused"]) == ["empty"]
    profile(root, ["tales"], decontaminate={"sets": ["good"]})
    assert "30" in project.curate(root, "decontaminate", "--workers", "1").stdout


@pytest.mark.parametrize("workers", [Workers("local", 1), Workers("local", 2)])
def test_the_engine_goes_on_after_a_task_that_fails(tmp_path, workers):
    tasks = [Task("s/bad", ("bad",), -1), *TASKS, Task("s/worse", ("worse",), -2)]
    first, *good, last = run_all(Squares(), tasks, Store(str(tmp_path)), workers)
    assert [str(error).splitlines()[0] for error in (first, last)] == ["s/bad: negative", "s/worse: negative"]
    assert [marker.stats["rows"] for marker in good] == list(range(6))
    again = run_all(Squares(), tasks, Store(str(tmp_path)), workers)
    assert again[1:-1] == good


def failing(*errors):
    failures = Failures("fetch", "sources", "fetched")
    for number, error in enumerate(errors):
        with failures.of(f"s{number}"):
            raise error
    return failures


def test_the_code_says_whether_to_try_again():
    late, wrong = TransientError("too many requests"), FetchError("no such file")
    for errors, kind, code in (((late, late), RefusedForNowError, 2), ((late, wrong), RefusedError, 1)):
        with pytest.raises(kind, match="2 of 3 sources could not be fetched: s0, s1") as caught:
            failing(*errors).end(of=3, where="profile x", result=StepResult("fetch"))
        assert exit_code(caught.value) == code


def test_a_fault_of_the_program_comes_out_as_itself_after_the_others():
    failures = failing(SchemaError("no column"), KeyError("x"))
    assert failures.refused == {"s0": "no column", "s1": "KeyError: 'x'"}
    with pytest.raises(KeyError):
        failures.end(of=2, where="profile x")
