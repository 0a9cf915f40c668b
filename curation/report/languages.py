"""Declared languages, and their agreement with the identified ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import langcodes
import numpy as np

from curation.build import StepResult
from curation.langid.identifier import UNDETERMINED
from curation.langid.settings import SourceTrust
from curation.langid.step.verdicts import NOT_NAMED, Disagreement, agree
from curation.report.shard_statistics import SourceSurvey
from open_ml_embed.core.array_types import F64
from sources.languages import NO_LANGUAGE

_NAMES = {"hbs": "Serbo-Croatian"}
"""Names of macrolanguages that langcodes replaces by one member."""
SHOWN = 20
"""Languages of the confusion matrix."""


@dataclass(frozen=True)
class LanguageRow:
    """A declared language and its rows; a row counts once for each language of its query and positive."""

    code: str
    name: str
    rows: int
    sources: int


def declared(surveys: dict[str, SourceSurvey], *, code: bool) -> list[LanguageRow]:
    """Return the declared languages, those with the most rows first.

    Args:
        surveys: of all sources.
        code: true: programming languages; false: natural languages.

    """
    rows: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    for of_source in surveys.values():
        rows_of_source: Counter[str] = Counter()
        for tags, count in of_source.tags.items():
            for name in {_name(tag) for tag in tags if tag != NO_LANGUAGE and tag.endswith("-Code") == code}:
                rows_of_source[name] += count
        rows.update(rows_of_source)
        sources.update(rows_of_source.keys())
    results = [LanguageRow(c, c if code else english_name(c), n, sources[c]) for c, n in rows.items()]
    return sorted(results, key=lambda row: (-row.rows, row.code))


def _name(tag: str) -> str:
    return tag.rpartition("-")[0]


def english_name(code: str) -> str:
    """Return the English name of a language, or its code if there is no name."""
    name = _NAMES.get(code) or langcodes.Language.get(code).display_name("en")
    return code if name.startswith("Unknown language") else name


@dataclass(frozen=True)
class Agreement:
    """Agreement of declared and identified languages of one source, counted in texts (two for each row)."""

    source: str
    texts: int
    """Texts that were identified."""
    declared_only: int
    """Texts that are not identified, such as code: only the source declares their language."""
    agree: int
    undetermined: int
    strongest: list[tuple[str, str, int]]
    """(declared, identified, texts) of the most frequent disagreements; undetermined texts are not among them."""
    shown: list[Disagreement]
    """The most confident disagreements, as examples."""
    trust: SourceTrust
    overruled: int
    """Texts whose disagreement has the confidence that the policy requires."""
    dropped: int
    """Rows that the policy drops."""

    @property
    def disagree(self) -> int:
        """Number of texts that neither agree nor are undetermined."""
        return self.texts - self.agree - self.undetermined


def agreement(identified: StepResult) -> list[Agreement]:
    """Return the agreement of each source, the lowest first."""
    results = []
    for source, entry in identified.stats["sources"].items():
        differing = [
            (declared_code, code, n)
            for declared_code, codes in entry["confusion"].items()
            for code, n in codes.items()
            if code not in NOT_NAMED and not agree(declared_code, code)
        ]
        strongest = sorted(differing, key=lambda d: (-d[2], d[0], d[1]))
        results.append(
            Agreement(  # statistics of an older version have no entries about verdicts
                source,
                entry["texts"] - entry.get("declared-only", 0),
                entry.get("declared-only", 0),
                entry["agree"],
                entry["undetermined"],
                strongest,
                entry.get("disagreements", []),
                SourceTrust.model_validate(entry.get("trust", {})),
                entry.get("overruled", 0),
                sum(entry.get("dropped", {}).values()),
            )
        )
    return sorted(results, key=lambda a: (not a.texts, a.agree / max(a.texts, 1), a.source))


@dataclass(frozen=True)
class Confusion:
    """Confusion matrix.

    Attributes:
        declared: languages of the lines.
        identified: languages of the columns, then `other` and undetermined.
        shares: float64[len(declared), len(identified)], shares of the texts of each declared language; lines sum to 1.

    """

    declared: list[str]
    identified: list[str]
    shares: F64


def confusion(identified: StepResult, natural: set[str]) -> Confusion | None:
    """Return the confusion matrix of the largest languages; null if there is none.

    An identified code that agrees with the declared one (as a member of a macrolanguage does) counts as the declared.

    Args:
        identified: result of step `identify`.
        natural: codes of the declared natural languages.

    """
    texts: dict[str, Counter[str]] = {}
    for entry in identified.stats["sources"].values():
        for declared_code, codes in entry["confusion"].items():
            if declared_code in natural:
                for code, n in codes.items():
                    texts.setdefault(declared_code, Counter())[
                        declared_code if agree(declared_code, code) else code
                    ] += n
    largest = sorted(texts, key=lambda declared_code: (-texts[declared_code].total(), declared_code))[:SHOWN]
    if not largest:
        return None
    shares = np.zeros((len(largest), len(largest) + 2))
    for i, declared_code in enumerate(largest):
        for code, n in texts[declared_code].items():
            other_column = len(largest) + (code in NOT_NAMED)
            shares[i, largest.index(code) if code in largest else other_column] += n / texts[declared_code].total()
    return Confusion(largest, [*largest, "other", UNDETERMINED], shares)
