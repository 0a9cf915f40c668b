"""Byte-level recognition of what `cleaning` strips: addresses, tags, placeholders, opaque tokens, control characters.

The functions allocate no memory.
"""

from __future__ import annotations

from open_ml_embed.core.array_types import U8, Flag
from open_ml_embed.core.compiled import int64, njit

TAG, COMMAND, ENTITY = 1000, 120, 10
"""Maximum length in bytes of a tag after `<`, of a command after a backtick, and of an entity after `&`."""
_FORMAT = 4
"""Maximum number of bytes of a printf conversion between `%` and its letter."""


@njit(nogil=True)
def alphanumeric(byte: int) -> bool:
    """Tell whether an ASCII byte is a letter or a digit."""
    return 0x30 <= byte <= 0x39 or 0x61 <= (byte | 32) <= 0x7A


@njit(nogil=True)
def letter(byte: int) -> bool:
    """Tell whether a byte is an ASCII letter."""
    return 0x61 <= (byte | 32) <= 0x7A


@njit(nogil=True)
def blank(byte: int) -> bool:
    """Tell whether a byte is a space or an ASCII control character."""
    return byte <= 0x20 or byte == 0x7F


@njit(nogil=True)
def _at(data: U8, i: int, end: int) -> int:
    return int64(data[i]) if i < end else 0x20


@njit(nogil=True)
def _name(data: U8, i: int, end: int) -> int:
    """Return the end of the run of letters, digits and `_` that starts at i."""
    while i < end and (alphanumeric(data[i]) or data[i] == 0x5F):
        i += 1
    return i


@njit(nogil=True)
def _address(data: U8, i: int, end: int) -> int:
    """Return the end of an address from i on: a blank, a quotation mark, `<>|`, a backtick or a non-ASCII byte."""
    while i < end and not blank(data[i]) and data[i] < 0x80 and data[i] not in (0x22, 0x3C, 0x3E, 0x7C, 0x60):
        i += 1
    return i


@njit(nogil=True)
def _back(data: U8, i: int, start: int) -> int:
    """Return the number of bytes before i that may be the start of an address or a host name."""
    at = i
    while at > start and (alphanumeric(data[at - 1]) or data[at - 1] in (0x2E, 0x5F, 0x2B, 0x2D)):
        at -= 1
    return i - at


@njit(nogil=True)
def opaque(data: U8, i: int, end: int) -> int:  # noqa: PLR0912 (a branch a form)
    """Return the end of the number, hash, code or other opaque token that starts at i; i if it is a word.

    Opaque tokens are: digits only; `0x1F`; seven or more hexadecimal digits of which at least two are decimal digits,
    with the following groups of a UUID; capitals and at least two digits, no fewer than the capitals (`XJ900`); sixteen
    or more characters with a random mix of case and digits.
    """
    digits, upper, lower, others, changes, was = 0, 0, 0, 0, 0, 0
    stop = i
    while stop < end and data[stop] < 0x80 and alphanumeric(data[stop]):
        byte = data[stop]
        if byte <= 0x39:
            now, digits = 1, digits + 1
        elif byte < 0x60:
            now, upper = 2, upper + 1
        else:
            now, lower = 3, lower + 1
        others += byte > 0x39 and (byte | 32) > 0x66
        changes += was not in (0, now) and not (was == 2 and now == 3)
        was = now
        stop += 1
    size = stop - i
    if digits == size:
        while _at(data, stop, end) in (0x2C, 0x2E, 0x2D, 0x3A, 0x2F) and 0x30 <= _at(data, stop + 1, end) <= 0x39:
            group = _name(data, stop + 1, end)
            if letter(data[group - 1]):
                break
            stop = group
        return stop
    if data[i] == 0x30 and (data[i + 1] | 32) == 0x78 and others == 1 and size > 2:
        return stop
    if others == 0 and size >= 7 and digits >= 2:
        while _at(data, stop, end) == 0x2D:
            group = stop + 1
            while group < end and alphanumeric(data[group]):
                group += 1
            if group - stop < 4:
                break
            stop = group
        return stop
    if (lower == 0 and digits >= 2 and digits >= upper) or (size >= 16 and digits >= 3 and changes >= 5):
        return stop
    return i


@njit(nogil=True)
def dropped(data: U8, i: int, start: int, end: int, keep: Flag) -> tuple[int, int, int]:  # noqa: PLR0911, PLR0912 (a branch a sign)
    """Return the range to strip at byte i.

    Args:
        data: UTF-8 bytes, uint8.
        i: index of a byte that is not an ASCII letter or digit.
        start: start of the text.
        end: end of the text.
        keep: keep the words of #tags and the text in backticks.

    Returns:
        (number of bytes before i to strip too, or -1 if no space replaces the range; end of the range; 1 if words are
        stripped, else 0). `(0, i, 0)` if there is nothing to strip.

    """
    byte = int64(data[i])
    after = _at(data, i + 1, end)
    before = int64(data[i - 1]) if i > start else int64(0x20)
    bounded = before < 0x80 and not alphanumeric(before)
    if blank(byte):
        return 0, i + 1, 0
    if byte >= 0x80:
        gap, width = _unseen(byte, after, _at(data, i + 2, end))
        return gap, i + width, 0
    if byte == 0x2E:  # .
        return _host(data, i, start, end)
    if byte == 0x3A:  # :
        if after == 0x2F and _at(data, i + 2, end) == 0x2F and letter(before):
            return _back(data, i, start), _address(data, i, end), 0
        if after == 0x5C and letter(before) and _back(data, i, start) == 1:
            return 1, _address(data, i, end), 0
    elif byte == 0x2F and after < 0x80 and (alphanumeric(after) or after == 0x2E):  # /
        if blank(before) or before in (0x22, 0x27, 0x28, 0x3D, 0x7E, 0x2E, 0x60):
            stop = _address(data, i, end)
            for at in range(i + 1, stop - 1):
                if data[at] == 0x2F:
                    return 0, stop, 0
    elif byte == 0x40:  # @
        if not bounded or before in (0x2E, 0x5F, 0x2B, 0x2D):
            stop, dots = i + 1, 0
            while stop < end and (alphanumeric(data[stop]) or data[stop] in (0x2D, 0x2E)):
                dots += data[stop] == 0x2E
                stop += 1
            if dots and before < 0x80:
                return _back(data, i, start), stop, 0
        elif alphanumeric(after) or after == 0x5F:
            return 0, _name(data, i + 1, end), 0
    elif byte == 0x23 and bounded:  # #
        stop = _name(data, i + 1, end)
        if after >= 0x80 or (stop > i + 1 and (keep or _at(data, stop, end) >= 0x80)):
            return 0, i + 1, 0
        if stop > i + 1:
            return 0, stop, 1
    elif byte == 0x60 and not alphanumeric(before) and before != 0x60:
        stop = i + 1
        while stop < min(end, i + COMMAND) and data[stop] < 0x80 and data[stop] not in (0x60, 0x0A):
            stop += 1
        if _at(data, stop, end) == 0x60 and stop > i + 1 and not alphanumeric(_at(data, stop + 1, end)) and not keep:
            return 0, stop + 1, 1
    elif byte == 0x3C:
        return 0, _tag(data, i, end), 0
    elif byte in (0x24, 0x25, 0x26, 0x7B):
        return 0, _placeholder(data, i, end, before), 0
    return 0, i, 0


@njit(nogil=True)
def _unseen(byte: int, second: int, third: int) -> tuple[int, int]:
    """Return (0 if a space replaces an invisible character, -1 if not; its bytes, 0 for a visible character)."""
    if byte == 0xC2 and second <= 0xA0:
        return 0, 2
    if byte == 0xC2 and second == 0xAD:
        return -1, 2
    if byte == 0xE2 and second == 0x80 and third in (0xA8, 0xA9):
        return 0, 3
    marks = byte == 0xE2 and second == 0x80 and (third in (0x8E, 0x8F) or 0xAA <= third <= 0xAE)
    isolates = byte == 0xE2 and second == 0x81 and (third == 0xA0 or 0xA6 <= third <= 0xA9)
    if marks or isolates or (byte == 0xEF and second == 0xBB and third == 0xBF):
        return -1, 3
    private = byte == 0xEE or (byte == 0xEF and second <= 0xA3)
    if private or (byte == 0xEF and second == 0xBF and third == 0xBD):
        return 0, 3
    return 0, 0


@njit(nogil=True)
def _host(data: U8, i: int, start: int, end: int) -> tuple[int, int, int]:
    """Recognize a host name without a scheme at the full stop i: `www.` before, or a common top-level domain after it.

    The result is that of `dropped`.
    """
    back = _back(data, i, start)
    stop = i + 1
    while stop < end and data[stop] < 0x80 and letter(data[stop]):
        stop += 1
    width = stop - i - 1
    known = back == 3 and width > 0 and data[i - 1] == 0x77 and data[i - 2] == 0x77 and data[i - 3] == 0x77  # www.
    if back and width == 3 and not (stop < end and (alphanumeric(data[stop]) or data[stop] >= 0x80)):
        key = (int64(data[i + 1]) << 16) | (int64(data[i + 2]) << 8) | int64(data[i + 3])
        known |= key in (0x636F6D, 0x6F7267, 0x6E6574, 0x656475, 0x676F76)  # com org net edu gov
    if known:
        return back, _address(data, i, end), 0
    return 0, i, 0


@njit(nogil=True)
def _tag(data: U8, i: int, end: int) -> int:  # noqa: PLR0911 (a return a form)
    """Return the end of the tag, comment or `<|token|>` that starts at i; i if there is none."""
    after = _at(data, i + 1, end)
    limit = min(end, i + TAG)
    at = i + 1 + (after == 0x2F)
    if after in (0x21, 0x3F, 0x7C):
        comment = after == 0x21 and _at(data, i + 2, end) == 0x2D
        if not (comment or letter(_at(data, i + 2, end))):
            return i
        for stop in range(i + 3, end if comment else limit):
            closed = after == 0x21 or data[stop - 1] == after
            if data[stop] == 0x3E and closed and (not comment or data[stop - 1] == 0x2D):
                return stop + 1
        return i
    if not letter(_at(data, at, end)):
        return i
    while at < limit and (alphanumeric(data[at]) or data[at] in (0x2D, 0x3A, 0x5F)):
        at += 1
    next_byte = _at(data, at, end)
    if next_byte == 0x3E:
        return at + 1
    if next_byte == 0x2F and _at(data, at + 1, end) == 0x3E:
        return at + 2
    if not blank(next_byte):
        return i
    given = False
    for stop in range(at, limit):
        given |= data[stop] == 0x3D
        if data[stop] == 0x3E:
            return stop + 1 if given or data[stop - 1] == 0x2F else i
        if data[stop] == 0x3C:
            return i
    return i


@njit(nogil=True)
def _placeholder(data: U8, i: int, end: int, before: int) -> int:  # noqa: PLR0911, PLR0912 (a branch a form)
    """Return the end of `$1`, `${name}`, `%s`, `%(name)d`, `{0}`, `{{name}}`, `{{WORD:` or `&nbsp;` at i; else i."""
    byte, after = data[i], _at(data, i + 1, end)
    if byte == 0x26:  # &
        stop = i + 1 + (after == 0x23)
        while stop < min(end, i + ENTITY) and alphanumeric(data[stop]):
            stop += 1
        return stop + 1 if stop > i + 2 and _at(data, stop, end) == 0x3B else i
    if byte == 0x25:  # %
        stop = i + 1
        if after == 0x28:
            stop = _name(data, i + 2, end)
            if _at(data, stop, end) != 0x29:
                return i
            stop += 1
        elif 0x30 <= before <= 0x39:
            return i
        while stop < min(end, i + 1 + _FORMAT) and (data[stop] in (0x24, 0x2D, 0x2E) or 0x30 <= data[stop] <= 0x39):
            stop += 1
        conversion = _at(data, stop, end) in (0x73, 0x64, 0x69, 0x66, 0x67, 0x75, 0x63, 0x78, 0x40)
        beyond = _at(data, stop + 1, end)
        return stop + 1 if conversion and not (beyond < 0x80 and letter(beyond)) else i
    if byte == 0x24:  # $
        if 0x30 <= after <= 0x39:
            stop = i + 2
            return stop if not 0x30 <= _at(data, stop, end) <= 0x39 else i
        if after != 0x7B:
            return i
        i += 1
    at = i
    while _at(data, at, end) == 0x7B:
        at += 1
    begin = at
    while at < end and (alphanumeric(data[at]) or data[at] in (0x5F, 0x2E, 0x2D, 0x23)):
        at += 1
    if begin > i + 1 and at > begin and _at(data, at, end) == 0x3A and data[at - 1] < 0x60:
        return at + 1
    if _at(data, at, end) != 0x7D or at - begin > 40:
        return int(i - (byte == 0x24))
    while _at(data, at, end) == 0x7D:
        at += 1
    return at
