"""Inference: a premise is the query, what follows from it the positive, its other hypotheses the negatives.

Of the hypotheses that follow from a premise the first is taken that is neither empty nor the premise again.
"""

from __future__ import annotations

from collections.abc import Iterator

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
"""A premise's hypotheses need not stand together."""


class Args(Section):
    """Columns, and what the labels mean (numbers or names, as the file has them)."""

    premise: TextExpr = "premise"
    hypothesis: TextExpr = "hypothesis"
    label: str = "label"
    entailed: int | str = 0
    others: list[int | str] = [1, 2]
    """Neutral and contradicted."""
    unlabeled: list[int | str] = [-1]
    """Annotators did not agree: left out."""


_COLUMNS = ("premise", "hypothesis", "query_lang", "positive_lang", "file", "record")


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each premise with an entailed hypothesis, in order of the premises' first appearance."""
    tables = list(_labeled(context, args))
    if not tables:
        return
    records = pa.concat_tables(tables).combine_chunks()
    encoded = records["premise"].combine_chunks().dictionary_encode()
    group = encoded.indices.to_numpy()
    entailed = records["entailed"].combine_chunks().to_numpy(zero_copy_only=False)

    positives = np.flatnonzero(entailed)
    # Where none of them says anything, the first is taken all the same, and quarantined as a row.
    positives = positives[np.lexsort((positives, ~_telling(context, records)[positives], group[positives]))]
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


def _telling(context: Context, records: pa.Table) -> np.ndarray:
    """Tell which hypotheses are neither empty nor their premise, as the rows will have them (bool, one a record)."""
    langs = [records[name].combine_chunks() for name in ("query_lang", "positive_lang")]
    premise = clean(records["premise"].combine_chunks(), langs[0], context.manifest, "query")
    hypothesis = clean(records["hypothesis"].combine_chunks(), langs[1], context.manifest, "positive")
    telling = pc.and_(pc.not_equal(hypothesis, ""), pc.not_equal(hypothesis, premise))
    flags: np.ndarray = pc.fill_null(telling, fill_value=False).to_numpy(zero_copy_only=False)
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
