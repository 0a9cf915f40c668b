"""Labeled texts: clustering pairs texts of one class, classification pairs a text with the name of its label."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from pydantic import Field, model_validator

from open_ml_embed.core.errors import SchemaError
from open_ml_embed.core.section import Section
from open_ml_embed.core.text.blank import blank
from sources.batching import runs
from sources.cleaning.texts import clean
from sources.manifest import TextExpr
from sources.parts import Context, RawBatch
from sources.shapes.fields import as_text, batches, column, draft_table, kept, languages, text
from sources.shapes.pair import first_of, grouped
from sources.spool import Spool

PER_FILE = False
"""Clustering needs whole classes; classification has to detect texts with both labels."""

_ROWS = 16_384
"""Most rows of a yielded table; in clustering, a row has two texts, which may be as long as an article."""
_SPOOLED = pa.schema(
    [*((name, pa.string()) for name in ("text", "label", "lang", "positive_lang", "file")), ("record", pa.int64())]
)


class Args(Section):
    """Columns, and the names of the labels."""

    mode: Literal["clustering", "classification"]
    """How a row is made of texts and classes."""
    text: TextExpr = "text"
    """Column of the text."""
    label: str = "label"
    """Column of its class."""
    label_from: Literal["column", "first", "only", "file"] = "column"
    """Source of the class. `column`: the whole value. `first`: the first element of a list, or the first word of a
    text. `only`: the element of a list that has just one; records with none or several labels are filtered. `file`: the
    file name without folders and extension."""
    names: dict[str, str] = {}
    """Raw label → name in words; records with other labels are quarantined. Empty: the raw labels are the names."""

    every: int = Field(default=1, ge=1)
    """Take every n-th record, for files that are much larger than their share of a mix and may be sorted by class."""

    @model_validator(mode="after")
    def _two_names(self) -> Args:
        if self.mode == "classification" and len(set(self.names.values())) != 2:
            raise ValueError("classification is two-way: `names` must have exactly two different label texts")
        return self


def partners(args: Args, tables: Collection[str]) -> Collection[str]:
    """Return all tables if a file is a class, otherwise none: a file has texts of many classes."""
    return tables if args.label_from == "file" else ()


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each text, except texts that are alone in their class."""
    return _classified(context, args) if args.mode == "classification" else _clustered(context, args)


def _named(context: Context, args: Args) -> Iterator[tuple[RawBatch, pa.StringArray, pa.StringArray]]:
    """Yield batches with their texts and label names; records with an empty text or unknown label are quarantined."""
    for drawn in _sampled(context, args.every):
        whole = _of_one_label(context, drawn, args) if args.label_from == "only" else drawn
        raw = _raw_labels(whole, args)
        names = raw
        if args.names:
            index = pc.index_in(raw, pa.array(list(args.names)))
            names = pa.array(list(args.names.values())).take(index)
        texts = text(whole.columns, args.text)
        empty = blank(texts)
        unknown = blank(names)
        for reason, mask in (("empty-query", empty), ("unknown-label", pc.and_not(unknown, empty))):
            for row in np.flatnonzero(mask.to_numpy(zero_copy_only=False)):
                excerpt = texts[row].as_py() if reason == "unknown-label" else None
                context.quarantine.add(
                    whole.file, whole.records[row].as_py(), reason, f"{raw[row].as_py()}: {excerpt or ''}"
                )
        good = pc.invert(pc.or_(empty, unknown))
        yield kept(whole, good), texts.filter(good), names.filter(good)


def _sampled(context: Context, every: int) -> Iterator[RawBatch]:
    for batch in batches(context):
        if every == 1:
            yield batch
        else:
            mask = pa.array(np.asarray(batch.records) % every == 0)
            context.filtered["not-sampled"] += mask.false_count
            yield kept(batch, mask)


def _raw_labels(batch: RawBatch, args: Args) -> pa.StringArray:
    if args.label_from == "file":
        member = batch.file.rpartition("!")[2]
        return pa.repeat(pa.scalar(PurePosixPath(member).stem), batch.columns.num_rows)
    labels = column(batch.columns, args.label)
    if args.label_from in ("first", "only"):
        if not pa.types.is_list(labels.type):
            labels = pc.utf8_split_whitespace(pc.utf8_trim_whitespace(labels.cast(pa.string())))
        labels = first_of(labels)
    return as_text(labels)


def _of_one_label(context: Context, batch: RawBatch, args: Args) -> RawBatch:
    """Return the records with exactly one label; the others are counted by how many they have."""
    labels = column(batch.columns, args.label)
    if not pa.types.is_list(labels.type):
        raise SchemaError(
            f"the labels in {args.label!r} are {labels.type}, not lists",
            where=batch.file,
            remedy="leave out `label_from: only`, or correct `label`",
        )
    count = pc.fill_null(pc.list_value_length(labels), 0)
    for reason, mask in (("no-label", pc.equal(count, 0)), ("several-labels", pc.greater(count, 1))):
        if mask.true_count:
            context.filtered[reason] += mask.true_count
    return kept(batch, pc.equal(count, 1))


def _classified(context: Context, args: Args) -> Iterator[pa.Table]:
    """Pair texts with their labels; texts with both labels are quarantined, since one label must be wrong."""
    first, second = sorted(set(args.names.values()))
    with Spool(_SPOOLED) as spool:
        hashes, classes = _spooled(context, args, spool)
        contradicted = _contradicted(hashes, classes)
        for start in range(0, len(hashes), _ROWS):
            rows = spool.take(np.arange(start, min(start + _ROWS, len(hashes))))
            bad = contradicted[start : start + _ROWS]
            for row in np.flatnonzero(bad).tolist():
                excerpt = f"{rows['label'][row].as_py()}: {rows['text'][row].as_py()}"
                context.quarantine.add(rows["file"][row].as_py(), rows["record"][row].as_py(), "both-labels", excerpt)
            rows = rows.filter(pa.array(~bad))
            names = rows["label"].combine_chunks()
            other = pc.if_else(pc.equal(names, first), pa.scalar(second), pa.scalar(first))
            yield draft_table(
                query=rows["text"],
                positive=names,
                negatives=grouped(other, np.arange(len(other)), len(other)),
                label=names,
                langs=(rows["lang"], rows["positive_lang"]),
                file=rows["file"],
                record=rows["record"],
            )


def _clustered(context: Context, args: Args) -> Iterator[pa.Table]:
    """Write the texts to disk, pair them by hash and class in memory, and read the pairs back."""
    with Spool(_SPOOLED) as spool:
        partner = _partners(*_spooled(context, args, spool))
        paired = np.flatnonzero(partner >= 0)
        if alone := len(partner) - len(paired):
            context.filtered["alone-in-class"] += alone
        sizes = spool.sizes[paired] + spool.sizes[partner[paired]]
        for start, stop in runs(sizes, _ROWS):
            some = paired[start:stop]
            rows, partners = spool.take(some), spool.take(partner[some])
            yield draft_table(
                query=rows["text"],
                positive=partners["text"],
                label=rows["label"],
                langs=(rows["lang"], partners["lang"]),
                file=rows["file"],
                record=rows["record"],
            )


def _spooled(context: Context, args: Args, spool: Spool) -> tuple[np.ndarray, np.ndarray]:
    """Write the texts to disk; return the hash of each cleaned text (uint64[n]) and its class number (int32[n])."""
    hashes, classes, codes = [np.zeros(0, np.uint64)], [np.zeros(0, np.int32)], dict[str, int]()
    for batch, texts, names in _named(context, args):
        langs = languages(context, batch.columns)
        file = pa.repeat(pa.scalar(batch.file), len(texts))
        spool.add(pa.table([texts, names, *langs, file, batch.records], schema=_SPOOLED))
        cleaned = clean(texts, langs[0], context.manifest, "query").to_pylist()
        hashes.append(np.array([xxhash.xxh3_64_intdigest(text.encode()) for text in cleaned], np.uint64))
        encoded = names.dictionary_encode()
        known = np.array([codes.setdefault(n, len(codes)) for n in encoded.dictionary.to_pylist()], np.int32)
        classes.append(known[encoded.indices.to_numpy()])
    return np.concatenate(hashes), np.concatenate(classes)


def _contradicted(hashes: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Tell which texts occur in both classes.

    Args:
        hashes: of the texts, uint64[n].
        classes: class numbers 0 and 1, int32[n].

    Returns:
        bool[n].

    """
    _, text = np.unique(hashes, return_inverse=True)
    of_first = np.bincount(text[classes == 0], minlength=len(hashes)) > 0
    of_second = np.bincount(text[classes == 1], minlength=len(hashes)) > 0
    both: np.ndarray = (of_first & of_second)[text]
    return both


def _partners(hashes: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Choose for each text another one of its class: the next one in a ring ordered by content hash.

    The choice depends on the texts of the class, not on their order in the files. Every distinct text is the positive
    of exactly one other distinct text. (If two different texts of a class share a hash, one of them is no positive.)

    Args:
        hashes: of the normalized texts, uint64[n].
        classes: class numbers, int32[n].

    Returns:
        Row numbers, int64[n]; -1 if the class has no other text.

    """
    order = np.lexsort((hashes, classes))  # stable: of equal texts, the first one in the files comes first
    if not len(order):
        return order
    changes = np.diff(hashes[order], prepend=hashes[order[:1]]) != 0
    new_class = np.diff(classes[order], prepend=-1) != 0
    new_text = changes | new_class
    position = np.cumsum(new_text) - 1
    first = order[new_text]
    starts = np.flatnonzero(new_class[new_text])
    sizes = np.diff(starts, append=len(first))
    following = np.arange(1, len(first) + 1)
    following[starts + sizes - 1] = starts
    target = first[following]
    target[starts[sizes == 1]] = -1
    partner = np.empty(len(order), np.int64)
    partner[order] = target[position]
    return partner
