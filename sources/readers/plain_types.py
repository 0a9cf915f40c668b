"""Arrow types that readers give: plain strings and lists at every depth, whatever the file has of their kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from open_ml_embed.core.ragged import offsets_of

REFUSED = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, pa.ArrowCapacityError)
"""What Arrow raises of values or types that it cannot cast."""


def plain_type(kind: pa.DataType) -> pa.DataType:  # noqa: PLR0911 - a return a kind
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
    """Tell a list of any kind."""
    types = pa.types
    return bool(
        types.is_list(kind)
        or types.is_large_list(kind)
        or types.is_fixed_size_list(kind)
        or types.is_list_view(kind)
        or types.is_large_list_view(kind)
    )


def plain(array: pa.Array) -> tuple[pa.Array, list[int]]:
    """Return an array in its plain type, and the rows whose text is not valid UTF-8; they are null.

    Numbers that are none (NaN, infinities) are null at every depth.

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
    """Return an array with lists in place of list views and lists of fixed size, at every depth; null ones are empty.

    Arrow's own cast of views (pyarrow 26) leaves out the last offset, and what reads such an array reads beyond it. Its
    cast of a null list of fixed size keeps the places of the values, which some functions then skip and others count.
    """
    kind = array.type
    if not _has_other_lists(kind):
        return array
    if pa.types.is_struct(kind):
        # Flattened: what lies below a null struct is null, whatever its own bitmap says.
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
    """Find the rows that a check refuses, by halving."""
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
            # A copy: a slice of a list still has all values of the whole.
            check(array.take(pa.array(np.arange(start, start + size))))
        except pa.ArrowInvalid:
            if size == 1:
                yield start
            else:
                half = size // 2
                stack += [(start + half, size - half), (start, half)]


def without(array: pa.Array, rows: list[int]) -> pa.Array:
    """Return an array whose values at some rows are null."""
    keep = np.arange(len(array))
    return array.take(pa.array(keep, mask=np.isin(keep, rows)))


def finite(array: pa.Array) -> pa.Array:
    """Return an array in which NaN and the infinities are null, at every depth."""
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
