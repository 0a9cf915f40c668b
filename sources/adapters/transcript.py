"""Conversations stored as one text, in which a marker before each turn states the speaker."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from open_ml_embed.core.section import Section
from sources.parts import Context
from sources.shapes.fields import as_text, batches, column, draft, kept

PER_FILE = True


class Args(Section):
    """Arguments of the adapter."""

    text: str
    """Column of the conversation."""
    user: str = Field(min_length=1)
    """Mark before what the user says."""
    assistant: str = Field(min_length=1)
    """Markers before the turns of the user and of the assistant."""


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each record: the first turn of the user and the reply to it; other turns are not used."""
    user, assistant = re.escape(args.user), re.escape(args.assistant)
    turns = rf"(?s){user}(?P<request>.*?){assistant}(?P<reply>.*?)(?:{user}|{assistant}|\z)"
    for whole in batches(context):
        texts = as_text(column(whole.columns, args.text))
        groups = pc.extract_regex(texts, turns)
        complete = groups.is_valid()
        for row in np.flatnonzero(~complete.to_numpy(zero_copy_only=False)):
            excerpt = texts[row].as_py() or ""
            reason = "no-reply" if args.user in excerpt else "no-user-turn"
            context.quarantine.add(whole.file, whole.records[row].as_py(), reason, excerpt)
        request, reply = (pc.struct_field(groups, name).filter(complete) for name in ("request", "reply"))
        yield draft(context, kept(whole, complete), query=request, positive=reply)
