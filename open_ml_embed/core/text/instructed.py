"""Texts that carry an instruction: `Instruct: …`, a line feed, `Query: …`, as Qwen3-Embedding and F2LLM write them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

_INSTRUCTED = r"(?s)^Instruct: (?P<instruction>[^\n]*)\n *Query: ?(?P<query>.*)$"


def instructed(texts: pa.Array) -> pa.BooleanArray:
    """Tell which of n texts carry an instruction, bool[n]; null where a text is null."""
    return pc.match_substring_regex(texts, _INSTRUCTED)


def split_instructed(texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    r"""Split instruction and query.

    Args:
        texts: string[n] or large_string[n].

    Returns:
        The instructions and the queries, both of the type of the texts; null where a text carries none.

    >>> instruction, query = split_instructed(pa.array(["Instruct: Find it.\nQuery: moon", "moon"]))
    >>> instruction.to_pylist(), query.to_pylist()
    (['Find it.', None], ['moon', None])

    """
    parts = pc.extract_regex(texts, _INSTRUCTED)
    absent = pc.invert(parts.is_valid())
    nothing = pa.scalar(None, texts.type)
    return tuple(pc.if_else(absent, nothing, parts.field(name)) for name in ("instruction", "query"))
