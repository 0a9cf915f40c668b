"""Classes with texts in several languages: the positive is a text of the same class in another language.

At most `per_language` texts of a class and language are used: those with the smallest content hashes. The selection
does not depend on the order of the files or on batch sizes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
import pyarrow as pa
import xxhash
from pydantic import Field

from open_ml_embed.core.section import Section
from open_ml_embed.core.text.blank import blank
from sources.batching import runs
from sources.parts import Context, RawBatch
from sources.shapes.fields import as_text, batches, column, draft_table, languages
from sources.text import normalized

PER_FILE = False

_BYTES = 512 << 20
"""Bytes of text to collect before the surplus texts of each class are dropped."""
_ROWS = 16_384


class Args(Section):
    """Columns, and the size of a class. The query language of the subset states the language of each text."""

    text: str
    """Column of the text."""
    label: str
    """Column of its class."""
    code: bool = False
    """Whether the texts are program text."""
    per_language: int = Field(ge=1)
    """Most texts of a class in one language."""


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each text whose class has a text in another language.

    Filtered: texts beyond `per_language`, repetitions, the same text in a second language, and texts whose class has no
    other language.
    """
    files: list[str] = []
    gathered: list[pl.DataFrame] = []
    pending = seen = 0
    for batch in batches(context):
        frame = _frame(context, batch, args, files)
        gathered.append(frame)
        seen += frame.height
        pending += int(frame.estimated_size())
        if pending > _BYTES:
            gathered, pending = [_held(gathered, args)], 0
    if not seen:
        return
    held = _held(gathered, args)
    if beyond := seen - held.height:
        context.filtered["enough-of-class-and-language"] += beyond
    # A program may be valid in two languages (C, C++) and would then be its own positive.
    texts = held.sort("label", "lang", "hash").unique(["label", "hash"], keep="first", maintain_order=True)
    if repeated := held.height - texts.height:
        context.filtered["same-in-two-languages"] += repeated
    yield from _rows(context, texts, files)


def _frame(context: Context, batch: RawBatch, args: Args, files: list[str]) -> pl.DataFrame:
    """Return the valid records of a batch; records without a text, class or language are quarantined."""
    if batch.file not in files:
        files.append(batch.file)
    texts = normalized(as_text(column(batch.columns, args.text)), code=args.code)
    label = as_text(column(batch.columns, args.label))
    lang = languages(context, batch.columns)[0]
    good = np.ones(len(texts), bool)
    for reason, values in (("empty-query", texts), ("unknown-label", label), ("unknown-language", lang)):
        empty = blank(values).to_numpy(zero_copy_only=False)
        for row in np.flatnonzero(empty & good):
            context.quarantine.add(batch.file, batch.records[row].as_py(), reason, texts[row].as_py() or "")
        good &= ~empty
    frame = pl.DataFrame(
        {
            "text": pl.from_arrow(texts),
            "label": pl.from_arrow(label),
            "lang": pl.from_arrow(lang),
            "record": pl.from_arrow(batch.records),
        }
    ).filter(pl.Series(good))
    hashes = np.array([xxhash.xxh3_64_intdigest(value.encode()) for value in frame["text"]], np.uint64)
    return frame.with_columns(pl.Series("hash", hashes), pl.lit(files.index(batch.file), pl.Int32).alias("file"))


def _held(gathered: list[pl.DataFrame], args: Args) -> pl.DataFrame:
    whole = pl.concat(gathered).unique(["label", "lang", "hash"], keep="first", maintain_order=True)
    return whole.filter(pl.col("hash").rank("ordinal").over("label", "lang") <= args.per_language)


def _rows(context: Context, texts: pl.DataFrame, files: list[str]) -> Iterator[pa.Table]:
    """Yield rows in the order of the raw records; `texts` are sorted by class and language."""
    partner = _partners(texts)
    paired = partner >= 0
    if alone := int((~paired).sum()):
        context.filtered["in-one-language-only"] += alone
    order = texts.select("file", "record").with_row_index("at").filter(pl.Series(paired)).sort("file", "record")["at"]
    lengths = texts["text"].str.len_bytes().cast(pl.Int64).to_numpy()
    sizes = (lengths + lengths[partner])[order.to_numpy()]
    for start, stop in runs(sizes, _ROWS):
        index = order[start:stop].to_numpy()
        rows, partners = texts[index], texts[partner[index]]
        yield draft_table(
            query=_arrow(rows["text"]),
            positive=_arrow(partners["text"]),
            label=_arrow(rows["label"]),
            langs=(_arrow(rows["lang"]), _arrow(partners["lang"])),
            file=pa.array(files).take(rows["file"].to_arrow()),
            record=rows["record"].to_arrow(),
        )


def _partners(texts: pl.DataFrame) -> np.ndarray:
    """Choose for each text another one of its class in another language, by its hash; -1 if there is none (int64[n]).

    A class is a ring of blocks, one per language. The candidates of a text are all texts of the other blocks, in ring
    order from the end of its own block.
    """
    classes = texts["label"].rle_id().to_numpy()
    blocks = texts.select(pl.struct("label", "lang").rle_id()).to_series().to_numpy()
    class_start, class_end = np.searchsorted(classes, classes), np.searchsorted(classes, classes, side="right")
    block_start, block_end = np.searchsorted(blocks, blocks), np.searchsorted(blocks, blocks, side="right")
    size = class_end - class_start
    others = size - (block_end - block_start)
    step = (texts["hash"].to_numpy() % np.maximum(others, 1).astype(np.uint64)).astype(np.int64)
    partner = class_start + (block_end - class_start + step) % size
    return np.where(others > 0, partner, -1)


def _arrow(texts: pl.Series) -> pa.StringArray:
    return texts.to_arrow().cast(pa.string())
