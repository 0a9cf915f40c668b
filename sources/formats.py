"""Registry of raw file formats: the name in a manifest → the reader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from open_ml_embed.core.registry import Registry

if TYPE_CHECKING:
    from sources.manifest import RawTable
    from sources.parts import RawBatch
    from sources.readers.cast import Casting


class Reader(Protocol):
    """Streams the records of one raw file."""

    def __call__(
        self, path: Path, name: str, table: RawTable, casting: Casting, *, batch_rows: int = 65_536
    ) -> Iterator[RawBatch]:
        """Yield batches of at most `batch_rows` records.

        Args:
            path: local path of the file.
            name: name of the file at its origin; stored in the batches.
            table: the manifest's declaration.
            casting: checks and casts columns (`sources.readers.cast`) and holds the quarantine for unreadable records.
            batch_rows: most records of a batch.

        """
        ...


READERS: Registry[Reader] = Registry(
    "format",
    "open_ml_embed.readers",
    {
        "parquet": "sources.readers.parquet:read",
        "jsonl": "sources.readers.jsonl:read",
        "csv": "sources.readers.delimited:read",
        "tsv": "sources.readers.delimited:read",
        "json": "sources.readers.nested_json:read",
        "deb822": "sources.readers.deb822:read",
        "python": "sources.readers.python_source:read",
        "json-map": "sources.readers.json_map:read",
        "text": "sources.readers.text_lines:read",
        "tmx": "sources.readers.tmx:read",
        "documents": "sources.readers.documents:read",
    },
)
TEXT = frozenset({"jsonl", "csv", "tsv", "json", "deb822", "python", "json-map", "text", "tmx"})
"""Text formats: a file whose first bytes show another kind of file is refused before it is read."""
