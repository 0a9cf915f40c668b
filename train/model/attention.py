"""Attention over one packed stream: every text attends to itself only, without padding.

Registered with transformers under the name `packed`. It takes the keyword arguments that transformers passes to flash
attention, so every model that supports those can use it, causal or bidirectional, over whole texts or in a window. On
CUDA in half precision it is one variable-length kernel. Otherwise, neighbors of equal length in the stream form one
batch of ordinary attention.
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
    """Register `attn_implementation="packed"` with transformers; further calls have no effect."""
    from transformers import AttentionInterface

    # Without a mask function, transformers builds no mask; none is needed.
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
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Compute attention within every text of a packed stream.

    Args:
        module: the attention layer; its attribute `is_causal` decides between causal and bidirectional attention.
        query: 1 × heads × tokens × head size; the texts follow one another in the token dimension.
        key: 1 × key heads × tokens × head size.
        value: 1 × key heads × tokens × head size.
        attention_mask: must be None; the lengths describe the texts.
        cu_seq_lens_q: int32 (texts + 1), cumulative lengths: the start of each text, and the number of tokens.
        max_length_q: tokens of the longest text.
        scaling: factor of the scores; None: 1 / √(head size).
        dropout: dropout of the attention weights; must be 0 on CUDA in half precision.
        sliding_window: a token attends to those less than so many tokens away, in bidirectional attention only; None:
            to all of its text.

    Returns:
        The attended values, 1 × tokens × heads × head size, and None in place of the attention weights.

    """
    assert attention_mask is None
    causal = bool(getattr(module, "is_causal", True))
    assert not (causal and sliding_window is not None)
    reach = None if sliding_window is None else sliding_window - 1
    streams = [states.squeeze(0).transpose(0, 1) for states in (query, key, value)]
    if query.is_cuda and value.dtype in HALF:
        assert not dropout
        return _by_kernel(streams, cu_seq_lens_q, max_length_q, causal=causal, reach=reach, scale=scaling)[None], None
    lengths = np.diff(cu_seq_lens_q.cpu().numpy())
    return _by_runs(streams, lengths, causal=causal, reach=reach, scale=scaling, dropout=dropout)[None], None


def _by_kernel(
    streams: list[Tensor], cu_seq_lens: Tensor, longest: int, *, causal: bool, reach: int | None, scale: float | None
) -> Tensor:
    """Attend with one variable-length kernel; states are tokens × heads × head size."""
    # Under autocast norms return float32; the kernel needs one half-precision type for all three.
    query, key, value = (states.to(streams[2].dtype) for states in streams)
    window = (-1, 0 if causal else -1) if reach is None else (reach, reach)
    options: dict[str, Any] = {"window_size": window, "scale": scale}
    if SHARES_KEYS:
        options["enable_gqa"] = True
    else:
        key, value = (states.repeat_interleave(query.shape[1] // key.shape[1], dim=1) for states in (key, value))
    attended = varlen_attn(query, key, value, cu_seq_lens, cu_seq_lens, longest, longest, **options)
    assert isinstance(attended, Tensor)
    return attended


def _by_runs(
    streams: list[Tensor], lengths: I32, *, causal: bool, reach: int | None, scale: float | None, dropout: float
) -> Tensor:
    """Attend run by run; a run is a group of neighbors of equal length. States are tokens × heads × head size."""
    firsts = np.flatnonzero(np.diff(lengths, prepend=-1))
    counts = np.diff(firsts, append=len(lengths))
    sizes = (lengths[firsts] * counts).tolist()
    attended = []
    for count, *run in zip(counts.tolist(), *(torch.split(states, sizes) for states in streams), strict=True):
        query, key, value = (states.unflatten(0, (count, -1)).transpose(1, 2) for states in run)
        states = functional.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=_window(query, reach),
            dropout_p=dropout,
            is_causal=causal,
            scale=scale,
            enable_gqa=True,
        )
        attended.append(states.transpose(1, 2).flatten(0, 1))
    return torch.cat(attended)


def _window(query: Tensor, reach: int | None) -> Tensor | None:
    """Return which tokens of a text each of its tokens attends to (tokens × tokens); None: to all."""
    tokens = query.shape[2]
    if reach is None or tokens <= reach + 1:
        return None
    at = torch.arange(tokens, device=query.device)
    return (at[:, None] - at).abs() <= reach
