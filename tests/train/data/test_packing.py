from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.support import reference
from tests.support.tiny_models import ARCHITECTURES, embedder, exact_norms, gradients, texts
from train.data.packing import Packing, imbalance, share_out
from train.data.segments import Segments
from train.model import attention

LENGTHS = [5, 1, 17, 3, 3, 24, 9, 2, 11, 5, 3, 1]


@pytest.fixture(autouse=True)
def exact() -> Iterator[None]:
    with exact_norms():
        yield


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("ranks", [(4, 12), (16,)], ids=["nested", "plain"])
def test_packed_equals_one_text_at_a_time(architecture: str, ranks: tuple[int, ...]) -> None:
    model, segments = embedder(architecture, ranks=ranks), texts(LENGTHS)
    model.embedding.rank = ranks[0]
    upstream = torch.randn(2, len(LENGTHS), 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    packed = model(segments)
    packed.backward(upstream)
    got = gradients(model)
    alone = reference.encode(model, segments)
    alone.backward(upstream)
    torch.testing.assert_close(packed, alone, rtol=1e-9, atol=1e-9)
    wanted = gradients(model)
    assert got.keys() == wanted.keys()
    for name, gradient in got.items():
        torch.testing.assert_close(gradient, wanted[name], rtol=1e-9, atol=1e-9, msg=name)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@hypothesis_settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=9), st.integers(1, 40), st.randoms(use_true_random=False))
@torch.no_grad()
def test_neighbors_order_and_chunks_change_nothing(architecture: str, lengths: list[int], tokens: int, random) -> None:
    model, segments = embedder(architecture), texts(lengths)
    states = model(segments)
    model.chunk_tokens = tokens
    order = np.array(random.sample(range(len(lengths)), len(lengths)))
    torch.testing.assert_close(model(segments.take(order)), states[:, order], rtol=1e-9, atol=1e-9)
    changed = replace(segments, ids=segments.ids.copy())
    at = random.randrange(len(lengths))
    changed.ids[int(segments.lengths[:at].sum())] ^= 1
    others = [i for i in range(len(lengths)) if i != at]
    torch.testing.assert_close(model(changed)[:, others], states[:, others], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@torch.no_grad()
def test_nothing_collapses_when_padding_and_end_of_text_are_one_token(architecture: str) -> None:
    model = embedder(architecture)
    assert model.config.pad_token_id == model.config.eos_token_id == 0
    states = torch.nn.functional.normalize(model(texts([4, 4, 8, 10]))[-1], dim=1)
    assert (states @ states.T - torch.eye(4)).max() < 0.999


@given(st.lists(st.integers(1, 30), min_size=1, max_size=30), st.integers(1, 100), st.integers(1, 5))
def test_every_text_has_one_place_and_processes_equal_work(lengths: list[int], tokens: int, processes: int) -> None:
    sizes = np.array(lengths, np.int32)
    shares = share_out(sizes, tokens=tokens, processes=processes)
    assert sorted(np.concatenate([rows for chunks in shares for rows in chunks])) == list(range(len(lengths)))
    assert len({len(chunks) for chunks in shares}) == 1
    assert {sum(map(len, chunks)) for chunks in shares} <= {len(lengths) // processes, -(-len(lengths) // processes)}
    totals = [sum(int(sizes[rows].sum()) for rows in chunks) for chunks in shares]
    assert max(totals) - min(totals) <= max(lengths)
    assert imbalance(sizes, shares) == pytest.approx(max(totals) / np.mean(totals) - 1)
    for chunks in shares:
        assert all(sizes[rows].sum() <= tokens + max(lengths) for rows in chunks)
        order = np.concatenate(chunks)
        assert all(a < b for a, b in itertools.pairwise(zip(sizes[order].tolist(), order.tolist(), strict=True)))


def test_like_lengths_are_shared_out_evenly() -> None:
    lengths = np.exp(np.random.default_rng(0).normal(3, 1, 2000)).astype(np.int32) + 1
    assert imbalance(lengths, share_out(lengths, tokens=1000, processes=8)) < 0.02
    dealt = [[np.arange(2000)[p::8]] for p in range(8)]
    assert imbalance(lengths, dealt) > 0.05


@given(st.lists(st.integers(1, 30), min_size=1, max_size=9), st.randoms(use_true_random=False))
def test_taking_texts_out_of_a_stream(lengths: list[int], random) -> None:
    segments = texts(lengths)
    rows = np.array(random.choices(range(len(lengths)), k=5))
    own = reference.split(segments.take(rows))
    assert all(np.array_equal(a, reference.split(segments)[i]) for a, i in zip(own, rows, strict=True))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_a_layout_says_where_texts_are(lengths: list[int]) -> None:
    packing = Packing.of(np.array(lengths, np.int32), torch.device("cpu"))
    assert packing.position_ids.tolist() == [[i for length in lengths for i in range(length)]]
    assert packing.cu_seq_lens.tolist() == [sum(lengths[:i]) for i in range(len(lengths) + 1)]
    assert packing.cu_seq_lens.dtype == torch.int32
    assert packing.last.tolist() == [sum(lengths[: i + 1]) - 1 for i in range(len(lengths))]
    assert packing.longest == max(lengths)


@pytest.mark.parametrize(("causal", "reach"), [(True, None), (False, None), (False, 2)])
@pytest.mark.parametrize("knows_groups", [True, False], ids=["gqa", "no gqa"])
def test_the_kernel_on_cuda_is_asked_for_the_same(
    monkeypatch: pytest.MonkeyPatch, causal: bool, reach: int | None, knows_groups: bool
) -> None:
    """The kernel itself needs a GPU; here its documented contract stands in, text by text."""
    asked = []

    def contract(
        query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, scale=None, window_size=(-1, -1), enable_gqa=False
    ):
        assert query.dtype == key.dtype == value.dtype == torch.bfloat16
        assert cu_seq_q.dtype == cu_seq_k.dtype == torch.int32
        asked.append((max_q, max_k, window_size))
        if query.shape[1] != key.shape[1]:
            assert enable_gqa
            assert knows_groups
            key, value = (t.repeat_interleave(query.shape[1] // key.shape[1], 1) for t in (key, value))
        bounds, parts = cu_seq_q.tolist(), []
        for first, last in itertools.pairwise(bounds):
            q, k, v = (t[first:last].transpose(0, 1).double() for t in (query, key, value))
            scores = q @ k.transpose(1, 2) * scale
            if window_size == (-1, 0):
                scores = scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(1), float("-inf"))
            elif window_size != (-1, -1):
                near = torch.ones_like(scores, dtype=torch.bool).triu(-window_size[0]).tril(window_size[1])
                scores = scores.masked_fill(~near, float("-inf"))
            parts.append((scores.softmax(-1) @ v).transpose(0, 1))
        return torch.cat(parts).to(query.dtype)

    monkeypatch.setattr(attention, "varlen_attn", contract)
    monkeypatch.setattr(attention, "SHARES_KEYS", knows_groups)
    generator = torch.Generator().manual_seed(0)
    lengths = np.array([2, 2, 5, 7], np.int32)
    # As autocast leaves them: norms have made float32 of queries and keys.
    query, key = (torch.randn(16, heads, 8, generator=generator) for heads in (4, 2))
    value = torch.randn(16, 2, 8, generator=generator).bfloat16()
    cuts = Packing.of(lengths, torch.device("cpu")).cu_seq_lens
    got = attention._by_kernel([query, key, value], cuts, 7, causal=causal, reach=reach, scale=0.3)
    streams = [query.bfloat16().float(), key.bfloat16().float(), value.float()]
    wanted = attention._by_runs(streams, lengths, causal=causal, reach=reach, scale=0.3, dropout=0.0)
    torch.testing.assert_close(got.float(), wanted, rtol=2e-2, atol=2e-2)
    window = (-1, 0) if causal else (-1, -1) if reach is None else (reach, reach)
    assert asked == [(7, 7, window)]


def test_a_model_that_does_not_say_where_texts_are_is_not_run() -> None:
    model = embedder()
    with pytest.raises(TypeError, match="cu_seq_lens_q"):
        model.backbone(inputs_embeds=torch.zeros(1, 4, 16, dtype=torch.float64))


def test_half_precision_is_the_backbones_alone() -> None:
    model, segments = embedder(dtype=torch.float32), texts(LENGTHS)
    wanted = model(segments)
    model.autocast = torch.bfloat16
    got = model(segments)
    assert got.dtype == torch.float32
    assert 0 < (got - wanted).norm() / wanted.norm() < 0.05
    got.sum().backward()
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in model.parameters())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # torch's tracer looks at its inputs so
def test_compiled_layers_say_the_same() -> None:
    model = embedder()
    lengths = ([3, 3, 5], [1, 2, 3, 4, 8, 8, 8], [9])
    wanted = [model(texts(some)) for some in lengths]
    model.compile_layers(backend="aot_eager")
    for some, states in zip(lengths, wanted, strict=True):
        torch.testing.assert_close(model(texts(some)), states, rtol=1e-9, atol=1e-9)
    assert {name for name, _ in model.named_parameters()} == {name for name, _ in embedder().named_parameters()}


def test_one_segment_is_a_stream() -> None:
    one = Segments(np.array([5, 0], np.int32), np.array([2], np.int32))
    assert embedder()(one).shape == (2, 1, 16)
