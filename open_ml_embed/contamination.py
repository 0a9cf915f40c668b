"""`find_contamination`: which texts hold texts of an evaluation set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.decontamination.api import overlaps
from curation.decontamination.settings import DecontaminationSettings
from open_ml_embed.core.text.arrays import Texts, one_array, text_array
from open_ml_embed.core.validation_errors import from_arguments
from open_ml_embed.core.words import counted


@dataclass(frozen=True, eq=False)
class Contamination:
    """Which of n texts hold which of m evaluation texts.

    Attributes:
        hits: pyarrow.Table, a row for each pair, by text: `row` int64 (0 … n - 1), `evaluated` int64 (0 … m - 1),
            `reason` string (`exact`: equal but for case, white space and outer punctuation; `near`: Jaccard index of
            the shingles; `contained`: a part of the text), `score` float32 (1, the Jaccard index, or the share of the
            evaluation text that is there).
        contaminated: bool[n], which texts have a hit.

    """

    hits: pa.Table
    contaminated: npt.NDArray[np.bool_]
    _texts: pa.Array

    @property
    def table(self) -> pa.Table:
        """The same as `hits`."""
        return self.hits

    @property
    def clean(self) -> npt.NDArray[np.int64]:
        """The rows without a hit: int64, ascending."""
        return np.flatnonzero(~self.contaminated)

    @property
    def selected(self) -> list[str]:
        """The texts without a hit, in order."""
        texts: list[str] = self._texts.take(pa.array(self.clean)).to_pylist()
        return texts

    def __len__(self) -> int:
        return len(self.contaminated)

    def __repr__(self) -> str:
        counts = {entry["values"]: entry["counts"] for entry in self.hits["reason"].value_counts().to_pylist()}
        reasons = ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))
        return (
            f"Contamination({counted(len(self), 'text')}: {int(self.contaminated.sum()):,} contaminated, "
            f"{counted(self.hits.num_rows, 'pair')}{f': {reasons}' if reasons else ''})"
        )


def find_contamination(
    texts: Texts,
    evaluation: Texts,
    *,
    shortest: int = 3,
    ngram: int = 8,
    run: int = 13,
    share: float = 0.7,
    shingle: int = 5,
    threshold: float = 0.8,
) -> Contamination:
    """Find which of n texts hold a text of an evaluation set, as a whole, nearly, or as a part.

    Args:
        texts: n texts, as in `identify`.
        evaluation: m texts that must not be trained on, as in `identify`.
        shortest: evaluation texts of fewer words are not looked for.
        ngram: words of the n-grams that are compared.
        run: an unbroken run of so many words of an evaluation text is contamination.
        share: so is a text of which n-grams cover this share of an evaluation text.
        shingle: tokens a shingle, for near-duplicates.
        threshold: of the Jaccard index of shingles, from which two texts are near-duplicates.

    Returns:
        A mask of the texts, and the pairs with their reasons.

    Raises:
        ValueError: (a `CorpusError`) these are no texts, one is missing, or a number cannot be.

    Source: docs/decontamination.md, which also says what it costs.

    >>> import open_ml_embed as ome
    >>> text = "The harbor is for ships that come from the sea to the old town, and for no others."
    >>> found = ome.find_contamination([text, "a text"], ["ships that come from the sea to the old town"])
    >>> found.contaminated.tolist(), found.hits["reason"].to_pylist()
    ([True, False], ['contained'])

    """
    settings = from_arguments(
        DecontaminationSettings,
        "find_contamination",
        {"shortest": shortest, "ngram": ngram, "run": run, "share": share, "shingle": shingle, "threshold": threshold},
    )
    array = one_array(text_array(texts, nulls=False))
    hits = overlaps(array, text_array(evaluation, "evaluation", nulls=False), settings)
    contaminated = np.zeros(len(array), np.bool_)
    contaminated[hits["row"].to_numpy()] = True
    return Contamination(hits, contaminated, array)
