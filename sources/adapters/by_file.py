"""Adds columns taken from the file name, then applies another shape.

One use is a dataset with one Hub configuration per language: the files have the same columns, and only the file name
states the language.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace

import pyarrow as pa
from pydantic import field_validator

from open_ml_embed.core.errors import SchemaError
from open_ml_embed.core.section import Section
from sources.manifest import ShapeSpec
from sources.parts import Context, RawBatch
from sources.shapes import arguments, shape

PER_FILE = False
"""The inner shape may need the whole subset."""


class Args(Section):
    """Pattern for the file name, and the inner shape."""

    pattern: str
    """Regular expression to search for in the file name; each named group becomes a column."""
    shape: ShapeSpec
    """The shape that reads each file."""

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


def partners(args: Args, tables: Collection[str]) -> Collection[str]:
    """Return all tables, since the names of files are part of the records, unless the inner shape takes files alone."""
    return () if shape(args.shape.kind).PER_FILE else tables


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield the drafts of the inner shape, with the new columns added to its records.

    Raises:
        SchemaError: a file name does not match the pattern.

    """
    pattern = re.compile(args.pattern)

    def read(table: str) -> Iterator[RawBatch]:
        for batch in context.read(table):
            match = pattern.search(batch.file)
            if match is None:
                raise SchemaError(
                    f"the name does not fit {args.pattern!r}", where=batch.file, remedy="correct `pattern` or `files`"
                )
            columns = batch.columns
            for name, value in match.groupdict().items():
                columns = columns.append_column(name, pa.repeat(pa.scalar(value, pa.string()), columns.num_rows))
            yield RawBatch(columns, batch.file, batch.records)

    module = shape(args.shape.kind)
    inner = context.manifest.model_copy(update={"shape": args.shape})
    yield from module.drafts(replace(context, manifest=inner, read=read), arguments(module, inner))
