"""heliport, a HeLI identifier of 220 languages, where the user has installed it.

It is licensed GPL-3.0, this project is not: it is no dependency, nothing of it is copied here, and whoever passes on
the two together must follow its licence.
"""

from __future__ import annotations

import importlib
import math
from typing import Any

import pyarrow as pa

from curation.langid import codes
from curation.langid.identifier import UNDETERMINED, list_array
from sources.errors import MissingToolError

_CANDIDATES = 5
"""Always asked for, so that a confidence does not depend on how many answers are wanted."""
_NOTHING = [(UNDETERMINED, 0.0)]


class Heliport:
    """heliport's model, with its own thresholds below which it says `und`.

    It scores a language by the mean negative decimal logarithm of its words' and n-grams' probabilities. Confidence
    is the share of a candidate among the five likeliest, `10 ** -score`: comparable within a model, not calibrated.
    """

    def __init__(self) -> None:
        try:
            heliport: Any = importlib.import_module("heliport")
        except ImportError:
            raise MissingToolError(
                "the heliport backend is not installed",
                where="languages.backend",
                remedy="pip install heliport (its licence is GPL-3.0)",
            ) from None
        self._model = heliport.Identifier()
        self._margins: dict[str, float] = self._model.get_confidence_all()
        self._codes = codes.parsed(self._margins, "tagged")

    @property
    def claimed(self) -> frozenset[str]:
        """The languages that it has a threshold for."""
        return codes.languages_of(self._codes.values())

    def codes(self, texts: pa.StringArray) -> tuple[list[str], list[float]]:
        """Return codes and confidence; `und` below heliport's own threshold for the language."""
        best = [self._found(text)[0] for text in texts.to_pylist()]
        return [code for code, _ in best], [share for _, share in best]

    def top(self, texts: pa.StringArray, k: int) -> pa.ListArray:
        """Return the likeliest languages of each text, at most five: `ALTERNATIVES`, n."""
        return list_array([self._found(text)[:k] for text in texts.to_pylist()])

    def _found(self, text: str | None) -> list[tuple[str, float]]:
        ranked = self._model.identify_topk_with_score(text or "", _CANDIDATES)
        ranked = [(label, score) for label, score in ranked if label in self._margins]  # its `und` and `zxx` have none
        if not ranked:
            return _NOTHING
        (best, lowest), *others = ranked
        if others and others[0][1] - lowest < self._margins[best]:
            return _NOTHING
        weights = [10 ** (lowest - score) for _, score in ranked]
        whole = math.fsum(weights)
        return [(self._codes[label], weight / whole) for (label, _), weight in zip(ranked, weights, strict=True)]
