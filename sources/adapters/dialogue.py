"""Conversations in one column, in any of the forms that such files have; each request with its reply makes a row.

The forms: one text with a marker before each turn; a list of texts, with markers or alternating, the user first; a list
of objects that name the speaker and the text; a list of pairs (speaker, text). Another form is an error that says what
was found. Consecutive turns of one speaker are one turn.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field

from open_ml_embed.core.errors import SchemaError
from open_ml_embed.core.section import Section
from open_ml_embed.core.text.blank import is_blank
from sources.drafting import Drafts
from sources.parts import Context
from sources.shapes.fields import batches, column

PER_FILE = True

_SPEAKERS = ("role", "from", "speaker", "name")
_TEXTS = ("content", "value", "text", "utterance", "sentence")
"""Keys of the objects of a conversation, the first that is there is used."""


class Args(Section):
    """The column, and the names of the speakers."""

    turns: str
    """Column of the conversation."""
    user: list[str] = Field(min_length=1)
    """The same for the side that asks."""
    assistant: list[str] = Field(min_length=1)
    """Names of the speakers, and markers before their turns. A marker begins or ends with a sign (`Human:`, `<user>`):
    a bare name may be a word of a text, and only stands for a speaker in objects and pairs."""
    pairs: Literal["first", "all"] = "all"
    """Which requests with a reply to use."""
    min_characters: int = Field(default=0, ge=0)
    """Least characters of a request and of a reply; shorter pairs, as greetings, are left out."""


_Turn = tuple[bool, str]
"""Whether the user speaks, and the text."""


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each request with a reply, in their order.

    Filtered: conversations of which every pair is too short. Quarantined: those without a request or without a reply.

    Raises:
        SchemaError: a conversation has none of the forms, or no text of a file has a marker.

    """
    rows = Drafts(context)
    parse = _Parser(args)
    file, first = "", ""
    for batch in batches(context):
        file = batch.file
        for record, value in zip(batch.records.to_pylist(), column(batch.columns, args.turns).to_pylist(), strict=True):
            first = first or (value if isinstance(value, str) else "")
            pairs = _pairs(parse(value, file))
            if not pairs:
                reason = "no-reply" if parse.requests else "no-user-turn"
                context.quarantine.add(file, record, reason, str(value or ""))
                continue
            long = [pair for pair in pairs if min(map(len, pair)) >= args.min_characters]
            if not long:
                context.filtered["short-text"] += 1
            for request, reply in long if args.pairs == "all" else long[:1]:
                rows.add(request, reply, file=file, record=record)
            yield from rows.full()
    if first and not parse.marked:
        raise SchemaError(
            f"no turn begins with any of {', '.join(map(repr, parse.markers))}; "
            f"the first conversation begins: {first[:120]!r}",
            where=file,
            remedy=f"add the markers of {args.turns!r} to `user` and `assistant` in the manifest",
        )
    yield from rows.rest()


class _Parser:
    """Reads conversations; remembers whether a marker was ever seen."""

    def __init__(self, args: Args) -> None:
        self._args = args
        self._users = {_plain(name) for name in args.user}
        self._assistants = {_plain(name) for name in args.assistant}
        self.markers = [
            name for name in (*args.user, *args.assistant) if not (name[0].isalnum() and name[-1].isalnum())
        ]
        longest_first = sorted(self.markers, key=len, reverse=True)
        self._marker = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self.marked = False
        self.requests = False
        """Whether the conversation read last has a turn of the user."""

    def __call__(self, value: Any, file: str) -> list[_Turn]:
        turns = self._merged(self._turns(value, file))
        self.requests = any(by_user for by_user, _ in turns)
        return turns

    def _turns(self, value: Any, file: str) -> Iterator[_Turn]:
        if value is None:
            return
        if isinstance(value, str):
            yield from self._of_text(value)
        elif isinstance(value, list):
            for place, turn in enumerate(value):
                yield from self._of_list(turn, place, file)
        else:
            raise self._unknown(value, file)

    def _of_text(self, text: str) -> Iterator[_Turn]:
        found = list(self._marker.finditer(text))
        self.marked = self.marked or bool(found)
        for place, match in enumerate(found):
            end = found[place + 1].start() if place + 1 < len(found) else len(text)
            yield _plain(match[0]) in self._users, text[match.end() : end]

    def _of_list(self, turn: Any, place: int, file: str) -> Iterator[_Turn]:
        if isinstance(turn, str):
            self.marked = True
            match = self._marker.match(turn.lstrip())
            yield (_plain(match[0]) in self._users, turn.lstrip()[match.end() :]) if match else (place % 2 == 0, turn)
            return
        speaker, text = self._speaker(turn, file)
        self.marked = True
        if (name := _plain(speaker)) in self._users or name in self._assistants:
            yield name in self._users, text
        elif name not in ("system", ""):
            raise SchemaError(
                f"a turn is spoken by {speaker!r}, who is neither among `user` nor among `assistant`",
                where=file,
                remedy="add the name to one of them in the manifest",
            )

    def _speaker(self, turn: Any, file: str) -> tuple[str, str]:
        if isinstance(turn, list) and len(turn) == 2 and all(isinstance(part, str) for part in turn):
            return turn[0], turn[1]
        if isinstance(turn, dict):
            who, what = (next((key for key in keys if key in turn), None) for keys in (_SPEAKERS, _TEXTS))
            if who is not None and what is not None:
                return str(turn[who] or ""), str(turn[what] or "")
        raise self._unknown(turn, file)

    def _unknown(self, value: Any, file: str) -> SchemaError:
        found = f"an object with {', '.join(sorted(value))}" if isinstance(value, dict) else f"{value!r}"[:120]
        return SchemaError(
            f"{self._args.turns!r} is no conversation in a known form; found: {found}",
            where=file,
            remedy="known are a text with markers, a list of texts, of objects with role and content, or of pairs "
            "(role, text); correct `turns`, or extend sources/adapters/dialogue.py",
        )

    @staticmethod
    def _merged(turns: Iterator[_Turn]) -> list[_Turn]:
        merged: list[_Turn] = []
        for by_user, said in turns:
            text = said.strip()
            if is_blank(text):
                continue
            if merged and merged[-1][0] == by_user:
                merged[-1] = by_user, f"{merged[-1][1]}\n{text}"
            else:
                merged.append((by_user, text))
        return merged


def _pairs(turns: Sequence[_Turn]) -> list[tuple[str, str]]:
    return [
        (request, reply)
        for (by_user, request), (next_by_user, reply) in itertools.pairwise(turns)
        if by_user and not next_by_user
    ]


def _plain(name: str) -> str:
    """Return the name of a speaker without the signs of a marker.

    >>> _plain("<user>"), _plain("Human:"), _plain("医生："), _plain("[ASSISTANT]")
    ('user', 'human', '医生', 'assistant')
    """
    return name.strip().strip("<>[]【】:： ").lower()
