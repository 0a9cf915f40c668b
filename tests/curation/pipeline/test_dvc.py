"""DVC builds the profile that is asked for, runs what a change touches, and nothing else."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from curation.build import STEPS
from curation.pipeline.dvc_files import write_pipelines
from curation.pipeline.opening import open_build
from open_ml_embed.core.params import read_profiles
from tests.support import ROOT, project

CHECKOUT = ROOT
TINY = "pipelines/tiny/dvc.yaml"


def dvc(root: Path, *arguments: str, check: bool = True) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = project.environment(root) | {"PATH": path, "DVC_NO_ANALYTICS": "1", "CURATE_WORKERS": "1"}
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def ran(output: str) -> set[str]:
    """Return the stages that were run, but for the one that always is."""
    stages = {name.rpartition(":")[2] for name in re.findall(r"Running stage '([^']+)'", output)}
    assert "settings" in stages
    return stages - {"settings"}


def change(root: Path, *keys: str, to: object) -> None:
    """Change one setting of the project."""
    settings = yaml.safe_load((root / "params.yaml").read_text())
    section = settings
    for key in keys[:-1]:
        section = section.setdefault(key, {})
    section[keys[-1]] = to
    (root / "params.yaml").write_text(yaml.safe_dump(settings))


def pipelines(root: Path) -> dict[str, dict]:
    return {
        path.parent.name: yaml.safe_load(path.read_text())["stages"]
        for path in sorted((root / "pipelines").glob("*/dvc.yaml"))
    }


@pytest.mark.slow
def test_a_change_reruns_its_step_and_what_follows(tmp_path):
    root = project.make(tmp_path, rows=60)
    project.curate(root, "dvc")
    dvc(root, "init", "--no-scm", "--quiet")
    mixes = {"mix-retrieval", "mix-instruction"}
    assert ran(dvc(root, "repro", TINY)) == {*STEPS, *mixes, "report"}
    (root / "params.yaml").write_text("# A comment\n" + (root / "params.yaml").read_text())
    assert ran(dvc(root, "repro", TINY)) == set()
    change(root, "tiny", "mixes", "instruction", "cap", to=20)
    assert ran(dvc(root, "repro", TINY)) == {"mix-instruction", "report"}
    change(root, "tiny", "mining", to={"num_negatives": 3})
    assert ran(dvc(root, "repro", TINY)) == {"mine", *mixes, "report"}
    manifest = root / "manifests/sources/opinions.yaml"
    manifest.write_text(manifest.read_text().replace("samples: 1", "samples: 2"))
    assert ran(dvc(root, "repro", TINY)) == {"report"}, "nothing but the report shows the stated number"
    manifest.write_text(yaml.safe_dump(yaml.safe_load(manifest.read_text()) | {"priority": 3}))
    assert "dedup" in ran(dvc(root, "repro", TINY)), "the verbs after it would refuse its result"
    (root / "mixes").mkdir()
    shutil.copy(root / "manifests/mixes/retrieval.yaml", root / "mixes")
    assert ran(dvc(root, "repro", TINY)) == set(), "the same mix, from the project's own folder"
    change(root, "tiny", "mixes", "more", to={"validation": 0.1})
    (root / "mixes/more.yaml").write_text("{name: more, title: M, sources: all, cap: null, instructions: false}\n")
    refused = dvc(root, "repro", TINY, check=False)
    assert "run `curate dvc`" in refused
    project.curate(root, "dvc")
    assert ran(dvc(root, "repro", TINY)) == {"mix-more", "report"}
    assert (root / "out/tiny/mixes/more/README.md").is_file()


@pytest.mark.slow
def test_a_profile_is_built_alone_and_keeps_its_state(tmp_path):
    root = project.make(tmp_path, rows=60)
    (root / "mixes").mkdir()
    (root / "mixes/own.yaml").write_text("{name: own, title: O, sources: [pairs], cap: 50, instructions: false}\n")
    bare = {"sources": {"include": ["pairs"], "local_root": "raw"}, "mixes": {"own": None}}
    change(root, "bare", to=bare)
    change(root, "profile", to="bare")
    project.curate(root, "dvc")
    dvc(root, "init", "--no-scm", "--quiet")
    assert ran(dvc(root, "repro")) == {*STEPS, "mix-own", "report", "build"}
    assert (root / "out/bare/mixes/own/README.md").is_file()
    assert not (root / "out/tiny").exists()
    assert not (root / "work/tiny").exists()
    assert ran(dvc(root, "repro", f"{TINY}:identify")) == {"fetch", "normalize", "identify"}
    assert ran(dvc(root, "repro")) == set()
    change(root, "profile", to="tiny")
    assert ran(dvc(root, "repro", f"{TINY}:identify")) == set()
    assert ran(dvc(root, "repro", "pipelines/bare/dvc.yaml")) == set()
    change(root, "bare", "decontaminate", to={"shortest": 4})
    ran_again = ran(dvc(root, "repro", "pipelines/bare/dvc.yaml"))
    assert ran_again == {"report"}, "the profile names no evaluation set, but the report shows every setting"
    change(root, "bare", "dedup", to={"threshold": 0.95})
    assert ran(dvc(root, "repro", "pipelines/bare/dvc.yaml")) >= {"dedup"}, "a section that was not there"


def test_the_checkouts_pipelines_are_those_of_its_settings():
    params = CHECKOUT / "params.yaml"
    builds = [open_build(name, params) for name in read_profiles(params)[0]]
    assert list(write_pipelines(builds, params, dry_run=True)) == [], "run `curate dvc`"
    assert set(pipelines(CHECKOUT)) == {build.name for build in builds}


def test_without_arguments_dvc_builds_the_profile_that_the_settings_name():
    (stage,) = yaml.safe_load((CHECKOUT / "dvc.yaml").read_text())["stages"].values()
    assert stage["cmd"] == "curate status --profile ${profile}"
    assert stage["deps"] == ["out/${profile}/report.html"]
    assert read_profiles(CHECKOUT / "params.yaml")[1] == "sample"


def test_training_and_report_follow_the_mixes():
    settings = yaml.safe_load((CHECKOUT / "params.yaml").read_text())
    for profile, stages in pipelines(CHECKOUT).items():
        out = f"out/{profile}"
        mixes = {f"{out}/mixes/{mix}" for mix in settings[profile]["mixes"]}
        assert ("train" in settings[profile]) == ("train" in stages) == ("evaluate" in stages)
        if "train" in stages:
            assert mixes <= set(stages["train"]["deps"])
            assert f"{out}/model" in stages["evaluate"]["deps"]
            assert f"{out}/evaluation.json" in stages["report"]["deps"]
        for stage in stages.values():
            assert stage["wdir"] == "../.."
            for made in stage["outs"]:
                ((path, how),) = made.items()
                assert path.startswith(f"{out}/"), "DVC would delete the shards before resuming"
                assert how == {"cache": False}


def written(root: Path) -> dict[str, dict]:
    params = root / "params.yaml"
    builds = [open_build(name, params) for name in read_profiles(params)[0]]
    list(write_pipelines(builds, params, dry_run=False))
    return pipelines(root)


TRAIN = {
    "backbone": {"kind": "random-qwen3"},
    "stages": [{"name": "one", "mix": "retrieval", "steps": 1, "batch_size": 2, "learning_rate": 0.1}],
    "evaluation": {"mix": "../elsewhere/mix"},
}


def test_a_pipeline_has_the_stages_that_its_profile_needs(tmp_path, monkeypatch):
    root = project.make(tmp_path, rows=60)
    monkeypatch.setenv("CORPUS_MANIFESTS", str(root / "manifests"))
    change(root, "trained", to={"sources": {"include": ["pairs"]}, "mixes": ["retrieval"], "train": TRAIN})
    folder = TRAIN | {"stages": [TRAIN["stages"][0] | {"mix": "out/tiny/mixes/retrieval"}]}
    change(root, "trains", to={"train": folder})
    made = written(root)
    data = ["settings", *STEPS]
    assert list(made["tiny"]) == [*data, "mix-instruction", "mix-retrieval", "report"]
    assert "raw/leaked" in made["tiny"]["decontaminate"]["deps"], "an evaluation set of the profile's own"
    assert list(made["trained"]) == [*data, "mix-retrieval", "train", "evaluate", "report"]
    assert "out/trained/mixes/retrieval" in made["trained"]["train"]["deps"]
    assert str(root.parent / "elsewhere/mix") in made["trained"]["evaluate"]["deps"]
    assert list(made["trains"]) == ["settings", "train", "evaluate"]
    assert "out/tiny/mixes/retrieval" in made["trains"]["train"]["deps"]


def test_another_settings_file_is_named_in_every_stage(tmp_path, monkeypatch):
    root = project.make(tmp_path, rows=60)
    monkeypatch.setenv("CORPUS_MANIFESTS", str(root / "manifests"))
    params = (root / "params.yaml").rename(root / "more.yaml")
    lines = list(write_pipelines([open_build("tiny", params)], params, dry_run=False))
    assert lines == ["pipelines/tiny/dvc.yaml: written"], (
        "`dvc repro` reads params.yaml, so there is none for the folder"
    )
    assert pipelines(root)["tiny"]["fetch"]["cmd"] == "curate fetch --profile tiny --params more.yaml"


def test_files_of_others_stay(tmp_path, monkeypatch):
    root = project.make(tmp_path, rows=60)
    monkeypatch.setenv("CORPUS_MANIFESTS", str(root / "manifests"))
    (root / "dvc.yaml").write_text("stages: {}\n")
    params = root / "params.yaml"
    assert "dvc.yaml: not written by this command, so it stays as it is" in list(
        write_pipelines([open_build("tiny", params)], params, dry_run=False)
    )
    assert (root / "dvc.yaml").read_text() == "stages: {}\n"
    change(root, "tinier", to={"sources": {"include": ["pairs"]}})
    params.write_text(yaml.safe_dump({"tinier": yaml.safe_load(params.read_text())["tinier"]}))
    (said,) = [
        line for line in write_pipelines([open_build("tinier", params)], params, dry_run=True) if "any more" in line
    ]
    assert said.startswith("pipelines/tiny/dvc.yaml: ")


def test_a_pipeline_of_other_stages_is_refused(tmp_path):
    root = project.make(tmp_path, rows=60)
    project.curate(root, "dvc")
    assert project.curate(root, "settings").stdout.startswith("tiny: fetch, normalize")
    change(root, "tiny", "mixes", to=["retrieval"])
    refused = project.curate(root, "settings", check=False)
    assert refused.returncode == 1
    assert "run `curate dvc`" in refused.stderr
