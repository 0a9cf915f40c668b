"""Normalizes raw files to rows: filters by `where`, cleans texts, quarantines bad rows, and assigns row ids.

Texts are cleaned in two steps: the operations under the manifest's `clean` (`sources.cleaning`), then the normalization
of all texts (`sources.text`).
"""

from __future__ import annotations

import itertools
import struct
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from open_ml_embed.core.errors import ManifestError
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.text.blank import blank
from sources.batching import BATCH_BYTES, halved
from sources.cleaning.texts import clean
from sources.documents import is_corpus
from sources.languages import is_tag
from sources.manifest import Manifest, RawTable
from sources.manifest_checks import check_where
from sources.masking import Masker
from sources.parts import Context, Part, RawBatch, RawFile
from sources.quarantine import Quarantine
from sources.record_counts import Tally
from sources.renaming import read_renamed
from sources.schema import ORIGIN, ROW_SCHEMA
from sources.shapes import arguments, shape
from sources.shapes.fields import column

BATCH_ROWS = 65_536


def parts(manifest: Manifest, subset: str, files: list[RawFile]) -> list[Part]:
    """Cut a subset into parts that can be normalized independently.

    Returns:
        One part per file, in the manifest's order of tables and then by name; or one part with all files if the shape
        needs the whole subset.

    """
    order = {table: index for index, table in enumerate(manifest.tables)}
    files = sorted(files, key=lambda file: (order[file.table], file.name))
    if not files:
        return []
    groups = [(file,) for file in files] if shape(manifest.shape.kind).PER_FILE else [tuple(files)]
    return [Part(manifest.name, subset, index, group) for index, group in enumerate(groups)]


def normalize(
    part: Part,
    manifest: Manifest,
    quarantine: Quarantine,
    filtered: Counter[str],
    tally: Tally | None = None,
    read: Read | None = None,
    masker: Masker | None = None,
) -> Iterator[pa.RecordBatch]:
    """Stream the rows of a part.

    Args:
        part: the files.
        manifest: of the source; bound to the part's subset or not.
        quarantine: receives the records that cannot become rows.
        filtered: receives the counts of filtered records, by reason.
        tally: receives the counts by file; None if they are not needed.
        read: reads a file; None reads it from the disk.
        masker: masks personal data in all texts but labels; None masks nothing.

    Yields:
        Non-empty batches in `ROW_SCHEMA` of at most 65,536 rows, in the order of the raw records.

    Raises:
        SchemaError: a file does not have what the manifest declares.
        ManifestError: the shape's arguments are wrong.

    """
    bound = manifest.bound(part.subset)
    module = shape(bound.shape.kind, bound.name)
    tally = tally or Tally(part)
    check_where(bound)

    def read_table(table: str) -> Iterator[RawBatch]:
        for file in part.files:
            if file.table == table:
                for batch in _counted(file, bound.tables[table], quarantine, tally, read or read_file):
                    admitted = _where(batch, bound, filtered)
                    if left_out := batch.columns.num_rows - admitted.columns.num_rows:
                        tally.where.setdefault(file.name, Counter())["where"] += left_out
                    if admitted.columns.num_rows:
                        yield admitted

    context = Context(bound, read_table, quarantine, filtered)
    for drafts in module.drafts(context, arguments(module, bound)):
        for some in halved(drafts, BATCH_ROWS, BATCH_BYTES):
            rows = _rows(some, part, bound, quarantine, masker)
            if rows.num_rows:
                tally.made(rows)
                yield rows
    tally.beyond_limit += context.beyond_limit


Read = Callable[[RawFile, RawTable, Quarantine], Iterator[RawBatch]]
"""Streams the records of a raw file; what cannot be read goes to the quarantine."""


def read_file(file: RawFile, table: RawTable, quarantine: Quarantine) -> Iterator[RawBatch]:
    """Stream the records of a raw file of this machine; see `sources.renaming.read_renamed`."""
    return read_renamed(file.path, file.name, table, quarantine)


def _counted(file: RawFile, table: RawTable, quarantine: Quarantine, tally: Tally, read: Read) -> Iterator[RawBatch]:
    """Read a file and report its numbers of records to the tally: all, and those that the reader quarantined."""
    batches = read(file, table, quarantine)
    records = unread = 0
    while True:
        before = quarantine.total
        batch = next(batches, None)
        unread += quarantine.total - before
        records += (quarantine.total - before) + (batch.columns.num_rows if batch is not None else 0)
        tally.read(file.table, file.name, records, unread)
        if batch is None:
            return
        yield batch


def _where(batch: RawBatch, manifest: Manifest, filtered: Counter[str]) -> RawBatch:
    for path, admitted in manifest.where.items():
        if path.split(".")[0] not in batch.columns.column_names:
            continue  # a condition on another table
        mask = _admitted(column(batch.columns, path), admitted, path, batch.file)
        if mask.false_count:
            filtered["where"] += mask.false_count
            batch = RawBatch(batch.columns.filter(mask), batch.file, batch.records.filter(mask))
    return batch


_BOOLEAN_WORDS = {True: ("true", "1", "1.0", "yes"), False: ("false", "0", "0.0", "no")}


def _admitted(values: pa.Array, admitted: list[str | int | float | bool], path: str, file: str) -> pa.BooleanArray:
    """Tell which values are accepted (bool[n]).

    Booleans may be written as numbers or words, since copies of a dataset differ in this.

    Raises:
        ManifestError: none of the accepted values has the type of the column.

    """
    kind = values.type
    if pa.types.is_null(kind):
        return pa.repeat(pa.scalar(value=False), len(values))
    if admitted and all(isinstance(value, bool) for value in admitted) and not pa.types.is_boolean(kind):
        words = [word for value in admitted for word in _BOOLEAN_WORDS[bool(value)]]
        return pc.is_in(pc.utf8_lower(values.cast(pa.string())), pa.array(words))
    fitting = [value for value in admitted if _is_of(value, kind)]
    if admitted and not fitting:
        raise ManifestError(
            f"`where` admits {', '.join(map(repr, admitted))} in {path!r}, which is {kind} here",
            where=file,
            remedy="state values of that type under `where`",
        )
    return pc.is_in(values, pa.array(fitting, kind))


def _is_of(value: object, kind: pa.DataType) -> bool:
    if isinstance(value, bool) or pa.types.is_boolean(kind):
        return isinstance(value, bool) and pa.types.is_boolean(kind)
    if isinstance(value, str):
        return bool(pa.types.is_string(kind))
    assert isinstance(value, (int, float))
    return bool(pa.types.is_floating(kind) or (pa.types.is_integer(kind) and value == int(value)))


def _rows(
    drafts: pa.Table, part: Part, manifest: Manifest, quarantine: Quarantine, masker: Masker | None
) -> pa.RecordBatch:
    """Clean and mask a draft table of moderate size and return its valid rows."""
    query = clean(drafts["query"].combine_chunks(), drafts["query_lang"].combine_chunks(), manifest, "query")
    positive = clean(
        drafts["positive"].combine_chunks(), drafts["positive_lang"].combine_chunks(), manifest, "positive"
    )
    if masker is not None:
        query, positive = masker(query), masker(positive)
    good = _judged(drafts, query, positive, quarantine, asked=not is_corpus(manifest))
    if not good.all():
        mask = pa.array(good)
        drafts, query, positive = drafts.filter(mask), query.filter(mask), positive.filter(mask)
    count = drafts.num_rows
    origin = pa.StructArray.from_arrays(
        [drafts["file"].combine_chunks(), drafts["record"].combine_chunks()], fields=list(ORIGIN)
    )
    return pa.RecordBatch.from_arrays(
        [
            _row_ids(part, query, positive),
            pa.repeat(pa.scalar(part.source), count),
            pa.repeat(pa.scalar(part.subset), count),
            query,
            positive,
            _negatives(drafts, positive, manifest, masker),
            drafts["label"].combine_chunks(),
            drafts["query_lang"].combine_chunks(),
            drafts["positive_lang"].combine_chunks(),
            origin,
        ],
        schema=ROW_SCHEMA,
    )


def _judged(
    drafts: pa.Table, query: pa.StringArray, positive: pa.StringArray, quarantine: Quarantine, *, asked: bool
) -> np.ndarray:
    """Quarantine rows without a language, a query or a positive, or with equal texts; return a mask of the others.

    Documents of a corpus are not `asked` for: they have no query.
    """
    good = np.ones(drafts.num_rows, bool)
    checks = (
        ("unknown-language", _no_tag(drafts["query_lang"]), drafts["query_lang"]),
        ("unknown-language", _no_tag(drafts["positive_lang"]), drafts["positive_lang"]),
        ("empty-query", _flags(blank(query)) & asked, positive),
        ("empty-positive", _flags(blank(positive)), query),
        ("query-equals-positive", _flags(pc.equal(query, positive)), query),
    )
    for reason, mask, shown in checks:
        for row in np.flatnonzero(mask & good).tolist():
            quarantine.add(drafts["file"][row].as_py(), drafts["record"][row].as_py(), reason, shown[row].as_py() or "")
        good &= ~mask
    return good


def _flags(mask: pa.BooleanArray) -> np.ndarray:
    flags: np.ndarray = pc.fill_null(mask, fill_value=False).to_numpy(zero_copy_only=False)
    return flags


def _no_tag(langs: pa.ChunkedArray) -> np.ndarray:
    encoded = langs.combine_chunks().dictionary_encode()
    known = np.array([*(is_tag(tag) for tag in encoded.dictionary.to_pylist()), False])
    unknown: np.ndarray = ~known[pc.fill_null(encoded.indices, fill_value=len(known) - 1).to_numpy()]
    return unknown


def _negatives(drafts: pa.Table, positive: pa.StringArray, manifest: Manifest, masker: Masker | None) -> pa.ListArray:
    """Clean and mask the given negatives; drop empty ones and those that equal the positive of their row."""
    lists, langs = drafts["negatives"].combine_chunks(), drafts["positive_lang"].combine_chunks()
    flat = pc.list_flatten(lists)
    if len(flat) == 0:
        offsets = pa.array(np.zeros(len(lists) + 1, np.int32))
        return pa.ListArray.from_arrays(offsets, pa.array([], pa.string()))
    row = pc.list_parent_indices(lists)
    flat = clean(flat, langs.take(row), manifest, "positive")
    if masker is not None:
        flat = masker(flat)
    keep = pc.and_(pc.invert(blank(flat)), pc.not_equal(flat, positive.take(row)))
    kept = pc.fill_null(keep, fill_value=False)
    offsets = offsets_of(np.bincount(row.filter(kept).to_numpy(), minlength=len(lists))).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), flat.filter(kept))


def _row_ids(part: Part, query: pa.StringArray, positive: pa.StringArray) -> pa.Array:
    """Hash (source, subset, query, positive); each field is preceded by its length, so that the encoding is unique."""
    head = b"".join(struct.pack("<Q", len(text)) + text for text in (part.source.encode(), part.subset.encode()))
    pieces = [piece for text in (query, positive) for piece in (_lengths(text), text.cast(pa.binary()))]
    whole = pc.binary_join_element_wise(pa.scalar(head), *pieces, b"")
    _, offsets, data = whole.buffers()
    edges = np.frombuffer(offsets, np.int32)[whole.offset : whole.offset + len(whole) + 1].tolist()
    digest, view = xxhash.xxh3_128_digest, memoryview(data) if len(whole) else memoryview(b"")
    return pa.array([digest(view[a:b]) for a, b in itertools.pairwise(edges)], pa.binary(16))


def _lengths(texts: pa.StringArray) -> pa.BinaryArray:
    """Return the length in bytes of each text, as eight little-endian bytes."""
    lengths = pc.binary_length(texts).cast(pa.int64())
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(8), len(lengths), [None, lengths.buffers()[1]]).cast(
        pa.binary()
    )
