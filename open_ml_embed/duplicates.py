"""`find_duplicates`: exact and near-duplicates among texts, verified."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.dedup.api import Compared, compare, signatures
from curation.dedup.settings import DedupSettings, bands_for
from open_ml_embed.core.text.arrays import Texts, one_array, text_array
from open_ml_embed.core.validation_errors import from_arguments
from open_ml_embed.core.words import counted

if TYPE_CHECKING:
    from datasketch import LeanMinHash, MinHashLSH

I64 = npt.NDArray[np.int64]
NO_VALUE = 2**32 - 1
"""What a signature of no shingle has everywhere."""


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Which of n texts are duplicates, and of which.

    Of each cluster the first text stays. Every duplicate resembles the text that stays for it: their Jaccard index is
    at the threshold or above.

    Attributes:
        table: pyarrow.Table of n rows: `row` int64 (0 … n - 1), `cluster` int64 (the row that stays for it),
            `component` int64 (the first row reached over near-duplicates of near-duplicates), `keep` bool, `reason`
            string (`exact-duplicate`: equal but for case and white space; `near-duplicate`; null where it stays).
        threshold: of the Jaccard index of the texts' shingles, from which two texts are near-duplicates.
        settings: num_perm, bands and shingle, as datasketch names them.

    """

    table: pa.Table
    threshold: float
    settings: DedupSettings
    _texts: pa.Array
    _compared: Compared

    @property
    def kept(self) -> I64:
        """The rows that stay: int64, ascending."""
        return np.flatnonzero(self.table["keep"].to_numpy())

    @property
    def selected(self) -> list[str]:
        """The texts that stay, in order."""
        texts: list[str] = self._texts.take(pa.array(self.kept)).to_pylist()
        return texts

    @cached_property
    def duplicates(self) -> pa.Table:
        """The rows that go: `row` int64, `kept` int64 (which row stays for it), `reason` string, `jaccard` float64.

        The Jaccard index is the true one of the two texts' sets of shingles, not an estimate by signatures.
        """
        gone = self.table.filter(pc.invert(self.table["keep"]))
        row, kept = gone["row"].to_numpy(), gone["cluster"].to_numpy()
        columns = [gone["row"], gone["cluster"], gone["reason"], pa.array(self._compared.jaccard(row, kept))]
        return pa.table(columns, names=["row", "kept", "reason", "jaccard"])

    @property
    def clusters(self) -> list[list[int]]:
        """The rows of every cluster of two or more: the one that stays first, then its duplicates in order."""
        groups: dict[int, list[int]] = {}
        for row, kept in zip(self.duplicates["row"].to_pylist(), self.duplicates["kept"].to_pylist(), strict=True):
            groups.setdefault(kept, [kept]).append(row)
        return [groups[kept] for kept in sorted(groups)]

    def rethreshold(self, threshold: float) -> Duplicates:
        """Return the duplicates at a higher threshold; no text is read again, as pairs were verified in full.

        Raises:
            ValueError: (a `CorpusError`) it is below the threshold of the search, or above 1.

        """
        return Duplicates(self._compared.clusters(threshold), threshold, self.settings, self._texts, self._compared)

    def minhash(self, texts: Texts) -> list[LeanMinHash]:
        """Return datasketch's MinHash of any texts, as `to_datasketch` has them: made of this project's shingles.

        A text with fewer tokens than a shingle has an empty one, which no index finds. Do not compare them with
        MinHashes that datasketch made: their shingles and permutations are others.

        Args:
            texts: as in `find_duplicates`; these or new ones.

        """
        from datasketch import LeanMinHash

        signed, enough = signatures(text_array(texts, nulls=False), self.settings)
        signed[~enough] = NO_VALUE
        return [LeanMinHash(seed=self.settings.seed, hashvalues=values, scheme="affine32") for values in signed]

    def to_datasketch(self) -> MinHashLSH:
        """Return an index of the texts that stay, by row, to ask about texts that come later.

        Its bands are those of the search, so `index.query(found.minhash(["a new text"])[0])` gives the rows that may be
        near-duplicates of a new text. Texts with fewer tokens than a shingle are not in it.

        """
        from datasketch import MinHashLSH

        bands, values = self.settings.bands, self.settings.num_perm // self.settings.bands
        index = MinHashLSH(threshold=self.threshold, num_perm=self.settings.num_perm, params=(bands, values))
        with index.insertion_session() as session:
            for row, one in zip(self.kept.tolist(), self.minhash(self._texts.take(pa.array(self.kept))), strict=True):
                if (one.hashvalues != NO_VALUE).any():
                    session.insert(row, one)
        return index

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        reasons = self.table["reason"].to_pylist()
        exact, near = reasons.count("exact-duplicate"), reasons.count("near-duplicate")
        gone = f"{counted(exact, 'exact duplicate')}, {counted(near, 'near-duplicate')}"
        kept = f"{len(self) - exact - near:,} kept"
        return f"Duplicates({counted(len(self), 'text')}: {kept}, {gone} at threshold {self.threshold:g})"


def find_duplicates(
    texts: Texts,
    threshold: float = 0.8,
    *,
    shingle: int = 5,
    num_perm: int = 128,
    bands: int | None = None,
    seed: int = 1,
) -> Duplicates:
    """Find exact and near-duplicates among n texts: MinHash, banding, and the true Jaccard index of every candidate.

    Args:
        texts: n texts, as in `identify`; the first of a cluster stays.
        threshold: of the Jaccard index, above 0, at most 1.
        shingle: tokens a shingle: words, or characters in scripts that write no spaces. A text with fewer resembles
            only what equals it but for case and white space.
        num_perm: values of a signature, a multiple of 64.
        bands: that a signature is cut into; null: so that of pairs at the threshold at most one in 200 is missed.
        seed: of the permutations.

    Returns:
        What stays, what goes, and why.

    Raises:
        ValueError: (a `CorpusError`) these are no texts, one is missing, or a number cannot be.

    Source: Broder 1997 (MinHash); Indyk and Motwani 1998 (banding). docs/dedup.md says how, and what it costs.

    >>> import open_ml_embed as ome
    >>> text = "a railway line of some length runs from the harbor of the old town to the hills behind it"
    >>> found = ome.find_duplicates([text, text.upper(), text + " today", "another text"])
    >>> found.table["reason"].to_pylist()
    [None, 'exact-duplicate', 'near-duplicate', None]
    >>> found.rethreshold(0.99).kept.tolist()
    [0, 2, 3]

    """
    values = {"threshold": threshold, "shingle": shingle, "num_perm": num_perm, "seed": seed}
    settings = from_arguments(DedupSettings, "find_duplicates", values | ({} if bands is None else {"bands": bands}))
    if bands is None:
        settings = settings.model_copy(update={"bands": bands_for(settings.threshold, settings.num_perm)})
    array = one_array(text_array(texts, nulls=False))
    compared = compare(array, settings)
    return Duplicates(compared.clusters(settings.threshold), settings.threshold, settings, array, compared)
