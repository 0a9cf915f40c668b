"""Paraphrase pairs: two texts and a label. The texts of a paraphrase pair are positives of each other.

The texts that a text is paired with as different become its given negatives, whichever column they are in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.section import Section
from sources.manifest import TextExpr
from sources.parts import Context
from sources.shapes.fields import as_text, batches, column, draft_table, languages, text

PER_FILE = False
"""The pairs of a text need not be adjacent."""

_ROWS = 65_536
_COLUMNS = ("first", "second", "first_lang", "second_lang", "file", "record", "same")


class Args(Section):
    """Columns, and the meaning of the labels (numbers or names, as in the file)."""

    first: TextExpr = "sentence1"
    """Column of one text."""
    second: TextExpr = "sentence2"
    """Column of the other."""
    label: str = "label"
    """Column of the judgement."""
    same: int | str = 1
    """Label of texts that mean the same."""
    different: int | str = 0
    """Label of texts that do not."""


def partners(args: Args, tables: Collection[str]) -> Collection[str]:
    """Return no table: a file has pairs of its own."""
    return ()


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield two rows for each paraphrase pair, one for each direction, in the order of the raw records."""
    tables = list(_judged(context, args))
    if not tables:
        return
    pairs = pa.concat_tables(tables).combine_chunks()
    both = pa.chunked_array([*pairs["first"].chunks, *pairs["second"].chunks], pa.string())
    encoded = both.combine_chunks().dictionary_encode()
    codes = encoded.indices.to_numpy().reshape(2, -1).astype(np.int64)
    query, other = codes.T.reshape(-1), codes[::-1].T.reshape(-1)
    same = np.repeat(pairs["same"].combine_chunks().to_numpy(zero_copy_only=False), 2)
    if different := len(same) // 2 - same.sum() // 2:
        context.filtered["not-a-paraphrase"] += int(different)

    apart = _apart(query, other, same, len(encoded.dictionary))
    positions = np.flatnonzero(same)
    for start in range(0, len(positions), _ROWS):
        some = positions[start : start + _ROWS]
        offsets, negatives = _gathered(apart, query[some])
        of = pairs.take(pa.array(some // 2))
        langs = (of["first_lang"].combine_chunks(), of["second_lang"].combine_chunks())
        forward = pa.array(some % 2 == 0)
        yield draft_table(
            query=encoded.dictionary.take(pa.array(query[some])),
            positive=encoded.dictionary.take(pa.array(other[some])),
            negatives=pa.ListArray.from_arrays(pa.array(offsets), encoded.dictionary.take(pa.array(negatives))),
            langs=(pc.if_else(forward, *langs), pc.if_else(forward, *reversed(langs))),
            file=of["file"],
            record=of["record"],
        )


def _judged(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield the pairs with a known label, and whether they are paraphrases; null texts become empty."""
    for batch in batches(context):
        label = as_text(column(batch.columns, args.label))
        known = pc.is_in(label, pa.array([str(args.same), str(args.different)]))
        for row in np.flatnonzero(pc.invert(known).to_numpy(zero_copy_only=False)):
            context.quarantine.add(batch.file, batch.records[row].as_py(), "unknown-label", str(label[row].as_py()))
        texts = [pc.fill_null(text(batch.columns, expr), "") for expr in (args.first, args.second)]
        file = pa.repeat(pa.scalar(batch.file), len(label))
        same = pc.equal(label, str(args.same))
        arrays = [*texts, *languages(context, batch.columns), file, batch.records, same]
        yield pa.table(arrays, names=list(_COLUMNS)).filter(known)


def _apart(query: np.ndarray, other: np.ndarray, same: np.ndarray, texts: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (text, text that differs from it) as two arrays of text numbers, sorted by text, then by first occurrence.

    Pairs with both labels are left out, since one of the labels is wrong.
    """
    edges = query * texts + other
    differing = edges[~same]
    _, first = np.unique(differing, return_index=True)
    differing = differing[np.sort(first)]
    differing = differing[~np.isin(differing, edges[same])]
    differing = differing[np.argsort(differing // texts, kind="stable")]
    return differing // texts, differing % texts


def _gathered(apart: tuple[np.ndarray, np.ndarray], query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return list offsets and list values: for each query the texts that differ from it."""
    texts, others = apart
    starts = np.searchsorted(texts, query, "left")
    lengths = np.searchsorted(texts, query, "right") - starts
    offsets = offsets_of(lengths).astype(np.int32)
    within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    return offsets, others[np.repeat(starts, lengths) + within]
