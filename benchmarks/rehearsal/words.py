"""Made-up texts in bulk: a vocabulary for each script, from which words are drawn by Zipf's law."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

import numpy as np
import pyarrow as pa
import xxhash

from curation.langid.scripts import NAMES, classes, scripts_of

SIZE = 20_000
"""Words of a vocabulary."""
UNSPACED = {"Hani": 2, "Jpan": 2, "Thai": 4, "Laoo": 4, "Khmr": 4, "Mymr": 4, "Tibt": 3}
"""Script without spaces between words → characters of its longest made-up word."""
LENGTHS = {
    "question": (9, 0.35, 4, 24),
    "sentence": (16, 0.45, 6, 48),
    "passage": (70, 0.5, 24, 320),
    "article": (280, 0.5, 90, 1200),
}
"""Kind of text → median, standard deviation of the logarithm, least and most words: log-normal."""
_LETTERS = {"Hani": ("Hani",), "Jpan": ("Hira", "Kana", "Hani"), "Kore": ("Hang",)}
_ALPHABET = 3000
"""Letters of a script, at most."""
_ENGLISH = "etaoinshrdlucmwfgypbvkjxqz"


class Words:
    """Vocabularies by script; the same texts given, the same words.

    Args:
        texts: of which the words come first in the vocabulary of their script, so that they are the frequent ones.

    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._own: dict[str, dict[str, None]] = {}
        texts = list(texts)
        for script, text in zip(scripts_of(pa.array(texts, pa.string())).to_pylist(), texts, strict=True):
            own = self._own.setdefault(script, {})
            for word in re.findall(r"[^\W\d_]{2,}", text.lower()):
                pieces = [word[i : i + 2] for i in range(0, len(word), 2)] if script in UNSPACED else [word]
                own.update(dict.fromkeys(piece for piece in pieces if len(piece) < 20))
        self._made: dict[str, np.ndarray] = {}

    def of(self, script: str) -> np.ndarray:
        """Return the vocabulary of a script, object[SIZE] of str, the most frequent word first."""
        if script not in self._made:
            self._made[script] = np.array(self._vocabulary(script), object)
        return self._made[script]

    def _vocabulary(self, script: str) -> list[str]:
        rng = generator("vocabulary", script)
        letters = np.array(_letters(script))
        longest = UNSPACED.get(script, 9)
        lengths = rng.integers(min(2, longest), longest + 1, 2 * SIZE)
        # Frequent letters first, by Zipf's law too.
        drawn = letters[(len(letters) ** rng.random(int(lengths.sum())) - 1).astype(np.int64)]
        text, ends = "".join(drawn.tolist()), np.cumsum(lengths).tolist()
        made = [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        words = list(dict.fromkeys([*list(self._own.get(script, {}))[: SIZE // 4], *made]))[:SIZE]
        return words + words[: SIZE - len(words)]

    def texts(self, script: str, kind: str, count: int, rng: np.random.Generator) -> list[str]:
        """Return texts of one kind: a name in `LENGTHS`, or `code`.

        Args:
            script: name in ISO 15924, as `curation.langid.scripts` answers it; ignored for code.
            kind: of text.
            count: number of texts.
            rng: where they are drawn from.

        """
        if kind == "code":
            return _programs(count, rng)
        median, spread, least, most = LENGTHS[kind]
        lengths = np.clip(np.exp(rng.normal(np.log(median), spread, count)), least, most).astype(np.int64)
        words = self.of(script)
        drawn = words[(len(words) ** rng.random(int(lengths.sum())) - 1).astype(np.int64)].tolist()
        joint = "" if script in UNSPACED else " "
        ends = np.cumsum(lengths).tolist()
        return [joint.join(drawn[start:end]) for start, end in zip([0, *ends], ends, strict=False)]


def generator(*names: object) -> np.random.Generator:
    """Return a generator of random numbers whose seed is the hash of some names."""
    return np.random.default_rng(xxhash.xxh3_64_intdigest("\x1f".join(map(str, names)).encode()))


@cache
def _letters(script: str) -> list[str]:
    """Return the letters of a script, the most frequent first by our order; those of Latin for an unknown script."""
    if script not in NAMES or script == "Latn":
        return list(_ENGLISH + "äéöñçåüøıšč")
    numbers = [NAMES.index(part) + 1 for part in _LETTERS.get(script, (script,))]
    points = np.flatnonzero(np.isin(classes(), numbers))
    letters = [chr(point) for point in points.tolist() if chr(point).isalpha() and chr(point) == chr(point).lower()]
    generator("letters", script).shuffle(letters)
    return letters[:_ALPHABET] or list(_ENGLISH)


@cache
def _lines() -> np.ndarray:
    """Return lines of Python that parse on their own, object[SIZE] of str."""
    rng = generator("lines")
    names = [f"{a}_{b}" for a, b in zip(_names(rng), _names(rng), strict=True)]
    patterns = (
        "{a} = {b}({c}, {n})", "for {a} in range({n}): {b} = {a} * {n}", "if {a} > {n} and {b}: {c} = {n}",
        "def {a}({b}, *{c}): return {b}", "{a}.append({b}[{c}])", "while {a} < {b}: {a} = {a} + {n}",
        "print({a}, '{b}', {c} % {n})", "{a}, {b} = {b}, {c}", "{a} = [{b} for {b} in {c} if {b} != {n}]",
        "import {a}", "assert {a} != {b}, {c}",
    )  # fmt: skip
    picks, which = rng.integers(0, len(names), (SIZE, 3)), rng.integers(0, len(patterns), SIZE).tolist()
    numbers = rng.integers(1, 1000, SIZE).tolist()
    made = []
    for (a, b, c), pattern, n in zip(picks.tolist(), which, numbers, strict=True):
        made.append(patterns[pattern].format(a=names[a], b=names[b], c=names[c] + "_", n=n))
    return np.array(made, object)


def _names(rng: np.random.Generator) -> list[str]:
    letters = np.array(list(_ENGLISH))[rng.integers(0, len(_ENGLISH), (2000, 4))]
    return ["".join(row) for row in letters.tolist()]


def _programs(count: int, rng: np.random.Generator) -> list[str]:
    """Return programs of 6 to 40 lines, each with a first line of its own."""
    lines = _lines()
    lengths = np.clip(np.exp(rng.normal(np.log(14), 0.5, count)), 6, 40).astype(np.int64)
    drawn = lines[rng.integers(0, len(lines), int(lengths.sum()))].tolist()
    ends = np.cumsum(lengths).tolist()
    return ["\n".join(drawn[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
