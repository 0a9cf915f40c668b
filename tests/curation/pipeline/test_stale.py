"""What is not current is refused, with what differs and the first verb to run again."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from curation.build import Build
from curation.pipeline.freshness import Checker, differences, load
from curation.pipeline.model_state import mix_identity
from curation.pipeline.operations import operations_of
from curation.pipeline.run import run_step
from curation.raw_files import lock_path
from curation.settings import load_profile
from open_ml_embed.core.errors import StageError
from open_ml_embed.core.sealed import seal
from open_ml_embed.core.store import Store
from tests.support import project

STEPS = (
    "fetch",
    "normalize",
    "identify",
    "measure",
    "dedup",
    "decontaminate",
    "mine",
    "mix-retrieval",
    "mix-instruction",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A project after all steps, copied for each test."""
    root = project.make(
        tmp_path_factory.mktemp("whole"),
        rows=60,
        sources={"include": ["pairs", "classes", "opinions"], "local_root": "raw"},
    )
    build(root)
    project.run(root, "report")
    return root


@pytest.fixture
def built(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "built")


def build(root: Path) -> None:
    for step in project.STEPS:
        project.run(root, *step)


def refused(root: Path, *verb: str) -> str:
    """Run a verb that has to be refused; return what it says."""
    with pytest.raises(StageError) as caught:
        project.run(root, *verb)
    return str(caught.value)


def status(root: Path) -> dict:
    return json.loads(project.run(root, "status", "--json"))


def change(root: Path, section: str, **values: object) -> None:
    """Change settings of the profile."""
    settings = yaml.safe_load((root / "params.yaml").read_text())
    settings["tiny"][section] = settings["tiny"].get(section, {}) | values
    (root / "params.yaml").write_text(yaml.safe_dump(settings))


def edit(root: Path, source: str, **fields: object) -> None:
    """Change fields of a manifest."""
    path = root / "manifests/sources" / f"{source}.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | fields))


def test_rows_in_another_order_are_not_paired_with_what_others_were_found_to_be(built):
    path = built / "raw/pairs/part-1.jsonl"
    lines = path.read_text().splitlines()
    random.Random(1).shuffle(lines)
    path.write_text("\n".join(lines) + "\n")
    assert "raw file pairs/part-1.jsonl changed remedy: curate fetch" in " ".join(
        refused(built, "mix", "retrieval").split()
    )
    for step in ("fetch", "normalize", "identify", "measure"):
        project.run(built, step)
    said = refused(built, "mix", "retrieval")
    assert "step dedup is stale: it was made from other rows" in said
    assert "curate dedup" in said
    found = status(built)
    assert [found["stages"][step] for step in STEPS] == ["done"] * 4 + ["stale"] * 5
    assert found["problems"]["mine"]["remedy"].startswith("curate dedup")


@pytest.mark.parametrize("how", ["edited", "added", "removed"])
def test_files_that_are_read_in_place_are_looked_at_again(built, how):
    path = built / "raw/pairs" / ("part-9.jsonl" if how == "added" else "part-2.jsonl")
    if how == "edited":  # of the same size
        path.write_text(path.read_text().replace("w1", "w2"))
    elif how == "added":
        path.write_text('{"q": "a question", "d": "an answer"}\n')
    else:
        path.unlink()
    what = {"edited": "changed", "added": "was added", "removed": "is gone"}[how]
    for verb in (["normalize"], ["mine"], ["mix", "instruction"], ["report"], ["show", "pairs"]):
        said = refused(built, *verb)
        assert f"raw file pairs/{path.name} {what}" in said
        assert "curate fetch" in said


def test_a_folder_of_raw_files_that_is_gone_is_said(built):
    shutil.rmtree(built / "raw/classes")
    assert "raw files of classes are no longer below sources.local_root" in refused(built, "normalize")


@pytest.mark.parametrize(
    ("section", "values", "verb", "says", "remedy"),
    [
        ("sources", {"files_per_table": 1}, ["mine"], "setting sources.files_per_table changed (none, now 1)", "fetch"),
        ("sources", {"include": ["pairs"]}, ["mine"], "source classes is gone", "fetch"),
        ("normalize", {"shard_rows": 50}, ["dedup"], "setting normalize.shard_rows changed (60, now 50)", "normalize"),
        ("dedup", {"threshold": 0.7}, ["mine"], "setting dedup.threshold changed (0.8, now 0.7)", "dedup"),
        ("decontaminate", {"run": 14}, ["mine"], "setting decontaminate.run changed (13, now 14)", "decontaminate"),
        ("decontaminate", {"sets": []}, ["mine"], "evaluation set leaked is gone", "decontaminate"),
        ("mining", {"num_negatives": 4}, ["mix", "retrieval"],
         "setting mining.num_negatives changed (5, now 4)", "mine"),
        ("mixes", {"retrieval": {"cap": 9}}, ["report"], "setting mixes.retrieval.cap changed (none, now 9)", "mix"),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_a_setting_makes_stale_what_depends_on_it(built, section, values, verb, says, remedy):
    project.run(built, "settings")
    before = stage_inputs(built)
    change(built, section, **values)
    said = refused(built, *verb)
    assert says in said
    assert f"curate {remedy}" in said
    project.run(built, "settings")
    after = stage_inputs(built)
    changed = {step.partition("-")[0] for step in before if before[step] != after[step]}
    assert remedy in changed, "DVC would not run what the command asks for"


def stage_inputs(root: Path) -> dict[str, bytes]:
    """Read the files that the stages of DVC depend on."""
    return {path.stem: path.read_bytes() for path in (root / "out/tiny/settings").glob("*.json")}


def test_a_remedy_names_the_profile_that_it_is_for(built):
    settings = yaml.safe_load((built / "params.yaml").read_text())
    (built / "params.yaml").write_text(yaml.safe_dump({**settings, "other": settings["tiny"]}))
    assert "remedy: curate fetch --profile other\n" in refused(built, "normalize", "--profile", "other") + "\n"
    (built / "pipelines/other").mkdir(parents=True)
    (built / "pipelines/other/dvc.yaml").write_text("stages: {}\n")
    said = refused(built, "mine", "--profile", "other")
    assert "curate fetch --profile other, or dvc repro pipelines/other/dvc.yaml" in " ".join(said.split())


@pytest.mark.parametrize(
    ("fields", "verb", "remedy", "names"),
    [
        ({"origin": {"kind": "manual", "url": "x", "folder": "pairs"}}, ["normalize"], "fetch", "manifest of pairs"),
        ({"shape": {"kind": "pair", "args": {"query": "d", "positive": "q"}}}, ["mine"], "normalize", "manifest of"),
        ({"priority": 7}, ["mine"], "dedup", "manifest of pairs changed (priority)"),
        ({"instruction": "Something else is asked."}, ["report"], "mix", "manifest of pairs changed (instruction)"),
        ({"license": {"id": "LicenseRef-y", "commercial": False, "redistribution": False}}, ["report"], "mix",
         "manifest of pairs changed (license."),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_what_of_a_manifest_matters_to_a_step_makes_it_stale(built, fields, verb, remedy, names):
    edit(built, "pairs", **fields)
    said = refused(built, *verb)
    assert names in said
    assert f"curate {remedy}" in said


def test_wording_of_a_manifest_that_nobody_reads_makes_nothing_stale(built):
    edit(built, "pairs", notes="Read by people.", samples=5, download=9)
    found = status(built)["stages"]
    assert all(found[step] == "done" for step in STEPS)


def test_a_mix_file_makes_its_mix_stale_and_no_other(built):
    path = built / "manifests/mixes/retrieval.yaml"
    path.write_text(path.read_text().replace("Plain", "Simple"))
    found = status(built)
    assert found["stages"]["mix-retrieval"] == "stale"
    assert "the mix file changed (title)" in found["problems"]["mix-retrieval"]["why"]
    assert found["stages"]["mix-instruction"] == "done"


def test_an_evaluation_set_that_changed_is_compared_again_first(built):
    corpus = built / "raw/leaked/corpus.jsonl"
    corpus.write_text(corpus.read_text().replace("w1", "w2"))
    said = refused(built, "mix", "instruction")
    assert "evaluation set leaked changed (its files)" in said
    assert "curate decontaminate" in said


def test_the_work_folder_may_be_gone(built):
    """A purged scratch disk, a fresh clone with out/ pulled."""
    shutil.rmtree(built / "work")
    found = status(built)
    assert found["stages"]["normalize"] == found["stages"]["dedup"] == found["stages"]["mine"] == "lost"
    assert found["stages"]["mix-retrieval"] == "done", "its files are in out/"
    assert "shards are missing from work/tiny/" in found["problems"]["normalize"]["why"]
    for verb in (
        ["show", "pairs"],
        ["identify"],
        ["dedup"],
        ["decontaminate"],
        ["mine"],
        ["mix", "retrieval"],
        ["report"],
    ):
        said = refused(built, *verb)
        assert "step normalize was run, but" in said
        assert "curate normalize" in said
    before = {path: path.read_bytes() for path in (built / "out/tiny/steps").iterdir()}
    build(built)
    project.run(built, "report")
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    ("pattern", "verb", "remedy"),
    [
        ("rows/pairs/**/*.rows.arrow", ["identify"], "normalize"),
        ("clusters/classes/**/*.arrow", ["mine"], "dedup"),
        ("merges/pairs/**/*.arrow", ["mix", "retrieval"], "dedup"),
        ("contamination/**/*.contamination.arrow", ["mine"], "decontaminate"),
        ("pools/pairs.documents.arrow", ["mix", "retrieval"], "mine"),
        ("answers/*.arrow", ["mix", "retrieval"], "mine"),
        ("negatives/**/*.arrow", ["mix", "instruction"], "mine"),
        ("languages/**/*.arrow", ["report"], "identify"),
    ],
)
@pytest.mark.parametrize("cut", [False, True])
def test_a_table_that_is_gone_or_cut_is_made_again_first(built, pattern, verb, remedy, cut):
    path = sorted((built / "work/tiny").glob(pattern))[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-9]) if cut else path.unlink()
    said = refused(built, *verb)
    assert ("bytes, and" if cut else "missing from work/tiny/") in said
    assert f"curate {remedy}" in said
    assert status(built)["stages"][remedy] == "lost"
    project.run(built, remedy)
    assert path.read_bytes() == whole
    project.run(built, *verb)


@pytest.mark.parametrize("step", ["fetch", "normalize", "dedup", "decontaminate", "mine"])
def test_a_step_left_out_or_its_file_deleted_is_named(built, step):
    (built / "out/tiny/steps" / f"{step}.json").unlink()
    said = refused(built, "mix", "retrieval")
    assert f"step {step} has not been run" in said
    assert f"curate {step}" in said


def test_a_step_file_that_nobody_can_read_is_named(built):
    path = built / "out/tiny/steps/dedup.json"
    whole = path.read_text()
    path.write_text(whole[:100])
    assert "step dedup: the file is damaged" in refused(built, "mine")
    path.write_text(whole.replace('"bytes": ', '"bytes": 1', 1))
    assert "step dedup: the file is damaged" in refused(built, "mine")
    path.write_text('{"step": "dedup", "shards": [], "stats": {}, "skipped": {}}')
    said = refused(built, "mine")
    assert "step dedup: the file is unreadable: it has no digest of itself" in said
    assert "curate dedup" in said
    path.write_bytes(seal({"step": "dedup", "files": 3}, path.name))
    assert "step dedup: the file is not a step's" in refused(built, "mine")


def test_after_a_step_that_failed_its_old_result_does_not_count(built, monkeypatch):
    """Some tables are those of the run that failed, and settings may be as they were before."""
    from curation.mining.step.row_alignment import Align

    def fails(*_):
        raise StageError("no memory left")

    change(built, "mining", num_negatives=4)
    with monkeypatch.context() as patched:
        patched.setattr(Align, "run", fails)
        assert "no memory left" in refused(built, "mine")
    change(built, "mining", num_negatives=5)
    said = refused(built, "mix", "retrieval")
    assert "step mine has not been run" in said
    project.run(built, "mine")
    project.run(built, "mix", "retrieval")


def test_a_refused_step_leaves_the_old_result_as_it_was(built):
    before = (built / "out/tiny/steps/mine.json").read_bytes()
    change(built, "dedup", threshold=0.7)
    refused(built, "mine")
    assert (built / "out/tiny/steps/mine.json").read_bytes() == before
    change(built, "dedup", threshold=0.8)
    assert status(built)["stages"]["mine"] == "done"


def test_a_mix_needs_languages_only_where_their_verdicts_count(built):
    (built / "out/tiny/steps/identify.json").unlink()
    shutil.rmtree(built / "work/tiny/verdicts")
    project.run(built, "mix", "retrieval")
    change(built, "languages", trust={"sources": {"classes": {"policy": "drop-disagreement"}}})
    project.run(built, "mix", "retrieval")
    assert "step identify has not been run" in refused(built, "mix", "instruction")
    project.run(built, "identify")
    project.run(built, "mix", "instruction")
    change(built, "languages", trust={"sources": {"classes": {"policy": "drop-disagreement", "confidence": 0.5}}})
    assert "setting languages.trust.classes.confidence changed (0.9, now 0.5)" in refused(built, "mix", "instruction")


def test_verdicts_follow_what_was_run_and_not_what_the_profile_says(tmp_path):
    """`decontaminate --evaluation` where the profile lists no set: rows stay out, and miner and mix look at it."""
    root = project.make(tmp_path, rows=60, decontaminate={})
    for step in ("fetch", "normalize", "dedup", "mine"):
        project.run(root, step)
    project.run(root, "mix", "retrieval")
    plain = json.loads((root / "out/tiny/steps/mix-retrieval.json").read_text())["stats"]["sources"]["pairs"]
    assert plain["contaminated"] == 0
    project.run(root, "decontaminate", "--evaluation", "raw/leaked")
    assert json.loads((root / "out/tiny/steps/decontaminate.json").read_text())["overrides"] == {
        "evaluation": ["raw/leaked"]
    }
    assert "it was made before step decontaminate was run" in refused(root, "mix", "retrieval")
    project.run(root, "mine")
    project.run(root, "mix", "retrieval")
    after = json.loads((root / "out/tiny/steps/mix-retrieval.json").read_text())["stats"]["sources"]["pairs"]
    assert after["contaminated"] > 0
    corpus = root / "raw/leaked/corpus.jsonl"
    corpus.write_text(corpus.read_text().replace("w1", "w2"))
    said = refused(root, "mine")
    assert "evaluation set leaked changed" in said
    assert "curate decontaminate --evaluation raw/leaked" in said
    project.run(root, "decontaminate")
    project.run(root, "mine")
    project.run(root, "mix", "retrieval")
    assert json.loads((root / "out/tiny/steps/mix-retrieval.json").read_text())["stats"]["sources"]["pairs"] == plain


def test_a_teacher_of_the_command_line_is_remembered(tmp_path):
    from tests.support.language_models import make_encoder

    root = project.make(tmp_path / "project", rows=20, decontaminate={}, mining={"num_negatives": 2, "range_min": 0})
    encoder = make_encoder(root / "teachers", [f"w{i}" for i in range(2000)])
    for step in ("fetch", "normalize", "dedup"):
        project.run(root, step)
    project.run(root, "mine", "--workers", "1", "--teacher", "teachers/model")
    assert json.loads((root / "out/tiny/steps/mine.json").read_text())["overrides"] == {"teacher": "teachers/model"}
    project.run(root, "mix", "retrieval")
    config = encoder / "modules.json"
    text = config.read_text()
    config.write_text(text + "\n")
    said = refused(root, "mix", "retrieval")
    assert "the files of teacher changed" in said
    assert "curate mine --teacher teachers/model" in said
    config.write_text(text)
    project.run(root, "mix", "retrieval")
    shutil.rmtree(root / "teachers")  # who mixes has no need of it
    project.run(root, "mix", "retrieval")


def test_raw_files_that_were_fetched_may_be_deleted_until_rows_are_made_again(tmp_path, monkeypatch):
    from open_ml_embed.core.errors import StageError
    from sources.fetch import hub
    from tests.support.hub.server import serving
    from tests.support.workshop import Workshop

    monkeypatch.setenv("CORPUS_MANIFESTS", str(tmp_path / "manifests"))
    monkeypatch.setattr(hub, "_listings", {})
    workshop = Workshop(tmp_path)
    tables = {"records": {"files": ["*.jsonl"], "format": "jsonl", "fields": {"q": "string", "d": "string"}}}
    shape = {"kind": "pair", "args": {"query": "q", "positive": "d"}}
    workshop.manifest("laws", ["de"], origin={"kind": "hub", "repo": "court/laws"}, tables=tables, shape=shape)
    with serving(tmp_path / "hub") as server:
        server.add("court/laws", "a.jsonl", b'{"q": "Who may fish?", "d": "Whoever has a boat."}\n')
        build = workshop.build(sources={"collection": "offline", "endpoint": server.endpoint})
        run_step(build, "fetch")
        run_step(build, "normalize")
        shutil.rmtree(tmp_path / "work/raw")
        run_step(build, "dedup")
        run_step(build, "normalize")
        assert Checker(build).states()["fetch"].kind == "done"
        shutil.rmtree(tmp_path / "work")
        for step in ("dedup", "normalize"):
            with pytest.raises(StageError, match="raw file") as caught:
                run_step(build, step)
            assert "curate fetch" in caught.value.remedy
        states = Checker(build).states()
        assert (states["fetch"].kind, states["normalize"].kind) == ("lost", "lost")
        run_step(build, "fetch")
        run_step(build, "normalize")
        run_step(build, "dedup")


def test_a_lock_that_says_something_else_makes_what_was_fetched_stale(tmp_path, monkeypatch):
    from curation.fetch import lock as locking
    from sources.fetch import hub
    from tests.support.hub.server import serving
    from tests.support.workshop import Workshop

    monkeypatch.setenv("CORPUS_MANIFESTS", str(tmp_path / "manifests"))
    monkeypatch.setattr(hub, "_listings", {})
    workshop = Workshop(tmp_path)
    tables = {"records": {"files": ["*.jsonl"], "format": "jsonl", "fields": {"q": "string", "d": "string"}}}
    workshop.manifest("laws", ["de"], origin={"kind": "hub", "repo": "court/laws"}, tables=tables)
    with serving(tmp_path / "hub") as server:
        server.add("court/laws", "a.jsonl", b'{"q": "Who may fish?", "d": "Whoever has a boat."}\n')
        build = workshop.build(sources={"collection": "offline", "endpoint": server.endpoint})
        locking.run_lock(build)
        run_step(build, "fetch")
        assert Checker(build).state("fetch").kind == "done"
        path = lock_path(build)
        lock = json.loads(path.read_text())
        lock["repositories"][0]["commit"] = "f" * 40
        path.write_text(json.dumps(lock))
        assert "the lock of court/laws at main changed" in Checker(build).state("fetch").why
        path.unlink()
        assert "lock" in Checker(build).state("fetch").why
        other = workshop.build(sources={"collection": "offline", "endpoint": "https://elsewhere.example"})
        assert "setting sources.endpoint changed" in Checker(other).state("fetch").why


def test_step_files_are_equal_wherever_the_checkout_is(whole, tmp_path):
    root = project.make(tmp_path / "another" / "place", rows=60, sources={
        "include": ["pairs", "classes", "opinions"], "local_root": str(tmp_path / "another" / "place" / "raw")
    })  # fmt: skip
    for step in ("fetch", "normalize", "dedup"):
        project.run(root, step)
        name = f"out/tiny/steps/{step}.json"
        assert (root / name).read_bytes() == (whole / name).read_bytes()
        assert str(tmp_path) not in (root / name).read_text()


def test_everything_that_a_step_runs_is_among_the_versions_it_is_made_from(whole, tmp_path, monkeypatch):
    from open_ml_embed.core import engine

    root = shutil.copytree(whole, tmp_path / "copy")
    monkeypatch.setenv("CORPUS_MANIFESTS", str(root / "manifests"))
    ran: list[str] = []
    for name in ("run", "run_all"):
        real = getattr(engine, name)
        monkeypatch.setattr(
            engine,
            name,
            lambda operation, *rest, real=real: ran.append(type(operation).__name__) or real(operation, *rest),
        )
    build = Build(*load_profile(root / "params.yaml", None), root)
    for step in ("normalize", "identify", "measure", "dedup", "decontaminate", "mine"):
        ran.clear()
        run_step(build, step)
        assert set(ran) <= {operation.__name__ for operation in operations_of(step)}, step
        assert ran


def test_a_newer_operation_makes_its_step_stale(whole, monkeypatch):
    from curation.dedup.step.merge import Merge

    monkeypatch.setenv("CORPUS_MANIFESTS", str(whole / "manifests"))
    build = Build(*load_profile(whole / "params.yaml", None), whole)
    monkeypatch.setattr(Merge, "version", 99)
    state = Checker(build).state("dedup")
    assert "operation Merge changed (version" in state.why
    assert Checker(build).state("mine").remedy == state.remedy


def test_asking_loads_nothing_heavy():
    code = (
        "import sys, curation.cli.app; print(sorted({'numba', 'torch', 'polars', 'scipy', 'ray'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_versions_are_those_of_the_operations():
    """They are read from the source files, so that a status imports no operation."""
    kinds = ("fetch", "normalize", "identify", "measure", "dedup", "decontaminate", "mine", "mix")
    code = (
        "import json, sys; from curation.pipeline.operations import *; kinds = json.loads(sys.argv[1]);"
        "print(json.dumps({kind: versions_of(kind) for kind in kinds})); assert 'numba' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code, json.dumps(kinds)], capture_output=True, text=True, check=True)
    wanted = {kind: {o.__name__: o.version for o in operations_of(kind)} for kind in kinds}
    assert json.loads(done.stdout) == wanted | {"fetch": {"Fetching": 1}}


def test_a_mix_has_one_identity_for_its_step_and_for_the_trainer(whole, monkeypatch):
    from train.data.mix import Mix

    monkeypatch.setenv("CORPUS_MANIFESTS", str(whole / "manifests"))
    build = Build(*load_profile(whole / "params.yaml", None), whole)
    for name in ("retrieval", "instruction"):
        assert mix_identity(load(build, f"mix-{name}")) == Mix(build.out / "mixes" / name).identity


def test_a_mix_folder_that_is_gone_or_cut_is_lost(built):
    path = sorted((built / "out/tiny/mixes/instruction/documents").iterdir())[0]
    path.write_bytes(path.read_bytes()[:-3])
    assert status(built)["stages"]["mix-instruction"] == "lost"
    shutil.rmtree(built / "out/tiny/mixes")
    said = refused(built, "report")
    assert "files are missing from out/tiny/" in said
    assert "curate mix instruction" in said


def test_the_report_knows_what_it_was_made_from(built):
    assert status(built)["stages"]["report"] == "done"
    (built / "out/tiny/evaluation.json").write_text("{}")
    found = status(built)
    assert found["stages"]["evaluate"] == found["stages"]["report"] == "stale"
    said = refused(built, "report")
    assert "evaluation.json is stale: it does not say what it was measured on" in said
    assert "train3d evaluate" in said


@pytest.mark.parametrize("other", ["mix", "model", "settings", None])
def test_an_evaluation_counts_only_for_the_mix_and_the_model_it_was_measured_on(built, monkeypatch, other):
    monkeypatch.setenv("CORPUS_MANIFESTS", str(built / "manifests"))
    stage = {"name": "retrieval", "mix": "retrieval", "steps": 1, "batch_size": 2, "learning_rate": 0.1}
    evaluation = {"mix": "retrieval", "queries": 9}
    change(built, "train", backbone={"kind": "random-qwen3"}, stages=[stage], evaluation=evaluation)
    build = Build(*load_profile(built / "params.yaml", None), built)
    identity = mix_identity(load(build, "mix-retrieval"))
    measured = {
        "mix": {"folder": "retrieval", "identity": "x" if other == "mix" else identity},
        "settings": {"queries": 8 if other == "settings" else 9},
        "model": {"key": "k", "named": False},
    }
    cell = {"layers": 1, "dim": 8, "rank": 8, "ndcg@10": 0.5, "mrr@10": 0.5, "accuracy@1": 0.5}
    data = {"trained": [cell], "untrained": [cell], "queries": 9, "documents": 9, "measured_on": measured}
    (built / "out/tiny/evaluation.json").write_text(json.dumps(data))
    (built / "out/tiny/model/train3d").mkdir(parents=True)
    record = {"key": "j" if other == "model" else "k", "made_from": {"mixes": {"retrieval": identity}}}
    (built / "out/tiny/model/train3d/run.json").write_bytes(seal(record, "run.json"))
    if other is None:
        project.run(built, "report")
        assert status(built)["stages"]["evaluate"] == "done"
        return
    said = refused(built, "report")
    what = {"settings": "setting train.evaluation.queries changed"}.get(other, f"it was measured on another {other}")
    assert what in said
    assert "train3d evaluate" in said


def test_a_file_beside_a_table_says_which_of_two_tasks_wrote_it(tmp_path):
    """Pools of other names write the same links: the marker of the first must not speak for the second's."""
    import pyarrow as pa

    from curation.normalize.settings import NormalizeSettings
    from open_ml_embed.core.engine import Workers, run
    from open_ml_embed.core.task import Task

    schema = pa.schema([pa.field("n", pa.int64())])

    class Writes:
        name, version, settings = "op", 1, NormalizeSettings()

        def run(self, task, store, out):
            table = pa.table({"n": [task.payload]}, schema=schema)
            out.table("t", table.to_batches(), schema, at="shared")
            return {}

    store = Store(str(tmp_path))
    first, second = Task("first", ("1",), 1), Task("second", ("2",), 2)
    for task in (first, second, first, second, second):
        run(Writes(), [task], store, Workers("local", 1))
        assert store.read_table("op/shared.t.arrow")["n"].to_pylist() == [task.payload]


@pytest.mark.parametrize(
    ("then", "now", "says"),
    [
        ({"sources": {"a": "1"}}, {"sources": {}}, "source a is gone"),
        ({"sources": {"a": "1"}}, {"sources": {"a": "2"}}, "manifest of a changed"),
        ({"lock": None}, {"lock": {"o/n at main": "1"}}, "the lock of"),
        ({"raw": {"a": {"a/x": "1"}}}, {"raw": {"a": {"": "no file matches *.y"}}}, "not what its manifest asks for"),
        ({"contamination": "1"}, {"contamination": None}, "with evaluation sets, and now there are none"),
        ({"models": {"teacher": "1"}}, {"models": {"teacher": "2"}}, "the files of teacher changed"),
    ],
)
def test_what_differs_is_said(then, now, says):
    assert any(says in said for said in differences(then, now))


def test_nothing_is_remembered_of_a_file_that_may_still_change(tmp_path):
    from open_ml_embed.core.hashing import FileHashes

    path, memory = tmp_path / "file", tmp_path / "memory.json"
    path.write_bytes(b"one")
    hashes = FileHashes(memory)
    first = hashes.of(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    assert hashes.of(path) != first
    os.utime(path, ns=(10**18, 10**18))
    kept = hashes.of(path)
    hashes.save()
    path.write_bytes(b"xxx")
    os.utime(path, ns=(10**18, 10**18))
    assert FileHashes(memory).of(path) == kept, "size and time are the same: it is not read again"


def test_rows_are_shown_without_what_was_found_out_about_others(built):
    change(built, "dedup", threshold=0.7)
    shown = " ".join(project.run(built, "show", "pairs", "-n", "1").split())
    assert (
        "not shown: step dedup is stale: setting dedup.bands changed (21, now 32); setting dedup.threshold changed"
        in shown
    )
    assert "identified" in shown
    assert "document cluster" not in shown
    change(built, "dedup", threshold=0.8)
    assert "document cluster" in project.run(built, "show", "pairs", "-n", "1")
    shutil.rmtree(built / "work/tiny/languages")
    assert "languages" not in project.run(built, "show", "pairs", "-n", "1").split("not shown", 1)[0]


def test_quarantined_records_are_those_of_the_files_there_are(built):
    assert "part-2.jsonl" in project.run(built, "show", "pairs", "--quarantined", "-n", "99")
    (built / "raw/pairs/part-2.jsonl").unlink()
    for step in ("fetch", "normalize"):
        project.run(built, step)
    shown = project.run(built, "show", "pairs", "--quarantined", "-n", "99")
    assert "part-1.jsonl" in shown
    assert "part-2.jsonl" not in shown


def test_verdicts_of_an_earlier_run_are_not_shown_after_one_without_sets(built):
    assert "nothing of any set" in project.run(built, "show", "pairs", "-n", "1")
    change(built, "decontaminate", sets=[])
    project.run(built, "decontaminate")
    assert list((built / "work/tiny/contamination").rglob("*.arrow")), "they still lie there"
    assert "nothing of any set" not in project.run(built, "show", "pairs", "-n", "1")


def test_another_cleaning_makes_other_rows():
    from curation.normalize.identity import identity_of
    from sources import registry

    manifest = registry.load("imdb")
    assert manifest.clean
    assert identity_of(manifest) != identity_of(manifest.model_copy(update={"clean": []}))
