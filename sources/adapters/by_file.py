"""What only a file's name tells: adds columns taken from it, and leaves the rest to a shape.

A Hub configuration a language is such a case: every file has the same columns, none says which language it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
from pydantic import field_validator

from open_ml_embed.core.errors import SchemaError
from open_ml_embed.core.section import Section
from sources.manifest import ShapeSpec
from sources.parts import Context, RawBatch
from sources.shapes import arguments, shape

PER_FILE = False
"""The shape behind it may need the whole subset."""


class Args(Section):
    """Where the columns are in a name, and the shape."""

    pattern: str
    """A regular expression that is searched for in the file's name; each of its named groups becomes a column."""
    shape: ShapeSpec

    @field_validator("pattern")
    @classmethod
    def _named_groups(cls, value: str) -> str:
        try:
            groups = re.compile(value).groupindex
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        if not groups:
            raise ValueError("the pattern has no named group, as (?P<language>...)")
        return value


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield what the shape makes of the records with their new columns.

    Raises:
        SchemaError: a file's name does not fit the pattern.

    """
    pattern = re.compile(args.pattern)

    def read(table: str) -> Iterator[RawBatch]:
        for batch in context.read(table):
            found = pattern.search(batch.file)
            if found is None:
                raise SchemaError(
                    f"the name does not fit {args.pattern!r}", where=batch.file, remedy="correct `pattern` or `files`"
                )
            columns = batch.columns
            for name, value in found.groupdict().items():
                columns = columns.append_column(name, pa.repeat(pa.scalar(value, pa.string()), columns.num_rows))
            yield RawBatch(columns, batch.file, batch.records)

    module = shape(args.shape.kind)
    inner = context.manifest.model_copy(update={"shape": args.shape})
    yield from module.drafts(replace(context, manifest=inner, read=read), arguments(module, inner))
