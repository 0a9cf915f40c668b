"""What a dense teacher offers."""

from __future__ import annotations

from typing import Literal, Protocol

from open_ml_embed.core.array_types import F32

Side = Literal["query", "document"]


class Teacher(Protocol):
    """Gives every text a vector of length 1; the dot product of two is their score, -1 to 1."""

    @property
    def identity(self) -> str:
        """Hash of all that changes a vector: weights, pooling, prompts, length, dtype."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    def encode(self, texts: list[str], side: Side) -> F32:
        """Return float32[len(texts), dim], in the order of `texts`."""
