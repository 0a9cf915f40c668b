"""Instructions and replies: the first user turn and the assistant's reply to it, or instruction and output columns."""

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
    """Columns: either `messages`, or `instruction` and `output`."""

    messages: str | None = None
    """A list of structs (role, content), in the order of the conversation."""
    role: str = "role"
    """Field of a message that says whose it is."""
    content: str = "content"
    """Field of a message with its text."""
    user: list[str] = ["user", "human"]
    """Values of `role` of the side that asks."""
    assistant: list[str] = ["assistant", "gpt"]
    """Values of `role` of the side that answers."""
    instruction: TextExpr | None = None
    """Column of the instruction."""
    input: str | None = None
    """Column with the input of the instruction; if not empty, it is appended to the instruction after a line end."""
    no_input: list[str] = []
    """Values of `input` that mean that there is none, compared without case and outer punctuation (`NA`, `none`). A
    value in angle brackets (`<noinput>`) counts anywhere in the input."""
    input_label: str | None = None
    """Prefix of some inputs, which is removed."""
    output: TextExpr | None = None
    """Column of the answer."""
    min_words: int = Field(default=0, ge=0)
    """Least words of `output`; records with fewer are filtered, unless `instead` has a reply."""
    instead: TextExpr | None = None
    """Column with another reply, used if `output` is empty or too short."""

    @model_validator(mode="after")
    def _one_form(self) -> Args:
        flat = self.instruction is not None and self.output is not None
        if flat == (self.messages is not None):
            raise ValueError("give either `messages`, or `instruction` and `output`")
        return self


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each record: the first request and the reply to it."""
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
    """Return a pattern for all spellings of the values that mean "no input"."""
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
    request = _first(by_user, parents, count)
    by_assistant = np.flatnonzero(_is_in(roles, args.assistant))
    reply = _first(by_assistant[by_assistant > request[parents[by_assistant]]], parents, count)
    reply[request < 0] = -1
    for row in np.flatnonzero(reply < 0):
        reason = "no-reply" if request[row] >= 0 else "no-user-turn"
        context.quarantine.add(batch.file, batch.records[row].as_py(), reason, lists[row].as_py())
    complete = np.flatnonzero(reply >= 0)
    return draft(
        context,
        taken(batch, complete),
        query=contents.take(pa.array(request[complete])),
        positive=contents.take(pa.array(reply[complete])),
    )


def _is_in(roles: pa.StringArray, names: list[str]) -> np.ndarray:
    mask: np.ndarray = pc.is_in(roles, pa.array(names)).to_numpy(zero_copy_only=False)
    return mask


def _first(turns: np.ndarray, parents: np.ndarray, count: int) -> np.ndarray:
    """Return the index of each record's first turn among the given ones (in document order), -1 if it has none."""
    result = np.full(count, -1)
    records, first = np.unique(parents[turns], return_index=True)
    result[records] = turns[first]
    return result
