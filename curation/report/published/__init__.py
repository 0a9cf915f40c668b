"""Published figures that the report puts beside those of a build: files in this folder, which name their sources."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from curation.langid.code_names import code_name

KALM = "KaLM-Embedding"
"""Name of the corpus that the report compares with."""
KALM_SHARES = {"English": 0.494, "Chinese": 0.444, "other": 0.063}
"""Its languages as arXiv 2603.19223 (figure 3) gives them; they add up to 1.001 by rounding there."""


@dataclass(frozen=True)
class KalmDataset:
    """A data set of KaLM-Embedding's open training data.

    Attributes:
        name: of the data set.
        language: `en`, `zh`, `multi` or `en/code`.
        pairs: after the decontamination of arXiv 2604.02045; null: unknown, since dropped there.
        sources: our sources with the same data.
        related: our sources with another version of the data.

    """

    name: str
    language: str
    pairs: int | None
    sources: tuple[str, ...]
    related: tuple[str, ...]


@cache
def languages() -> dict[str, tuple[str, int]]:
    """Return ISO 639-3 code → (name, samples) of the published corpus."""
    return {code: (name, int(samples)) for code, name, samples in _rows("languages.tsv")}


@cache
def programming_languages() -> dict[str, int]:
    """Return programming language → samples of the published corpus, under our names; its `csharp` is `c#` too."""
    counts: dict[str, int] = {}
    for label, samples in _rows("programming_languages.tsv"):
        name = code_name(label) or label.lower()
        counts[name] = counts.get(name, 0) + int(samples)
    return counts


@cache
def labels() -> int:
    """Return the number of labels of programming languages as published."""
    return len(_rows("programming_languages.tsv"))


@cache
def kalm_datasets() -> tuple[KalmDataset, ...]:
    """Return the data sets of KaLM-Embedding, the largest first; those of unknown size last."""
    found = (
        KalmDataset(name, language, int(pairs) if pairs else None, _names(sources), _names(related))
        for name, language, _, pairs, sources, related in _rows("kalm.tsv")
    )
    return tuple(sorted(found, key=lambda d: (-(d.pairs or 0), d.name)))


def _names(cell: str) -> tuple[str, ...]:
    return tuple(name for name in cell.split(",") if name)


def _rows(name: str) -> list[list[str]]:
    lines = (files("curation.report") / "published" / name).read_text("utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")][1:]
