from __future__ import annotations

import importlib.util
import itertools
import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from open_ml_embed.core.errors import SettingsError
from tests.train.loop.test_loop import fresh
from train.config import Watching
from train.loop.loop import Trainer
from train.loop.metrics import scalars, watched
from train.model.flops import Cost


@pytest.fixture(scope="module")
def entries(settings, work, tmp_path_factory) -> list[dict]:
    trainer = Trainer(fresh(settings, work, tmp_path_factory.mktemp("watching")))
    return list(itertools.islice(trainer.steps(), 6))


def test_operations_are_those_that_torch_counts(run) -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import AutoModel, Qwen3Config

    config = Qwen3Config(
        vocab_size=50,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=16,
        intermediate_size=40,
        attn_implementation="eager",
    )
    model = AutoModel.from_config(config)
    lengths = np.array([7, 30])
    counted = 0
    for n in lengths:
        with FlopCounterMode(display=False) as counter:
            model(inputs_embeds=torch.randn(1, int(n), 32, requires_grad=True)).last_hidden_state.sum().backward()
        counted += counter.get_total_flops()
    cost = Cost.of(model)
    # Eager attention computes the half that is masked too, and rotary positions are a product by one.
    whole = Cost(cost.weights - 2 * (2 * 32 + 2 * 16), 2 * cost.attention)
    assert whole.step(lengths) == pytest.approx(counted, rel=1e-3)


def test_an_entry_says_what_a_step_took(entries) -> None:
    for entry in entries:
        assert entry["tokens"] > entry["texts"] > 24
        assert entry["tokens_per_second"] == pytest.approx(entry["tokens"] / entry["seconds"], rel=0.1)
        assert 0 < entry["mfu"] < 1
        assert 0 <= entry["padding_avoided"] < 1
        assert 0.05 < entry["memory_gib"] < 64


def test_scalars_are_by_source_family_rank_layer_and_dimension(entries) -> None:
    for entry in entries:
        values = scalars(entry)
        places = {f"loss/source/{entry['source']}", f"loss/family/{entry['family']}", f"loss/rank/{entry['rank']}"}
        assert {values[place] for place in places} == {entry["loss"]}
        terms = [entry["hard"]] + ([entry["in_batch"]] if entry["family"] == "retrieval" else [])
        assert values["loss/layer/2"] == pytest.approx(sum(sum(t["2"].values()) for t in terms) / 3)
        assert values["loss/dim/8"] == pytest.approx(sum(t[layer]["8"] for t in terms for layer in "123") / 3)
        assert {"learning_rate", "gradient_norm", "tokens_per_second", "mfu", "memory_gib"} <= values.keys()


def test_lines_are_said_on_standard_error(entries, tmp_path, capsys) -> None:
    assert list(watched(iter(entries), Watching(), tmp_path, done=0, total=6)) == entries
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["done"] for line in lines] == [1, 6]
    assert lines[-1].keys() == {"done", "total", "stage", "source", "loss", "tokens_per_second", "mfu", "memory_gib"}


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_sink_that_is_not_installed_says_how_to_get_it(entries, tmp_path, monkeypatch, name: str) -> None:
    for module in ("wandb", "tensorboard"):
        monkeypatch.setitem(sys.modules, module, None)
    settings = Watching(tensorboard=True) if name == "tensorboard" else Watching(wandb="project")
    with pytest.raises(SettingsError, match="not installed") as caught:
        next(watched(iter(entries), settings, tmp_path, done=0, total=6))
    assert caught.value.remedy == f"pip install 'open-ml-embed[{name}]'"


def test_weights_and_biases_gets_scalars_and_goes_on_where_it_was(entries, tmp_path: Path, monkeypatch) -> None:
    sent: list[tuple[str, object]] = []

    class Session:
        def log(self, values, step):
            sent.append((step, values))

        def finish(self):
            sent.append(("finish", None))

    asked: dict[str, object] = {}
    module = types.ModuleType("wandb")
    module.init = lambda **arguments: asked.update(arguments) or Session()
    monkeypatch.setitem(sys.modules, "wandb", module)
    folder = tmp_path / "0123abcd"
    list(watched(iter(entries), Watching(wandb="p"), folder, done=0, total=6))
    assert asked == {"project": "p", "id": "0123abcd", "dir": str(folder), "resume": "allow"}
    assert sent == [*((e["step"], scalars(e)) for e in entries), ("finish", None)]


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="TensorBoard is optional")
def test_tensorboard_gets_scalars(entries, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    list(watched(iter(entries), Watching(tensorboard=True), tmp_path, done=0, total=6))
    log = EventAccumulator(str(tmp_path / "tensorboard"))
    log.Reload()
    assert [event.value for event in log.Scalars("loss")] == pytest.approx([e["loss"] for e in entries])
    assert "loss/dim/16" in log.Tags()["scalars"]
