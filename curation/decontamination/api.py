"""Decontamination of texts in memory, for other programs: the same code as the step, without shards."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from curation.decontamination.index import IndexSettings, build_index, unique_texts
from curation.decontamination.matching import REASONS, match
from curation.decontamination.settings import DecontaminationSettings
from open_ml_embed.core.text.arrays import text_array


def overlaps(
    texts: pa.Array | pa.ChunkedArray | Sequence[str],
    evaluated: pa.Array | pa.ChunkedArray | Sequence[str],
    settings: DecontaminationSettings | None = None,
) -> pa.Table:
    """Find which texts hold which evaluation texts.

    Args:
        texts: n strings; a lone surrogate in a Python string reads as U+FFFD.
        evaluated: m strings; those that differ in case, white space and outer punctuation alone are one, the first.
        settings: what counts; null: the defaults.

    Returns:
        A table, one line a pair, by row: `row` int64 (0 … n - 1), `evaluated` int64 (0 … m - 1), `reason` string
        (exact, near, contained), `score` float32.

    """
    settings = settings or DecontaminationSettings()
    sought = text_array(evaluated, "evaluated")
    number = pa.array(range(len(sought)), pa.int64())
    columns = {"subset": pa.repeat("", len(sought)), "role": pa.repeat("query", len(sought)), "text_id": number}
    table = pa.table(columns | {"text": sought}).cast(
        pa.schema([("subset", pa.string()), ("role", pa.string()), ("text_id", pa.string()), ("text", pa.string())])
    )
    known, owners, ids = unique_texts([table])
    index = build_index(known["text"], owners, IndexSettings.of(settings))
    hits = match(text_array(texts), index, known, settings)
    first = ids["text_id"].take(pa.array(owners[0][:-1][hits.texts])).cast(pa.int64())
    reasons = pa.array(REASONS).take(pa.array(hits.reasons))
    names = ["row", "evaluated", "reason", "score"]
    return pa.table([pa.array(hits.rows), first, reasons, pa.array(hits.scores)], names=names)
