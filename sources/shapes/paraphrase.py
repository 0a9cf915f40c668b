"""Paraphrase: two texts and a verdict. Those that say the same are positives of each other.

What a text was told apart from is a given negative of it, whichever column it stood in.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.section import Section
from sources.manifest import TextExpr
from sources.parts import Context
from sources.shapes.fields import as_text, batches, column, draft_table, languages, text

PER_FILE = False
"""A text's pairs need not stand together."""

_ROWS = 65_536
_COLUMNS = ("first", "second", "first_lang", "second_lang", "file", "record", "same")


class Args(Section):
    """Columns, and what the verdicts mean (numbers or names, as the file has them)."""

    first: TextExpr = "sentence1"
    second: TextExpr = "sentence2"
    label: str = "label"
    same: int | str = 1
    different: int | str = 0


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield two rows for each pair that says the same, one a direction, in raw order."""
    tables = list(_judged(context, args))
    if not tables:
        return
    pairs = pa.concat_tables(tables).combine_chunks()
    both = pa.chunked_array([*pairs["first"].chunks, *pairs["second"].chunks], pa.string())
    encoded = both.combine_chunks().dictionary_encode()
    there = encoded.indices.to_numpy().reshape(2, -1).astype(np.int64)
    query, other = there.T.reshape(-1), there[::-1].T.reshape(-1)
    same = np.repeat(pairs["same"].combine_chunks().to_numpy(zero_copy_only=False), 2)
    if different := len(same) // 2 - same.sum() // 2:
        context.filtered["not-a-paraphrase"] += int(different)

    apart = _apart(query, other, same, len(encoded.dictionary))
    positions = np.flatnonzero(same)
    for start in range(0, len(positions), _ROWS):
        some = positions[start : start + _ROWS]
        offsets, found = _gathered(apart, query[some])
        of = pairs.take(pa.array(some // 2))
        langs = (of["first_lang"].combine_chunks(), of["second_lang"].combine_chunks())
        forward = pa.array(some % 2 == 0)
        yield draft_table(
            query=encoded.dictionary.take(pa.array(query[some])),
            positive=encoded.dictionary.take(pa.array(other[some])),
            negatives=pa.ListArray.from_arrays(pa.array(offsets), encoded.dictionary.take(pa.array(found))),
            langs=(pc.if_else(forward, *langs), pc.if_else(forward, *reversed(langs))),
            file=of["file"],
            record=of["record"],
        )


def _judged(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield the pairs with a known verdict, and whether they say the same; null texts come out empty."""
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
    """Return (text, text it differs from), sorted by text, then by where they first met.

    Pairs with both verdicts on record are left out: one of the two is wrong, and nobody knows which.
    """
    edges = query * texts + other
    differing = edges[~same]
    _, first = np.unique(differing, return_index=True)
    differing = differing[np.sort(first)]
    differing = differing[~np.isin(differing, edges[same])]
    differing = differing[np.argsort(differing // texts, kind="stable")]
    return differing // texts, differing % texts


def _gathered(apart: tuple[np.ndarray, np.ndarray], query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return list offsets and the texts of the lists: for each query those it differs from."""
    texts, others = apart
    starts = np.searchsorted(texts, query, "left")
    lengths = np.searchsorted(texts, query, "right") - starts
    offsets = offsets_of(lengths).astype(np.int32)
    within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    return offsets, others[np.repeat(starts, lengths) + within]
