"""A sharded model is never whole in a process: not at its start, in a checkpoint, or in an export."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from transformers import AutoTokenizer, Qwen3Config, Qwen3Model

from tests.support import processes
from tests.support.synthetic import params_for, write_params
from tests.train.loop.test_loop import fresh
from train.config_file import load_settings
from train.export.export import Cut, export
from train.loop import checkpoint
from train.loop.loop import Trainer

PROCESSES = 2
LAYERS = 6


@pytest.fixture(scope="module")
def folder(fitted: Path, mix: Path, work: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the processes filled: a deep and narrow model, so that no tensor is most of it."""
    root = tmp_path_factory.mktemp("sharded")
    tokenizer = AutoTokenizer.from_pretrained(fitted)
    config = Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=LAYERS, num_attention_heads=2, head_dim=16,
        num_key_value_heads=1, intermediate_size=256, max_position_embeddings=64, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    Qwen3Model(config).save_pretrained(root / "backbone")
    tokenizer.save_pretrained(root / "backbone")
    backbone = {"kind": "pretrained", "path": str(root / "backbone")}
    objective = {"layers": [1, 2, LAYERS], "dims": [8, 16, 32]}
    section = params_for(mix, backbone=backbone, parallel="fsdp", objective=objective)
    write_params(root / "params.yaml", section)
    for name in ("stores", "tokenizers"):
        if (work / name).is_dir():
            shutil.copytree(work / name, root / "work" / name)
    processes.run(PROCESSES, "-m", "tests.support.sharded", str(root))
    return root


@pytest.fixture(scope="module")
def found(folder: Path) -> list[dict[str, dict[str, torch.Tensor]]]:
    return [torch.load(folder / f"state-{rank}.pt") for rank in range(PROCESSES)]


def sizes(found) -> tuple[int, int]:
    """Return the bytes of the whole model, and of its largest tensor."""
    every = [value.numel() * 4 for value in found[0]["weights"].values()]
    return sum(every), max(every)


def test_every_process_starts_from_the_factors_of_the_leading_one(found, folder: Path) -> None:
    first, other = (state["first"] for state in found)
    assert all(torch.equal(value, other[name]) for name, value in first.items())
    stored = load_file(folder / "backbone" / "model.safetensors")
    assert torch.equal(first["backbone.layers.3.mlp.up_proj.weight"], stored["layers.3.mlp.up_proj.weight"])
    product = first["backbone.embed_tokens.left"] @ first["backbone.embed_tokens.right"]
    error = (product - stored["embed_tokens.weight"]).norm()
    best = torch.linalg.svdvals(stored["embed_tokens.weight"])[16:].norm()
    assert float(error) == pytest.approx(float(best), rel=1e-3)


def test_no_process_holds_the_whole_model(found, folder: Path) -> None:
    """Peaks of one process, counted tensor by tensor.

    Start: its shards and a few times the largest tensor (whole, and cut for the scatter); the leading process also has
    the table that it decomposes, and blocks of it in float64. Save: its shards of weights and moments, and the plan of
    what goes where. Export: its shards and a few times the largest tensor. The shards are there before; what reads them
    counts them.
    """
    whole, largest = sizes(found)
    table = 400 * 32 * 4
    for rank in range(PROCESSES):
        peaks = json.loads((folder / f"peaks-{rank}.json").read_text("utf-8"))
        decomposition = 6 * table if rank == 0 else 0
        assert peaks["start"] <= whole / PROCESSES + 4 * largest + decomposition, peaks
        assert peaks["save"] <= 3 * whole / PROCESSES + 6 * largest, peaks
        assert peaks["export"] <= whole / PROCESSES + 4 * largest, peaks
        assert 4 * largest < whole / 4, "the bounds mean something"


def test_another_number_of_processes_loads_the_checkpoint(found, folder: Path, work: Path, tmp_path: Path) -> None:
    settings = load_settings(folder / "params.yaml", None)[1].model_copy(update={"parallel": "ddp"})
    run = fresh(settings, work, tmp_path)
    shutil.copytree(folder / "checkpoints", run.folder / "checkpoints")
    trainer = Trainer(run)
    assert trainer.position.done == 4
    for name, value in trainer.model.state_dict().items():
        assert torch.equal(value, found[0]["weights"][name]), name
    for name, parameter in trainer.model.named_parameters():
        for key, value in trainer.optimizer.state[parameter].items():
            assert torch.equal(value, found[0]["moments"][f"{name}/{key}"]), (name, key)
    next(trainer.steps())
    files = {p.suffix for p in (folder / "checkpoints").rglob("*") if p.is_file()}
    assert files == {".safetensors", ".json"}, "nothing is pickled"
    assert len(list((checkpoint.latest(folder / "checkpoints") / checkpoint.SHARDS).iterdir())) == PROCESSES


def test_a_sharded_export_is_that_of_the_whole_model(found, folder: Path, work: Path, tmp_path: Path) -> None:
    settings = load_settings(folder / "params.yaml", None)[1].model_copy(update={"parallel": "ddp"})
    run = fresh(settings, work, tmp_path)
    model, shape = run.model()
    model.load_state_dict(found[0]["weights"])
    export(model, run.tokenizer, tmp_path / "e", cut=Cut(2, 16, 8), shape=shape, prompts={}, instructed=False)
    for path in (tmp_path / "e").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (folder / "export" / path.relative_to(tmp_path / "e")).read_bytes(), path
    vectors = SentenceTransformer(str(folder / "export"), device="cpu").encode(["kabel"], show_progress_bar=False)
    assert np.isfinite(vectors).all()
    assert vectors.shape == (1, 16)
