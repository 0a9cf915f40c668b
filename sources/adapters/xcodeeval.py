"""xCodeEval retrieval files: a problem or a program, with lists of programs that solve the problem or fail to.

A program is an object with the field `source_code`, or a text. A problem is an object with several parts, or a text.
The files contain objects, the documentation shows texts; both are accepted.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pydantic import Field

from open_ml_embed.core.section import Section
from sources.parts import Context
from sources.shapes.fields import batches, column, draft, taken
from sources.shapes.pair import grouped

PER_FILE = True

_PARTS = {
    "description": "",
    "input_spec": "Input:",
    "output_spec": "Output:",
    "notes": "Notes:",
}
"""Parts of a problem → headings, in the order of the statement; samples and limits are left out."""


class Args(Section):
    """Columns of a problem or program, and of its positives and negatives."""

    query: str
    """A problem (`nl`) or a program (`source_code`)."""
    positives: str = "positive_code"
    """Columns of positives."""
    negatives: str = "negative_code"
    """Columns of given negatives."""
    code: str = "source_code"
    """Field of an object that holds the program."""
    max_negatives: int = Field(default=24, ge=0)
    """Most given negatives of a row."""


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each record with a solution; the first solution is the positive."""
    for batch in batches(context):
        queries = [_statement(value) for value in column(batch.columns, args.query).to_pylist()]
        positives = [_programs(value, args.code) for value in column(batch.columns, args.positives).to_pylist()]
        negatives = [_programs(value, args.code) for value in column(batch.columns, args.negatives).to_pylist()]
        solved = [row for row, programs in enumerate(positives) if programs]
        if unsolved := len(positives) - len(solved):
            context.filtered["no-positive"] += unsolved
        given = [(index, text) for index, row in enumerate(solved) for text in negatives[row][: args.max_negatives]]
        yield draft(
            context,
            taken(batch, np.array(solved, np.int64)),
            query=pa.array([queries[row] for row in solved], pa.string()),
            positive=pa.array([positives[row][0] for row in solved], pa.string()),
            negatives=grouped(
                pa.array([text for _, text in given], pa.string()),
                np.array([index for index, _ in given], np.int64),
                len(solved),
            ),
        )


def _programs(value: object, field: str) -> list[str]:
    """Return the programs in a list of objects or texts; blank ones are left out."""
    items = value if isinstance(value, list) else []
    texts = [item.get(field) if isinstance(item, dict) else item for item in items]
    return [text for text in texts if isinstance(text, str) and text.strip()]


def _statement(value: object) -> str | None:
    """Return the statement of a problem: the text itself, or its parts with headings."""
    if not isinstance(value, dict):
        return value if isinstance(value, str) else None
    parts = []
    for name, heading in _PARTS.items():
        text = value.get(name)
        if isinstance(text, str) and text.strip():
            parts.append(f"{heading} {text.strip()}".strip())
    return "\n\n".join(parts)
