"""Finds the boundaries of records and values in the bytes of a delimited file.

A bad record does not affect others, although an unclosed or misplaced quotation mark would swallow the following
records. After such a record, the scan tries each of its later lines, and resumes at the first line from which a whole
record can be read.
"""

from __future__ import annotations

from open_ml_embed.core.array_types import I32, I64, U8, Flag, Integer
from open_ml_embed.core.compiled import int64, njit, uint64

SOUND, BLANK, TOO_FEW, TOO_MANY, STRAY_QUOTE, UNTERMINATED, INCOMPLETE = range(7)
"""Kinds of records. `INCOMPLETE`: the buffer ends within the record."""
_TRIED = 1000
"""Most lines of a bad record that are tried as the start of the next one."""
_QUOTE, _CR, _LF = 0x22, 0x0D, 0x0A


@njit(nogil=True)
def scan(
    data: U8,
    final: Flag,
    patient: Flag,
    delimiter: int,
    quoted: Flag,
    slots: I64,
    bounds: I64,
    escaped: U8,
    records: I64,
) -> tuple[int, int]:
    """Cut a buffer into records.

    Args:
        data: the buffer, uint8; it starts at the start of a record.
        final: the buffer ends at the end of the file.
        patient: if the first record does not end in the buffer, return 0 records, so that the caller reads more;
            otherwise the record counts as unterminated.
        delimiter: byte between values.
        quoted: parse quotation marks as in RFC 4180; otherwise they are ordinary characters.
        slots: int64[columns of the file]: index among the wanted columns, or -1.
        bounds: output: start and end of each wanted value, int64[most records, wanted, 2].
        escaped: output: whether the value has doubled quotation marks, uint8[most records, wanted].
        records: output: kind, start and end of each record, int64[most records, 3].

    Returns:
        (number of records, number of bytes that they take).

    """
    n, i, count = len(data), 0, 0
    while i < n and count < len(records):
        end, kind, inner, marks = _record(data, i, n, final, delimiter, quoted, slots, bounds[count], escaped[count])
        if kind == INCOMPLETE:
            if patient or count:
                break
            kind = UNTERMINATED
        over_lines = inner >= 0
        if over_lines and (kind >= STRAY_QUOTE or kind in (TOO_FEW, TOO_MANY) or marks):
            resumed = _resumed(
                data, inner, end, n, final, delimiter, quoted, slots, bounds[count], escaped[count], kind >= STRAY_QUOTE
            )
            if resumed >= 0:
                end = resumed
                kind = STRAY_QUOTE if kind != UNTERMINATED else kind
            elif kind == SOUND:
                _record(data, i, n, final, delimiter, quoted, slots, bounds[count], escaped[count])
        records[count, 0], records[count, 1], records[count, 2] = kind, i, end
        count += 1
        i = end
    return count, i


@njit(nogil=True)
def _resumed(
    data: U8,
    inner: int,
    end: int,
    n: int,
    final: Flag,
    delimiter: int,
    quoted: Flag,
    slots: I64,
    bounds: I64,
    escaped: U8,
    at_first: Flag,
) -> int:
    """Return the position of the first line in a bad record from which a valid record can be read, or -1.

    If the quotation marks are correct and only the number of values is wrong (`at_first` is false), at least half of
    the lines must be valid records, since quoted text may also contain commas and line breaks.
    """
    at, first, sound, tried = inner, -1, 0, 0
    while at < end and tried < _TRIED:
        _, kind, _, marks = _record(data, at, n, final, delimiter, quoted, slots, bounds, escaped)
        if kind == SOUND and not marks:
            if at_first:
                return at
            sound += 1
            if first < 0:
                first = at
        tried += 1
        while at < end and data[at] != _LF:
            at += 1
        at += 1
    return first if 2 * sound >= tried and sound > 0 else -1


@njit(nogil=True)
def _record(  # noqa: PLR0911, PLR0912, PLR0915 (one pass over the bytes, one return per outcome)
    data: U8, start: int, n: int, final: Flag, delimiter: int, quoted: Flag, slots: I64, bounds: I64, escaped: U8
) -> tuple[int, int, int, bool]:
    """Read one record.

    Returns:
        (end, kind, start of the second line or -1, whether an unquoted value after a multi-line value contains
        quotation marks). A record with a misplaced quotation mark ends with the line of that mark.

    """
    i, column, inner, marks = start, 0, int64(-1), False
    while True:
        doubled = False
        if quoted and i < n and data[i] == _QUOTE:
            first = i + 1
            j = first
            while True:
                k, stop = uint64(j), uint64(n)  # unsigned: numba does not check for negative indices
                while k < stop and data[k] != _QUOTE:
                    if data[k] == _LF and inner < 0:
                        inner = int64(k) + 1
                    k += uint64(1)
                j = int64(k)
                if j + 1 < n and data[j + 1] == _QUOTE:
                    doubled = True
                    j += 2
                    continue
                break
            if j >= n:
                return int64(n), UNTERMINATED if final else INCOMPLETE, inner, marks
            last = j
            j += 1
            if j >= n and not final:
                return int64(n), INCOMPLETE, inner, marks
            if j < n and data[j] == _CR and j + 1 < n and data[j + 1] == _LF:
                j += 1
            elif j < n and data[j] == _CR and j + 1 >= n:
                if not final:
                    return int64(n), INCOMPLETE, inner, marks
                j += 1
            if j < n and data[j] != delimiter and data[j] != _LF:
                while j < n and data[j] != _LF:
                    j += 1
                if j >= n and not final:
                    return int64(n), INCOMPLETE, inner, marks
                return int64(min(j + 1, n)), STRAY_QUOTE, inner, marks
            i = j
        else:
            first = i
            k, stop = uint64(i), uint64(n)
            while k < stop and data[k] != delimiter and data[k] != _LF:
                if data[k] == _QUOTE and inner >= 0:
                    marks = True
                k += uint64(1)
            i = int64(k)
            if i >= n and not final:
                return int64(n), INCOMPLETE, inner, marks
            last = i
            if (i >= n or data[i] == _LF) and last > first and data[last - 1] == _CR:
                last -= 1
        if column < len(slots) and slots[column] >= 0:
            slot = slots[column]
            bounds[slot, 0], bounds[slot, 1], escaped[slot] = first, last, doubled
        column += 1
        if i < n and data[i] == delimiter:
            i += 1
            continue
        blank = column == 1 and last == first and not (quoted and first > start)
        end = int64(min(i + 1, n))
        if blank:
            return end, BLANK, inner, marks
        kind = SOUND if column == len(slots) else (TOO_FEW if column < len(slots) else TOO_MANY)
        return end, kind, inner, marks


@njit(nogil=True)
def gather(data: U8, bounds: I64, escaped: U8, rows: I64, slot: int, offsets: I32, out: U8) -> Integer:
    """Concatenate the values of one column, and replace doubled quotation marks by single ones.

    Args:
        data: the buffer, uint8.
        bounds: from `scan`.
        escaped: from `scan`.
        rows: records to copy, int64[n].
        slot: index of the wanted column.
        offsets: output: offsets of the values in `out`, int32[n + 1].
        out: output: the bytes of the values; at least as long as the values with all quotation marks.

    Returns:
        Bytes written.

    """
    at = uint64(0)  # unsigned: numba checks a signed index for being negative
    for k in range(len(rows)):
        row = rows[k]
        offsets[k] = at
        i, end = uint64(bounds[row, slot, 0]), uint64(bounds[row, slot, 1])
        if escaped[row, slot]:
            while i < end:
                c = data[i]
                out[at] = c
                at += uint64(1)
                i += uint64(2) if c == _QUOTE else uint64(1)
        else:
            size = end - i
            for m in range(size):
                out[at + m] = data[i + m]
            at += size
    offsets[len(rows)] = at
    return at
