"""heliport, a HeLI identifier of 220 languages, where the user has installed it.

It is licensed GPL-3.0, this project is not: it is no dependency, nothing of it is copied here, and whoever passes on
the two together must follow its license.
"""

from __future__ import annotations

import math

import pyarrow as pa

from curation.langid import codes
from curation.langid.identifier import CANDIDATES, Ranked, as_ranked
from curation.langid.scripts import Scripts
from open_ml_embed.core.optional import require


class Heliport:
    """heliport's model, with its own thresholds below which it says `und`.

    It scores a language by the mean negative decimal logarithm of its words' and n-grams' probabilities. Confidence
    is the share of a candidate among the five likeliest, `10 ** -score`; always of five, so that it does not depend on
    how many answers are wanted.
    """

    calibration = "heliport"

    def __init__(self) -> None:
        heliport = require("heliport", what="the heliport backend (GPL-3.0)", where="languages.backend")
        self._model = heliport.Identifier()
        self._margins: dict[str, float] = self._model.get_confidence_all()
        self._numbers = {name: number for number, name in enumerate(self._margins)}
        self.labels = codes.parsed(self._margins, "tagged")

    @property
    def claimed(self) -> frozenset[str]:
        """The languages that it has a threshold for."""
        return codes.languages_of(self.labels)

    def ranked(self, texts: pa.StringArray, scripts: Scripts, k: int) -> Ranked:
        """Return the likeliest languages of each text, at most five; none below heliport's threshold for the first."""
        return as_ranked([self._found(text) for text in texts.to_pylist()])

    def _found(self, text: str | None) -> list[tuple[int, float]]:
        ranked = self._model.identify_topk_with_score(text or "", CANDIDATES)
        ranked = [(label, score) for label, score in ranked if label in self._margins]  # its `und` and `zxx` have none
        if not ranked:
            return []
        (best, lowest), *others = ranked
        if others and others[0][1] - lowest < self._margins[best]:
            return []
        weights = [10 ** (lowest - score) for _, score in ranked]
        whole = math.fsum(weights)
        return [(self._numbers[label], weight / whole) for (label, _), weight in zip(ranked, weights, strict=True)]


def load(model: str | None) -> Heliport:
    """Return heliport, which has one model, its own."""
    return Heliport()
