"""The Arrow schemas of rows, drafts and quarantined records. One row is one training sample.

Loss family, task, instruction, license and citation are in the manifest and are not repeated in rows.
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

`row_id` is the 128-bit content hash of (source, subset, query, positive). It does not depend on shard sizes or the
number of workers. `negatives` are the given negatives of the source (may be empty). `label` is the class of a
clustering or classification row, null otherwise. The language columns hold the languages that the source *declares*, as
`eng-Latn` or `python-Code`. `origin` is the raw file and the zero-based record number of the row.
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
"""Columns of the tables that shapes yield: rows before cleaning, validation and row ids (`sources.normalize`)."""

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
"""Columns of quarantined records: location, reason, and an excerpt of at most 200 characters."""
