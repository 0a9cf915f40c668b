"""Helpers for shapes: texts from raw columns, declared languages by row, and draft tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from open_ml_embed.core.errors import ManifestError, SchemaError
from open_ml_embed.core.text.blank import blank
from sources.languages import LanguageCodeError, code_tag, named_tag, tag_of
from sources.manifest import LangColumn, TextExpr
from sources.parts import Context, RawBatch
from sources.schema import DRAFT_SCHEMA


def batches(context: Context) -> Iterator[RawBatch]:
    """Stream the part's records of all tables, for shapes with one kind of record."""
    for table in context.manifest.tables:
        yield from context.read(table)


def column(columns: pa.Table, path: str) -> pa.Array:
    """Return a raw column, or a nested field of it, as one array.

    A step of a path is a field of a struct (`translation.en`) or an index in a list (`pair.0`). Below a list of structs
    or of lists, it applies to each element, and the result is a list.

    Raises:
        ManifestError: the path starts at a field that the manifest does not declare.
        SchemaError: a struct has no such field.

    """
    if path in columns.column_names:
        return columns.column(path).combine_chunks()
    head, *rest = path.split(".")
    if head not in columns.column_names:
        raise ManifestError(
            f"{path!r} is not among the declared fields: {', '.join(columns.column_names)}",
            remedy="add it to `fields`, or correct the shape's arguments",
        )
    array = columns.column(head).combine_chunks()
    for name in rest:
        array = _below(array, name, path)
    return array


def _below(array: pa.Array, step: str, path: str) -> pa.Array:
    if not pa.types.is_list(array.type):
        return struct_field(array, step, path)
    if step.isdecimal() and not pa.types.is_list(array.type.value_type):
        return nth(array, int(step))
    # A null list becomes an empty one; shapes treat both as no text.
    return pa.ListArray.from_arrays(array.offsets, _below(array.values, step, path))


def nth(lists: pa.ListArray, index: int) -> pa.Array:
    """Return the element of each list at a zero-based index; null if the list is shorter or null."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    starts = np.asarray(lists.offsets)[:-1]
    return lists.values.take(pa.array(starts + index, mask=lengths <= index))


def struct_field(structs: pa.Array, name: str, path: str) -> pa.Array:
    """Return one field of a struct array; an array of type null is returned unchanged.

    Raises:
        SchemaError: the structs have no such field; the message lists the existing ones.

    """
    if pa.types.is_null(structs.type):
        return structs
    names = [field.name for field in structs.type] if pa.types.is_struct(structs.type) else []
    if name not in names:
        raise SchemaError(
            f"{path!r} leads to no field; found: {', '.join(names) or structs.type}",
            remedy="correct the shape's arguments in the manifest",
        )
    return pc.struct_field(structs, name)


def as_text(array: pa.Array) -> pa.StringArray:
    """Cast an array to strings; the elements of a list are joined by one space."""
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        return pc.binary_join(array.cast(pa.list_(pa.string())), " ")
    return array.cast(pa.string())


def text(columns: pa.Table, expr: TextExpr) -> pa.StringArray:
    """Return the texts of an expression: one column, or several columns joined by one space.

    When several are joined, texts without a letter or digit (empty ones, a `.` in place of a title) are left out.
    """
    if isinstance(expr, str):
        return as_text(column(columns, expr))
    return joined([_with_words(as_text(column(columns, path))) for path in expr], " ")


def _with_words(texts: pa.StringArray) -> pa.StringArray:
    """Return the texts, with null for those without a letter or digit."""
    return pc.if_else(pc.match_substring_regex(texts, r"[\p{L}\p{N}]"), texts, pa.scalar(None, pa.string()))


def joined(pieces: list[pa.StringArray], separator: str) -> pa.StringArray:
    """Join texts row by row, without blank and null ones; null if all are blank or null.

    (Arrow's `binary_join_element_wise` with `null_handling="skip"` loses rows with only nulls.)
    """
    whole = pa.nulls(len(pieces[0]), pa.string())
    for piece in pieces:
        present = pc.if_else(blank(piece), pa.scalar(None, pa.string()), piece)
        both = pc.binary_join_element_wise(whole, present, separator)
        whole = pc.coalesce(both, whole, present)
    return whole


def short(texts: pa.StringArray, fewest: int) -> pa.BooleanArray:
    """Tell which texts have fewer than `fewest` words and are not blank (bool[n])."""
    words = pc.fill_null(pc.count_substring_regex(texts, r"\S+"), 0)
    return pc.and_not(pc.less(words, fewest), blank(texts))


def taken(batch: RawBatch, rows: np.ndarray | pa.Array) -> RawBatch:
    """Return the records at `rows` (which may repeat), in that order."""
    index = pa.array(rows)
    return RawBatch(batch.columns.take(index), batch.file, batch.records.take(index))


def kept(batch: RawBatch, mask: pa.BooleanArray) -> RawBatch:
    """Return the records where `mask` is true."""
    return RawBatch(batch.columns.filter(mask), batch.file, batch.records.filter(mask))


def languages(context: Context, columns: pa.Table) -> tuple[pa.StringArray, pa.StringArray]:
    """Return the declared language tags of query and positive, by row.

    Raw values are language codes or English names. An unknown value is returned unchanged, and `sources.normalize`
    quarantines its row.
    """
    subset = context.manifest.subsets[context.subset_name]
    query = declared(subset.query_lang, columns)
    return query, query if subset.positive_lang is None else declared(subset.positive_lang, columns)


def declared(lang: str | LangColumn, columns: pa.Table, *, code: bool = False) -> pa.StringArray:
    """Return the declared language tag of each row; unknown raw values are returned unchanged.

    With `code`, raw values are names of programming languages, and an empty value becomes null.
    """
    if isinstance(lang, str):
        return pa.repeat(pa.scalar(lang), columns.num_rows)
    encoded = column(columns, lang.column).cast(pa.string()).dictionary_encode()
    tags = [_tag(value, lang, code=code) for value in encoded.dictionary.to_pylist()]
    return pa.array(tags, pa.string()).take(encoded.indices)


def _tag(value: str, lang: LangColumn, *, code: bool) -> str | None:
    if value in lang.map:
        return lang.map[value]
    if code:
        return code_tag(value) if value.strip() else None
    for known in (tag_of, named_tag):
        with suppress(LanguageCodeError):
            return known(value)
    return value


def draft(
    context: Context,
    batch: RawBatch,
    *,
    query: pa.StringArray,
    positive: pa.StringArray,
    negatives: pa.ListArray | None = None,
    label: pa.StringArray | None = None,
    swapped: bool = False,
) -> pa.Table:
    """Make a draft table of row-aligned arrays, with the languages and the provenance of the batch.

    Args:
        context: of the subset, which declares the languages.
        batch: the n raw records of the rows, one per row.
        query: n texts.
        positive: n texts.
        negatives: n lists of given negatives; None: none.
        label: class of each row; None: no classes.
        swapped: query and positive are exchanged against the manifest, so exchange their languages too.

    """
    langs = languages(context, batch.columns)
    rows = batch.columns.num_rows
    return draft_table(
        query=query,
        positive=positive,
        negatives=negatives,
        label=label,
        langs=(langs[1], langs[0]) if swapped else langs,
        file=pa.repeat(pa.scalar(batch.file), rows),
        record=batch.records,
    )


def draft_table(
    *,
    query: pa.StringArray,
    positive: pa.StringArray,
    langs: tuple[pa.StringArray, pa.StringArray],
    file: pa.StringArray,
    record: pa.Int64Array,
    negatives: pa.ListArray | None = None,
    label: pa.StringArray | None = None,
) -> pa.Table:
    """Make a table in `DRAFT_SCHEMA` from row-aligned arrays, for shapes whose rows come from several batches."""
    if negatives is None:
        negatives = pa.nulls(len(query), pa.list_(pa.string()))
    if label is None:
        label = pa.nulls(len(query), pa.string())
    return pa.table([query, positive, negatives, label, *langs, file, record], schema=DRAFT_SCHEMA)
