"""Conversion of Arrow arrays to plain types: `string`, `binary`, `list` and `struct` at every depth."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from open_ml_embed.core.ragged import offsets_of

REFUSED = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, pa.ArrowCapacityError)
"""Exceptions of Arrow for values or types that it cannot cast."""


def plain_type(kind: pa.DataType) -> pa.DataType:  # noqa: PLR0911 - one return per kind
    """Return the plain counterpart of a type.

    Large and view types, lists of fixed size, dictionaries and maps become `string`, `binary` and `list` of plain
    types; a map is a list of its pairs.

    >>> plain_type(pa.large_list(pa.struct([("a", pa.string_view())])))
    ListType(list<item: struct<a: string>>)

    """
    types = pa.types
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return plain_type(kind.value_type)
    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type)
    if types.is_large_string(kind) or types.is_string_view(kind):
        return pa.string()
    if types.is_large_binary(kind) or types.is_binary_view(kind):
        return pa.binary()
    if types.is_map(kind):
        pair = [pa.field("key", plain_type(kind.key_type)), pa.field("value", plain_type(kind.item_type))]
        return pa.list_(pa.struct(pair))
    if is_list(kind):
        return pa.list_(plain_type(kind.value_type))
    if types.is_struct(kind):
        return pa.struct([pa.field(part.name, plain_type(part.type)) for part in kind])
    return kind


def is_list(kind: pa.DataType) -> bool:
    """Tell whether a type is a list of any kind."""
    types = pa.types
    return bool(
        types.is_list(kind)
        or types.is_large_list(kind)
        or types.is_fixed_size_list(kind)
        or types.is_list_view(kind)
        or types.is_large_list_view(kind)
    )


def plain(array: pa.Array) -> tuple[pa.Array, list[int]]:
    """Convert an array to its plain type.

    NaN and infinities become null at every depth.

    Returns:
        (array, rows with text that is not valid UTF-8); these rows are null.

    Raises:
        pyarrow.ArrowNotImplementedError: the type has no plain counterpart.

    """
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_run_end_encoded(array.type):
        array = pc.run_end_decode(array)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    array = _as_lists(array)
    target = plain_type(array.type)
    cast = array.type != target
    bad = list(_failing(array, (lambda some: some.cast(target).validate(full=True)) if cast else _validate))
    if bad:
        array = without(array, bad)
    if cast:
        array = array.cast(target)
    return finite(array), bad


def _as_lists(array: pa.Array) -> pa.Array:
    """Replace list views and fixed-size lists by lists, at every depth; null ones get length 0.

    Arrow's own cast is not usable (pyarrow 26): for views it omits the last offset, so that readers of the array read
    beyond its end; for a null fixed-size list it keeps the slots of the values, which only some functions skip.
    """
    kind = array.type
    if not _has_other_lists(kind):
        return array
    if pa.types.is_struct(kind):
        # `flatten` makes the fields of a null struct null, whatever their own validity bitmaps are.
        fields = [_as_lists(part) for part in array.flatten()]
        names = [part.name for part in kind]
        return pa.StructArray.from_arrays(fields, names, mask=array.is_null())
    if pa.types.is_map(kind):
        pair = [pa.field("key", kind.key_type), pa.field("value", kind.item_type)]
        return _as_lists(array.cast(pa.list_(pa.struct(pair))))
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    offsets = offsets_of(lengths).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), _as_lists(array.flatten()), mask=array.is_null())


def _has_other_lists(kind: pa.DataType) -> bool:
    types = pa.types
    if types.is_struct(kind):
        return any(_has_other_lists(part.type) for part in kind)
    if types.is_list_view(kind) or types.is_large_list_view(kind) or types.is_fixed_size_list(kind):
        return True
    if types.is_map(kind):
        return _has_other_lists(kind.key_type) or _has_other_lists(kind.item_type)
    return is_list(kind) and _has_other_lists(kind.value_type)


def _validate(array: pa.Array) -> None:
    array.validate(full=True)


def _failing(array: pa.Array, check: Callable[[pa.Array], object]) -> Iterator[int]:
    """Find the rows for which a check fails, by bisection."""
    try:
        check(array)
    except pa.ArrowInvalid as error:
        if "UTF8" not in str(error).upper().replace("-", ""):
            raise
    else:
        return
    stack = [(0, len(array))]
    while stack:
        start, size = stack.pop()
        try:
            # Copy the rows, since a slice of a list array still refers to all values.
            check(array.take(pa.array(np.arange(start, start + size))))
        except pa.ArrowInvalid:
            if size == 1:
                yield start
            else:
                half = size // 2
                stack += [(start + half, size - half), (start, half)]


def without(array: pa.Array, rows: list[int]) -> pa.Array:
    """Return a copy of an array with null in some rows."""
    keep = np.arange(len(array))
    return array.take(pa.array(keep, mask=np.isin(keep, rows)))


def finite(array: pa.Array) -> pa.Array:
    """Replace NaN and infinities by null, at every depth."""
    odd = [leaf for leaf in _floats(array) if pc.any(pc.invert(pc.is_finite(leaf))).as_py()]
    if not odd:
        return array
    if pa.types.is_floating(array.type):
        return pc.if_else(pc.is_finite(array), array, pa.scalar(None, array.type))
    return pa.array([_finite(value) for value in array.to_pylist()], array.type)


def _floats(array: pa.Array) -> Iterator[pa.Array]:
    if pa.types.is_floating(array.type):
        yield array
    elif pa.types.is_struct(array.type):
        for at in range(array.type.num_fields):
            yield from _floats(array.field(at))
    elif pa.types.is_list(array.type):
        yield from _floats(array.values)


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_finite(below) for below in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
