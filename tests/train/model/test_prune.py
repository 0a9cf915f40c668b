from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, EuroBertConfig, Qwen3Config
from typer.testing import CliRunner

from open_ml_embed.core.errors import SettingsError
from tests.support.synthetic import params_for, write_params
from train.cli import app
from train.config_file import load_settings
from train.data.segments import Segments
from train.loop.run import Run
from train.model.prune import SIZES, Target, activity, prune

SMALL = {"vocab_size": 60, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "head_dim": 8,
         "num_attention_heads": 2, "num_key_value_heads": 1, "pad_token_id": 0}  # fmt: skip
LENGTHS = np.array([5, 1, 9, 3], np.int32)
TEXTS = Segments(np.random.default_rng(0).integers(0, 60, int(LENGTHS.sum())).astype(np.int32), LENGTHS)


@pytest.fixture(params=[Qwen3Config, EuroBertConfig])
def backbone(request):
    torch.manual_seed(0)
    return AutoModel.from_config(request.param(**SMALL)).eval()


def states(model) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=torch.arange(40)[None] % 60).last_hidden_state


def test_pruning_nothing_changes_nothing(backbone) -> None:
    before = states(backbone)
    assert torch.equal(states(prune(backbone, Target(3, 16, 24), TEXTS)), before)
    assert torch.equal(states(backbone), before)


def test_dead_neurons_go_first_and_nothing_is_lost(backbone) -> None:
    dead = {0: [1, 5, 23], 1: [0, 7, 8], 2: [10, 11, 12]}
    with torch.no_grad():
        for layer, neurons in dead.items():
            backbone.layers[layer].mlp.up_proj.weight[neurons] = 0
    pruned = prune(backbone, Target(3, 16, 21), TEXTS)
    torch.testing.assert_close(states(pruned), states(backbone), rtol=1e-5, atol=1e-5)
    kept = [i for i in range(24) if i not in dead[1]]
    assert torch.equal(pruned.layers[1].mlp.gate_proj.weight, backbone.layers[1].mlp.gate_proj.weight[kept])


def test_activity_is_what_transformers_computes_text_by_text(backbone) -> None:
    def add(to: torch.Tensor, states: torch.Tensor) -> None:
        to.add_(states[0].double().abs().sum(0))

    seen, neurons = torch.zeros(16, dtype=torch.float64), torch.zeros(24, dtype=torch.float64)
    norms = [
        getattr(layer, n) for layer in backbone.layers[:2] for n in ("input_layernorm", "post_attention_layernorm")
    ]
    handles = [n.register_forward_hook(lambda _, __, out: add(seen, out)) for n in norms]
    down = backbone.layers[1].mlp.down_proj
    handles.append(down.register_forward_pre_hook(lambda _, args: add(neurons, args[0])))
    with torch.no_grad():
        for ids in np.split(TEXTS.ids, np.cumsum(LENGTHS)[:-1]):
            backbone(input_ids=torch.from_numpy(ids.astype(np.int64))[None])
    for handle in handles:
        handle.remove()
    measured = activity(backbone, TEXTS, 2)
    torch.testing.assert_close(measured.channels_H, seen, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(measured.neurons_LI[1], neurons, rtol=1e-5, atol=1e-5)


def test_the_least_active_channels_go_everywhere_and_order_stays(backbone) -> None:
    with torch.no_grad():
        for layer in backbone.layers:
            for name in ("input_layernorm", "post_attention_layernorm"):
                getattr(layer, name).weight[[2, 9]] = 1e-6
    kept = [i for i in range(16) if i not in (2, 9)]
    pruned = prune(backbone, Target(2, 14, 24), TEXTS)
    assert len(pruned.layers) == 2
    assert torch.equal(pruned.embed_tokens.weight, backbone.embed_tokens.weight[:, kept])
    own, whole = pruned.layers[1], backbone.layers[1]
    assert torch.equal(own.self_attn.q_proj.weight, whole.self_attn.q_proj.weight[:, kept])
    assert torch.equal(own.self_attn.o_proj.weight, whole.self_attn.o_proj.weight[kept])
    assert torch.equal(own.mlp.up_proj.weight, whole.mlp.up_proj.weight[:, kept])
    assert torch.equal(own.mlp.down_proj.weight, whole.mlp.down_proj.weight[kept])
    assert torch.isfinite(states(pruned)).all()


def test_a_backbone_is_not_pruned_to_more_than_it_has(backbone) -> None:
    with pytest.raises(SettingsError, match="hidden 16") as caught:
        prune(backbone, Target(2, 17, 24), TEXTS)
    assert caught.value.remedy


@pytest.mark.parametrize(("name", "millions"), [("80M", 80), ("160M", 159), ("330M", 334)])
def test_published_sizes_have_their_parameters(name: str, millions: int) -> None:
    target = SIZES[name]
    config = Qwen3Config(
        vocab_size=151936,
        hidden_size=target.hidden,
        num_hidden_layers=target.layers,
        head_dim=128,
        intermediate_size=target.intermediate,
        num_attention_heads=16,
        num_key_value_heads=8,
    )
    with torch.device("meta"):
        model = AutoModel.from_config(config)
    assert round(sum(p.numel() for p in model.parameters()) / 1e6) == millions


def test_the_160m_with_a_nested_embedding_is_the_papers_140m() -> None:
    target = SIZES["160M"]
    assert (target.layers, target.hidden, target.intermediate) == (9, 640, 1536)
    table, factors = 151936 * 640, 512 * (151936 + 640)
    assert round((159e6 - table + factors) / 1e6) == 140


def test_a_pruned_model_is_a_backbone_to_train_on(fitted: Path, mix: Path, work: Path, tmp_path: Path) -> None:
    section = params_for(mix, backbone={"kind": "pretrained", "path": str(fitted)})
    path = write_params(tmp_path / "params.yaml", section)
    to = tmp_path / "pruned"
    sizes = ["--layers", "2", "--hidden", "24", "--intermediate", "40"]
    arguments = ["prune", "--params", str(path), "--to", str(to), "--work", str(work), "--texts", "50", *sizes]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    section = params_for(mix, backbone={"kind": "pretrained", "path": str(to)})
    settings = load_settings(write_params(path, section), None)[1]
    run = Run(settings, tmp_path / "work")
    assert (run.sizes.layers, run.sizes.hidden) == (2, 24)
    model, shape = run.model()
    assert shape.dims == (8, 16, 24)
    assert run.tokenizer("a b").input_ids[-1] == run.tokenizer.eos_token_id
    with torch.no_grad():
        assert torch.isfinite(model(TEXTS)).all()
