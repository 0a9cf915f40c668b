"""The row schema: one training sample is one row, and this is the only place that says what a row holds.

Loss family, task type, instruction, license and citation belong to the manifest and are never repeated per row.
"""

from __future__ import annotations

import pyarrow as pa

ORIGIN = pa.struct([pa.field("file", pa.string()), pa.field("record", pa.int64())])

ROW_SCHEMA = pa.schema(
    [
        pa.field("row_id", pa.binary(16), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("subset", pa.string(), nullable=False),
        pa.field("query", pa.string(), nullable=False),
        pa.field("positive", pa.string(), nullable=False),
        pa.field("negatives", pa.list_(pa.string()), nullable=False),
        pa.field("label", pa.string()),
        pa.field("query_lang", pa.string(), nullable=False),
        pa.field("positive_lang", pa.string(), nullable=False),
        pa.field("origin", ORIGIN, nullable=False),
    ]
)
"""Columns of a normalized shard.

`row_id` is the 128-bit content hash of (source, subset, query, positive): stable across runs, shard sizes and
worker counts. `negatives` are the source's own (may be empty). `label` is the class of a clustering or
classification row, null otherwise. The language columns hold what the source *declares*, as `eng-Latn` or
`python-Code`. `origin` traces a row back to its raw file and zero-based record number.
"""

DRAFT_SCHEMA = pa.schema(
    [
        pa.field("query", pa.string()),
        pa.field("positive", pa.string()),
        pa.field("negatives", pa.list_(pa.string())),
        pa.field("label", pa.string()),
        pa.field("query_lang", pa.string()),
        pa.field("positive_lang", pa.string()),
        pa.field("file", pa.string()),
        pa.field("record", pa.int64()),
    ]
)
"""What a shape yields: rows before text normalization, validation and identity (`sources.normalize`)."""

QUARANTINE_SCHEMA = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("subset", pa.string(), nullable=False),
        pa.field("file", pa.string(), nullable=False),
        pa.field("record", pa.int64(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("excerpt", pa.string(), nullable=False),
    ]
)
"""A record that did not become a row: where it stood, why, and the first 200 characters of it."""
