"""Data augmentation for the code classifier: quoted prose, prose with formulas or code, tables, one-line programs."""

from __future__ import annotations

import random
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from curation.langid.code_content import PROSE

_LONG = 120
"""Least characters of prose into which a program is inserted."""
_NAMES = ["x", "y", "z", "a", "b", "c", "n", "k", "i", "j", "f", "g", "p", "q", "t", "u", "v", "X", "Y", "A", "B"]
_GREEK = ["alpha", "beta", "gamma", "theta", "lambda", "pi", "sigma", "mu", "epsilon", "infty"]


@dataclass(frozen=True)
class Forms:
    """Shares of the texts of each kind that also occur in another form."""

    flat: float = 0.1
    """Programs on one line, as some datasets store them."""
    quoted: float = 0.08
    """Prose quoted as in a mail reply."""
    mixed: float = 0.15
    """Prose with lines of a program inserted, at most half as long as the prose."""
    formulas: float = 0.12
    """Prose with formulas, plain or in TeX."""
    tables: float = 0.05
    """Tables of words of the prose and numbers, or formulas only."""


def with_forms(rows: pa.Table, forms: Forms, seed: int) -> pa.Table:
    """Return the rows (`text`, `label`, `document`), followed by some of them in other forms."""
    chance = random.Random(seed)  # noqa: S311 (no secret)
    rows = rows.select(["text", "label", "document"])
    given = rows.to_pylist()
    programs = [row["text"] for row in given if row["label"] != PROSE]
    more = []
    for row in given:
        if row["label"] != PROSE:
            text = " ".join(row["text"].split()) if chance.random() < forms.flat else None
        else:
            text = _otherwise(row["text"], programs, forms, chance)
        if text and text != row["text"]:
            more.append({**row, "text": text})
    return pa.concat_tables([rows, pa.Table.from_pylist(more, rows.schema)])


def _otherwise(text: str, programs: Sequence[str], forms: Forms, chance: random.Random) -> str | None:
    drawn = chance.random()
    if (drawn := drawn - forms.quoted) < 0:
        return re.sub("^", "> ", textwrap.fill(text, 72), flags=re.MULTILINE)
    if (drawn := drawn - forms.mixed) < 0 and len(text) >= _LONG:
        program = chance.choice(programs)[: len(text) // 2]
        start = text.rfind(" ", 0, len(text) * 2 // 3) + 1
        return f"{text[:start]}\n{program}\n{text[start:]}"
    words = text.split()
    if (drawn := drawn - forms.formulas) < 0:
        for _ in range(chance.randint(1, 4)):
            words.insert(chance.randint(0, len(words)), _formula(chance))
        return " ".join(words)
    if drawn < forms.tables:
        return _table(words, chance) if chance.random() < 0.7 else "; ".join(_formula(chance) for _ in range(3))
    return None


def _formula(chance: random.Random) -> str:
    r"""Generate a random formula, plain or in TeX.

    >>> _formula(random.Random(4))
    '$$\\sqrt{x}$$'
    """
    tex = chance.random() < 0.6
    sides = (_term(chance, 2, tex=tex) for _ in range(chance.randint(1, 3)))
    body = chance.choice([" = ", "=", " < ", " \\leq " if tex else " <= "]).join(sides)
    if not tex:
        return body
    before, after = chance.choice([("$", "$"), ("$$", "$$"), ("\\(", "\\)"), ("\\[", "\\]"), ("", "")])
    return f"{before}{body}{after}"


def _term(chance: random.Random, depth: int, *, tex: bool) -> str:
    drawn = chance.random()
    if depth == 0 or drawn < 0.3:
        return chance.choice([chance.choice(_NAMES), str(chance.randint(0, 20)), f"{chance.randint(2, 9)}x"])
    one, two = (_term(chance, depth - 1, tex=tex) for _ in range(2))
    plain = [
        f"{one} + {two}",
        f"{one}^2",
        f"({one} - {two})",
        f"{one}/{two}",
        f"f({one})",
        f"{one}_{{1}}",
        f"{one}*{two}",
    ]
    if not tex:
        return chance.choice([*plain, f"{{{one}, {two}}}", f"[{one}, {two}]", f"sqrt({one})", f"|{one}|"])
    special = [
        f"\\frac{{{one}}}{{{two}}}", f"\\sqrt{{{one}}}", f"\\sum_{{i={one}}}^{{n}} {two}", f"\\{chance.choice(_GREEK)}",
        f"{one}_{{{two}}}", f"{one}^{{{two}}}", f"\\mathbb{{R}}^{one}", f"\\text{{if }} {one}", f"{one} \\cdot {two}",
    ]  # fmt: skip
    return chance.choice([*plain, *special])


def _table(words: Sequence[str], chance: random.Random) -> str:
    width = chance.randint(2, 5)
    before, between, after = chance.choice(
        [("", ",", ""), ("", "\t", ""), ("| ", " | ", " |"), ("", ";", ""), ("", "  ", "")]
    )
    digits = chance.choice([0, 2])
    lines = []
    for _ in range(chance.randint(2, 8)):
        numbers = (f"{chance.uniform(0, 1000):.{digits}f}" for _ in range(width))
        cells = [number if chance.random() < 0.5 else chance.choice(words) for number in numbers]
        lines.append(before + between.join(cells) + after)
    return "\n".join(lines)
