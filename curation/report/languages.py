"""Declared languages, and how far the identifier agrees with them."""

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
"""Where langcodes folds a macrolanguage onto a member."""
SHOWN = 20


@dataclass(frozen=True)
class LanguageRow:
    """A declared language; a row counts once for each language it has on either side."""

    code: str
    name: str
    rows: int
    sources: int


def declared(surveys: dict[str, SourceSurvey], *, code: bool) -> list[LanguageRow]:
    """Return the natural or the programming languages, the most rows first."""
    rows: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    for of_source in surveys.values():
        here: Counter[str] = Counter()
        for tags, count in of_source.tags.items():
            for name in {_name(tag) for tag in tags if tag != NO_LANGUAGE and tag.endswith("-Code") == code}:
                here[name] += count
        rows.update(here)
        sources.update(here.keys())
    found = [LanguageRow(c, c if code else english_name(c), n, sources[c]) for c, n in rows.items()]
    return sorted(found, key=lambda row: (-row.rows, row.code))


def _name(tag: str) -> str:
    return tag.rpartition("-")[0]


def english_name(code: str) -> str:
    """Return a language's English name, or its code where there is none on record."""
    name = _NAMES.get(code) or langcodes.Language.get(code).display_name("en")
    return code if name.startswith("Unknown language") else name


@dataclass(frozen=True)
class Agreement:
    """Identified against declared languages of one source, in texts (two a row)."""

    source: str
    texts: int
    """Those that were identified."""
    declared_only: int
    agree: int
    undetermined: int
    strongest: list[tuple[str, str, int]]
    """(declared, identified, texts) of the commonest disagreements; undetermined texts are apart."""
    shown: list[Disagreement]
    """The most confident disagreements, to look at."""
    trust: SourceTrust
    overruled: int
    """Texts whose disagreement is as confident as the policy asks for."""
    dropped: int
    """Rows that the policy leaves out."""

    @property
    def disagree(self) -> int:
        """What is neither agreed nor undetermined."""
        return self.texts - self.agree - self.undetermined


def agreement(identified: StepResult) -> list[Agreement]:
    """Return a row for each source, the least agreeing first."""
    found = []
    for source, entry in identified.stats["sources"].items():
        differing = [
            (was, code, n)
            for was, codes in entry["confusion"].items()
            for code, n in codes.items()
            if code not in NOT_NAMED and not agree(was, code)
        ]
        strongest = sorted(differing, key=lambda d: (-d[2], d[0], d[1]))
        found.append(
            Agreement(  # a file from before there were verdicts lacks what follows them
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
    return sorted(found, key=lambda a: (not a.texts, a.agree / max(a.texts, 1), a.source))


@dataclass(frozen=True)
class Confusion:
    """Shares float64[len(declared), len(identified)] of each declared language's texts; rows add up to 1."""

    declared: list[str]
    identified: list[str]
    shares: F64


def confusion(identified: StepResult, natural: set[str]) -> Confusion | None:
    """Return the matrix of the largest languages; codes that mean the same are folded onto the declared one."""
    texts: dict[str, Counter[str]] = {}
    for entry in identified.stats["sources"].values():
        for was, codes in entry["confusion"].items():
            if was in natural:
                for code, n in codes.items():
                    texts.setdefault(was, Counter())[was if agree(was, code) else code] += n
    largest = sorted(texts, key=lambda was: (-texts[was].total(), was))[:SHOWN]
    if not largest:
        return None
    shares = np.zeros((len(largest), len(largest) + 2))
    for i, was in enumerate(largest):
        for code, n in texts[was].items():
            other = len(largest) + (code in NOT_NAMED)
            shares[i, largest.index(code) if code in largest else other] += n / texts[was].total()
    return Confusion(largest, [*largest, "other", UNDETERMINED], shares)
