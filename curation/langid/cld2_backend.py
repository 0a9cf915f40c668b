"""Backend `cld2`: Compact Language Detector 2 (`pycld2`, Apache-2.0), which needs neither network nor model file."""

from __future__ import annotations

import pyarrow as pa

from curation.langid import codes
from curation.langid.identifier import UNDETERMINED, Ranked, as_ranked
from curation.langid.scripts import Scripts
from open_ml_embed.core.optional import require


class Cld2:
    """Quadgram naive Bayes classifier of 160 languages; answers `und` if CLD2 reports its result as unreliable."""

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
        """The languages that CLD2 detects according to itself, without joke languages and names of scripts."""
        return self._claimed

    def ranked(self, texts: pa.StringArray, scripts: Scripts, k: int) -> Ranked:
        """Return at most three languages of each text; the score is the share of the text, from CLD2's percentage."""
        return as_ranked([self._detect(text) for text in texts.to_pylist()])

    def _detect(self, text: str | None) -> list[tuple[int, float]]:
        try:
            reliable, _, detected = self._cld2.detect(text or "", bestEffort=True)
        except self._cld2.error:  # control characters and other bytes that CLD2 refuses
            return []
        if not reliable:
            return []
        best, *others = [(self._numbers[code], percent / 100) for _, code, percent, _ in detected]
        if self._names_no_language(best):
            return []
        return [best, *(other for other in others if not self._names_no_language(other))]

    def _names_no_language(self, answer: tuple[int, float]) -> bool:
        return self.labels[answer[0]].code == UNDETERMINED


def load(model: str | None) -> Cld2:
    """Return CLD2; `model` is ignored, since CLD2 contains its only model."""
    return Cld2()
