"""Finds the boundaries of the records in a JSON document without parsing them.

The scan reads only brackets, quotation marks and backslashes, and the keys on the path to the records. The content of a
record is left to the parser, so that a bad record does not affect others.
"""

from __future__ import annotations

import numpy as np

from open_ml_embed.core.array_types import I64, U8, Flag
from open_ml_embed.core.compiled import int64, njit

RECORD, DAMAGE, CLOSED = 1, 2, 3
"""Kinds of events: a value at the path (start, end); invalid syntax (position); the end of a container around records
(position), which confirms the record before it."""

_DEEPEST = 64
"""Most containers around the records."""
_EVENTS = 4096
_OBJECT, _ARRAY = 1, 2
_NOWHERE = -1
_ITEM = np.frombuffer(b"item", np.uint8)


class Scanner:
    """Scans a document through successive buffers of its bytes.

    Attributes:
        is_full: the last scan stopped because the array of events was full.
        moved: `resume` was called since the last scan, so that its remaining events are invalid.

    """

    def __init__(self, path: str) -> None:
        self._path = np.frombuffer(path.encode(), np.uint8)
        self._kinds = np.zeros(_DEEPEST + 1, np.uint8)
        self._places = np.full(_DEEPEST + 1, _NOWHERE, np.int64)
        self._state = np.zeros(5, np.int64)
        self._state[_INSIDE] = -1
        self._events = np.zeros((_EVENTS, 3), np.int64)
        self.is_full = self.moved = False

    @property
    def inside(self) -> int:
        """Start of the current record in the buffer, or -1 outside of records."""
        return int(self._state[_INSIDE])

    @property
    def at(self) -> int:
        """Position in the buffer at which the scan continues."""
        return int(self._state[_AT])

    @property
    def depth(self) -> int:
        """Number of containers around the current position."""
        return int(self._state[_DEPTH])

    def scan(self, data: U8, *, final: bool) -> I64:
        """Scan to the end of the buffer, to damage, or until the array of events is full.

        Args:
            data: the buffer, uint8.
            final: the buffer ends at the end of the document.

        Returns:
            Events (kind, start, end) with positions in the buffer, int64[n, 3].

        """
        self.moved = False
        count = _scan(data, final, self._path, self._kinds, self._places, self._state, self._events)
        self.is_full = count >= _EVENTS - 1
        return self._events[:count]

    def drop(self, count: int) -> None:
        """Adjust all positions after the first `count` bytes of the buffer have been removed."""
        self._state[_AT] -= count
        if self.inside >= 0:
            self._state[_INSIDE] -= count

    def resume(self, at: int) -> None:
        """Continue at the start of a record at `at`, inside the containers of the path."""
        self.moved = True
        steps = self._path.tobytes().decode().split(".") if len(self._path) else []
        place = 0
        for depth, step in enumerate(steps, 1):
            self._kinds[depth] = _ARRAY if step == "item" else _OBJECT
            self._places[depth] = place
            place += len(step.encode()) + 1
        self._places[len(steps) + 1] = place
        after = _COLON if steps and steps[-1] != "item" else _START
        self._state[:] = (at, len(steps), -1, 0, after)


_AT, _DEPTH, _INSIDE, _HOME, _AFTER = range(5)
"""Indices of the state: position, depth, start of the record (or -1), depth of the record, previous token (below)."""
_START, _KEY, _COLON, _VALUE, _COMMA = range(5)
"""Previous token: none, a key, a colon, a value, a comma."""


@njit(nogil=True)
def _scan(  # noqa: PLR0912, PLR0915 (one pass over the bytes, one branch per kind)
    data: U8, final: Flag, path: U8, kinds: U8, places: I64, state: I64, events: I64
) -> int:
    n = len(data)
    i, depth, inside, home, after = state[_AT], state[_DEPTH], state[_INSIDE], state[_HOME], state[_AFTER]
    place = int64(-1)
    count = 0
    damaged = False
    key_from, key_to = int64(0), int64(0)
    while i < n and count < len(events) - 1 and not damaged:
        c = data[i]
        if c in (0x20, 0x0A, 0x0D, 0x09):
            i += 1
            continue
        if inside >= 0:
            # Within a record, only its end matters.
            if c == 0x22:
                end = _string_end(data, i, n)
                if end < 0:
                    break
                i = end
            elif c in (0x7B, 0x5B):
                depth += 1
                i += 1
            elif c in (0x7D, 0x5D):
                depth -= 1
                i += 1
                if depth == home:
                    events[count, 0], events[count, 1], events[count, 2] = RECORD, inside, i
                    count += 1
                    inside, after = -1, _VALUE
            else:
                i += 1
            continue
        in_object = depth > 0 and kinds[depth] == _OBJECT
        if c == 0x22 and in_object and after != _COLON:
            end = _string_end(data, i, n)
            if end < 0:
                break
            # Read the colon together with the key, so that they are never in different buffers.
            j = end
            while j < n and (data[j] == 0x20 or data[j] == 0x0A or data[j] == 0x0D or data[j] == 0x09):
                j += 1
            if j >= n and not final:
                break
            if j >= n or data[j] != 0x3A:
                damaged = True
                break
            key_from, key_to = i + 1, end - 1
            places[depth + 1] = _below(path, places[depth], data, key_from, key_to)
            after = _COLON
            i = j + 1
        elif c in (0x7D, 0x5D):
            if depth == 0 or (kinds[depth] == _OBJECT) != (c == 0x7D):
                damaged = True
                break
            depth -= 1
            i += 1
            after = _VALUE
            events[count, 0], events[count, 1], events[count, 2] = CLOSED, i - 1, i
            count += 1
        elif c == 0x2C:
            after = _COMMA
            i += 1
        elif c == 0x3A or (in_object and after != _COLON):
            damaged = True
        else:
            if depth == 0:
                place = 0
            elif in_object:
                place = places[depth + 1]
            else:
                place = _below(path, places[depth], _ITEM, 0, 4)
            here = place == len(path) + 1 or (len(path) == 0 and depth == 0)
            if c in (0x7B, 0x5B):
                if here:
                    inside, home = i, depth
                    depth += 1
                    i += 1
                    continue
                if depth + 1 >= len(kinds) - 1:
                    damaged = True
                    break
                depth += 1
                kinds[depth] = _OBJECT if c == 0x7B else _ARRAY
                places[depth] = place
                after = _START
                i += 1
                continue
            # A scalar value.
            if c == 0x22:
                end = _string_end(data, i, n)
                if end < 0:
                    break
            else:
                end = i
                while end < n and not _ends_plain(data[end]):
                    end += 1
                if end >= n and not final:
                    break
            if here:
                j = end
                while j < n and (data[j] == 0x20 or data[j] == 0x0A or data[j] == 0x0D or data[j] == 0x09):
                    j += 1
                if j >= n and not final:
                    break
                if j < n and data[j] == 0x3A:
                    damaged = True
                    break
                events[count, 0], events[count, 1], events[count, 2] = RECORD, i, end
                count += 1
            after = _VALUE
            i = max(end, i + 1)
    if damaged:
        events[count, 0], events[count, 1], events[count, 2] = DAMAGE, i, i
        count += 1
    state[_AT], state[_DEPTH], state[_INSIDE], state[_HOME], state[_AFTER] = i, depth, inside, home, after
    return count


@njit(nogil=True, inline="always")
def _ends_plain(c: int) -> bool:
    return c <= 0x20 or c in (0x2C, 0x7D, 0x5D, 0x7B, 0x5B, 0x22, 0x3A)


@njit(nogil=True, inline="always")
def _string_end(data: U8, start: int, n: int) -> int:
    """Return the position after the string that starts at a quotation mark, or -1 if it does not end in the buffer."""
    i = start + 1
    while i < n:
        c = data[i]
        if c == 0x22:
            return i + 1
        i += 2 if c == 0x5C else 1
    return int64(-1)


@njit(nogil=True)
def _below(path: U8, place: int, data: U8, start: int, end: int) -> int:
    """Return the position in the path after a step, `len(path) + 1` after the last step, or -1 if it does not match."""
    size = end - start
    if place < 0 or place > len(path) or place + size > len(path):
        return int64(-1)
    for k in range(size):
        if path[place + k] != data[start + k]:
            return int64(-1)
    if place + size == len(path) or path[place + size] == 0x2E:
        return int64(place + size + 1)
    return int64(-1)
