"""Compact Language Detector 2, the default that needs neither network nor model file (`pycld2`, Apache-2.0)."""

from __future__ import annotations

import pyarrow as pa

from curation.langid.identifier import UNDETERMINED
from sources.languages import LanguageCodeError, tag_of

_OWN = {"iw": "heb", "jw": "jav", "tl": "tgl", "mo": "ron", "sh": "hbs", "no": "nob", "zh": "zho", "zh-Hant": "zho"}


class Cld2:
    """Quadgram naive Bayes over 178 claimed languages; says `und` when it finds its own answer unreliable."""

    def __init__(self) -> None:
        self._iso3: dict[str, str] = {"un": UNDETERMINED}

    def codes(self, texts: pa.StringArray) -> tuple[list[str], list[float]]:
        """Return codes and the share of the text in that language (CLD2's own percentage)."""
        import pycld2

        codes, shares = [], []
        for text in texts.to_pylist():
            try:
                reliable, _, found = pycld2.detect(text or "", bestEffort=True)
            except pycld2.error:  # control characters and other bytes that CLD2 refuses
                reliable, found = False, [("", "un", 0, 0.0)]
            _, code, percent, _ = found[0]
            codes.append(self._code(code) if reliable else UNDETERMINED)
            shares.append(percent / 100 if reliable else 0.0)
        return codes, shares

    def _code(self, code: str) -> str:
        if code not in self._iso3:
            try:
                self._iso3[code] = _OWN.get(code) or tag_of(code).split("-")[0]
            except LanguageCodeError:  # CLD2 also names scripts, as xx-Goth
                self._iso3[code] = UNDETERMINED
        return self._iso3[code]
