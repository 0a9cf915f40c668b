"""Conversation trees with one message per record: the first prompt is the query, its best reply the positive.

Other replies to the same prompt are not negatives, since they answer it too.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from open_ml_embed.core.section import Section
from sources.manifest import LangColumn
from sources.parts import Context, RawBatch
from sources.shapes.fields import column, draft, struct_field

PER_FILE = True
"""A file holds whole trees."""

_PROMPTER, _ASSISTANT = "prompter", "assistant"


class Args(Section):
    """No arguments; the columns are those of OpenAssistant."""


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each tree whose prompt has a reply, in the order of the prompts.

    The best reply is the one that annotators ranked first; among unranked replies, the one with the highest quality,
    then the first one. Filtered: deleted prompts, and prompts without an undeleted reply. Quarantined: messages whose
    parent is not in the file, and trees that begin with the assistant.
    """
    messages, file = _messages(context)
    if messages.is_empty():
        return
    orphans = messages.filter(pl.col("parent").is_not_null()).join(
        messages.select("id"), left_on="parent", right_on="id", how="anti"
    )
    opening = messages.filter(pl.col("parent").is_null())
    for reason, bad in (("missing-parent", orphans), ("no-user-turn", opening.filter(pl.col("role") != _PROMPTER))):
        for record, text in bad.select("record", "text").iter_rows():
            context.quarantine.add(file, record, reason, text or "")
    prompts = opening.filter((pl.col("role") == _PROMPTER) & ~pl.col("deleted"))
    if deleted := opening.filter((pl.col("role") == _PROMPTER) & pl.col("deleted")).height:
        context.filtered["deleted"] += deleted
    replies = (
        messages.filter((pl.col("role") == _ASSISTANT) & ~pl.col("deleted"))
        .sort("rank", "quality", "record", descending=[False, True, False], nulls_last=True)
        .unique("parent", keep="first", maintain_order=True)
        .select(pl.col("parent").alias("id"), pl.col("text").alias("reply"))
    )
    rows = prompts.join(replies, on="id", how="inner", maintain_order="left")
    if unanswered := prompts.height - rows.height:
        context.filtered["no-reply"] += unanswered
    lang = context.manifest.subsets[context.subset_name].query_lang
    assert isinstance(lang, LangColumn), "messages tell their language"
    yield draft(
        context,
        RawBatch(pa.table({lang.column: _arrow(rows["lang"])}), file, rows["record"].to_arrow()),
        query=_arrow(rows["text"]),
        positive=_arrow(rows["reply"]),
    )


def _messages(context: Context) -> tuple[pl.DataFrame, str]:
    """Return the messages of the part's file, and its name."""
    lang = context.manifest.subsets[context.subset_name].query_lang
    assert isinstance(lang, LangColumn), "messages tell their language"
    frames, file = [], ""
    for batch in context.read("messages"):
        file = batch.file
        columns = batch.columns
        frames.append(
            pl.DataFrame(
                {
                    "id": pl.from_arrow(column(columns, "message_id")),
                    "parent": pl.from_arrow(column(columns, "parent_id")),
                    "role": pl.from_arrow(column(columns, "role")),
                    "text": pl.from_arrow(column(columns, "text")),
                    "lang": pl.from_arrow(column(columns, lang.column)),
                    "rank": pl.from_arrow(column(columns, "rank")),
                    "deleted": pl.from_arrow(pc.fill_null(column(columns, "deleted"), fill_value=False)),
                    "quality": pl.from_arrow(_quality(column(columns, "labels"))),
                    "record": pl.from_arrow(batch.records),
                }
            )
        )
    return (pl.concat(frames) if frames else pl.DataFrame()), file


def _quality(labels: pa.StructArray) -> pa.DoubleArray:
    """Return the label `quality` of each message (float64[n]), null if there is none."""
    if pa.types.is_null(labels.type):
        return pa.nulls(len(labels), pa.float64())
    names, values = (struct_field(labels, name, f"labels.{name}") for name in ("name", "value"))
    at = pc.equal(pc.list_flatten(names), "quality")
    quality = np.full(len(labels), np.nan)
    quality[pc.list_parent_indices(names).filter(at).to_numpy()] = pc.list_flatten(values).filter(at).to_numpy()
    return pa.array(quality, from_pandas=True)


def _arrow(texts: pl.Series) -> pa.StringArray:
    return texts.to_arrow().cast(pa.string())
