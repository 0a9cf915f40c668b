from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from transformers import AutoModel, Qwen3Config

from open_ml_embed.core.errors import SettingsError
from open_ml_embed.factorized.embedding import FactorizedEmbedding
from train.config import Pretrained, RandomQwen3
from train.data.segments import Segments
from train.export.export import Cut, cut_backbone
from train.loop.run import Run
from train.model.embedder import Embedder, build_backbone
from train.model.embedding import nest

LENGTHS = [5, 1, 17, 3, 3, 24, 9, 2, 11, 5]


def texts(*, vocabulary: int, lengths: list[int] = LENGTHS) -> Segments:
    rng = np.random.default_rng(3)
    return Segments(rng.integers(2, vocabulary, sum(lengths)).astype(np.int32), np.array(lengths, np.int32))


def split(segments: Segments) -> list[np.ndarray]:
    return np.split(segments.ids, np.cumsum(segments.lengths)[:-1])


@pytest.fixture
def model(run: Run) -> Embedder:
    return run.model()[0].eval()


@torch.no_grad()
def test_states_are_those_of_transformers_one_text_at_a_time(run: Run, model: Embedder) -> None:
    segments = texts(vocabulary=model.config.vocab_size)
    got = model(segments)
    assert got.shape == (3, len(LENGTHS), 32)
    plain = cut_backbone(model, Cut(3, 32, 16))
    for i, ids in enumerate(split(segments)):
        output = plain(input_ids=torch.from_numpy(ids.astype(np.int64))[None])
        torch.testing.assert_close(got[-1, i], output.last_hidden_state[0, -1], rtol=1e-5, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_layers_state_is_bit_for_bit_that_of_a_model_cut_there(model: Embedder, layers: int) -> None:
    segments = texts(vocabulary=model.config.vocab_size)
    config = copy.deepcopy(model.config)
    config.num_hidden_layers, config.layer_types = layers, config.layer_types[:layers]
    backbone = nest(AutoModel.from_config(config), [16])
    cut = Embedder(backbone, layers=[layers], chunk_tokens=model.chunk_tokens).eval()
    wanted = cut.state_dict()
    cut.load_state_dict({name: value for name, value in model.state_dict().items() if name in wanted})
    assert torch.equal(cut(segments)[0], model(segments)[model.layers.index(layers)])


@torch.no_grad()
def test_chunks_and_order_change_nothing(model: Embedder) -> None:
    segments = texts(vocabulary=model.config.vocab_size)
    states = model(segments)
    model.chunk_tokens = 1
    torch.testing.assert_close(model(segments), states, rtol=1e-5, atol=1e-5)
    order = np.arange(len(segments))[::-1].copy()
    torch.testing.assert_close(model(segments.take(order)), states[:, order], rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_nothing_collapses_when_padding_and_end_of_text_are_one_token(model: Embedder) -> None:
    rng, eos = np.random.default_rng(0), 1
    model.config.pad_token_id = model.config.eos_token_id = eos
    parts = [np.append(rng.integers(2, 300, n), eos).astype(np.int32) for n in (3, 3, 7, 9)]
    segments = Segments(np.concatenate(parts), np.array([len(p) for p in parts], np.int32))
    states = torch.nn.functional.normalize(model(segments)[-1], dim=1)
    alone = [model(Segments(p, np.array([len(p)], np.int32)))[-1, 0] for p in parts]
    for got, want in zip(states, alone, strict=True):
        torch.testing.assert_close(got, torch.nn.functional.normalize(want, dim=0), rtol=1e-5, atol=1e-5)
    similarity = states @ states.T - torch.eye(len(parts))
    assert similarity.max() < 0.999


@pytest.mark.parametrize("rank", [4, 8, 16])
def test_lookup_equals_a_slice_of_the_full_product(rank: int) -> None:
    weight = torch.randn(50, 16, generator=torch.Generator().manual_seed(0))
    embedding = FactorizedEmbedding.from_weight(weight, 16)
    embedding.rank = rank
    ids = torch.tensor([[0, 7], [49, 7]])
    torch.testing.assert_close(embedding(ids), embedding.product(rank)[ids])
    left, values, right = torch.linalg.svd(weight, full_matrices=False)
    best = left[:, :rank] * values[:rank] @ right[:rank]
    torch.testing.assert_close(embedding.product(rank), best, rtol=1e-4, atol=1e-4)


def test_a_step_at_a_rank_leaves_the_other_columns_alone() -> None:
    embedding = FactorizedEmbedding.from_weight(torch.randn(20, 8), 8)
    embedding.rank = 3
    embedding(torch.tensor([1, 2])).sum().backward()
    assert embedding.left.grad is not None
    assert embedding.right.grad is not None
    assert embedding.left.grad[[1, 2], :3].abs().min() > 0
    assert not embedding.left.grad[:, 3:].any()
    assert not embedding.right.grad[3:].any()


def test_a_pretrained_backbone_is_loaded_and_factorized(tmp_path, run: Run) -> None:
    config = Qwen3Config(
        vocab_size=len(run.tokenizer),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
    )
    saved = AutoModel.from_config(config).eval()
    saved.save_pretrained(tmp_path)
    backbone = build_backbone(Pretrained(kind="pretrained", path=str(tmp_path)), run.tokenizer, max_length=8, seed=0)
    model = Embedder(nest(backbone, [8, 16]), layers=[1, 2], chunk_tokens=64).eval()
    segments = texts(vocabulary=300)
    with torch.no_grad():
        states = model(segments)
        for i, ids in enumerate(split(segments)):
            output = saved(input_ids=torch.from_numpy(ids.astype(np.int64))[None]).last_hidden_state[0, -1]
            torch.testing.assert_close(states[-1, i], output, rtol=1e-4, atol=1e-4)


def test_a_path_without_a_model_is_a_settings_error(tmp_path, run: Run) -> None:
    with pytest.raises(SettingsError, match="no model"):
        build_backbone(Pretrained(kind="pretrained", path=str(tmp_path)), run.tokenizer, max_length=8, seed=0)


def test_equal_seeds_make_equal_models_and_touch_no_global_state(run: Run) -> None:
    settings = RandomQwen3.model_validate(run.settings.backbone.model_dump())
    before = torch.get_rng_state()
    first, second, other = (
        build_backbone(settings, run.tokenizer, max_length=8, seed=seed).get_input_embeddings().weight
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state())
