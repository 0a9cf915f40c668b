"""Compact Language Detector 2, which needs neither network nor model file (`pycld2`, Apache-2.0)."""

from __future__ import annotations

import pyarrow as pa

from curation.langid import codes
from curation.langid.identifier import UNDETERMINED, Ranked, as_ranked
from curation.langid.scripts import Scripts
from open_ml_embed.core.optional import require


class Cld2:
    """Quadgram naive Bayes over 160 languages; says `und` when it finds its own answer unreliable."""

    calibration = "cld2"

    def __init__(self) -> None:
        pycld2 = require("pycld2", what="the cld2 backend", where="languages.backend")
        self._cld2 = pycld2
        names = sorted({code for _, code in pycld2.LANGUAGES} | {"un"})
        self._numbers = {name: number for number, name in enumerate(names)}
        self.labels = codes.parsed(names, "cld2")
        detected = set(pycld2.DETECTED_LANGUAGES)
        self._claimed = codes.languages_of(
            self.labels[self._numbers[code]] for name, code in pycld2.LANGUAGES if name in detected
        )

    @property
    def claimed(self) -> frozenset[str]:
        """What CLD2 says it detects, jokes and names of scripts left out."""
        return self._claimed

    def ranked(self, texts: pa.StringArray, scripts: Scripts, k: int) -> Ranked:
        """Return the languages of each text by their share of it (CLD2's own percentage), at most three."""
        return as_ranked([self._found(text) for text in texts.to_pylist()])

    def _found(self, text: str | None) -> list[tuple[int, float]]:
        try:
            reliable, _, found = self._cld2.detect(text or "", bestEffort=True)
        except self._cld2.error:  # control characters and other bytes that CLD2 refuses
            return []
        if not reliable:
            return []
        best, *others = [(self._numbers[code], percent / 100) for _, code, percent, _ in found]
        if self._names_no_language(best):
            return []
        return [best, *(other for other in others if not self._names_no_language(other))]

    def _names_no_language(self, answer: tuple[int, float]) -> bool:
        return self.labels[answer[0]].code == UNDETERMINED


def load(model: str | None) -> Cld2:
    """Return CLD2, which has one model, its own."""
    return Cld2()
