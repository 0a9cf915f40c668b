"""Labelled texts: clustering pairs texts of one class, classification pairs a text with the words for its label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from pydantic import BaseModel, ConfigDict, model_validator

from sources.manifest import TextExpr
from sources.parts import Context, RawBatch
from sources.shapes.columns import as_text, batches, column, draft, draft_table, kept, languages, text
from sources.shapes.pair import grouped
from sources.text import normalised

PER_FILE = False
"""Clustering needs a class as a whole. (Classification streams.)"""


class Args(BaseModel):
    """Columns and the words for the labels."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Literal["clustering", "classification"]
    text: TextExpr = "text"
    label: str = "label"
    names: dict[str, str] = {}
    """Raw label → its name in words; raw labels not listed are quarantined. Empty: raw labels are the names."""

    @model_validator(mode="after")
    def _two_names(self) -> Args:
        if self.mode == "classification" and len(set(self.names.values())) != 2:
            raise ValueError("classification is two-way: `names` must have exactly two different label texts")
        return self


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row a text, save texts that are alone in their class."""
    return _classified(context, args) if args.mode == "classification" else _clustered(context, args)


def _named(context: Context, args: Args) -> Iterator[tuple[RawBatch, pa.StringArray, pa.StringArray]]:
    """Yield batches with their texts and label names; records with an empty text or unknown label are out."""
    for whole in batches(context):
        raw = as_text(column(whole.columns, args.label))
        names = raw
        if args.names:
            index = pc.index_in(raw, pa.array(list(args.names)))
            names = pa.array(list(args.names.values())).take(index)
        texts = text(whole.columns, args.text)
        empty = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(texts), ""), fill_value=True)
        unknown = pc.fill_null(pc.equal(names, ""), fill_value=True)
        for reason, mask in (("empty-query", empty), ("unknown-label", pc.and_not(unknown, empty))):
            for row in np.flatnonzero(mask.to_numpy(zero_copy_only=False)):
                excerpt = texts[row].as_py() if reason == "unknown-label" else None
                context.quarantine.add(
                    whole.file, whole.records[row].as_py(), reason, f"{raw[row].as_py()}: {excerpt or ''}"
                )
        good = pc.invert(pc.or_(empty, unknown))
        yield kept(whole, good), texts.filter(good), names.filter(good)


def _classified(context: Context, args: Args) -> Iterator[pa.Table]:
    first, second = sorted(set(args.names.values()))
    for batch, texts, names in _named(context, args):
        other = pc.if_else(pc.equal(names, first), pa.scalar(second), pa.scalar(first))
        negatives = grouped(other, np.arange(len(other)), len(other))
        yield draft(context, batch, query=texts, positive=names, negatives=negatives, label=names)


def _clustered(context: Context, args: Args) -> Iterator[pa.Table]:
    tables = []
    for batch, texts, names in _named(context, args):
        lang = languages(context, batch.columns)[0]
        file = pa.repeat(pa.scalar(batch.file), len(texts))
        columns = [normalised(texts), texts, names, lang, file, batch.records]
        tables.append(pa.table(columns, names=["key", "text", "label", "lang", "file", "record"]))
    if not tables:
        return
    rows = pa.concat_tables(tables).combine_chunks()
    partner = _partners(rows["key"], rows["label"])
    alone = partner < 0
    if alone.any():
        context.filtered["alone-in-class"] += int(alone.sum())
    theirs = rows.take(pa.array(partner[~alone]))
    rows = rows.filter(pa.array(~alone))
    yield draft_table(
        query=rows["text"],
        positive=theirs["text"],
        label=rows["label"],
        langs=(rows["lang"], theirs["lang"]),
        file=rows["file"],
        record=rows["record"],
    )


def _partners(keys: pa.ChunkedArray, labels: pa.ChunkedArray) -> np.ndarray:
    """Choose for each text another one of its class: the next in a ring ordered by content hash.

    So the choice depends on what texts the class has, not on their order in the files, and every text is the
    positive of exactly one other.

    Returns:
        Row numbers, int64; -1 where the class has no other text.

    """
    partner = np.full(len(keys), -1)
    pairs = pc.binary_join_element_wise(labels, keys, "\x1f").combine_chunks().dictionary_encode()
    codes = pairs.indices.to_numpy()
    _, first = np.unique(codes, return_index=True)
    texts = keys.take(pa.array(first)).to_pylist()
    classes = labels.take(pa.array(first)).combine_chunks().dictionary_encode().indices.to_numpy()
    hashes = np.array([xxhash.xxh3_64_intdigest(value.encode()) for value in texts], np.uint64)
    # Ties of the hash within a class are broken by the text itself, which needs a Python sort only where they occur.
    order = np.lexsort((hashes, classes))
    tied = (classes[order][1:] == classes[order][:-1]) & (hashes[order][1:] == hashes[order][:-1])
    if tied.any():
        order = np.array(sorted(range(len(texts)), key=lambda i: (classes[i], hashes[i], texts[i])))
    starts = np.flatnonzero(np.diff(classes[order], prepend=-1))
    ends = np.append(starts[1:], len(order))
    following = np.arange(1, len(order) + 1)
    following[ends - 1] = starts
    following[starts[ends - starts == 1]] = -1
    of_unique = np.full(len(order), -1)
    paired = following >= 0
    of_unique[order[paired]] = first[order[following[paired]]]
    partner[:] = of_unique[codes]
    return partner
