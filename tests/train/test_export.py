from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from safetensors import safe_open
from sentence_transformers import SentenceTransformer
from transformers import AutoTokenizer
from typer.testing import CliRunner

from tests.train.synthetic import params_for, write_params
from train.cli import app
from train.config import TrainSettings, load_settings
from train.run import Run, load
from train.tokenizer import encoder_of


@pytest.fixture(scope="module")
def texts(mix: Path) -> list[str]:
    queries = pq.read_table(mix / "samples" / "validation-00000.parquet")["query"].to_pylist()
    return [*queries, "a text far longer than the model takes " * 8, "", "ünïcödé ☃"]


@torch.no_grad()
def ours(folder: Path, settings: TrainSettings, texts: list[str], *, layers: int, dim: int, rank: int) -> torch.Tensor:
    import numpy as np

    from train.segments import Segments

    model, shape, tokenizer = load(folder, settings)
    model.embedding.rank = rank
    encoder = encoder_of(tokenizer, max_length=settings.max_length)
    ids = [encoder.encode(text).ids for text in texts]
    lengths = np.array([len(i) for i in ids], np.int32)
    states = model(Segments(np.concatenate([np.array(i, np.int32) for i in ids]), lengths))
    return torch.nn.functional.normalize(states[shape.layers.index(layers)][:, :dim], dim=1)


def theirs(folder: Path, texts: list[str]) -> torch.Tensor:
    model = SentenceTransformer(str(folder), device="cpu")
    return torch.from_numpy(model.encode(texts, batch_size=4, show_progress_bar=False))


def test_the_fitted_folder_loads_and_gives_the_same_vectors(fitted: Path, settings, texts) -> None:
    vectors = theirs(fitted, texts)
    torch.testing.assert_close(vectors, ours(fitted, settings, texts, layers=3, dim=32, rank=16), rtol=0, atol=1e-5)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(len(texts)), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("layers", "dim", "rank"), [(1, 32, 16), (3, 8, 16), (3, 32, 8), (2, 16, 8)], ids=str)
def test_cuts_give_the_same_vectors(fitted: Path, params, settings, texts, tmp_path, layers, dim, rank) -> None:
    to = tmp_path / "cut"
    sizes = ["--layers", str(layers), "--dim", str(dim), "--rank", str(rank)]
    arguments = ["export", "--params", str(params), "--model", str(fitted), "--to", str(to), *sizes]
    assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
    vectors = theirs(to, texts)
    assert vectors.shape == (len(texts), dim)
    torch.testing.assert_close(
        vectors, ours(fitted, settings, texts, layers=layers, dim=dim, rank=rank), rtol=0, atol=1e-5
    )
    config = json.loads((to / "config.json").read_text("utf-8"))
    assert config["num_hidden_layers"] == layers == len(config["layer_types"])
    assert config["is_matryoshka"] is True
    assert config["matryoshka_dimensions"] == [d for d in (8, 16, 32) if d <= dim]
    assert config["model_type"] == "qwen3"


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
