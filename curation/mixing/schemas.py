"""Schemas of the files of a mix."""

from __future__ import annotations

import pyarrow as pa

SAMPLE_SCHEMA = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("subset", pa.string(), nullable=False),
        pa.field("provenance", pa.list_(pa.string()), nullable=False),
        pa.field("license", pa.string(), nullable=False),
        pa.field("family", pa.string(), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("positive_language", pa.string(), nullable=False),
        pa.field("query", pa.string(), nullable=False),
        pa.field("other_queries", pa.list_(pa.string()), nullable=False),
        pa.field("positive", pa.string(), nullable=False),
        pa.field("query_cluster", pa.int64(), nullable=False),
        pa.field("positive_id", pa.int64(), nullable=False),
        pa.field("other_positive_ids", pa.list_(pa.int64()), nullable=False),
        pa.field("negative_ids", pa.list_(pa.int64()), nullable=False),
    ]
)
"""Samples of a mix. Languages are ISO 639-3 codes or names of programming languages. `positive_id`,
`other_positive_ids` and `negative_ids` are document numbers; given negatives come before mined ones. `provenance` names
every source and subset that has the sample, its own first. `other_queries` and `other_positive_ids` are other wordings,
from its duplicates. `license` is the strictest license of those sources."""

DOCUMENT_SCHEMA = pa.schema(
    [
        pa.field("document_id", pa.int64(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("cluster", pa.int64(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("subset", pa.string(), nullable=False),
    ]
)
"""Documents of a mix; `document_id` is dense from 0, in the order of the files. Documents with the same `cluster` are
equal or near-duplicates; a trainer must not use them as negatives of each other."""
