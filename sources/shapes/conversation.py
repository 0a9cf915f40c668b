"""Instructions and replies: the first turn of a user and the assistant's answer, or flat instruction columns."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from open_ml_embed.core.section import Section
from open_ml_embed.core.text.blank import blank
from sources.manifest import TextExpr
from sources.parts import Context, RawBatch
from sources.shapes.fields import as_text, batches, column, draft, joined, kept, short, struct_field, taken, text

PER_FILE = True


class Args(Section):
    """Either `messages`, or `instruction` and `output`."""

    messages: str | None = None
    """A list of structs, in the order of the conversation."""
    role: str = "role"
    content: str = "content"
    user: list[str] = ["user", "human"]
    assistant: list[str] = ["assistant", "gpt"]
    instruction: TextExpr | None = None
    input: str | None = None
    """What the instruction is about; follows it after a line end where it is not empty."""
    no_input: list[str] = []
    """What `input` holds where there is none, whatever its case and outer punctuation (`NA`, `none`); what is in angle
    brackets (`<noinput>`) says so wherever in the input it stands."""
    input_label: str | None = None
    """What some inputs begin with to say that they are inputs; taken off."""
    output: TextExpr | None = None
    min_words: int = Field(default=0, ge=0)
    """Of `output`: a record with less is filtered, or takes `instead`."""
    instead: TextExpr | None = None
    """The reply where `output` is empty or too short, unless it is empty itself."""

    @model_validator(mode="after")
    def _one_form(self) -> Args:
        flat = self.instruction is not None and self.output is not None
        if flat == (self.messages is not None):
            raise ValueError("give either `messages`, or `instruction` and `output`")
        return self


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row a record: what is asked first, and the reply to it."""
    for batch in batches(context):
        yield _turns(context, batch, args) if args.messages else _flat(context, batch, args)


def _flat(context: Context, batch: RawBatch, args: Args) -> pa.Table:
    assert args.instruction is not None
    assert args.output is not None
    query = text(batch.columns, args.instruction)
    if args.input:
        about = pc.utf8_trim_whitespace(text(batch.columns, args.input))
        if args.input_label:
            about = pc.replace_substring_regex(about, f"^{re.escape(args.input_label)}\\s*", "")
        if args.no_input:
            none = pc.match_substring_regex(about, _spelled(args.no_input))
            about = pc.if_else(none, pa.scalar(None, pa.string()), about)
        query = joined([query, about], "\n")
    reply = text(batch.columns, args.output)
    if args.instead:
        other = text(batch.columns, args.instead)
        worse = pc.or_(blank(reply), short(reply, args.min_words))
        reply = pc.if_else(pc.and_not(worse, blank(other)), other, reply)
    full = pc.invert(short(reply, args.min_words))
    if full.false_count:
        context.filtered["short-reply"] += full.false_count
        batch, query, reply = kept(batch, full), query.filter(full), reply.filter(full)
    return draft(context, batch, query=query, positive=reply)


def _spelled(words: list[str]) -> str:
    """Return a pattern of the ways to write that there is no input."""
    marks = [re.escape(word.strip("<>")) for word in words if word.startswith("<")]
    plain = [re.escape(word) for word in words if not word.startswith("<")]
    ways = [rf"<\s*{mark}\s*>" for mark in marks]
    return "(?i)" + "|".join([*ways, *([rf"^\W*(?:{'|'.join(plain)})\W*$"] if plain else [])])


def _turns(context: Context, batch: RawBatch, args: Args) -> pa.Table:
    assert args.messages is not None
    lists = column(batch.columns, args.messages)
    if pa.types.is_null(lists.type) or pa.types.is_null(lists.type.value_type):
        parents, roles, contents = np.empty(0, np.int64), pa.array([], pa.string()), pa.array([], pa.string())
    else:
        turns = pc.list_flatten(lists)
        parents = pc.list_parent_indices(lists).to_numpy()
        roles = as_text(struct_field(turns, args.role, f"{args.messages}.{args.role}"))
        contents = as_text(struct_field(turns, args.content, f"{args.messages}.{args.content}"))
    count = batch.columns.num_rows
    by_user = np.flatnonzero(_is_in(roles, args.user))
    asked = _first(by_user, parents, count)
    by_assistant = np.flatnonzero(_is_in(roles, args.assistant))
    replied = _first(by_assistant[by_assistant > asked[parents[by_assistant]]], parents, count)
    replied[asked < 0] = -1
    for row in np.flatnonzero(replied < 0):
        reason = "no-reply" if asked[row] >= 0 else "no-user-turn"
        context.quarantine.add(batch.file, batch.records[row].as_py(), reason, lists[row].as_py())
    complete = np.flatnonzero(replied >= 0)
    return draft(
        context,
        taken(batch, complete),
        query=contents.take(pa.array(asked[complete])),
        positive=contents.take(pa.array(replied[complete])),
    )


def _is_in(roles: pa.StringArray, names: list[str]) -> np.ndarray:
    mask: np.ndarray = pc.is_in(roles, pa.array(names)).to_numpy(zero_copy_only=False)
    return mask


def _first(turns: np.ndarray, parents: np.ndarray, count: int) -> np.ndarray:
    """Return the first of these turns for each record, -1 where it has none; turns are in document order."""
    found = np.full(count, -1)
    records, first = np.unique(parents[turns], return_index=True)
    found[records] = turns[first]
    return found
