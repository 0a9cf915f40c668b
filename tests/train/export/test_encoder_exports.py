"""BERT-like encoders from a folder to an export: trained, cut, loaded by others, and trained on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer
from typer.testing import CliRunner

import open_ml_embed.factorized  # noqa: F401 (the model types of exports in efficient mode)
from open_ml_embed.core.errors import SettingsError
from tests.support.encoders import write_encoder
from tests.support.synthetic import params_for, write_params
from tests.train.export.test_export import segments_of
from train.cli import app
from train.config_file import load_settings
from train.data.tokenizer import encoder_of
from train.export.onnx import write_onnx
from train.loop.fit import fit
from train.loop.loop import Trainer
from train.loop.run import Run, load

TEXTS = ["kabel lodun", "", "a text far longer than the model takes " * 8, "mifir TEBIM"]
POOLING = {"bert": "cls", "roberta": "last", "xlm-roberta": "mean", "modernbert": "mean"}


@pytest.fixture(scope="module", params=POOLING)
def trained(request, mix: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Path]:
    """A kind of encoder, the model folder of a short run that starts from one, and its settings."""
    kind = request.param
    root = tmp_path_factory.mktemp(kind)
    backbone = {"kind": "pretrained", "path": str(write_encoder(root / "backbone", kind))}
    section = params_for(mix, backbone=backbone, pooling=POOLING[kind], ranks=[4, 8])
    section["stages"] = [stage | {"steps": 6} for stage in section["stages"]]
    params = write_params(root / "params.yaml", section)
    fit(Run(load_settings(params, None)[1], root / "work"), root / "model", resume=True, say=print)
    return kind, root / "model", params


@torch.no_grad()
def ours(folder: Path, params: Path, *, layers: int, dim: int, rank: int) -> torch.Tensor:
    settings = load_settings(params, None)[1]
    model, shape, tokenizer = load(folder, settings)
    model.embedding.rank = rank
    encoder = encoder_of(tokenizer, max_length=settings.max_length)
    states = model(segments_of([encoder.encode(text).ids for text in TEXTS]))
    return torch.nn.functional.normalize(states[shape.layers.index(layers)][:, :dim], dim=1)


def theirs(folder: Path) -> torch.Tensor:
    model = SentenceTransformer(str(folder), device="cpu")
    return torch.from_numpy(model.encode(TEXTS, batch_size=4, show_progress_bar=False))


def test_training_moves_every_weight_but_the_poolers(trained) -> None:
    _, folder, _ = trained
    before, after = (load_file(folder / "train3d" / f"{name}.safetensors") for name in ("untrained", "trained"))
    assert before.keys() == after.keys()
    for name, value in before.items():
        used = "pooler" not in name
        assert torch.equal(value, after[name]) != used, name
    lines = [json.loads(line) for line in next(folder.parent.glob("work/runs/*/log.jsonl")).read_text().splitlines()]
    losses = [entry["loss"] for entry in lines]
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3])


@pytest.mark.parametrize("mode", ["compatible", "efficient"])
@pytest.mark.parametrize(("layers", "dim", "rank"), [(4, 16, 8), (2, 8, 4)], ids=str)
def test_cuts_load_everywhere_and_give_the_same_vectors(trained, tmp_path: Path, layers, dim, rank, mode: str) -> None:
    kind, folder, params = trained
    sizes = ["--layers", str(layers), "--dim", str(dim), "--rank", str(rank), "--mode", mode]
    arguments = ["export", "--params", str(params), "--model", str(folder), "--to", str(tmp_path / "cut"), *sizes]
    CliRunner().invoke(app, arguments, catch_exceptions=False)
    wanted = ours(folder, params, layers=layers, dim=dim, rank=rank)
    torch.testing.assert_close(theirs(tmp_path / "cut"), wanted, rtol=0, atol=1e-5)
    backbone, report = AutoModel.from_pretrained(tmp_path / "cut", output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "cut")
    fed = tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")
    states, mask = backbone(**fed).last_hidden_state, fed["attention_mask"]
    pooled = {
        "cls": states[:, 0],
        "last": states[torch.arange(len(TEXTS)), mask.sum(1) - 1],
        "mean": (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True),
    }[POOLING[kind]]
    torch.testing.assert_close(torch.nn.functional.normalize(pooled[:, :dim], dim=1), wanted, rtol=0, atol=1e-5)
    config = json.loads((tmp_path / "cut" / "config.json").read_text("utf-8"))
    assert config["num_hidden_layers"] == layers
    assert config["model_type"] == ("" if mode == "compatible" else "factorized_") + kind
    if kind == "modernbert":
        assert (config["global_rope_theta"], config["local_rope_theta"]) == (160_000, 10_000), "for transformers 4"


@pytest.mark.parametrize("mode", ["compatible", "efficient"])
def test_an_export_is_a_backbone_whose_ranks_go_on(trained, mix: Path, tmp_path: Path, mode: str) -> None:
    _, folder, params = trained
    to = tmp_path / "backbone"
    arguments = ["export", "--params", str(params), "--model", str(folder), "--to", str(to), "--mode", mode]
    CliRunner().invoke(app, arguments, catch_exceptions=False)
    before = load(folder, load_settings(params, None)[1])[0]
    for path in (to, folder):
        section = params_for(mix, backbone={"kind": "pretrained", "path": str(path)}, ranks=[4, 8])
        run = Run(load_settings(write_params(tmp_path / "on.yaml", section), None)[1], tmp_path / "work")
        whole = run.model()[0]
        for rank in (4, 8):
            torch.testing.assert_close(whole.embedding.product(rank), before.embedding.product(rank))
        read = {name: tensor.read() for name, tensor in run.first_weights().items()}
        state = whole.state_dict()
        assert read.keys() == state.keys()
        for name, value in before.state_dict().items():
            if ".left" not in name and ".right" not in name:
                assert torch.equal(state[name], value), name
                assert torch.equal(read[name], value), name


def test_a_folder_for_llama_cpp_is_refused(trained, tmp_path: Path) -> None:
    kind, folder, params = trained
    arguments = ["export", "--params", str(params), "--model", str(folder), "--to", str(tmp_path / "g"), "--gguf"]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, SettingsError)
    assert f"not for {kind}" in result.exception.what


@pytest.mark.filterwarnings("ignore")
def test_onnx_gives_the_same_vectors(trained, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX is optional")
    pytest.importorskip("onnxscript", reason="ONNX is optional")
    kind, folder, params = trained
    arguments = ["export", "--params", str(params), "--model", str(folder), "--to", str(tmp_path / "o")]
    CliRunner().invoke(app, arguments, catch_exceptions=False)
    session = onnxruntime.InferenceSession(str(write_onnx(tmp_path / "o", dim=16, pooling=POOLING[kind])))
    fed = AutoTokenizer.from_pretrained(tmp_path / "o")(TEXTS, padding=True, truncation=True, return_tensors="np")
    fed = {name: fed[name].astype("int64") for name in ("input_ids", "attention_mask")}
    (vectors,) = session.run(["sentence_embedding"], fed)
    wanted = ours(folder, params, layers=4, dim=16, rank=8)
    torch.testing.assert_close(torch.from_numpy(vectors), wanted, rtol=0, atol=1e-5)


def test_a_text_longer_than_the_table_of_positions_is_refused(trained, tmp_path: Path) -> None:
    kind, _, params = trained
    settings = load_settings(params, None)[1].model_copy(update={"max_length": 65})
    with pytest.raises(SettingsError, match="texts of 65 tokens, but the backbone has 64 positions"):
        Trainer(Run(settings, tmp_path / "work"))
    assert kind


def test_the_first_token_is_looked_for(trained, tmp_path: Path) -> None:
    """All four kinds of tokenizers begin texts with a token that can stand for them."""
    _, _, params = trained
    settings = load_settings(params, None)[1].model_copy(update={"pooling": "cls"})
    assert Trainer(Run(settings, tmp_path / "work")).model.pooling == "cls"
