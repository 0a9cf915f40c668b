"""BERT-like encoders as backbones: their states and gradients are those of transformers, padded, with its attention."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel, BertConfig, XLMRobertaConfig

from open_ml_embed.core.errors import SettingsError
from tests.support.encoders import backbone_of, config_of, write_encoder
from tests.support.reference import split
from tests.support.tiny_models import batch_of, embedder, form_of, gradients
from train.config import Lora, Pretrained
from train.data.segments import Segments
from train.distributed.parallel import Group, spread
from train.loop.step import backward
from train.model.architectures import architecture_of
from train.model.embedder import Embedder, build_backbone
from train.model.embedding import nest
from train.model.flops import Cost
from train.model.lora import add_lora, folded_state
from train.model.prune import Target, prune
from train.model.sizes import sizes_of

KINDS = ("bert", "roberta", "xlm-roberta", "modernbert")
LENGTHS = [5, 1, 17, 3, 3, 24, 9, 2, 11, 5]
LAYERS = (1, 2, 3, 4)


def texts(kind: str) -> Segments:
    """Return texts of which some are longer than a window; one has a padding token inside."""
    ids = np.random.default_rng(3).integers(4, 60, sum(LENGTHS)).astype(np.int32)
    ids[10] = config_of(kind).pad_token_id
    return Segments(ids, np.array(LENGTHS, np.int32))


def model_of(kind: str, *, ranks: tuple[int, ...] = (4, 12), **named: Any) -> Embedder:
    return Embedder(nest(backbone_of(kind), ranks), layers=LAYERS, chunk_tokens=40, **named)


def padded(model: Embedder, plain: Any, segments: Segments) -> list[torch.Tensor]:
    """Return the states of all texts in every trained layer, computed by transformers on a padded batch.

    The token embedding is the product of the model's own factors, so that gradients land there.
    """
    own = {name.removeprefix("backbone."): parameter for name, parameter in model.named_parameters()}
    norm = architecture_of(model.config).norm
    own = {f"{norm}.{name[5:]}" if name.startswith("norm.") else name: value for name, value in own.items()}
    (left,) = (name for name in own if name.endswith(".left"))
    embedding = left.removesuffix(".left")
    factors = own.pop(left), own.pop(f"{embedding}.right")
    rank = model.embedding.rank
    own[f"{embedding}.weight"] = factors[0][:, :rank] @ factors[1][:rank]
    plain.get_submodule(embedding).padding_idx = None  # or the padding token's row would get no gradient
    longest, rows = int(segments.lengths.max()), split(segments)
    ids = torch.full((len(rows), longest), model.config.pad_token_id)
    mask = torch.zeros(len(rows), longest, dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : len(row)], mask[i, : len(row)] = torch.from_numpy(row), 1
    arguments = {"input_ids": ids, "attention_mask": mask, "output_hidden_states": True}
    output = torch.func.functional_call(plain, own, kwargs=arguments)
    # Only the last state is normed in transformers' output.
    states = [model.norm(output.hidden_states[layer]) for layer in model.layers[:-1]] + [output.last_hidden_state]
    return [torch.stack([layer[i, : len(row)].mean(0) for i, row in enumerate(rows)]) for layer in states] + [
        torch.stack([layer[i, len(row) - 1] for i, row in enumerate(rows)]) for layer in states
    ] + [layer[:, 0] for layer in states]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("rank", "dtype"), [(4, torch.float64), (12, torch.float64), (12, torch.float32)], ids=str)
def test_states_and_gradients_are_those_of_transformers_padded(kind: str, rank: int, dtype: torch.dtype) -> None:
    model, segments = model_of(kind).to(dtype), texts(kind)
    plain = AutoModel.from_config(config_of(kind), attn_implementation="sdpa").to(dtype).eval()
    model.embedding.rank = rank
    found = []
    for pooling in ("mean", "last", "cls"):
        model.pooling = pooling
        found += list(model.eval()(segments))
    wanted = padded(model, plain, segments)
    random = torch.Generator().manual_seed(0)
    weights = [torch.randn(one.shape, generator=random, dtype=dtype) for one in wanted]
    # ModernBERT rotates in float32 whatever its weights are.
    exact = dtype == torch.float64 and kind != "modernbert"
    near = 1e-10 if exact else 1e-5
    for got, want in zip(found, wanted, strict=True):
        torch.testing.assert_close(got, want, rtol=near, atol=near)
    torch.stack([(w * one).sum() for w, one in zip(weights, found, strict=True)]).sum().backward()
    own = gradients(model)
    torch.stack([(w * one).sum() for w, one in zip(weights, wanted, strict=True)]).sum().backward()
    theirs = gradients(model)
    assert own.keys() == theirs.keys()
    assert {name for name, p in model.named_parameters() if p.requires_grad} == own.keys()
    largest = max(gradient.abs().max() for gradient in theirs.values())
    for name, gradient in own.items():
        torch.testing.assert_close(gradient, theirs[name], rtol=near, atol=near * largest.item(), msg=name)


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_layers_state_is_bit_for_bit_that_of_a_model_cut_there(kind: str, depth: int) -> None:
    model, segments = model_of(kind).eval(), texts(kind)
    config = copy.deepcopy(model.config)
    config.num_hidden_layers = depth
    if getattr(config, "layer_types", None) is not None:
        config.layer_types = config.layer_types[:depth]
    cut = Embedder(nest(AutoModel.from_config(config), [12]), layers=[depth], chunk_tokens=40).eval()
    names = cut.state_dict()
    cut.load_state_dict({name: value for name, value in model.state_dict().items() if name in names})
    assert torch.equal(cut(segments)[0], model(segments)[depth - 1])


def test_windows_are_kept_to() -> None:
    """A token of ModernBERT's windowed layer does not see one beyond its window, and sees one at its edge."""
    config = config_of("modernbert")
    config.num_hidden_layers, config.layer_types = 1, ["sliding_attention"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = AutoModel.from_config(config)
    model = Embedder(nest(backbone, [16]), layers=[1], chunk_tokens=100, pooling="cls").eval()
    segments = Segments(np.arange(4, 24, dtype=np.int32), np.array([20], np.int32))
    states = model(segments)
    for at, seen in ((3, True), (4, False), (19, False)):  # 6 // 2 tokens to each side
        ids = segments.ids.copy()
        ids[at] = 50
        assert torch.equal(model(Segments(ids, segments.lengths)), states) != seen, at


def test_dropout_is_that_of_the_settings_and_not_of_the_configuration() -> None:
    segments = texts("bert")
    plain = model_of("bert").train()
    assert plain.config.hidden_dropout_prob == 0.1
    assert torch.equal(plain(segments), plain(segments))
    dropped = model_of("bert", dropout=0.5).train()
    first, second = dropped(segments), dropped(segments)
    assert not torch.equal(first, second)
    dropped.eval()
    torch.testing.assert_close(dropped(segments), plain(segments))
    with pytest.raises(SettingsError, match="has no dropout") as caught:
        embedder("qwen3", dropout=0.1)
    assert caught.value.where == "train.backbone.dropout"


@pytest.mark.parametrize("kind", ["bert", "modernbert"])
def test_cached_gradients_with_dropout_are_those_of_a_whole_step(kind: str) -> None:
    model, batch = embedder(kind, chunk_tokens=20, dropout=0.3).train(), batch_of()
    found = []
    for tokens in (0, 1 << 40):
        torch.manual_seed(3)
        backward(spread(model, Group()), batch, form_of(model), whole_tokens=tokens)
        found.append(gradients(model))
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(found[0][name], gradient) for name, gradient in found[1].items())


@pytest.mark.parametrize("kind", ["bert", "modernbert"])
def test_low_rank_updates_fold_into_a_plain_encoder(kind: str) -> None:
    pytest.importorskip("peft", reason="peft is optional")
    model, plain, segments = embedder(kind), embedder(kind), texts(kind)
    torch.manual_seed(0)
    add_lora(model, Lora(rank=2))
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert sum("lora_B" in name for name in trained) == 4 * (6 if kind == "bert" else 4)
    assert not any("pooler" in name for name in trained)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in trained:
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
    plain.load_state_dict(folded_state(model))
    torch.testing.assert_close(model(segments), plain(segments))


def states(backbone: Any) -> torch.Tensor:
    with torch.no_grad():
        return backbone(input_ids=torch.arange(4, 44)[None]).last_hidden_state


@pytest.mark.parametrize("kind", KINDS)
def test_dead_neurons_are_pruned_and_nothing_is_lost(kind: str) -> None:
    backbone, dead = backbone_of(kind), [1, 5, 23]
    with torch.no_grad():
        for layer in backbone.layers if kind == "modernbert" else backbone.encoder.layer:
            up = layer.mlp.Wi if kind == "modernbert" else layer.intermediate.dense
            up.weight[dead] = 0
            if up.bias is not None:
                up.bias[dead] = 0
    pruned = prune(backbone, Target(4, 16, 21), texts(kind))
    assert pruned.config.intermediate_size == 21
    torch.testing.assert_close(states(pruned), states(backbone), rtol=1e-5, atol=1e-5)
    shallow = prune(backbone, Target(2, 16, 24), texts(kind))
    model = Embedder(nest(backbone, [16]), layers=[2], chunk_tokens=100, pooling="cls").eval()
    with torch.no_grad():
        got = model(Segments(np.arange(4, 44, dtype=np.int32), np.array([40], np.int32)))[0, 0]
    torch.testing.assert_close(states(shallow)[0, 0], got, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_hidden_channels_that_heads_share_are_not_pruned(kind: str) -> None:
    with pytest.raises(SettingsError, match="share out among them") as caught:
        prune(backbone_of(kind), Target(4, 8, 24), texts(kind))
    assert "--intermediate" in caught.value.remedy


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (BertConfig(**{"is_decoder": True, "num_hidden_layers": 1}), "configured as a decoder"),
        (BertConfig(num_hidden_layers=1, position_embedding_type="relative_key"), "relative_key positions"),
    ],
)
def test_what_is_no_encoder_of_ours_is_refused_before_its_weights_are_read(tmp_path, config, message: str) -> None:
    config.save_pretrained(tmp_path)
    with pytest.raises(SettingsError, match=message) as caught:
        sizes_of(Pretrained(kind="pretrained", path=str(tmp_path)))
    assert str(tmp_path) in caught.value.where
    assert caught.value.remedy


def test_positions_are_those_that_texts_can_have(tmp_path) -> None:
    XLMRobertaConfig(num_hidden_layers=1, max_position_embeddings=514, pad_token_id=1).save_pretrained(tmp_path)
    assert sizes_of(Pretrained(kind="pretrained", path=str(tmp_path))).positions == 512
    BertConfig(num_hidden_layers=1, max_position_embeddings=512).save_pretrained(tmp_path)
    sizes = sizes_of(Pretrained(kind="pretrained", path=str(tmp_path)))
    assert (sizes.positions, sizes.causal) == (512, False)


def test_weights_that_the_files_lack_are_refused_but_for_a_poolers(tmp_path) -> None:
    folder = write_encoder(tmp_path / "whole", "bert")
    backbone = AutoModel.from_pretrained(folder)
    state = backbone.state_dict()

    def without(beginning: str) -> Any:
        kept = {name: value for name, value in state.items() if not name.startswith(beginning)}
        backbone.save_pretrained(tmp_path / "part", state_dict=kept)
        found = Pretrained(kind="pretrained", path=str(tmp_path / "part"))
        return build_backbone(found, None, max_length=8, seed=5)

    first, again = without("pooler."), without("pooler.")
    assert torch.equal(first.pooler.dense.weight, again.pooler.dense.weight), "random, and the same every time"
    assert torch.equal(first.encoder.layer[3].output.dense.weight, state["encoder.layer.3.output.dense.weight"])
    with pytest.raises(SettingsError, match=r"lack 16 of the weights of BertModel, encoder\.layer\.2"):
        without("encoder.layer.2.")


def test_a_window_costs_what_it_spans() -> None:
    cost = Cost.of(backbone_of("modernbert"))
    lengths = np.array([3, 20], np.int32)
    near = 3 * 3 + 20 * 7
    attention = 3 * 4 * 16 * (2 * (3 * 3 + 20 * 20) + 2 * near)
    assert cost.step(lengths) == 3 * 2 * cost.weights * 23 + attention
