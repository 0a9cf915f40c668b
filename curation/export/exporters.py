"""What writes a format, and which there are, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from curation.export.options import Split
from curation.export.selection import FAMILIES
from open_ml_embed.core.registry import Registry

if TYPE_CHECKING:
    from curation.export.rows import Rows
    from curation.export.shards import Writer


@dataclass(frozen=True)
class Exporter:
    """A format that another trainer reads.

    Attributes:
        title: what it is called.
        reader: what reads it, a sentence for the README.
        columns: column or key → what it holds, as the README lists them.
        write: writes the files of an export: `write(rows, writer)`.
        usage: how it is read, Markdown.
        split: whose samples it takes where nobody says.
        negatives: family → negatives a row where nobody says; one that is not in it: all there are.
        least: negatives without which a row is of no use to the reader.
        same: whether all rows of a family have the same number of negatives.
        families: the families that it can have.

    """

    title: str
    reader: str
    columns: Mapping[str, str]
    write: Callable[[Rows, Writer], None]
    usage: str = ""
    split: Split = "train"
    negatives: Mapping[str, int] = field(default_factory=dict)
    least: int = 1
    same: bool = False
    families: tuple[str, ...] = FAMILIES

    def most(self, asked: int | None) -> dict[str, int | None]:
        """Return family → most negatives a row; null: all there are.

        Args:
            asked: by `--negatives`.

        """
        return {name: self.negatives.get(name) if asked is None else asked for name in self.families}

    def fewest(self, asked: int | None) -> dict[str, int]:
        """Return family → negatives that a row must have."""
        return {name: (most or 0) if self.same else self.least for name, most in self.most(asked).items()}


EXPORTERS: Registry[Exporter] = Registry(
    "format",
    "open_ml_embed.exporters",
    {
        "beir": "curation.export.formats.beir:BEIR",
        "flagembedding": "curation.export.formats.flagembedding:FLAG_EMBEDDING",
        "ms-swift": "curation.export.formats.ms_swift:MS_SWIFT",
        "nemotron": "curation.export.formats.nemotron:NEMOTRON",
        "sentence-transformers": "curation.export.formats.sentence_transformers:SENTENCE_TRANSFORMERS",
        "tevatron": "curation.export.formats.tevatron:TEVATRON",
        "triplets": "curation.export.formats.triplets:TRIPLETS",
    },
)
