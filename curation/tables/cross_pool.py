"""What other pools answer to the queries of one: pairs of clusters, a table a pool."""

from __future__ import annotations

import pyarrow as pa

from open_ml_embed.core.store import Store

ANSWERS = "answers"
"""The operation that finds them, and the folder of its tables."""
ANSWER_SCHEMA = pa.schema(
    [
        pa.field("query_cluster", pa.int64(), nullable=False),
        pa.field("document_cluster", pa.int64(), nullable=False),
    ]
)
"""One line a pair of clusters that a row of another pool links, ascending."""


def answers_of(store: Store, pool: str) -> pa.Table:
    """Return what other pools answer to the queries of one, as `ANSWER_SCHEMA` has it."""
    return store.read_table(f"{ANSWERS}/{pool}.answers.arrow")
