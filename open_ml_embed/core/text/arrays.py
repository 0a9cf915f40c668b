"""Strings as Arrow arrays: from Python's without an error, from many chunks without an overflow; and lists of them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Set
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from open_ml_embed.core.array_types import I32, I64
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.ragged import offsets_of

MOST_BYTES = 2**31 - 1
"""What the offsets of a `string` array reach."""
Texts: TypeAlias = Any
"""What functions for other programs take as texts: see `text_array`."""
TAKEN = (
    "a list or tuple of str, an Arrow, polars or pandas column of strings, a NumPy array of str, or a column of a "
    "datasets.Dataset"
)
_SURROGATES = re.compile("[\ud800-\udfff]")


def text_array(texts: Texts, name: str = "texts", *, nulls: bool = True) -> pa.Array | pa.ChunkedArray:
    """Return texts as `string` or `large_string`, which are all that reads their buffers knows.

    Args:
        texts: an Arrow array of any type of strings (plain, large, view, dictionary), a list, tuple or one-dimensional
            array of Python strings, a column of pandas or polars, or a column of a `datasets.Dataset`. Arrow's own
            buffers are read in place wherever there are some. A Python string may hold half of a surrogate pair, which
            UTF-8 has no bytes for: it reads as U+FFFD, the replacement character.
        name: of the argument, for errors.
        nulls: whether there may be missing texts. They stay null, and whoever reads the texts takes them as empty.

    Raises:
        SettingsError: these are no texts, one that is no list of texts, something that can be read only once, or a
            text is missing where none may.

    """
    plain = _column(texts, name)
    if not nulls and plain.null_count:
        place = pc.index(pc.is_null(plain), value=True).as_py()
        raise SettingsError(
            f"text {place} is missing (None, null or NaN)", where=name, remedy="leave it out, or pass an empty text"
        )
    return plain


def numbers_of(strings: pa.Array | pa.ChunkedArray, numbers: dict[str, int]) -> I32:
    """Return the number of each string, int32[n]; new strings get the next number, which is added to `numbers`."""
    chunks = strings.chunks if isinstance(strings, pa.ChunkedArray) else [strings]
    parts = [np.zeros(0, np.int32)]
    for chunk in chunks:
        encoded = chunk.dictionary_encode()
        known = np.array([numbers.setdefault(name, len(numbers)) for name in encoded.dictionary.to_pylist()], np.int32)
        parts.append(known[encoded.indices.to_numpy()])
    return np.concatenate(parts)


def same_length(number: int, name: str, expected: int, of: str) -> None:
    """Refuse an argument that has not one entry for each of another one's.

    Raises:
        SettingsError: it has not.

    >>> same_length(2, "positives", 3, "queries")
    Traceback (most recent call last):
    open_ml_embed.core.errors.SettingsError: positives: 2 entries for 3 queries
      remedy: give one for each of them, in the same order

    """
    if number != expected:
        raise SettingsError(
            f"{number:,} entries for {expected:,} {of}",
            where=name,
            remedy="give one for each of them, in the same order",
        )


def _column(texts: Texts, name: str) -> pa.Array | pa.ChunkedArray:  # noqa: PLR0911 - a return a kind
    if isinstance(texts, pa.Array | pa.ChunkedArray):
        return _plain(texts, name)
    _check_list(texts, name)
    try:
        if hasattr(texts, "__arrow_c_stream__") and not hasattr(texts, "columns"):
            return _plain(pa.chunked_array(texts), name)
        if hasattr(texts, "__arrow_c_array__") or hasattr(texts, "__arrow_array__"):
            return _plain(pa.array(texts), name)
        if type(texts).__module__.partition(".")[0] == "pandas" and getattr(texts, "ndim", 0) == 1:
            return _plain(pa.array(texts, from_pandas=True), name)
    except pa.ArrowException:  # a column of any Python objects
        return _from_python(list(texts), name)
    if _is_of_dataset(texts):
        chosen = texts.source.select_columns([texts.column_name]).with_format("arrow")
        return _plain(chosen[:][texts.column_name], name)
    if hasattr(texts, "columns") or (hasattr(texts, "dtype") and not _holds_strings(texts)):
        raise _no_texts(f"{_a(texts)} is no list of texts", name, "pass one column of texts")
    return _from_python(list(texts), name)


def _check_list(texts: object, name: str) -> None:
    """Refuse what has no length or no order, or is one text."""
    if isinstance(texts, str | bytes | bytearray | memoryview):
        raise _no_texts(f"one {type(texts).__name__} is no list of texts", name, "pass it in a list: [text]")
    if isinstance(texts, Mapping | Set):
        raise _no_texts(f"{_a(texts)} is no list of texts", name, "pass its values as a list: their order counts")
    if not hasattr(texts, "__len__"):
        kind = "None" if texts is None else _a(texts)
        once = hasattr(texts, "__iter__")
        what = f"{kind} can be read only once, and nobody knows its length" if once else f"{kind} is no list of texts"
        raise _no_texts(what, name, "pass list(...) of it" if once else "")


def _no_texts(what: str, name: str, remedy: str) -> SettingsError:
    return SettingsError(what, where=name, remedy=f"{remedy}; taken are {TAKEN}" if remedy else f"pass {TAKEN}")


def _a(value: object) -> str:
    """Name the type of a value, with its article."""
    kind = type(value)
    whole = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    return f"{'an' if whole[0].lower() in 'aeiou' else 'a'} {whole}"


def _is_of_dataset(texts: object) -> bool:
    """Tell a column of a `datasets.Dataset`, which gives its rows as an Arrow column faster than one by one."""
    if type(texts).__module__ != "datasets.arrow_dataset" or not hasattr(texts, "column_name"):
        return False
    return hasattr(texts.source, "select_columns") and texts.source.format["type"] != "custom"  # type: ignore[attr-defined] # see above


def _from_python(texts: list[Any], name: str) -> pa.Array:
    for place, text in enumerate(texts):
        if isinstance(text, float) and math.isnan(text):  # how pandas marks what is missing
            texts[place] = None
        elif text is not None and not isinstance(text, str):
            raise SettingsError(f"text {place} is {text!r:.60}, {_a(text)}", where=name, remedy="pass strings only")
    try:
        return pa.array(texts, pa.large_string())
    except UnicodeEncodeError:
        return pa.array([text and _SURROGATES.sub("\ufffd", text) for text in texts], pa.large_string())


def _holds_strings(texts: object) -> bool:
    """Tell a one-dimensional NumPy array of strings or objects."""
    return isinstance(texts, np.ndarray) and texts.ndim == 1 and texts.dtype.kind in "UOT"


def _plain(texts: pa.Array | pa.ChunkedArray, name: str) -> pa.Array | pa.ChunkedArray:  # noqa: PLR0911 - a return a kind
    if isinstance(texts, pa.ChunkedArray):
        if _is_plain(texts.type):
            return _validated(texts, name)
        chunks = [_plain(chunk, name) for chunk in texts.chunks]
        return pa.chunked_array(chunks, chunks[0].type if chunks else pa.large_string())
    kind = texts.type
    if _is_plain(kind):
        return _validated(texts, name)
    if isinstance(texts, pa.ExtensionArray):
        return _plain(texts.storage, name)
    if pa.types.is_run_end_encoded(kind):
        return _plain(pc.run_end_decode(texts), name)
    if pa.types.is_dictionary(kind):
        return _plain(texts.dictionary, name).cast(pa.large_string()).take(texts.indices)
    if pa.types.is_string_view(kind) or pa.types.is_null(kind):
        return _validated(texts, name).cast(pa.large_string())
    remedy = "decode them first" if "binary" in str(kind) else "pass one column of texts"
    raise _no_texts(f"an array of {kind} holds no texts", name, remedy)


def _is_plain(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _validated(texts: pa.Array | pa.ChunkedArray, name: str) -> pa.Array | pa.ChunkedArray:
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid as error:
        what = f"the array of texts is damaged: {error}"
        raise SettingsError(what, where=name, remedy="make it anew, as valid UTF-8") from None
    return texts


def one_array(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the same strings in one array: without a copy where they are in one, as large_string past 2 GiB."""
    if not _is_plain(texts.type):
        texts = text_array(texts)
    if not isinstance(texts, pa.ChunkedArray):
        return texts
    if texts.num_chunks <= 1:
        return texts.chunk(0) if texts.num_chunks else pa.array([], texts.type)
    if pa.types.is_string(texts.type) and (pc.sum(pc.binary_length(texts)).as_py() or 0) > MOST_BYTES:
        texts = texts.cast(pa.large_string())
    return pa.concat_arrays(texts.chunks)


def list_starts(lists: pa.Array | pa.ChunkedArray) -> I64:
    """Return where each of n lists begins among the values of all, and their end: int64[n + 1]."""
    return offsets_of(pc.list_value_length(lists).to_numpy())
