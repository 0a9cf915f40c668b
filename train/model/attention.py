"""Attention over one packed stream: every text sees itself only, and nothing is padded.

Registered with transformers as `packed`, under the keyword arguments that its models hand to flash attention, so that
any model that takes those packs exactly, causal or bidirectional. On CUDA it is one variable-length kernel; elsewhere
(and in full precision) texts of equal length, neighbors in the stream, are one batch of ordinary attention.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention.varlen import varlen_attn

from open_ml_embed.core.array_types import I32

NAME = "packed"
HALF = (torch.bfloat16, torch.float16)
SHARES_KEYS = "enable_gqa" in inspect.signature(varlen_attn).parameters  # from torch 2.12 on


def register() -> None:
    """Make `attn_implementation="packed"` known to transformers; calling it again changes nothing."""
    from transformers import AttentionInterface

    # No mask function goes with it: transformers then makes no mask, and none is needed.
    AttentionInterface.register(NAME, packed_attention)


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    cu_seq_lens_q: Tensor,
    max_length_q: int,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attend within every text of a stream.

    Args:
        module: the attention layer; its `is_causal` says which kind it is.
        query: 1 × heads × tokens × head size, texts one after the other.
        key: 1 × key heads × tokens × head size.
        value: likewise.
        attention_mask: none; the lengths say it all.
        cu_seq_lens_q: int32 (texts + 1), where texts start, and the number of tokens.
        max_length_q: tokens of the longest text.
        scaling: factor of the scores; none: one over the root of the head size.
        dropout: of the attention weights; not on CUDA.

    Returns:
        1 × tokens × heads × head size, and none for the weights.

    """
    assert attention_mask is None
    causal = bool(getattr(module, "is_causal", True))
    streams = [states.squeeze(0).transpose(0, 1) for states in (query, key, value)]
    if query.is_cuda and value.dtype in HALF:
        assert not dropout
        return _by_kernel(streams, cu_seq_lens_q, max_length_q, causal=causal, scale=scaling)[None], None
    lengths = np.diff(cu_seq_lens_q.cpu().numpy())
    return _by_runs(streams, lengths, causal=causal, scale=scaling, dropout=dropout)[None], None


def _by_kernel(
    streams: list[Tensor], cu_seq_lens: Tensor, longest: int, *, causal: bool, scale: float | None
) -> Tensor:
    """Attend in one kernel (tokens × heads × head size)."""
    # Norms give float32 under autocast; the kernel wants one half-precision type.
    query, key, value = (states.to(streams[2].dtype) for states in streams)
    options: dict[str, Any] = {"window_size": (-1, 0 if causal else -1), "scale": scale}
    if SHARES_KEYS:
        options["enable_gqa"] = True
    else:
        key, value = (states.repeat_interleave(query.shape[1] // key.shape[1], dim=1) for states in (key, value))
    attended = varlen_attn(query, key, value, cu_seq_lens, cu_seq_lens, longest, longest, **options)
    assert isinstance(attended, Tensor)
    return attended


def _by_runs(streams: list[Tensor], lengths: I32, *, causal: bool, scale: float | None, dropout: float) -> Tensor:
    """Attend run by run, a run being neighbors of equal length (tokens × heads × head size)."""
    firsts = np.flatnonzero(np.diff(lengths, prepend=-1))
    counts = np.diff(firsts, append=len(lengths))
    sizes = (lengths[firsts] * counts).tolist()
    attended = []
    for count, *run in zip(counts.tolist(), *(torch.split(states, sizes) for states in streams), strict=True):
        query, key, value = (states.unflatten(0, (count, -1)).transpose(1, 2) for states in run)
        states = functional.scaled_dot_product_attention(
            query, key, value, dropout_p=dropout, is_causal=causal, scale=scale, enable_gqa=True
        )
        attended.append(states.transpose(1, 2).flatten(0, 1))
    return torch.cat(attended)
