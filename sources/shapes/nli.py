"""Natural language inference: premise as query, entailed hypothesis as positive, other hypotheses as negatives.

The positive is the first entailed hypothesis that is neither empty nor equal to the premise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from open_ml_embed.core.section import Section
from open_ml_embed.core.text.blank import blank
from sources.cleaning.texts import clean
from sources.manifest import TextExpr
from sources.parts import Context
from sources.shapes.fields import as_text, batches, column, draft_table, languages, text
from sources.shapes.pair import grouped

PER_FILE = False
"""The hypotheses of a premise need not be adjacent."""


class Args(Section):
    """Columns, and the meaning of the labels (numbers or names, as in the file)."""

    premise: TextExpr = "premise"
    """Column of the premise."""
    hypothesis: TextExpr = "hypothesis"
    """Column of the hypothesis."""
    label: str = "label"
    """Column of the judgement."""
    entailed: int | str = 0
    """Label of hypotheses that follow from the premise."""
    others: list[int | str] = [1, 2]
    """Labels of neutral and contradicting hypotheses."""
    unlabeled: list[int | str] = [-1]
    """Labels of records on which the annotators did not agree; they are filtered."""


_COLUMNS = ("premise", "hypothesis", "query_lang", "positive_lang", "file", "record")


def partners(args: Args, tables: Collection[str]) -> Collection[str]:
    """Return no table: a file has premises with their hypotheses."""
    return ()


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each premise with an entailed hypothesis, in the order of first appearance."""
    tables = list(_labeled(context, args))
    if not tables:
        return
    records = pa.concat_tables(tables).combine_chunks()
    encoded = records["premise"].combine_chunks().dictionary_encode()
    group = encoded.indices.to_numpy()
    entailed = records["entailed"].combine_chunks().to_numpy(zero_copy_only=False)

    positives = np.flatnonzero(entailed)
    # If no entailed hypothesis is usable, the first one is taken, and its row is quarantined later.
    positives = positives[np.lexsort((positives, ~_usable(context, records)[positives], group[positives]))]
    groups, first = np.unique(group[positives], return_index=True)
    chosen = positives[first]
    if without := len(encoded.dictionary) - len(groups):
        context.filtered["no-entailed-hypothesis"] += without

    slot = np.full(len(encoded.dictionary), -1)
    slot[groups] = np.arange(len(groups))
    others = np.flatnonzero(~entailed & (slot[group] >= 0))
    others = others[np.argsort(slot[group[others]], kind="stable")]
    hypotheses = records["hypothesis"].combine_chunks()
    rows = records.take(pa.array(chosen))
    yield draft_table(
        query=rows["premise"],
        positive=rows["hypothesis"],
        negatives=grouped(hypotheses.take(pa.array(others)), slot[group[others]], len(groups)),
        langs=(rows["query_lang"], rows["positive_lang"]),
        file=rows["file"],
        record=rows["record"],
    )


def _usable(context: Context, records: pa.Table) -> np.ndarray:
    """Tell which hypotheses are neither empty nor equal to their premise after cleaning (bool[n])."""
    langs = [records[name].combine_chunks() for name in ("query_lang", "positive_lang")]
    premise = clean(records["premise"].combine_chunks(), langs[0], context.manifest, "query")
    hypothesis = clean(records["hypothesis"].combine_chunks(), langs[1], context.manifest, "positive")
    usable = pc.and_(pc.not_equal(hypothesis, ""), pc.not_equal(hypothesis, premise))
    flags: np.ndarray = pc.fill_null(usable, fill_value=False).to_numpy(zero_copy_only=False)
    return flags


def _labeled(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield the records with a known label and a premise."""
    known = pa.array([str(value) for value in (args.entailed, *args.others)])
    unlabeled = pa.array([str(value) for value in args.unlabeled], pa.string())
    for batch in batches(context):
        label = as_text(column(batch.columns, args.label))
        premise = text(batch.columns, args.premise)
        none = pc.is_in(label, unlabeled)
        if none.true_count:
            context.filtered["no-gold-label"] += none.true_count
        named = pc.is_in(label, known)
        empty = blank(premise)
        for reason, mask in (
            ("unknown-label", pc.invert(pc.or_(none, named))),
            ("empty-query", pc.and_(named, empty)),
        ):
            for row in np.flatnonzero(mask.to_numpy(zero_copy_only=False)):
                context.quarantine.add(batch.file, batch.records[row].as_py(), reason, str(label[row].as_py()))
        table = pa.table(
            [
                premise,
                text(batch.columns, args.hypothesis),
                *languages(context, batch.columns),
                pa.repeat(pa.scalar(batch.file), len(label)),
                batch.records,
                pc.equal(label, str(args.entailed)),
            ],
            names=[*_COLUMNS, "entailed"],
        )
        yield table.filter(pc.and_(named, pc.invert(empty)))
