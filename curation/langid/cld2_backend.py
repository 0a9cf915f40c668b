"""Compact Language Detector 2, which needs neither network nor model file (`pycld2`, Apache-2.0)."""

from __future__ import annotations

import pyarrow as pa

from curation.langid import codes
from curation.langid.identifier import UNDETERMINED, list_array

_NOTHING = [(UNDETERMINED, 0.0)]


class Cld2:
    """Quadgram naive Bayes over 160 languages; says `und` when it finds its own answer unreliable."""

    def __init__(self) -> None:
        import pycld2

        self._cld2 = pycld2
        self._codes = codes.parsed({code for _, code in pycld2.LANGUAGES}, "cld2") | {"un": UNDETERMINED}
        detected = set(pycld2.DETECTED_LANGUAGES)
        self._claimed = codes.languages_of(self._codes[code] for name, code in pycld2.LANGUAGES if name in detected)

    @property
    def claimed(self) -> frozenset[str]:
        """What CLD2 says it detects, jokes and names of scripts left out."""
        return self._claimed

    def codes(self, texts: pa.StringArray) -> tuple[list[str], list[float]]:
        """Return codes and the share of the text in that language (CLD2's own percentage)."""
        best = [self._found(text)[0] for text in texts.to_pylist()]
        return [code for code, _ in best], [share for _, share in best]

    def top(self, texts: pa.StringArray, k: int) -> pa.ListArray:
        """Return the languages of each text by their share of it, at most three: `ALTERNATIVES`, n."""
        return list_array([self._found(text)[:k] for text in texts.to_pylist()])

    def _found(self, text: str | None) -> list[tuple[str, float]]:
        try:
            reliable, _, found = self._cld2.detect(text or "", bestEffort=True)
        except self._cld2.error:  # control characters and other bytes that CLD2 refuses
            return _NOTHING
        if not reliable:
            return _NOTHING
        best, *others = [(self._codes[code], percent / 100) for _, code, percent, _ in found]
        return [best if best[0] != UNDETERMINED else _NOTHING[0], *(o for o in others if o[0] != UNDETERMINED)]
