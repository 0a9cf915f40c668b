"""A model from Python: configured, trained, resumed, loaded; by the code of `train3d`."""

import json

import numpy as np
import pytest

import open_ml_embed as ome
from open_ml_embed.core.errors import SettingsError, StageError, UnknownNameError
from tests.support.synthetic import params_for, write_mix, write_params

STAGES = [
    {"name": name, "mix": "mixes/a", "steps": 2, "batch_size": 8, "learning_rate": 0.003} for name in ("one", "two")
]


@pytest.fixture
def config(tmp_path):
    write_mix(tmp_path / "mixes/a", rows=60)
    write_params(tmp_path / "params.yaml", params_for("mixes/a", stages=STAGES))
    return ome.TrainConfig.from_params(tmp_path / "params.yaml")


def test_a_configuration_has_every_setting_and_paths(config, tmp_path):
    assert config.profile == "tiny"
    assert config.settings.optimizer.weight_decay == 0.01
    assert (config.out, config.work) == (tmp_path / "out/tiny/model", tmp_path / "work/tiny/train")
    assert config.settings.stages[0].mix == str(tmp_path / "mixes/a")
    changed = config.replace(seed=3, max_length=12)
    assert (changed.settings.seed, changed.settings.max_length, config.settings.seed) == (3, 12, 0)
    with pytest.raises(UnknownNameError, match=r"TrainConfig.replace: sed: unknown argument 'sed'"):
        config.replace(sed=3)
    with pytest.raises(SettingsError, match=r"max_length: .* greater than or equal to 2"):
        config.replace(max_length=1)
    assert repr(config).startswith("TrainConfig(profile tiny, backbone random-qwen3, stages: one on ")


@pytest.mark.filterwarnings("default")
def test_a_model_is_trained_once_and_loaded(config, tmp_path, capsys):
    mix = ome.Mix(write_mix(tmp_path / "elsewhere", rows=60, seed=1))
    trainer = ome.Trainer(config, mix)
    assert [stage.mix for stage in trainer.settings.stages] == [str(mix.path)] * 2
    assert trainer.settings.evaluation.mix == str(mix.path)
    assert "one: 2 steps of 8 queries" in trainer.outline()
    fitted = trainer.fit()
    assert (fitted.path, fitted.trained) == (config.out, True)
    assert f"written to {config.out}" in capsys.readouterr().err
    assert json.loads((config.out / "train3d/run.json").read_text())["stages"] == [
        ["one", "elsewhere", 51], ["two", "elsewhere", 51]
    ]  # fmt: skip
    assert ome.Trainer(config, mix).fit().trained is False
    assert "is complete for these settings and inputs; nothing to do" in capsys.readouterr().err
    vectors = [model.encode(["kabel lodun", "mifir"]) for model in (fitted.load("cpu"), ome.load_model(config.out))]
    assert vectors[0].shape == (2, 32)
    assert np.allclose(np.linalg.norm(vectors[0], axis=1), 1, atol=1e-5)
    assert np.allclose(*vectors, atol=1e-6)


def test_each_stage_may_have_a_mix_of_its_own(config, tmp_path):
    mix = ome.Mix(write_mix(tmp_path / "elsewhere", rows=60, seed=1))
    trainer = ome.Trainer(config, {"two": mix}, out=tmp_path / "model", work=tmp_path / "temporary")
    assert [stage.mix for stage in trainer.settings.stages] == [str(tmp_path / "mixes/a"), str(mix.path)]
    assert trainer.settings.evaluation.mix == str(tmp_path / "mixes/a")
    assert (trainer.out, trainer.work) == (tmp_path / "model", tmp_path / "temporary")
    with pytest.raises(UnknownNameError, match="unknown stage 'thre'"):
        ome.Trainer(config, {"thre": mix})


def test_what_is_not_there_is_refused(config, tmp_path):
    with pytest.raises(SettingsError, match="no finished or exported model"):
        ome.load_model(tmp_path)
    (tmp_path / "mixes/a/samples").rename(tmp_path / "gone")
    with pytest.raises(StageError, match=r"no train-\*.parquet"):
        ome.Trainer(config).outline()
    write_params(tmp_path / "params.yaml", {})
    with pytest.raises(SettingsError, match="this profile trains nothing"):
        ome.TrainConfig.from_params(tmp_path / "params.yaml")
