"""Conversion of texts to Arrow string arrays, from Python strings, chunked arrays, pandas and polars columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from open_ml_embed.core.errors import SettingsError

MOST_BYTES = 2**31 - 1
"""Largest number of bytes in a `string` array, which has 32-bit offsets."""
Texts: TypeAlias = Any
"""Argument type of public functions that take texts: see `text_array`."""
_SURROGATES = re.compile("[\ud800-\udfff]")


def text_array(texts: Texts) -> pa.Array | pa.ChunkedArray:
    """Convert texts to an Arrow array of type `string` or `large_string`, the two types that the text kernels read.

    Args:
        texts: n texts: an Arrow array of any string type (plain, large, view, dictionary, run-end encoded), a list or
            one-dimensional NumPy array of Python strings, or a column of pandas or polars. Nulls stay; the kernels
            treat them as empty. A lone surrogate in a Python string, which UTF-8 cannot encode, becomes U+FFFD.

    Returns:
        Array or chunked array of length n.

    Raises:
        SettingsError: the argument is a single string, a mapping, a set or a table, or its values are not strings.

    """
    if isinstance(texts, pa.Array | pa.ChunkedArray):
        return _plain(texts)
    if isinstance(texts, str | bytes | bytearray | memoryview):
        raise SettingsError(f"one {type(texts).__name__} is no list of texts", remedy="pass a list: [text]")
    if isinstance(texts, Mapping | Set):
        raise SettingsError(f"a {type(texts).__name__} is no list of texts", remedy="pass a list: its order counts")
    if hasattr(texts, "__arrow_c_stream__") and not hasattr(texts, "columns"):
        return _plain(pa.chunked_array(texts))
    if hasattr(texts, "__arrow_c_array__") or hasattr(texts, "__arrow_array__"):
        return _plain(pa.array(texts))
    if type(texts).__module__.partition(".")[0] == "pandas" and getattr(texts, "ndim", 0) == 1:
        return _plain(pa.array(texts, from_pandas=True))
    if hasattr(texts, "columns") or (hasattr(texts, "dtype") and not _holds_strings(texts)):
        kind = f"{type(texts).__module__}.{type(texts).__name__}"
        raise SettingsError(f"a {kind} is no list of texts", remedy="pass one column of texts, or a list of str")
    return _from_python(list(texts))


def _from_python(texts: list[str | None]) -> pa.Array:
    for index, text in enumerate(texts):
        if text is not None and not isinstance(text, str):
            raise SettingsError(
                f"text {index} is {text!r:.60}, a {type(text).__name__}", remedy="pass strings, or None for no text"
            )
    try:
        return pa.array(texts, pa.large_string())
    except UnicodeEncodeError:
        return pa.array([text and _SURROGATES.sub("\ufffd", text) for text in texts], pa.large_string())


def _holds_strings(texts: object) -> bool:
    """Return whether `texts` is a one-dimensional NumPy array of strings or objects."""
    return isinstance(texts, np.ndarray) and texts.ndim == 1 and texts.dtype.kind in "UOT"


def _plain(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:  # noqa: PLR0911 - a return a kind
    if isinstance(texts, pa.ChunkedArray):
        if _is_plain(texts.type):
            return _validated(texts)
        chunks = [_plain(chunk) for chunk in texts.chunks]
        return pa.chunked_array(chunks, chunks[0].type if chunks else pa.large_string())
    kind = texts.type
    if _is_plain(kind):
        return _validated(texts)
    if isinstance(texts, pa.ExtensionArray):
        return _plain(texts.storage)
    if pa.types.is_run_end_encoded(kind):
        return _plain(pc.run_end_decode(texts))
    if pa.types.is_dictionary(kind):
        return _plain(texts.dictionary).cast(pa.large_string()).take(texts.indices)
    if pa.types.is_string_view(kind) or pa.types.is_null(kind):
        return _validated(texts).cast(pa.large_string())
    remedy = "decode them first" if "binary" in str(kind) else "pass one column of texts"
    raise SettingsError(f"an array of {kind} holds no texts", remedy=remedy)


def _is_plain(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _validated(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid as error:
        raise SettingsError(f"the array of texts is damaged: {error}", remedy="make it anew, as valid UTF-8") from None
    return texts


def one_array(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the texts as one Arrow array: no copy of a single chunk, `large_string` above 2 GiB."""
    if not _is_plain(texts.type):
        texts = text_array(texts)
    if not isinstance(texts, pa.ChunkedArray):
        return texts
    if texts.num_chunks <= 1:
        return texts.chunk(0) if texts.num_chunks else pa.array([], texts.type)
    if pa.types.is_string(texts.type) and (pc.sum(pc.binary_length(texts)).as_py() or 0) > MOST_BYTES:
        texts = texts.cast(pa.large_string())
    return pa.concat_arrays(texts.chunks)


def list_starts(lists: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Return the offsets of n lists in their concatenated values: int64[n + 1]."""
    return np.concatenate([[0], np.cumsum(pc.list_value_length(lists).to_numpy())]).astype(np.int64)
