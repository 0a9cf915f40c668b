"""Strings as Arrow arrays: from Python's without an error, from many chunks without an overflow; and lists of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

MOST_BYTES = 2**31 - 1
"""What the offsets of a `string` array reach."""
_SURROGATES = re.compile("[\ud800-\udfff]")


def text_array(texts: pa.Array | pa.ChunkedArray | Sequence[str]) -> pa.Array | pa.ChunkedArray:
    """Return Arrow arrays as they are, and Python strings as large_string.

    A Python string may hold half of a surrogate pair, which UTF-8 has no bytes for: it reads as U+FFFD, the
    replacement character.
    """
    if isinstance(texts, pa.Array | pa.ChunkedArray):
        return texts
    try:
        return pa.array(texts, pa.large_string())
    except UnicodeEncodeError:
        return pa.array([text and _SURROGATES.sub("\ufffd", text) for text in texts], pa.large_string())


def one_array(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the same strings in one array: without a copy where they are in one, as large_string past 2 GiB."""
    if not isinstance(texts, pa.ChunkedArray):
        return texts
    if texts.num_chunks <= 1:
        return texts.chunk(0) if texts.num_chunks else pa.array([], texts.type)
    if pa.types.is_string(texts.type) and (pc.sum(pc.binary_length(texts)).as_py() or 0) > MOST_BYTES:
        texts = texts.cast(pa.large_string())
    return pa.concat_arrays(texts.chunks)


def list_starts(lists: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Return where each of n lists begins among the values of all, and their end: int64[n + 1]."""
    return np.concatenate([[0], np.cumsum(pc.list_value_length(lists).to_numpy())]).astype(np.int64)
