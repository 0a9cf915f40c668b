from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from transformers import AutoTokenizer, Qwen3Config

from open_ml_embed.core.errors import CorpusError, SettingsError, StageError
from tests.support.synthetic import params_for, write_params
from train.config import Pretrained, RandomQwen3, Stage
from train.config_file import load_settings
from train.data.tokenizer import train_tokenizer, wrap
from train.loop import run as run_module
from train.loop.loop import Trainer
from train.loop.preflight import outline, peak_rate
from train.loop.run import Run
from train.model.sizes import Sizes, sizes_of

SMALL = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "num_key_value_heads": 1}


@pytest.fixture
def backbone(tmp_path: Path) -> Path:
    """A folder with a configuration and a tokenizer, and no weights at all."""
    folder = tmp_path / "backbone"
    wrap(train_tokenizer(iter(["ka lo mi"]), vocab_size=400), max_length=24).save_pretrained(folder)
    config = Qwen3Config(vocab_size=400, head_dim=16, intermediate_size=48, **SMALL)
    config.save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def _no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "build_backbone", lambda *_, **__: pytest.fail("the model was loaded"))


def start(tmp_path: Path, section: dict) -> CorpusError:
    """Start a run and return what it is refused with."""
    path = write_params(tmp_path / "params.yaml", section)
    with pytest.raises(CorpusError) as caught:
        Trainer(Run(load_settings(path, None)[1], tmp_path / "work"))
    return caught.value


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ranks": [8, 33]}, "33"),
        ({"objective": {"layers": [1, 4]}}, "between 1 and 3"),
        ({"objective": {"dims": [64]}}, "between 1 and 32"),
    ],
)
@pytest.mark.parametrize("pretrained", [True, False])
def test_sizes_that_do_not_nest(mix, tmp_path, backbone, changes, message: str, *, pretrained: bool) -> None:
    if pretrained:
        changes = {**changes, "backbone": {"kind": "pretrained", "path": str(backbone)}}
    error = start(tmp_path, params_for(mix, **changes))
    assert isinstance(error, SettingsError)
    assert message in error.what
    assert error.remedy


@pytest.mark.parametrize(
    ("family", "negatives", "message"),
    [("regression", [1], "the loss family 'regression'"), ("clustering", [], "none of the 80 samples")],
)
def test_mixes_that_teach_nothing(mix: Path, tmp_path: Path, family: str, negatives: list[int], message: str) -> None:
    shutil.copytree(mix, tmp_path / "mix")
    for file in (tmp_path / "mix" / "samples").iterdir():
        rows = pq.read_table(file)
        changed = [
            r | {"family": family, "negative_ids": negatives} if r["source"] == "gamma" else r for r in rows.to_pylist()
        ]
        pq.write_table(rows.from_pylist(changed, rows.schema), file)
    error = start(tmp_path, params_for(tmp_path / "mix"))
    assert isinstance(error, StageError)
    assert message in error.what
    assert error.remedy


def test_a_missing_mix(mix: Path, tmp_path: Path) -> None:
    assert "curate mix" in start(tmp_path, params_for(tmp_path / "nowhere")).remedy


def test_a_mix_with_nothing_to_train_on(mix: Path, tmp_path: Path) -> None:
    shutil.copytree(mix, tmp_path / "mix")
    for file in (tmp_path / "mix" / "samples").glob("train-*"):
        pq.write_table(pq.read_table(file).slice(0, 0), file)
    section = params_for(tmp_path / "mix")
    errors = [start(tmp_path, section)]
    with pytest.raises(StageError) as caught:
        outline(Run(load_settings(tmp_path / "params.yaml", None)[1], tmp_path / "work"))
    for error in (*errors, caught.value):
        assert "no samples to train on" in error.what
        assert error.where == str(tmp_path / "mix")
        assert "`validation`" in error.remedy
    assert not list((tmp_path / "work").rglob("*.arrow"))


def test_a_tokenizer_without_an_end_of_text_token(mix: Path, tmp_path: Path, backbone: Path) -> None:
    section = params_for(mix, backbone={"kind": "pretrained", "path": str(backbone)})
    said = json.loads((backbone / "tokenizer_config.json").read_text("utf-8"))
    del said["eos_token"]
    (backbone / "tokenizer_config.json").write_text(json.dumps(said), "utf-8")
    error = start(tmp_path, section)
    assert "end-of-text token" in error.what
    assert error.remedy


def test_a_tokenizer_larger_than_the_embedding(mix: Path, tmp_path: Path, backbone: Path) -> None:
    Qwen3Config(vocab_size=100, head_dim=16, intermediate_size=48, **SMALL).save_pretrained(backbone)
    error = start(tmp_path, params_for(mix, backbone={"kind": "pretrained", "path": str(backbone)}))
    assert f"{len(AutoTokenizer.from_pretrained(backbone))} tokens" in error.what
    assert "100 rows" in error.what


def test_a_folder_without_a_configuration(mix: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    error = start(tmp_path, params_for(mix, backbone={"kind": "pretrained", "path": str(tmp_path / "empty")}))
    assert "no model" in error.what


def test_texts_longer_than_the_backbone_has_positions(mix: Path, tmp_path: Path, backbone: Path) -> None:
    config = json.loads((backbone / "config.json").read_text("utf-8"))
    (backbone / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 23}), "utf-8")
    section = params_for(mix, backbone={"kind": "pretrained", "path": str(backbone)})
    error = start(tmp_path, section)
    assert isinstance(error, SettingsError)
    assert "texts of 24 tokens, but the backbone has 23 positions" in error.what
    assert error.where == "train.max_length"
    with pytest.raises(SettingsError, match="23 positions"):
        outline(Run(load_settings(tmp_path / "params.yaml", None)[1], tmp_path / "work"))


@pytest.mark.parametrize("length", [{"steps": 4}, {"epochs": 0.4, "steps": None}])
def test_a_warm_up_longer_than_its_stage(mix: Path, tmp_path: Path, length: dict) -> None:
    section = params_for(mix)
    section["stages"][1] |= length | {"warmup_steps": 5}
    error = start(tmp_path, section)
    assert isinstance(error, SettingsError)
    assert "a warm-up of 5 steps, but the stage has 4" in error.what
    assert "instruction" in error.where


def test_a_new_model_needs_a_rate_of_its_own(mix: Path, tmp_path: Path) -> None:
    section = params_for(mix)
    section["stages"][1]["learning_rate"] = None
    error = start(tmp_path, section)
    assert "learning_rate" in error.remedy
    assert "instruction" in error.where


@pytest.mark.parametrize(
    ("width", "depth", "heads", "mlp", "tied", "rate"),
    [
        (1024, 28, 16, 3072, True, 1e-5),
        (2048, 28, 16, 6144, True, 9e-6),
        (2560, 36, 32, 9728, True, 7e-6),
        (4096, 36, 32, 12288, False, 6e-6),
        (320, 8, 16, 2048, True, 4e-5),
        (5120, 40, 40, 17408, False, 5e-6),
        (640, 9, 16, 1536, True, 3e-5),
    ],
)
def test_the_recipes_rate_goes_by_the_published_sizes(tmp_path, width, depth, heads, mlp, tied, rate) -> None:
    Qwen3Config(
        vocab_size=151936,
        hidden_size=width,
        num_hidden_layers=depth,
        num_attention_heads=heads,
        num_key_value_heads=8,
        head_dim=128,
        intermediate_size=mlp,
        tie_word_embeddings=tied,
    ).save_pretrained(tmp_path)
    sizes = sizes_of(Pretrained(kind="pretrained", path=str(tmp_path)))
    assert (sizes.hidden, sizes.layers, sizes.vocabulary) == (width, depth, 151936)
    stage = Stage(name="a", mix="m", steps=1, batch_size=1)
    assert peak_rate(stage, sizes) == rate
    assert peak_rate(stage.model_copy(update={"learning_rate": 0.5}), sizes) == 0.5


def test_a_new_models_sizes_are_its_settings() -> None:
    assert sizes_of(RandomQwen3(kind="random-qwen3", hidden_size=48, layers=5)) == Sizes(48, 5, None, None)
