"""Published ways to choose hard negatives, as data: a preset gives defaults, `params.yaml` may change any of them."""

from __future__ import annotations

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    "f2llm": {
        "retrieved": 100, "skip_top": 5, "skip_from": "ranking", "below": 0.8, "below_positive": 0.95, "margin": None,
        "keep": 24, "pick": "top", "shortage": "fill",
    },
    "nv-retriever": {
        "retrieved": 100, "skip_top": 0, "skip_from": "ranking", "below": None, "below_positive": 0.95, "margin": None,
        "keep": 4, "pick": "top", "shortage": "keep",
    },
    "bge": {
        "retrieved": 210, "skip_top": 10, "skip_from": "ranking", "below": None, "below_positive": None, "margin": None,
        "keep": 15, "pick": "random", "shortage": "fill",
    },
    "none": {
        "retrieved": 100, "skip_top": 0, "skip_from": "ranking", "below": None, "below_positive": None, "margin": None,
        "keep": 24, "pick": "top", "shortage": "keep",
    },
}  # fmt: skip
"""`f2llm`: Zhang et al. 2025, F2LLM, section on hard negatives. `nv-retriever`: Moreira et al. 2024, NV-Retriever,
TopK-PercPos at 95 % with four negatives. `bge`: the defaults of FlagEmbedding's `hn_mine` (ranks 10 to 210, 15 at
random), but counted after the masks. `none`: the best candidates as they come."""
