"""Backend `heliport`: a HeLI identifier of 220 languages, if the user has installed it.

heliport is licensed under GPL-3.0, unlike this project. It is therefore not a dependency, and none of its code is
copied here. Anyone who distributes both together must comply with its license.
"""

from __future__ import annotations

import math

import pyarrow as pa

from curation.langid import codes
from curation.langid.identifier import CANDIDATES, Ranked, as_ranked
from curation.langid.scripts import Scripts
from open_ml_embed.core.optional import require


class Heliport:
    """heliport's model, with its thresholds for each language, below which the answer is `und`.

    heliport scores a language by the mean negative decimal logarithm of the probabilities of words and n-grams. The
    score returned here is `10 ** -score`, normalized over the five likeliest languages. It always uses five, so that it
    does not depend on the number of answers requested.
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
        """The languages that heliport has a threshold for."""
        return codes.languages_of(self.labels)

    def ranked(self, texts: pa.StringArray, scripts: Scripts, k: int) -> Ranked:
        """Return at most five languages of each text; no answer if the first one is below its threshold."""
        return as_ranked([self._detect(text) for text in texts.to_pylist()])

    def _detect(self, text: str | None) -> list[tuple[int, float]]:
        ranked = self._model.identify_topk_with_score(text or "", CANDIDATES)
        ranked = [
            (label, score) for label, score in ranked if label in self._margins
        ]  # `und` and `zxx` have no threshold
        if not ranked:
            return []
        (best, lowest), *others = ranked
        if others and others[0][1] - lowest < self._margins[best]:
            return []
        weights = [10 ** (lowest - score) for _, score in ranked]
        whole = math.fsum(weights)
        return [(self._numbers[label], weight / whole) for (label, _), weight in zip(ranked, weights, strict=True)]


def load(model: str | None) -> Heliport:
    """Return heliport; `model` is ignored, since heliport contains its only model."""
    return Heliport()
