from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from sentence_transformers import SentenceTransformer
from typer.testing import CliRunner

from open_ml_embed.core.errors import SettingsError, StageError, UnknownNameError
from open_ml_embed.core.sealed import read_sealed
from tests.support import ROOT
from tests.support.synthetic import params_for, write_mix, write_params
from train import cli
from train.config_file import dims_of, layers_of, load_settings, ranks_of
from train.data.plan import choose_rank
from train.loop.loop import Trainer
from train.loop.preflight import peak_rate
from train.model.sizes import Sizes


def test_a_complete_run_is_not_run_again(fitted: Path, params, work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trainer, "__init__", lambda *_: pytest.fail("trained again"))
    before = {p: p.stat().st_mtime_ns for p in fitted.rglob("*")}
    arguments = ["fit", "--params", str(params), "--out", str(fitted), "--work", str(work)]
    result = CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
    assert "is complete" in result.stderr
    assert {p: p.stat().st_mtime_ns for p in fitted.rglob("*")} == before


LOADED = """
import sys
from train.cli import app
app(sys.argv[1:], standalone_mode=False)
print(*({"torch", "transformers", "sentence_transformers"} & {*sys.modules}), "loaded")
"""


def test_what_is_complete_is_seen_without_loading_torch(fitted: Path, params, work, tmp_path) -> None:
    """Seconds, each time a chain is run again."""
    places = ["--params", str(params), "--work", str(work)]
    evaluate = ["evaluate", *places, "--model", str(fitted), "--report", str(tmp_path / "report.json")]
    CliRunner().invoke(cli.app, evaluate, catch_exceptions=False)
    for words in (["fit", *places, "--out", str(fitted)], evaluate):
        done = subprocess.run([sys.executable, "-c", LOADED, *words], capture_output=True, text=True, check=True)
        assert "nothing to do" in done.stderr
        assert done.stdout.splitlines()[-1].split() == ["loaded"]


def test_new_prompts_are_written_to_a_complete_run(fitted: Path, params, mix, work, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(Trainer, "__init__", lambda *_: pytest.fail("trained again"))
    out = shutil.copytree(fitted, tmp_path / fitted.name)

    def fit(file: Path) -> set[str]:
        arguments = ["fit", "--params", str(file), "--out", str(out), "--work", str(work)]
        result = CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
        changed = {
            path.relative_to(out).as_posix()
            for path in out.rglob("*")
            if path.is_file() and path.read_bytes() != (fitted / path.relative_to(out)).read_bytes()
        }
        assert ("nothing to do" in result.stderr) == (changed == before)
        return changed

    prompts = {"query": "find: ", "document": ""}
    file = write_params(tmp_path / "params.yaml", params_for(mix, export={"prompts": prompts}))
    before: set[str] = set()
    changed = fit(file)
    assert changed == {"README.md", "config_sentence_transformers.json"}
    assert "find: " in (out / "README.md").read_text("utf-8")
    model = SentenceTransformer(str(out), device="cpu")
    plain = SentenceTransformer(str(fitted), device="cpu")
    assert np.allclose(model.encode_query(["ka lo"]), plain.encode(["find: ka lo"]), atol=1e-6)
    before = changed
    assert fit(file) == changed
    assert fit(params) == set()


def test_a_lost_model_folder_comes_back_from_the_last_checkpoint(fitted: Path, params, work, tmp_path: Path) -> None:
    arguments = ["fit", "--params", str(params), "--out", str(tmp_path / "model"), "--work", str(work)]
    result = CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
    assert "resuming after step 65 of 65" in result.stderr
    for path in sorted(fitted.rglob("*")):
        if path.is_file():
            assert (tmp_path / "model" / path.relative_to(fitted)).read_bytes() == path.read_bytes(), path


def test_progress_is_json_lines_where_there_is_no_terminal(mix: Path, tmp_path: Path, capfd) -> None:
    section = params_for(mix)
    section["stages"] = [{**section["stages"][0], "steps": 2, "warmup_steps": 1}]
    path = write_params(tmp_path / "params.yaml", section)
    arguments = ["fit", "--params", str(path), "--out", str(tmp_path / "m"), "--work", str(tmp_path / "w")]
    assert CliRunner().invoke(cli.app, arguments, catch_exceptions=False).exit_code == 0
    again = CliRunner().invoke(cli.app, [*arguments, "--no-resume"], catch_exceptions=False)
    lines = [json.loads(line) for line in again.stderr.splitlines() if line.startswith("{")]
    assert lines[-1]["done"] == lines[-1]["total"] == 2


@pytest.mark.parametrize(
    ("where", "wrong", "message"),
    [
        ([], {"sead": 1}, "did you mean seed"),
        (["backbone"], {"hiden_size": 1}, "did you mean hidden_size"),
        (["stages", 0], {"step": 1}, "did you mean steps"),
        (["stages", 0, "negatives"], {"retreival": 1}, "did you mean retrieval"),
        (["objective"], {"temprature": 1}, "did you mean temperature"),
    ],
)
def test_an_unknown_setting_names_the_nearest(mix: Path, tmp_path: Path, where, wrong, message: str) -> None:
    section = params_for(mix, objective={})
    inner = section
    for key in where:
        inner = inner[key]
    inner |= wrong
    with pytest.raises(UnknownNameError, match=message) as caught:
        load_settings(write_params(tmp_path / "params.yaml", section), "tiny")
    assert next(iter(wrong)) in caught.value.what
    assert caught.value.where.startswith(f"{tmp_path / 'params.yaml'}, profile tiny: train.")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone": {"kind": "bert"}}, "random-qwen3"),
        ({"objective": {"temperature": 0}}, "greater than 0"),
        ({"stages": []}, "at least 1"),
    ],
)
def test_an_unusable_value_says_where(mix: Path, tmp_path: Path, change, message: str) -> None:
    path = write_params(tmp_path / "params.yaml", params_for(mix, **change))
    with pytest.raises(SettingsError, match=message) as caught:
        load_settings(path, None)
    assert f"profile tiny: train.{next(iter(change))}" in caught.value.where


def test_stages_need_one_length_and_different_names(mix: Path, tmp_path: Path) -> None:
    section = params_for(mix)
    section["stages"][0]["epochs"] = 1
    with pytest.raises(SettingsError, match="either steps or epochs"):
        load_settings(write_params(tmp_path / "a.yaml", section), None)
    section = params_for(mix)
    section["stages"][1]["name"] = "retrieval"
    with pytest.raises(SettingsError, match="different names"):
        load_settings(write_params(tmp_path / "b.yaml", section), None)


def test_missing_files_profiles_and_sections(mix: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        load_settings(tmp_path / "none.yaml", None)
    path = write_params(tmp_path / "params.yaml", params_for(mix))
    with pytest.raises(UnknownNameError, match="did you mean tiny"):
        load_settings(path, "tny")
    with pytest.raises(SettingsError, match="trains nothing"):
        load_settings(write_params(tmp_path / "empty.yaml", {}), None)


def test_default_sizes_are_the_published_ones(mix: Path, tmp_path: Path) -> None:
    section = params_for(mix)
    del section["ranks"]
    settings = load_settings(write_params(tmp_path / "params.yaml", section), None)[1]
    assert dims_of(settings, 1024) == (8, 16, 32, 64, 128, 256, 512, 1024)
    assert layers_of(settings, 28) == (1, 2, 4, 8, 16, 24, 28)
    assert ranks_of(settings, 1024) == ranks_of(settings, 640) == (64, 128, 256, 512)
    assert ranks_of(settings, 4096) == ranks_of(settings, 512) == (64, 128, 256, 512)
    assert ranks_of(settings, 320) == (64, 128, 256, 320)
    assert ranks_of(settings, 128) == (64, 128)
    assert ranks_of(settings, 32) == (32,)


def test_the_full_rank_is_drawn_as_often_as_in_the_public_trainer(mix: Path, tmp_path: Path) -> None:
    section = params_for(mix)
    del section["ranks"]
    ranks = ranks_of(load_settings(write_params(tmp_path / "params.yaml", section), None)[1], 1024)
    drawn = Counter(choose_rank(ranks, 0, 0, step) for step in range(4000))
    for rank in ranks:
        assert drawn[rank] / 4000 == pytest.approx(rank / 960, abs=0.025)  # the full rank: 0.533


def test_the_full_profile_takes_the_rate_of_its_backbone(tmp_path: Path) -> None:
    settings = load_settings(ROOT / "params.yaml", "full")[1]
    for stage in settings.stages:
        assert peak_rate(stage, Sizes(1024, 28, 151936, 596_000_000)) == 1e-5
        assert peak_rate(stage, Sizes(4096, 36, 151936, 7_568_000_000)) == 6e-6
        assert peak_rate(stage, Sizes(5120, 40, 151936, 13_990_000_000)) == 5e-6


def test_sizes_beyond_the_backbone_are_refused(mix: Path, tmp_path: Path) -> None:
    section = params_for(mix, ranks=[64], objective={"dims": [64], "layers": [9]})
    settings = load_settings(write_params(tmp_path / "params.yaml", section), None)[1]
    for sizes in (dims_of, ranks_of):
        with pytest.raises(SettingsError, match="32"):
            sizes(settings, 32)
    with pytest.raises(SettingsError, match="between 1 and 3"):
        layers_of(settings, 3)


def test_a_dry_run_says_what_would_be_trained_and_makes_nothing(params: Path, tmp_path: Path) -> None:
    arguments = [
        "fit",
        "--params",
        str(params),
        "--out",
        str(tmp_path / "m"),
        "--work",
        str(tmp_path / "w"),
        "--dry-run",
    ]
    result = CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
    assert "nested layers 1, 2, 3; dimensions 8, 16, 32; ranks 8, 16" in result.stderr
    assert "retrieval: 60 steps of 24 queries out of 204 from 3 datasets, 240 documents" in result.stderr
    assert not (tmp_path / "m").exists()
    assert not list((tmp_path / "w").rglob("*.arrow"))


def test_a_dry_run_refuses_too(mix: Path, tmp_path: Path) -> None:
    path = write_params(tmp_path / "params.yaml", params_for(mix, ranks=[33]))
    result = CliRunner().invoke(cli.app, ["fit", "--params", str(path), "--work", str(tmp_path), "--dry-run"])
    assert isinstance(result.exception, SettingsError)


def test_tokenizing_is_a_command_of_its_own(params: Path, tmp_path: Path) -> None:
    arguments = ["tokenize", "--params", str(params), "--work", str(tmp_path), "--workers", "1"]
    result = CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
    assert "240 documents, 204 samples to train on" in result.stderr
    assert len(list(tmp_path.rglob("store.json"))) == 1


def copied(mix: Path, root: Path, **changes: object) -> Path:
    """A project with two profiles alike, each with its mix `retrieval`; the second one's mix is another."""
    section = params_for(Path("retrieval"), **changes)
    shutil.copytree(mix, root / "out/first/mixes/retrieval")
    write_mix(root / "out/second/mixes/retrieval", rows=120, seed=1)
    profile = {"mixes": ["retrieval"], "train": section}
    (root / "params.yaml").write_text(yaml.safe_dump({"profile": "first", "first": profile, "second": profile}))
    return root / "params.yaml"


def test_a_copied_profile_trains_and_is_measured_on_its_own_mix(mix: Path, tmp_path: Path) -> None:
    path = copied(mix, tmp_path)
    for name, samples in (("first", 204), ("second", 102)):
        settings = load_settings(path, name)[1]
        folder = str(tmp_path / "out" / name / "mixes/retrieval")
        assert {*(stage.mix for stage in settings.stages), settings.evaluation.mix} == {folder}
        arguments = ["fit", "--params", str(path), "--profile", name, "--dry-run"]
        said = CliRunner().invoke(cli.app, arguments, catch_exceptions=False).stderr
        assert f"out of {samples} from 3 datasets" in said


def test_a_mix_with_a_slash_is_a_folder_beside_the_settings(mix: Path, tmp_path: Path) -> None:
    stage = params_for(mix)["stages"][0]
    for value, folder in (("out/first/mixes/retrieval", tmp_path / "out/first/mixes/retrieval"), (str(mix), mix)):
        path = tmp_path / "params.yaml"
        train = params_for(mix) | {"stages": [stage | {"mix": value}]}
        path.write_text(yaml.safe_dump({"second": {"train": train}}))
        assert load_settings(path, "second")[1].stages[0].mix == str(folder)


@pytest.mark.slow
def test_everything_lies_beside_the_settings_wherever_one_stands(mix: Path, tmp_path: Path) -> None:
    few = [{"name": "one", "mix": "retrieval", "steps": 2, "batch_size": 24, "learning_rate": 0.003}]
    copied(mix, tmp_path, stages=few)
    (tmp_path / "sub").mkdir()

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "train.cli", *arguments, "--params", "../params.yaml"]
        return subprocess.run(command, cwd=tmp_path / "sub", capture_output=True, text=True, check=False)

    refused = run("evaluate")
    assert refused.returncode == 1
    assert "no finished model" in refused.stderr
    assert str(tmp_path / "out/first/model") in refused.stderr
    assert run("fit", "--workers", "1").returncode == 0
    measured = run("evaluate", "--json", "--profile", "first")
    assert json.loads(measured.stdout) == read_sealed(tmp_path / "out/first/evaluation.json")
    assert run("export", "--to", "cut").returncode == 0, "what is typed is relative to where one stands"
    assert (tmp_path / "sub/cut/modules.json").is_file()
    assert sorted(path.name for path in (tmp_path / "sub").iterdir()) == ["cut"]
    assert (tmp_path / "work/first/train/runs").is_dir()


def test_dry_runs_make_nothing(mix: Path, tmp_path: Path) -> None:
    path = copied(mix, tmp_path)
    before = sorted(tmp_path.rglob("*"))
    for verb in (["fit"], ["tokenize"], ["evaluate"], ["export", "--to", str(tmp_path / "x")],
                 ["prune", "--to", str(tmp_path / "y")]):  # fmt: skip
        result = CliRunner().invoke(cli.app, [*verb, "--params", str(path), "--dry-run"], catch_exceptions=False)
        assert result.exit_code == 0
        assert result.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_errors_are_words_and_an_exit_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["train3d", "fit", "--params", str(tmp_path / "none.yaml")])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    assert "no such file" in capsys.readouterr().err


def test_evaluating_before_fitting_says_what_to_run(params: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.app, ["evaluate", "--params", str(params), "--model", str(tmp_path)])
    assert isinstance(result.exception, StageError)
    assert "train3d fit" in result.exception.remedy
