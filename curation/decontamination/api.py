"""Decontamination of texts in memory, for use from Python: the algorithm of step `decontaminate`, without shards."""

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
    """Find which texts contain which evaluation texts.

    Args:
        texts: n strings; a lone surrogate in a Python string reads as U+FFFD.
        evaluated: m evaluation texts. Of those that differ only in case, white space and outer punctuation, the result
            names the first.
        settings: thresholds and lengths; None takes the defaults.

    Returns:
        A table with one line for each pair, by row: `row` int64 (0 … n - 1), `evaluated` int64 (0 … m - 1), `reason`
        string (`exact`, `near` or `contained`), `score` float32 (1 for exact, the Jaccard index for near, the covered
        share of the evaluation text for contained).

    Raises:
        SettingsError: `texts` or `evaluated` is a single string, or not a list of texts.

    """
    settings = settings or DecontaminationSettings()
    evaluation_texts = text_array(evaluated, "evaluated")
    number = pa.array(range(len(evaluation_texts)), pa.int64())
    columns = {
        "subset": pa.repeat("", len(evaluation_texts)),
        "role": pa.repeat("query", len(evaluation_texts)),
        "text_id": number,
    }
    table = pa.table(columns | {"text": evaluation_texts}).cast(
        pa.schema([("subset", pa.string()), ("role", pa.string()), ("text_id", pa.string()), ("text", pa.string())])
    )
    unique, owners, ids = unique_texts([table])
    index = build_index(unique["text"], owners, IndexSettings.of(settings))
    hits = match(text_array(texts), index, unique, settings)
    first = ids["text_id"].take(pa.array(owners[0][:-1][hits.texts])).cast(pa.int64())
    reasons = pa.array(REASONS).take(pa.array(hits.reasons))
    names = ["row", "evaluated", "reason", "score"]
    return pa.table([pa.array(hits.rows), first, reasons, pa.array(hits.scores)], names=names)
