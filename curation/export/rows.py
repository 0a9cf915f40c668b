"""The samples of an export with their texts, batch by batch in the order to write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.export.mapped import MappedColumn, mapped_columns
from curation.export.selection import Selection
from curation.mixing.files import MixFiles
from open_ml_embed.core.array_types import I64, Mask
from open_ml_embed.core.errors import StageError
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.text.arrays import list_starts
from open_ml_embed.core.text.instructed import instructed, split_instructed

BATCH_ROWS = 1024
"""Samples whose texts are in memory at once."""


@dataclass(frozen=True)
class Batch:
    """Some samples of one family.

    Attributes:
        ids: string[n], the row ids of the mix.
        queries: large_string[n], as the mix has them, with their instructions.
        instructions: large_string[n], the instruction alone; null where the mix has none.
        bare_queries: large_string[n], the queries without it.
        positives: large_list<int64>[n], numbers of documents, the sample's own first.
        negatives: large_list<int64>[n], numbers of documents, as many as are to be written.

    """

    ids: pa.Array
    queries: pa.Array
    instructions: pa.Array | None
    bare_queries: pa.Array
    positives: pa.Array
    negatives: pa.Array

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def first_positives(self) -> I64:
        """Return int64[n], the number of each sample's own positive."""
        numbers: I64 = self.positives.flatten().to_numpy()[list_starts(self.positives)[:-1]]
        return numbers

    def negatives_by_column(self, width: int) -> I64:
        """Return int64[n, width], the numbers of the negatives, where every sample has `width` of them."""
        numbers: I64 = self.negatives.flatten().to_numpy().reshape(len(self), width)
        return numbers


class Rows:
    """What an exporter reads: the chosen samples and the documents that they name."""

    def __init__(
        self, mix: MixFiles, selection: Selection, scratch: Path, *, most: dict[str, int | None], same: bool
    ) -> None:
        """Copy what will be looked up.

        Args:
            mix: whose samples.
            selection: which, and in which order.
            scratch: a folder for the copies; whoever makes it deletes it.
            most: family → most negatives a row; null: all.
            same: whether every row gets so many, those with fewer repeating theirs.

        """
        self.selection = selection
        self._mix, self._scratch, self._most, self._same = mix, scratch, most, same
        self._numbers = np.sort(selection.rows)
        self._instructed = True
        self._named: Mask = np.zeros(mix.rows("documents"), np.bool_)
        kinds = {"row_id": "string", "query": "string", "positives": "ids", "negatives": "ids"}
        self._samples = mapped_columns(scratch / "samples", kinds, self._copied())
        self._documents: MappedColumn | None = None
        self._document_numbers = np.flatnonzero(self._named)

    @property
    def split(self) -> str:
        """The split that they are of."""
        return self.selection.split

    @property
    def families(self) -> list[str]:
        """The families that there are."""
        return list(self.selection.families)

    @property
    def instructed(self) -> bool:
        """Tell whether all queries carry an instruction."""
        return self._instructed

    def width(self, family: str) -> int | None:
        """Return the most negatives a row of a family; null: there is no limit."""
        return self._most[family]

    def batches(self, family: str, chosen: I64 | None = None) -> Iterator[Batch]:
        """Yield the samples of a family in order, at most `BATCH_ROWS` at a time.

        Args:
            family: of the samples.
            chosen: int64[m], places of some of them in `selection.rows`, in the order to yield; null: all.

        """
        rows = self.selection.of(family) if chosen is None else self.selection.rows[chosen]
        for first in range(0, len(rows), BATCH_ROWS):
            places = np.searchsorted(self._numbers, rows[first : first + BATCH_ROWS])
            taken = {name: column.take(places) for name, column in self._samples.items()}
            queries, instructions, bare = taken["query"], None, taken["query"]
            if self._instructed:
                instructions, bare = split_instructed(queries)
            negatives = first_of(taken["negatives"], self._most[family], same=self._same)
            yield Batch(taken["row_id"], queries, instructions, bare, taken["positives"], negatives)

    def texts(self, numbers: I64) -> pa.Array:
        """Return the texts of documents by number, large_string, in the order asked for."""
        if self._documents is None:
            columns = mapped_columns(self._scratch / "documents", {"text": "string"}, self.documents())
            self._documents = columns["text"]
        return self._documents.take(np.searchsorted(self._document_numbers, numbers))

    def texts_of(self, lists: pa.Array) -> pa.Array:
        """Return the texts of lists of numbers: large_list<large_string>."""
        starts = list_starts(lists)
        return pa.LargeListArray.from_arrays(pa.array(starts.astype(np.int64)), self.texts(lists.flatten().to_numpy()))

    def documents(self) -> Iterator[pa.RecordBatch]:
        """Yield `document_id` and `text` of every document that a row names, in order of number, each once.

        Raises:
            StageError: the documents are not numbered from 0.

        """
        for first, batch in self._mix.numbered_documents(["text"]):
            named = batch.filter(pa.array(self._named[first : first + batch.num_rows]))
            if named.num_rows:
                yield named

    def _copied(self) -> Iterator[pa.RecordBatch]:
        """Yield the chosen samples in file order, and note which documents they name."""
        columns = ["row_id", "family", "query", "positive_id", "other_positive_ids", "negative_ids"]
        first = 0
        for batch in self._mix.read(self.split, columns):
            begin, end = np.searchsorted(self._numbers, [first, first + batch.num_rows])
            chosen = batch.take(pa.array(self._numbers[begin:end] - first))
            first += batch.num_rows
            if not chosen.num_rows:
                continue
            self._instructed = self._instructed and pc.all(instructed(chosen["query"])).as_py()
            positives = _with_first(chosen["positive_id"], chosen["other_positive_ids"])
            self._note(positives)
            for family, most in self._most.items():
                of_family = chosen["negative_ids"].filter(pc.equal(chosen["family"], family))
                self._note(first_of(of_family, most, same=False))
            yield pa.record_batch(
                {
                    "row_id": chosen["row_id"],
                    "query": chosen["query"],
                    "positives": positives,
                    "negatives": chosen["negative_ids"],
                }
            )

    def _note(self, lists: pa.Array) -> None:
        numbers = lists.flatten().to_numpy()
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(self._named):
            raise StageError(
                f"samples name the document {numbers.max():,}, and there are {len(self._named):,}",
                where=str(self._mix.root),
                remedy="make the mix again",
            )
        self._named[numbers] = True


def first_of(lists: pa.Array, most: int | None, *, same: bool) -> pa.Array:
    """Return the first `most` of every list of numbers.

    Args:
        lists: list<int64>[n].
        most: how many; null: all.
        same: whether a list with fewer, but at least one, repeats them from the first until it has so many.

    """
    starts = list_starts(lists).astype(np.int64)
    lengths = np.diff(starts)
    values = lists.flatten().to_numpy()
    starts = starts[:-1] - (starts[0] if len(starts) else 0)
    taken = lengths if most is None else np.full_like(lengths, most) if same else np.minimum(lengths, most)
    ends = offsets_of(taken)
    within = np.arange(ends[-1]) - np.repeat(ends[:-1], taken)
    places = np.repeat(starts, taken) + within % np.repeat(np.maximum(lengths, 1), taken)
    return pa.LargeListArray.from_arrays(pa.array(ends), pa.array(values[places], pa.int64()))


def _with_first(first: pa.Array, others: pa.Array) -> pa.Array:
    """Return lists with a number put in front of each."""
    lengths = np.diff(list_starts(others))
    ends = offsets_of(lengths + 1)
    values = np.empty(ends[-1], np.int64)
    heads = np.zeros(ends[-1], np.bool_)
    heads[ends[:-1]] = True
    values[heads] = first.to_numpy()
    values[~heads] = others.flatten().to_numpy()
    return pa.LargeListArray.from_arrays(pa.array(ends), pa.array(values))
