from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from click.testing import Result
from safetensors import safe_open
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer, EuroBertConfig, Qwen3Config
from typer.testing import CliRunner

from open_ml_embed.core.errors import SettingsError
from tests.support import ROOT
from tests.support.synthetic import params_for, write_params
from train.cli import app
from train.config import TrainSettings
from train.config_file import load_settings
from train.data.segments import Segments
from train.data.tokenizer import encoder_of
from train.export.export import Cut, cut_backbone
from train.export.export import export as write
from train.loop.run import Run, Shape, load
from train.model.embedder import Embedder
from train.model.embedding import nest


@pytest.fixture(scope="module")
def texts(mix: Path) -> list[str]:
    queries = pq.read_table(mix / "samples" / "validation-00000.parquet")["query"].to_pylist()
    return [*queries, "a text far longer than the model takes " * 8, "", "ünïcödé ☃"]


@torch.no_grad()
def ours(folder: Path, settings: TrainSettings, texts: list[str], *, layers: int, dim: int, rank: int) -> torch.Tensor:
    model, shape, tokenizer = load(folder, settings)
    model.embedding.rank = rank
    encoder = encoder_of(tokenizer, max_length=settings.max_length)
    ids = [encoder.encode(text).ids for text in texts]
    states = model(segments_of(ids))
    return torch.nn.functional.normalize(states[shape.layers.index(layers)][:, :dim], dim=1)


def segments_of(ids: list[list[int]]) -> Segments:
    return Segments(np.concatenate([np.array(i, np.int32) for i in ids]), np.array([len(i) for i in ids], np.int32))


def theirs(folder: Path, texts: list[str]) -> torch.Tensor:
    model = SentenceTransformer(str(folder), device="cpu")
    return torch.from_numpy(model.encode(texts, batch_size=4, show_progress_bar=False))


def test_the_fitted_folder_loads_and_gives_the_same_vectors(fitted: Path, settings, texts) -> None:
    vectors = theirs(fitted, texts)
    torch.testing.assert_close(vectors, ours(fitted, settings, texts, layers=3, dim=32, rank=16), rtol=0, atol=1e-5)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(len(texts)), rtol=0, atol=1e-5)


def export(params: Path, fitted: Path, to: Path, *options: str) -> Result:
    arguments = ["export", "--params", str(params), "--model", str(fitted), "--to", str(to), *options]
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize("mode", ["compatible", "efficient"])
@pytest.mark.parametrize(
    ("layers", "dim", "rank"), [(1, 32, 16), (2, 32, 16), (3, 32, 16), (3, 8, 16), (3, 32, 8), (2, 16, 8)], ids=str
)
def test_every_depth_dimension_and_rank_gives_the_same_vectors_in_both_modes(
    fitted: Path, params, settings, texts, tmp_path, layers, dim, rank, mode
) -> None:
    to = tmp_path / "cut"
    sizes = ["--layers", str(layers), "--dim", str(dim), "--rank", str(rank), "--mode", mode]
    assert export(params, fitted, to, *sizes).exit_code == 0
    vectors = theirs(to, texts)
    assert vectors.shape == (len(texts), dim)
    torch.testing.assert_close(
        vectors, ours(fitted, settings, texts, layers=layers, dim=dim, rank=rank), rtol=0, atol=1e-5
    )
    config = json.loads((to / "config.json").read_text("utf-8"))
    assert config["num_hidden_layers"] == layers
    assert "layer_types" not in config, "they follow from the number of layers"
    assert config["is_matryoshka"] is True
    assert config["matryoshka_dimensions"] == [d for d in (8, 16, 32) if d <= dim]
    assert config["model_type"] == ("qwen3" if mode == "compatible" else "factorized_qwen3")
    with safe_open(to / "model.safetensors", "pt") as weights:
        shapes = {name: tuple(weights.get_slice(name).get_shape()) for name in weights.keys() if "embed" in name}  # noqa: SIM118 (no mapping)
    vocabulary = config["vocab_size"]
    assert shapes == (
        {"embed_tokens.weight": (vocabulary, 32)}
        if mode == "compatible"
        else {"embed_tokens.left": (vocabulary, rank), "embed_tokens.right": (rank, 32)}
    )


TRAP = "raise RuntimeError('a file of the user was imported in the place of one of this project')\n"
LOAD = """
import sys
from pathlib import Path
{register}
from sentence_transformers import SentenceTransformer
from transformers import AutoModel
model = SentenceTransformer({folder!r}, device="cpu"{trust})
print(type(model[0].auto_model).__name__, type(AutoModel.from_pretrained({folder!r}{trust})).__name__)
print(model.encode(["a b", "c"], show_progress_bar=False).tobytes().hex())
print("open_ml_embed" in sys.modules, bool({{"train", "sources", "curation"}} & sys.modules.keys()))
"""


@pytest.mark.slow
def test_the_efficient_mode_loads_beside_files_of_the_users_own_and_without_this_project(
    fitted: Path, params: Path, tmp_path: Path
) -> None:
    folder, place = tmp_path / "cut", tmp_path / "place"
    assert export(params, fitted, folder, "--mode", "efficient").exit_code == 0
    (place / "sources").mkdir(parents=True)
    for name in ("train.py", "curation.py", "sources/__init__.py"):
        (place / name).write_text(TRAP)

    def run(**said: str) -> list[str]:
        program = LOAD.format(folder=str(folder), **said)
        environment = os.environ | {"PYTHONPATH": f"{place}{os.pathsep}{ROOT}", "HF_MODULES_CACHE": str(tmp_path / "m")}
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=place, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    kinds, vectors, imported = run(register="import open_ml_embed.factorized", trust="")
    assert (kinds, imported) == ("FactorizedQwen3Model FactorizedQwen3Model", "True False")
    again = run(register="sys.modules['open_ml_embed'] = None", trust=", trust_remote_code=True")
    assert again[:2] == [kinds, vectors], "by the code in the folder, which needs nothing of this project"


@pytest.mark.slow
def test_workers_that_count_tokens_load_no_torch() -> None:
    light = "import sys, train, train.data.token_store; print('transformers' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", light], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("kind", ["qwen3", "eurobert"])
def test_every_registered_architecture_exports_both_ways(kind: str, run: Run, texts, tmp_path: Path) -> None:
    names = {"vocab_size": len(run.tokenizer), "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "pad_token_id": 0}
    config = {"qwen3": Qwen3Config, "eurobert": EuroBertConfig}[kind](**names, **heads)
    backbone = nest(AutoModel.from_config(config).eval(), [4, 8])
    model = Embedder(backbone, layers=[1, 2], chunk_tokens=64).eval()
    encoder = encoder_of(run.tokenizer, max_length=24)
    for layers, mode in itertools.product((1, 2), ("compatible", "efficient")):
        folder = tmp_path / f"{layers}-{mode}"
        shape, said = Shape((1, 2), (8, 16), (4, 8)), {"prompts": {}, "instructed": False}
        write(model, run.tokenizer, folder, cut=Cut(layers, 16, 4), shape=shape, **said, mode=mode)
        model.embedding.rank = 4
        with torch.no_grad():
            states = model(segments_of([encoder.encode(text).ids for text in texts]))[layers - 1]
        expected = torch.nn.functional.normalize(states, dim=1)
        torch.testing.assert_close(theirs(folder, texts), expected, rtol=0, atol=1e-5)


def test_a_plain_embedding_has_no_factors_to_export(run: Run, tmp_path: Path) -> None:
    config = Qwen3Config(vocab_size=20, hidden_size=16, intermediate_size=24, num_hidden_layers=1, head_dim=8,
                         num_attention_heads=2, num_key_value_heads=1)  # fmt: skip
    model = Embedder(nest(AutoModel.from_config(config), [16]), layers=[1], chunk_tokens=64)
    with pytest.raises(SettingsError, match="plain token embedding") as caught:
        cut_backbone(model, Cut(1, 16, 16), "efficient")
    assert "--mode compatible" in caught.value.remedy


def test_the_card_says_how_to_load_and_what_may_be_cut(fitted: Path, params: Path, tmp_path: Path) -> None:
    card = (fitted / "README.md").read_text("utf-8")
    head = yaml.safe_load(card.split("---")[1])
    assert head["library_name"] == "sentence-transformers"
    assert "base_model" not in head
    assert "| may be cut to | 8, 16 |" in card
    assert "- retrieval: 204 queries of the mix mix" in card
    assert "open_ml_embed" not in card
    assert export(params, fitted, tmp_path / "cut", "--mode", "efficient", "--dim", "16").exit_code == 0
    card = (tmp_path / "cut" / "README.md").read_text("utf-8")
    assert "import open_ml_embed.factorized" in card
    assert "trust_remote_code=True" in card
    code = card.split("```python\n")[1].split("```")[0].replace('"cut', f'"{tmp_path}/cut')
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(find_spec("onnxscript") is None or find_spec("onnxruntime") is None, reason="ONNX is optional")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", ["compatible", "efficient"])
def test_onnx_gives_the_same_vectors(fitted: Path, params: Path, settings, texts, tmp_path: Path, mode: str) -> None:
    import onnxruntime

    to = tmp_path / "cut"
    done = export(params, fitted, to, "--layers", "2", "--dim", "16", "--mode", mode, "--onnx")
    assert done.exit_code == 0, done.exception
    session = onnxruntime.InferenceSession(str(to / "onnx" / "model.onnx"))
    expected = ours(fitted, settings, texts, layers=2, dim=16, rank=16)
    tokenizer = AutoTokenizer.from_pretrained(to)
    for rows in ([0], [1, 2, 3, 4]):
        fed = tokenizer([texts[i] for i in rows], padding=True, truncation=True, return_tensors="np")
        fed = {name: fed[name].astype("int64") for name in ("input_ids", "attention_mask")}
        (vectors,) = session.run(["sentence_embedding"], fed)
        torch.testing.assert_close(torch.from_numpy(vectors), expected[rows], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["onnx", "onnxscript"])
def test_onnx_says_what_to_install(fitted: Path, params: Path, tmp_path: Path, monkeypatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    result = export(params, fitted, tmp_path / "cut", "--onnx")
    assert isinstance(result.exception, SettingsError)
    assert "open-ml-embed[onnx]" in result.exception.remedy


def test_a_prefix_of_a_full_vector_is_the_cut_vector(fitted: Path, settings, texts) -> None:
    model = SentenceTransformer(str(fitted), device="cpu", truncate_dim=16)
    vectors = model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    expected = ours(fitted, settings, texts, layers=3, dim=16, rank=16)
    torch.testing.assert_close(torch.from_numpy(vectors), expected, rtol=0, atol=1e-5)


def test_the_exported_tokenizer_ends_texts_by_itself(fitted: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(fitted)
    ids = tokenizer(["a b", "x " * 100], truncation=True)["input_ids"]
    assert all(i[-1] == tokenizer.eos_token_id for i in ids)
    assert max(map(len, ids)) == 24
    assert tokenizer.pad_token_id != tokenizer.eos_token_id


def test_an_exported_model_trains_on_as_a_pretrained_backbone(fitted: Path, mix: Path, tmp_path: Path) -> None:
    section = params_for(mix, backbone={"kind": "pretrained", "path": str(fitted)}, ranks=[8, 16])
    path = write_params(tmp_path / "params.yaml", section)
    settings = load_settings(path, None)[1]
    run = Run(settings, tmp_path / "work")
    model, shape = run.model()
    assert shape.layers == (1, 2, 3)
    before = load(fitted, settings)[0]
    torch.testing.assert_close(model.embedding.product(16), before.embedding.product(16), rtol=1e-4, atol=1e-5)
    assert run.tokenizer("a b").input_ids == AutoTokenizer.from_pretrained(fitted)("a b").input_ids


def test_untrained_weights_are_kept_and_nothing_is_pickled(fitted: Path) -> None:
    files = {p.relative_to(fitted).as_posix() for p in fitted.rglob("*") if p.is_file()}
    assert {"train3d/trained.safetensors", "train3d/untrained.safetensors", "modules.json"} <= files
    assert not [f for f in files if f.endswith((".bin", ".pt", ".pkl"))]
    with (
        safe_open(fitted / "train3d/trained.safetensors", "pt") as trained,
        safe_open(fitted / "train3d/untrained.safetensors", "pt") as untrained,
    ):
        assert set(trained.keys()) == set(untrained.keys())
        name = "backbone.embed_tokens.left"
        assert not torch.equal(trained.get_tensor(name), untrained.get_tensor(name))


def test_a_size_that_was_not_trained_is_refused(fitted: Path, params: Path, tmp_path: Path) -> None:
    arguments = ["export", "--params", str(params), "--model", str(fitted), "--to", str(tmp_path / "x"), "--dim", "9"]
    result = CliRunner().invoke(app, arguments)
    assert "one of: 8, 16, 32" in str(result.exception)
    assert not (tmp_path / "x").exists()
