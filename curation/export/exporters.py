"""What writes a format, and which there are, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from curation.export.options import Kind, Options, Split
from curation.export.selection import FAMILIES
from open_ml_embed.core.errors import SettingsError, UnknownNameError
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
        fixed: whether `negatives` are the only numbers that the reader takes.
        kinds: kinds of files that the reader takes, the usual one first; empty: the format has its own.
        tokens: whether it has token ids in place of texts, so that a tokenizer is needed.

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
    fixed: bool = False
    kinds: tuple[Kind, ...] = ()
    tokens: bool = False

    def check(self, name: str, options: Options) -> None:
        """Check the options that not every format has.

        Raises:
            SettingsError: a number of negatives that the reader does not take, or no tokenizer, or one for nothing.
            UnknownNameError: a kind of files that the reader does not take.

        """
        asked = options.negatives
        if asked is not None and self.fixed:
            numbers = ", ".join(f"{count} in {family}" for family, count in self.negatives.items())
            raise SettingsError(
                f"{name} has {numbers}, and its reader takes no other number",
                where="--negatives",
                remedy="leave the option out; --shortage repeat fills rows that have fewer",
            )
        if asked is not None and asked < self.least:
            raise SettingsError(
                f"{name} needs {self.least} or more negatives in every row, not {asked}",
                where="--negatives",
                remedy="ask for more, or for another format",
            )
        if options.files is not None and options.files not in self.kinds:
            if not self.kinds:
                raise SettingsError(f"{name} has one kind of files", where="--files", remedy="leave the option out")
            raise UnknownNameError("kind of files", options.files, self.kinds, where="--files")
        if self.tokens != (options.tokenizer is not None):
            raise SettingsError(
                f"{name} has token ids, and no tokenizer is named" if self.tokens else f"{name} has texts, not tokens",
                where="--tokenizer",
                remedy="name the folder of the model that will be trained" if self.tokens else "leave the option out",
            )

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
        "kalm": "curation.export.formats.kalm:KALM",
        "ms-swift": "curation.export.formats.ms_swift:MS_SWIFT",
        "nemotron": "curation.export.formats.nemotron:NEMOTRON",
        "sentence-transformers": "curation.export.formats.sentence_transformers:SENTENCE_TRANSFORMERS",
        "tevatron": "curation.export.formats.tevatron:TEVATRON",
        "triplets": "curation.export.formats.triplets:TRIPLETS",
        "upstream": "curation.export.formats.upstream:UPSTREAM",
        "upstream-tokenized": "curation.export.formats.upstream_tokenized:UPSTREAM_TOKENIZED",
    },
)
