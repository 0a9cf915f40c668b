"""A build from Python: planned, run, resumed, read; by the code, the files and the lock of the command."""

import fcntl
import shutil
import subprocess
import sys

import pytest
import yaml

import open_ml_embed as ome
from open_ml_embed.core.errors import StageError, UnknownNameError
from tests.support import project
from tests.support.workshop import RATES

STEPS = [
    "fetch",
    "normalize",
    "identify",
    "measure",
    "dedup",
    "decontaminate",
    "mine",
    "mix instruction",
    "mix retrieval",
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project that was built from Python, and what the run said."""
    root = project.make(tmp_path_factory.mktemp("project"), rows=80)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CORPUS_MANIFESTS", str(root / "manifests"))
        build = ome.Build.from_params(root / "params.yaml", workers=1)
        return root, build.run(until="mix", quiet=True)


@pytest.fixture
def root(made, tmp_path, monkeypatch):
    shutil.copytree(made[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("CORPUS_MANIFESTS", str(tmp_path / "manifests"))
    monkeypatch.delenv("CURATE_PROFILE", raising=False)
    settings = yaml.safe_load((tmp_path / "params.yaml").read_text())
    settings["tiny"]["sources"]["local_root"] = "raw"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings))
    (tmp_path / "manifests/rates.yaml").write_text(yaml.safe_dump(RATES))
    return tmp_path


@pytest.fixture
def build(root):
    return ome.Build.from_params(root / "params.yaml", "tiny", workers=1)


def test_a_run_says_what_it_did(made):
    assert made[1].ran == STEPS
    assert made[1].current == []
    assert repr(made[1]).startswith(f"BuildRun(profile tiny: ran {', '.join(STEPS)} in ")
    normalized = made[1].steps[1]
    rows = sum(entry["rows"] for entry in normalized.statistics.details["sources"].values())
    assert normalized.statistics.total["rows"] == rows > 300
    assert normalized.seconds > 0


def test_the_files_are_those_that_the_commands_write(made, tmp_path, monkeypatch):
    project.make(tmp_path, rows=80)
    monkeypatch.setenv("CORPUS_MANIFESTS", str(tmp_path / "manifests"))
    for step in project.STEPS:
        project.run(tmp_path, *step)
    theirs = project.tree(tmp_path)
    ours = project.tree(made[0])
    assert ours.keys() == theirs.keys()
    differing = [
        name for name in ours if ours[name] != theirs[name] and not name.endswith(("fetch.json", ".done.json"))
    ]
    assert [name for name in differing if name.endswith((".arrow", ".parquet", ".md"))] == []


def test_what_is_current_is_left_and_what_is_not_runs_again(build, root, capsys):
    again = build.run(until="mix")
    assert (again.ran, again.current) == ([], STEPS)
    assert capsys.readouterr().out == ""
    settings = yaml.safe_load((root / "params.yaml").read_text())
    settings["tiny"]["mining"]["num_negatives"] = 4
    (root / "params.yaml").write_text(yaml.safe_dump(settings))
    changed = ome.Build.from_params(root / "params.yaml", workers=1)
    assert changed.status().stages["mine"] == "stale"
    assert "setting mining.num_negatives changed (5, now 4)" in changed.status().problems["mine"][0]
    with pytest.raises(StageError, match=r"mining\.num_negatives changed"):
        changed.mix("retrieval")
    run = changed.run(until="mix retrieval")
    assert run.ran == ["mine", "mix retrieval"]
    assert run.current == STEPS[:6]
    printed = capsys.readouterr().out
    assert "mine, profile tiny: 3 sources" in printed
    assert "mix-retrieval, profile tiny" in printed
    assert max(map(len, changed.mix("retrieval").samples.to_table()["negative_ids"].to_pylist())) == 4
    assert changed.status().stages["mix-instruction"] == "stale"


def test_lost_shards_are_made_again_from_their_raw_files(build, root):
    (shard, *_) = sorted((root / "work/tiny/rows/pairs").rglob("*.rows.arrow"))
    held = shard.read_bytes()
    shard.unlink()
    assert build.status().stages["normalize"] == "lost"
    assert build.run(until="normalize", quiet=True).ran == ["normalize"]
    assert shard.read_bytes() == held
    assert build.run(until="mine", quiet=True).ran == []


def test_what_the_command_line_said_is_kept(build, root):
    folder = shutil.copytree(root / "raw/leaked", root / "raw/more")
    project.run(root, "decontaminate", "--evaluation", str(folder))
    assert build.status().stages["decontaminate"] == "done"
    (root / "work/tiny/contamination").rename(root / "elsewhere")
    assert build.status().stages["decontaminate"] == "lost"
    assert build.run(until="decontaminate", quiet=True).ran == ["decontaminate"]
    assert build._build.read("decontaminate").overrides == {"evaluation": ["raw/more"]}


def test_one_run_at_a_time_be_it_the_command(build, root):
    with (root / "work/tiny/.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StageError, match="another run of this profile is at work"):
            build.run()
        with pytest.raises(StageError, match="another run of this profile is at work"):
            project.run(root, "normalize")
    assert build.run(until="fetch").current == ["fetch"]


def test_names_that_there_are_not_are_refused(build, root):
    for call in (lambda: build.run(until="mien"), lambda: build.statistics("mien")):
        with pytest.raises(UnknownNameError, match="unknown step 'mien'\n  remedy: did you mean mine"):
            call()
    with pytest.raises(ValueError, match=r"profile tiny: unknown mix 'retreival'\n  remedy: did you mean retrieval\?"):
        build.mix("retreival")
    with pytest.raises(ValueError, match="unknown step 'report'"):
        build.statistics("report")
    with pytest.raises(ValueError, match=r"unknown profile 'tyni'\n  remedy: did you mean tiny\?"):
        ome.Build.from_params(root / "params.yaml", "tyni")
    with pytest.raises(ValueError, match="no such file"):
        ome.Build.from_params(root / "parms.yaml")
    with pytest.raises(ValueError, match="unknown engine 'dask'"):
        ome.Build.from_params(root / "params.yaml", engine="dask")
    with pytest.raises(ValueError, match="unknown family 'retreival'"):
        build.plan(family="retreival")


def test_a_step_that_fails_says_so_and_the_run_ends(build, root):
    (root / "raw/opinions/all.parquet").write_bytes(b"no parquet")
    with pytest.raises(StageError, match="opinions"):
        build.run()
    assert build.status().stages["normalize"] != "done"


def test_plan_status_and_statistics_are_typed(build):
    plan = build.plan()
    assert plan.sources == ["classes", "opinions", "pairs"]
    assert plan.rows == sum(plan.table["rows"].to_pylist()) == 3
    assert plan.mixes == {"instruction": 3, "retrieval": 1}
    assert build.plan(family="retrieval").sources == ["pairs"]
    assert repr(plan) == "Plan(profile tiny: 3 sources, 3 rows; mixes: instruction 3, retrieval 1)"
    status = build.status()
    assert status.stages["mine"] == "done"
    assert status.mixes == {name: build.mix(name).samples.count_rows() for name in ("instruction", "retrieval")}
    assert status.table["stage"].to_pylist() == list(status.stages)
    assert repr(status).startswith("Status(profile tiny: done fetch, normalize, ")
    mined = build.statistics("mine")
    assert mined.table.column_names == ["source", "rows", "mined", "short", "none", "negatives", "share"]
    assert mined.total["rows"] == sum(mined.table["rows"].to_pylist())
    assert mined.details["sources"].keys() == {"classes", "opinions", "pairs"}
    assert repr(mined).startswith("Statistics(mine, 3 sources: rows ")
    assert build.statistics("mix retrieval").step == "mix retrieval"
    assert build.steps == (*STEPS, "report")
    assert repr(build) == f"Build(profile tiny of {build.params}; mixes: instruction, retrieval)"


def test_plan_and_status_print_what_the_commands_print(root, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(root)
    build = ome.Build.from_params(workers=1)
    for verb, made in (("plan", build.plan()), ("status", build.status())):
        made.print()
        ours = capsys.readouterr().out
        assert ours == project.run(root, verb)


def test_a_mix_is_read_as_arrow_and_as_datasets(build, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    mix = build.mix("instruction")
    counts = build.statistics("mix instruction").details["counts"]
    statistics = mix.statistics
    assert (statistics.train, statistics.validation) == (counts["train"], counts["validation"])
    assert statistics.documents == mix.documents.count_rows() == counts["documents"]
    assert mix.split("train").count_rows() == counts["train"]
    assert mix.samples.count_rows() == counts["samples"]
    assert statistics.languages == build.statistics("mix instruction").details["languages"]
    assert set(statistics.table["source"].to_pylist()) == {"classes", "opinions", "pairs"}
    assert sum(statistics.table["train"].to_pylist()) == counts["train"]
    samples, documents = mix.to_datasets()
    assert {name: len(split) for name, split in samples.items()} == {
        "train": counts["train"], "validation": counts["validation"]
    }  # fmt: skip
    sample = samples["train"][0]
    assert documents[sample["positive_id"]]["text"] == sample["positive"]
    assert documents["document_id"][:] == list(range(counts["documents"]))
    assert repr(mix).startswith(f"Mix({str(mix.path)!r}: {counts['train']} samples to train on, ")
    assert "samples to train on" in repr(statistics)
    assert ome.Mix(str(mix.path)) == mix
    with pytest.raises(ValueError, match=r"no mix: it lacks the folders samples/ and documents/"):
        ome.Mix(tmp_path)


def test_the_report_is_one_file(build):
    path = ome.report(build)
    assert path == build.report() == build.root / "out/tiny/report.html"
    assert path.read_text("utf-8").startswith("<!doctype html>")
    assert build.run().current == [*STEPS, "report"]


SCRIPT = """
import open_ml_embed as ome
print("begun")
build = ome.Build.from_params("params.yaml", workers=2)
print(build.run(until="normalize", quiet=True).ran)
"""


def test_a_script_without_a_guard_runs_once_with_two_workers(tmp_path):
    """Processes are spawned, and a spawned one imports the caller's script unless it is kept from it."""
    project.make(tmp_path, rows=80)
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, env=project.environment(tmp_path), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "begun\n['fetch', 'normalize']\n"), done.stderr
