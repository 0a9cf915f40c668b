"""The protocol of dense teachers, and their registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from open_ml_embed.core.array_types import F32
from open_ml_embed.core.registry import Registry

if TYPE_CHECKING:
    from curation.mining.settings import TeacherSettings
Side = Literal["query", "document"]


class Teacher(Protocol):
    """Encodes texts as vectors of length 1. The dot product of two vectors is their score, -1 to 1."""

    @property
    def identity(self) -> str:
        """Hash of everything that changes a vector: weights, pooling, prompts, length, dtype."""

    @property
    def dim(self) -> int:
        """Dimension of the vectors."""

    def encode(self, texts: list[str], side: Side) -> F32:
        """Return float32[len(texts), dim], in the order of `texts`."""


class MakeTeacher(Protocol):
    """Factory of teachers. It loads nothing large before the first text is encoded."""

    def __call__(self, reference: str, settings: TeacherSettings) -> Teacher:
        """Return the teacher for a value `NAME:REFERENCE` of `mining.teacher`.

        Args:
            reference: the part after the colon.
            settings: prompts, length, dtype and batch size.

        Raises:
            CorpusError: the reference names no model.

        """
        ...


TEACHERS: Registry[MakeTeacher] = Registry(
    "teacher",
    "open_ml_embed.teachers",
    {
        "package": "curation.mining.teachers.loading:in_package",
        "vectors": "curation.mining.teachers.loading:precomputed",
    },
)
"""Teachers by NAME, for references of the form `NAME:REFERENCE`. Other references name sentence-transformers models."""
