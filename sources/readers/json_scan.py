"""Where the records of a JSON document begin and end, found in its bytes without parsing them.

Only brackets, quotation marks and backslashes are looked at, and keys on the way to the records: what stands within a
record is the parser's affair, so that a bad one costs no other.
"""

from __future__ import annotations

import numpy as np

from open_ml_embed.core.array_types import I64, U8, Flag
from open_ml_embed.core.compiled import int64, njit

RECORD, DAMAGE, CLOSED = 1, 2, 3
"""Kinds of events: a value at the path (from, to); what cannot stand there (at); a container that holds records
has ended (at), which confirms the record before."""

_DEEPEST = 64
"""Containers around the records."""
_EVENTS = 4096
_OBJECT, _ARRAY = 1, 2
_NOWHERE = -1
_ITEM = np.frombuffer(b"item", np.uint8)


class Scanner:
    """Follows a document through buffers of its bytes.

    Attributes:
        is_full: the last scan stopped because its events were many.
        moved: the place was set anew since the last scan; its further events are void.

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
        """Where in the buffer the record begins that the scan is in; -1: in none."""
        return int(self._state[_INSIDE])

    @property
    def at(self) -> int:
        """Where in the buffer the scan goes on."""
        return int(self._state[_AT])

    @property
    def depth(self) -> int:
        """Containers around the place where the scan is."""
        return int(self._state[_DEPTH])

    def scan(self, data: U8, *, final: bool) -> I64:
        """Scan on to the end of the buffer, or until the events are many, or after damage.

        Args:
            data: the buffer, uint8.
            final: nothing comes after it.

        Returns:
            Events (kind, from, to), int64[n, 3], positions in the buffer.

        """
        self.moved = False
        count = _scan(data, final, self._path, self._kinds, self._places, self._state, self._events)
        self.is_full = count >= _EVENTS - 1
        return self._events[:count]

    def drop(self, count: int) -> None:
        """Say that the first bytes of the buffer are gone."""
        self._state[_AT] -= count
        if self.inside >= 0:
            self._state[_INSIDE] -= count

    def resume(self, at: int) -> None:
        """Go on at the start of a record, within the containers that the path says."""
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
"""Slots of the state: position, depth, start of the record (or -1), containers around it, what came last (below)."""
_START, _KEY, _COLON, _VALUE, _COMMA = range(5)
"""What came last: nothing, a key, a colon, a value, a comma."""


@njit(nogil=True)
def _scan(  # noqa: PLR0912, PLR0915 (one pass over the bytes, a branch a kind)
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
            # Within a record only its end matters.
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
            # The colon belongs to the key, so that the two are never in different buffers.
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
            # A plain value.
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
    """Return the position after the string that starts at a quotation mark, or -1 where the buffer ends before."""
    i = start + 1
    while i < n:
        c = data[i]
        if c == 0x22:
            return i + 1
        i += 2 if c == 0x5C else 1
    return int64(-1)


@njit(nogil=True)
def _below(path: U8, place: int, data: U8, start: int, end: int) -> int:
    """Return where in the path one goes on after a step, one beyond its end where that was the last; -1: nowhere."""
    size = end - start
    if place < 0 or place > len(path) or place + size > len(path):
        return int64(-1)
    for k in range(size):
        if path[place + k] != data[start + k]:
            return int64(-1)
    if place + size == len(path) or path[place + size] == 0x2E:
        return int64(place + size + 1)
    return int64(-1)
