"""The scripts of texts: counts letters by script, and decides which scripts the text's language may be written in.

A text with several scripts is usually in one language, and the words in other scripts are names (`iPhone` in a Russian
sentence). Latin names in texts of other scripts are far more common than the reverse, so Latin letters count less.
"""

from __future__ import annotations

import csv
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from open_ml_embed.core.array_types import I16, I32, I64, U8, Mask
from open_ml_embed.core.compiled import int64, njit
from open_ml_embed.core.text.tokens import decode, string_buffers

COMMON = "Zyyy"
MOST = 4
"""Admitted scripts of one text, at most."""
LATIN_WEIGHT = 0.25
"""Weight of a Latin letter in a text with letters of other scripts. Of the values from 0.1 to 1, it is the one with
which the most texts of mixed scripts get a script of their language (`benchmarks/langid.py`, mixed scripts)."""
SHARE = 0.9
"""A script is admitted if it covers at least this share of the letters that the best script covers."""
COMPACT = 3
"""Letters that a character of Han, kana or hangul counts as."""
FOREIGN = 0.3
"""Share of letters in other scripts up to which a text is unchanged; the training texts of the bundled model have the
same limit (`tools.langid.passages.Limits`)."""

_POINTS = 0x20000
_IDEOGRAPHS = 0x40000
"""The third and fourth plane have ideographs and no other letters; they end here."""
_COMPOSED = {"Jpan": ("Hira", "Kana", "Hani"), "Kore": ("Hang", "Hani"), "Hani": ("Hani", "Bopo")}
"""Scripts of ISO 15924 that use letters of several Unicode scripts."""
_UNNAMED = {"Hira": "Jpan", "Kana": "Jpan", "Hang": "Kore", "Bopo": "Hani", "Hans": "Hani", "Hant": "Hani"}
"""Scripts that have another name in answers. Letters alone do not tell whether Han text is Hans or Hant."""


@dataclass(frozen=True)
class Scripts:
    """The scripts of n texts.

    Attributes:
        admitted: int16[n, MOST], indices into `NAMES` of the scripts that a text's language may be written in, the one
            that covers most of its letters first; -1 for none.
        letters: int32[n], number of letters of the admitted scripts.
        foreign: bool[n], whether more than `FOREIGN` of a text's letters belong to other scripts.

    """

    admitted: I16
    letters: I32
    foreign: Mask

    def size(self) -> I32:
        """Return the letters of each text, int32[n]; a character of Han, kana or hangul counts as `COMPACT` letters."""
        return np.where(np.isin(self.admitted[:, 0], _COMPACT_SCRIPTS), COMPACT, 1).astype(np.int32) * self.letters

    def main(self) -> pa.StringArray:
        """Return the first admitted script of each text, string[n]; `Zyyy` for none."""
        return pa.DictionaryArray.from_arrays(pa.array(self.admitted[:, 0] + 1), pa.array([COMMON, *NAMES])).cast(
            pa.string()
        )


def _ranges() -> list[tuple[int, int, str]]:
    with (Path(__file__).parent / "data" / "scripts.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t"))[1:]
    return [(int(first, 16), int(last, 16), script) for first, last, script in rows]


_UNICODE = tuple(sorted({script for _, _, script in _ranges()}))
"""Unicode's scripts. A character of class i + 1 belongs to script i, a character of class 0 to none."""
NAMES = (*_UNICODE, "Jpan", "Kore")
"""Scripts, by number."""
_HAN, _HIRAGANA, _KATAKANA, _HANGUL, _BOPOMOFO, _LATIN = (
    _UNICODE.index(name) for name in ("Hani", "Hira", "Kana", "Hang", "Bopo", "Latn")
)
_ALIKE = np.array([False, *(name in ("Latn", "Cyrl", "Grek") for name in _UNICODE)])
"""Classes of letters that are substituted for each other because they look alike, bool[classes]."""
_COMPACT_SCRIPTS = [NAMES.index(name) for name in ("Hani", "Jpan", "Kore")]
_JAPANESE, _KOREAN = NAMES.index("Jpan"), NAMES.index("Kore")


def answered(script: str) -> str:
    """Return the name that a script has in answers.

    >>> answered("Hans"), answered("Hang"), answered("Cyrl")
    ('Hani', 'Kore', 'Cyrl')
    """
    return _UNNAMED.get(script, script)


@cache
def classes() -> U8:
    """Return the class of each code point of the first two planes, uint8[0x20000]: script number plus 1, or 0.

    Only letters and marks have a script here, because digits and punctuation are shared (Bengali uses the Devanagari
    full stop).
    """
    table = np.zeros(_POINTS, np.uint8)
    for first, last, script in _ranges():
        table[first : last + 1] = _UNICODE.index(script) + 1
    for point in np.flatnonzero(table).tolist():
        if unicodedata.category(chr(point))[0] not in "LM":
            table[point] = 0
    return table


@cache
def _parts() -> Mask:
    """Return which classes of letters each script uses, bool[NAMES, classes]."""
    parts = np.zeros((len(NAMES), len(_UNICODE) + 1), np.bool_)
    for number, name in enumerate(NAMES):
        for part in _COMPOSED.get(name, (name,)):
            parts[number, _UNICODE.index(part) + 1] = True
    return parts


def look(texts: pa.Array | pa.ChunkedArray) -> Scripts:
    """Determine the scripts of each text of a string or large_string array.

    >>> scripts = look(pa.array(["hello", "Купил iPhone", "漢字", "漢字です", "42"]))
    >>> scripts.main().to_pylist(), scripts.letters.tolist(), scripts.foreign.tolist()
    (['Latn', 'Cyrl', 'Hani', 'Jpan', 'Zyyy'], [5, 5, 2, 4, 0], [False, True, False, False, False])
    """
    offsets, data = string_buffers(texts)
    n = len(offsets) - 1
    result = Scripts(np.full((n, MOST), -1, np.int16), np.zeros(n, np.int32), np.zeros(n, np.bool_))
    _look(
        offsets,
        data,
        classes(),
        _parts(),
        LATIN_WEIGHT,
        SHARE,
        FOREIGN,
        result.admitted,
        result.letters,
        result.foreign,
    )
    return result


def scripts_of(texts: pa.Array | pa.ChunkedArray) -> pa.StringArray:
    """Return the script of each text, string[n]; `Zyyy` for a text without letters.

    Text with kana is `Jpan`, text with hangul is `Kore`. Han alone is `Hani`, since code points do not tell Hans from
    Hant.

    >>> scripts_of(pa.array(["hello", "привет", "漢字", "漢字です", "42"])).to_pylist()
    ['Latn', 'Cyrl', 'Hani', 'Jpan', 'Zyyy']
    """
    return look(texts).main()


def own_letters(texts: pa.Array | pa.ChunkedArray, scripts: Scripts) -> pa.StringArray:
    """Return the texts; in foreign ones, a space replaces each run of letters of scripts that are not admitted.

    Latin, Cyrillic and Greek letters stay if they touch one another, because Ossetian is often typed with a Latin `æ`.

    >>> texts = pa.array(["Купил iPhone на Amazon", "plain"])
    >>> own_letters(texts, look(texts)).to_pylist()
    ['Купил   на  ', 'plain']
    """
    if not scripts.foreign.any():
        return texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    offsets, data = string_buffers(texts)
    out, starts = np.empty(len(data), np.uint8), np.zeros(len(offsets), np.int64)
    used = _keep_admitted(offsets, data, classes(), _parts(), _ALIKE, scripts.admitted, scripts.foreign, out, starts)
    large = used > np.iinfo(np.int32).max
    buffers = [None, pa.py_buffer(starts if large else starts.astype(np.int32)), pa.py_buffer(out[:used])]
    return pa.Array.from_buffers(pa.large_string() if large else pa.string(), len(starts) - 1, buffers)


@njit(nogil=True, inline="always")
def _class(point: int, table: U8) -> int:
    if point < _POINTS:
        return int64(table[point])
    return int64(_HAN + 1 if point < _IDEOGRAPHS else 0)


@njit(nogil=True)
def _look(
    offsets: I64,
    data: U8,
    table: U8,
    parts: Mask,
    latin: float,
    share: float,
    most: float,
    admitted: I16,
    letters: I32,
    foreign: Mask,
) -> None:
    counts = np.zeros(parts.shape[1], np.int64)
    cover = np.zeros(len(parts), np.float64)
    for row in range(len(offsets) - 1):
        counts[:] = 0
        i, end = offsets[row], offsets[row + 1]
        while i < end:
            byte = data[i]
            if byte < 0x80:
                counts[table[byte]] += 1
                i += 1
            else:
                point, width = decode(data, i, end)
                counts[_class(point, table)] += 1
                i += width
        counts[0] = 0
        total = counts.sum()
        if total == counts[_LATIN + 1]:
            if total:
                admitted[row, 0], letters[row] = _LATIN, total
            continue
        han, kana = counts[_HAN + 1], counts[_HIRAGANA + 1] + counts[_KATAKANA + 1]
        hangul, bopomofo = counts[_HANGUL + 1], counts[_BOPOMOFO + 1]
        for number in range(len(counts) - 1):
            cover[number] = counts[number + 1]
        cover[_LATIN] *= latin
        cover[_HIRAGANA] = cover[_KATAKANA] = cover[_HANGUL] = cover[_BOPOMOFO] = 0
        cover[_HAN] = han + bopomofo
        cover[_JAPANESE] = han + kana
        cover[_KOREAN] = han + hangul if hangul else 0
        least = max(cover.max() * share, 1e-9)
        for place in range(admitted.shape[1]):
            best = np.argmax(cover)
            if cover[best] < least:
                break
            cover[best] = 0
            admitted[row, place] = best
            for part in range(1, len(counts)):
                if parts[best, part]:
                    letters[row] += counts[part]
                    counts[part] = 0
        foreign[row] = total - letters[row] > most * total


@njit(nogil=True)
def _keep_admitted(  # noqa: PLR0912 (one pass over the characters)
    offsets: I64, data: U8, table: U8, parts: Mask, alike: Mask, admitted: I16, foreign: Mask, out: U8, starts: I64
) -> int:
    kept = np.zeros(parts.shape[1], np.bool_)
    used = 0
    for row in range(len(offsets) - 1):
        i, end = offsets[row], offsets[row + 1]
        if not foreign[row]:
            out[used : used + end - i] = data[i:end]
            used += end - i
        else:
            kept[:] = False
            for place in range(admitted.shape[1]):
                if admitted[row, place] >= 0:
                    for part in range(len(kept)):
                        kept[part] |= parts[admitted[row, place], part]
            gap, before = False, int64(0)
            while i < end:
                point, width = decode(data, i, end)
                letter = _class(point, table)
                stop = i + width
                if not letter or kept[letter]:
                    gap, before = False, letter
                else:
                    after = int64(0)
                    while stop < end:
                        point, width = decode(data, stop, end)
                        after = _class(point, table)
                        if after != letter:
                            break
                        after, stop = int64(0), stop + width
                    inside = (kept[before] and alike[before]) or (kept[after] and alike[after])
                    if not (inside and alike[letter]):
                        if not gap:
                            out[used] = 0x20
                            used += 1
                        gap, before, i = True, letter, stop
                        continue
                    gap, before = False, letter
                for k in range(stop - i):
                    out[used + k] = data[i + k]
                used += stop - i
                i = stop
        starts[row + 1] = used
    return used
