"""What a dense teacher offers, and who makes which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from open_ml_embed.core.array_types import F32
from open_ml_embed.core.registry import Registry

if TYPE_CHECKING:
    from curation.mining.settings import TeacherSettings
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


class MakeTeacher(Protocol):
    """Makes a teacher; nothing large is loaded before the first text is encoded."""

    def __call__(self, reference: str, settings: TeacherSettings) -> Teacher:
        """Return the teacher that stands behind `NAME:` in `mining.teacher`.

        Args:
            reference: what follows the colon.
            settings: prompts, length, dtype and batch size.

        Raises:
            CorpusError: there is no such teacher.

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
"""Teachers named as `NAME:REFERENCE`. Without a name and a colon, a reference is a sentence-transformers model."""
