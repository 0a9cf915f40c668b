"""What other versions of transformers, servers and converters read in an export."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer, Qwen3Config, Qwen3Model
from typer.testing import CliRunner

from open_ml_embed.core.errors import SettingsError
from tests.support.synthetic import params_for, write_mix, write_params
from train.cli import app
from train.config import TrainSettings
from train.config_file import load_settings
from train.data.tokenizer import train_tokenizer, wrap
from train.export.backbone_files import write_tokenizer
from train.export.prompts import GENERAL
from train.loop.fit import fit
from train.loop.run import Run

OLD_PYTHON = os.environ.get("EXPORT_MATRIX_PYTHON", "")
"""The interpreter of an environment with transformers 4 and sentence-transformers 5 (`python3 tasks.py matrix`)."""
TEXTS = ["kabel lodun", "mifir", "a text far longer than the model takes " * 8]
LOAD = """
import sys
import numpy as np
import sentence_transformers, transformers
from sentence_transformers import SentenceTransformer
folder, to, *texts = sys.argv[1:]
model = SentenceTransformer(folder, device="cpu", trust_remote_code=True)
np.save(to, model.encode(texts, show_progress_bar=False))
print(transformers.__version__, sentence_transformers.__version__, model[0].auto_model.config.num_hidden_layers)
"""


@pytest.fixture(scope="module")
def trained(fitted: Path, mix: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model whose backbone has a position base of its own, and the settings of its run."""
    root = tmp_path_factory.mktemp("readers")
    sizes = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "num_key_value_heads": 1}
    tokenizer = AutoTokenizer.from_pretrained(fitted)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        head_dim=16,
        intermediate_size=48,
        eos_token_id=1,
        pad_token_id=0,
        rope_parameters={"rope_theta": 1e6, "rope_type": "default"},
        **sizes,
    )
    torch.manual_seed(0)
    Qwen3Model(config).save_pretrained(root / "backbone")
    tokenizer.save_pretrained(root / "backbone")
    section = params_for(mix, backbone={"kind": "pretrained", "path": str(root / "backbone")})
    section["stages"] = [stage | {"steps": 4} for stage in section["stages"]]
    params = write_params(root / "params.yaml", section)
    fit(Run(load_settings(params, None)[1], root / "work"), root / "model", resume=True, say=print)
    return root / "model", params


def export(trained: tuple[Path, Path], to: Path, *options: str) -> Path:
    folder, params = trained
    arguments = ["export", "--params", str(params), "--model", str(folder), "--to", str(to), *options]
    CliRunner().invoke(app, arguments, catch_exceptions=False)
    return to


def encoded(folder: Path) -> np.ndarray:
    return SentenceTransformer(str(folder), device="cpu").encode(TEXTS, show_progress_bar=False)


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8"))


@pytest.mark.parametrize("mode", ["compatible", "efficient"])
def test_the_position_base_and_the_type_stand_where_both_versions_look(trained, tmp_path: Path, mode: str) -> None:
    config = read(export(trained, tmp_path / "m", "--mode", mode) / "config.json")
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"] == 1e6
    assert config["dtype"] == config["torch_dtype"] == "float32"


def test_the_tokenizer_is_of_a_class_that_every_version_has_and_knows_no_machine(trained, tmp_path: Path) -> None:
    folder = export(trained, tmp_path / "m")
    tokenizer = read(folder / "tokenizer_config.json")
    assert tokenizer["tokenizer_class"] == "PreTrainedTokenizerFast"
    root = str(trained[0].parent)
    for path in folder.rglob("*.json"):
        text = path.read_text("utf-8")
        assert root not in text, path
        assert str(tmp_path) not in text, path
        assert not {"is_local", "local_files_only", "_name_or_path", "name_or_path"} & set(_keys(json.loads(text))), (
            path
        )


def test_special_tokens_stand_where_both_versions_look(tmp_path: Path) -> None:
    tokenizer = wrap(train_tokenizer(iter(["a b"] * 5), vocab_size=300), max_length=8)
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|tool|>"]})
    write_tokenizer(tmp_path, tokenizer)
    config = read(tmp_path / "tokenizer_config.json")
    assert config["additional_special_tokens"] == ["<|tool|>"]
    assert "extra_special_tokens" not in config, "transformers 4 expects a mapping"
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert again.extra_special_tokens == ["<|tool|>"]
    assert again("<|tool|> a").input_ids == tokenizer("<|tool|> a").input_ids


def _keys(data: Any) -> Iterator[str]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield key
            yield from _keys(value)


@pytest.mark.parametrize("mode", ["compatible", "efficient"])
def test_changing_the_number_of_layers_alone_cuts_the_model(trained, tmp_path: Path, mode: str) -> None:
    import open_ml_embed.factorized  # noqa: F401

    folder, wanted = export(trained, tmp_path / "m", "--mode", mode), export(trained, tmp_path / "w", "--layers", "2")
    config = read(folder / "config.json")
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 2}), "utf-8")
    np.testing.assert_allclose(encoded(folder), encoded(wanted), rtol=0, atol=1e-5)
    assert len(AutoModel.from_pretrained(folder).layers) == 2


def test_a_stored_type_and_several_files(trained, tmp_path: Path) -> None:
    whole = export(trained, tmp_path / "whole")
    folder = export(trained, tmp_path / "half", "--dtype", "bfloat16", "--max-shard-gb", "0.00001")
    index = read(folder / "model.safetensors.index.json")
    files = sorted(folder.glob("model-*.safetensors"))
    assert len(files) > 3
    assert set(index["weight_map"].values()) == {file.name for file in files}
    assert not (folder / "model.safetensors").exists()
    assert index["metadata"]["total_size"] == sum(_bytes(file) for file in files)
    config = read(folder / "config.json")
    assert config["dtype"] == config["torch_dtype"] == "bfloat16"
    halved, full = AutoModel.from_pretrained(folder, dtype="auto"), AutoModel.from_pretrained(whole)
    for (name, value), other in zip(halved.named_parameters(), full.parameters(), strict=True):
        assert value.dtype == torch.bfloat16, name
        assert torch.equal(value, other.to(torch.bfloat16)), name
    again = export(trained, folder)
    assert not list(again.glob("model-*")), "files of the earlier export are gone"
    np.testing.assert_allclose(encoded(again), encoded(whole), rtol=0, atol=1e-6)


def _bytes(path: Path) -> int:
    with safe_open(path, "pt") as file:
        return sum(file.get_tensor(name).nbytes for name in file.keys())  # noqa: SIM118 (no mapping)


def test_a_graph_of_other_weights_does_not_stay(trained, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    (folder / "onnx").mkdir(parents=True)
    (folder / "onnx" / "model.onnx").write_bytes(b"that of an earlier export")
    assert not (export(trained, folder) / "onnx").exists()


def test_a_converter_finds_the_backbones_tokenizer(trained, tmp_path: Path) -> None:
    """llama.cpp hashes what AutoTokenizer makes of a text; special tokens belong to it."""
    folder = export(trained, tmp_path / "m", "--gguf") / "gguf"
    text = "Hello, y'all! How are you 😁 ?\n \n\t 3 33 333 នេះ"
    ids, ended = (AutoTokenizer.from_pretrained(path).encode(text) for path in (folder, folder.parent))
    assert ended == [*ids, 1]
    tokenizer = read(folder / "tokenizer_config.json")
    assert tokenizer["add_eos_token"] is True
    assert tokenizer["eos_token"] == "<|endoftext|>"
    assert (folder / "1_Pooling" / "config.json").is_file()
    assert read(folder / "config.json")["architectures"] == ["Qwen3Model"]
    assert (folder / "model.safetensors").samefile(folder.parent / "model.safetensors")
    assert not (export(trained, folder.parent) / "gguf").exists(), "stale after another export"
    with pytest.raises(SettingsError, match="full width only"):
        export(trained, tmp_path / "n", "--gguf", "--dim", "8")


def test_training_anew_into_a_folder_leaves_no_graph(trained, mix, tmp_path: Path) -> None:
    folder, params = trained
    settings: TrainSettings = load_settings(params, None)[1]
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(b"that of an earlier run")
    fit(Run(settings, params.parent / "work"), folder, resume=False, say=print)
    assert not (folder / "onnx").exists()


@pytest.mark.parametrize("instructed", [True, False])
def test_a_model_carries_the_prompts_that_it_was_trained_with(tmp_path: Path, *, instructed: bool) -> None:
    mix = write_mix(tmp_path / "mix", before="Instruct: Find the cipher.\nQuery: " if instructed else "")
    section = params_for(mix)
    section["stages"] = [section["stages"][1] | {"steps": 3}]
    settings = load_settings(write_params(tmp_path / "params.yaml", section), None)[1]
    fit(Run(settings, tmp_path / "work"), tmp_path / "model", resume=True, say=print)
    model = SentenceTransformer(str(tmp_path / "model"), device="cpu")
    assert model.prompts["query"] == (f"Instruct: {GENERAL}\nQuery: " if instructed else "")
    assert model.prompts["document"] == ""
    prompted = model.encode_query(["kabel"], show_progress_bar=False)
    by_hand = model.encode([model.prompts["query"] + "kabel"], prompt="", show_progress_bar=False)
    np.testing.assert_allclose(prompted, by_hand, atol=1e-6)


def test_the_state_before_the_last_stage_is_written_too(trained, tmp_path: Path) -> None:
    folder, params = trained
    stage = folder.with_name("model-stages") / "retrieval"
    vectors = encoded(stage)
    assert vectors.shape == (len(TEXTS), 32)
    assert not np.allclose(vectors, encoded(folder), atol=1e-4), "the last stage trained on"
    cut = export((stage, params), tmp_path / "cut", "--layers", "1", "--dim", "8")
    assert encoded(cut).shape == (len(TEXTS), 8)
    section = read(stage / "train3d" / "run.json")
    assert [name for name, *_ in section["stages"]] == ["retrieval"]


@pytest.mark.parametrize("mode", ["compatible", "efficient"])
@pytest.mark.skipif(not OLD_PYTHON, reason="needs the environment that `python3 tasks.py matrix` makes")
def test_older_versions_give_the_same_vectors(trained, tmp_path: Path, mode: str) -> None:
    folder = export(trained, tmp_path / "m", "--mode", mode)
    vectors = {}
    for python in (sys.executable, OLD_PYTHON):
        to = tmp_path / "vectors.npy"
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment |= {"HF_MODULES_CACHE": str(tmp_path / "modules"), "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(
            [python, "-c", LOAD, str(folder), str(to), *TEXTS],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        vectors[done.stdout.split()[0].split(".")[0]] = np.load(to)
    assert vectors.keys() == {"4", "5"}
    np.testing.assert_allclose(vectors["4"], vectors["5"], rtol=0, atol=1e-5)
