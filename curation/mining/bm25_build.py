"""Builds the index of BM25 in a bounded amount of memory.

Documents come in chunks. The postings of a chunk are sorted and written to a temporary file. When all documents are
counted, the chunks are read back one by one, and their frequencies become impacts. The arrays of the index are
temporary files, mapped into memory: the system may drop their pages, and the files vanish with the process. `TMPDIR`
names their folder.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from tempfile import TemporaryFile
from typing import Any, NamedTuple

import numpy as np

from curation.mining.bm25 import RANGE, ROW, Index
from open_ml_embed.core.array_types import F32, F64, I32, I64, U16, U64, Array
from open_ml_embed.core.compiled import njit
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.text.tokens import Tokens


class _FileArray:
    """An array in a temporary file that grows at its end, then is mapped into memory.

    Attributes:
        size: number of values.

    """

    def __init__(self, dtype: type[np.generic]) -> None:
        self.size = 0
        self._dtype = np.dtype(dtype)
        self._file = TemporaryFile(prefix="bm25-")  # noqa: SIM115 (open as long as the array grows)

    def append(self, values: Array) -> None:
        """Append values, converted to the array's type."""
        self._file.write(np.ascontiguousarray(values, self._dtype).data)
        self.size += len(values)

    def mapped(self) -> Any:
        """Return the array, mapped into memory, and close the file; nothing can be appended any more."""
        self._file.flush()
        with self._file:  # the mapping needs no open file
            if self.size:
                return np.asarray(np.memmap(self._file, self._dtype, "r", shape=(self.size,)))
        nothing = np.zeros(0, self._dtype)  # no bytes can be mapped
        nothing.flags.writeable = False  # numba compiles once for both
        return nothing


class _Chunk(NamedTuple):
    """Postings of consecutive documents, by range, then by term.

    Attributes:
        ranges: int64[blocks], the range of each block, from 0 in each chunk.
        hashes: uint64[blocks], the token of each block.
        offsets: int64[blocks + 1], offset of each block's postings.
        documents: uint16[postings], document numbers modulo `RANGE`, ascending within a block.
        frequencies: int32[postings], how often the document has the term.
        lengths: int64[documents], tokens of each document.

    """

    ranges: I64
    hashes: U64
    offsets: I64
    documents: U16
    frequencies: I32
    lengths: I64


class _Vocabulary:
    """Counts the documents that have a term; sorted parts are merged whenever they outgrow the whole."""

    def __init__(self) -> None:
        self._terms, self._holding = np.zeros(0, np.uint64), np.zeros(0, np.int64)
        self._parts: list[tuple[U64, I64]] = []

    def add(self, hashes: U64, holding: I64) -> None:
        """Add terms with the number of documents that have them; a term may be given several times."""
        self._parts.append(_summed(hashes, holding))
        if sum(len(terms) for terms, _ in self._parts) > len(self._terms):
            self._merge()

    def _merge(self) -> None:
        parts = [(self._terms, self._holding), *self._parts]
        self._terms, self._holding = _summed(*(np.concatenate(column) for column in zip(*parts, strict=True)))
        self._parts = []

    def counted(self) -> tuple[U64, I64]:
        """Return the sorted terms, and how many documents have each."""
        self._merge()
        return self._terms, self._holding


def _summed(hashes: U64, counts: I64) -> tuple[U64, I64]:
    order = np.argsort(hashes)
    hashes = hashes[order]
    is_first = np.ones(len(hashes), bool)
    is_first[1:] = hashes[1:] != hashes[:-1]
    starts = np.flatnonzero(is_first)
    return hashes[starts], np.add.reduceat(counts[order], starts) if len(starts) else counts


def build_index(chunks: Iterable[Tokens], *, k1: float, b: float) -> Index:
    """Build the inverted index of the documents.

    Args:
        chunks: tokens of consecutive documents, from `tokenize(…, for_search=True)`. Every chunk but the last has a
            multiple of `RANGE` documents.
        k1: term-frequency saturation.
        b: length normalization, 0 to 1.

    """
    vocabulary, on_disk = _Vocabulary(), deque[_Chunk]()
    for tokens in chunks:
        chunk = _sorted_chunk(tokens)
        vocabulary.add(chunk.hashes, np.diff(chunk.offsets))
        on_disk.append(_Chunk(*(_on_disk(column) for column in chunk)))
    terms, holding = vocabulary.counted()
    n = sum(len(chunk.lengths) for chunk in on_disk)
    mean = sum(int(chunk.lengths.sum()) for chunk in on_disk) / max(n, 1)
    idf = np.log1p((n - holding + 0.5) / (holding + 0.5))
    counts = np.zeros(-(-n // RANGE), np.int64)
    block_terms, block_starts, block_rows = _FileArray(np.int32), _FileArray(np.int64), _FileArray(np.int32)
    peaks, documents, impacts = _FileArray(np.float32), _FileArray(np.uint16), _FileArray(np.float32)
    rows = _FileArray(np.float32)
    first = 0
    while on_disk:
        chunk = on_disk.popleft()  # its files are deleted when it is replaced
        norm: F64 = (k1 * (1 - b + b * chunk.lengths / max(mean, 1e-9))).astype(np.float64)
        term = np.searchsorted(terms, chunk.hashes)
        numbers, offsets = _rows_and_lists(chunk.offsets)
        of_chunk: tuple[Array, ...] = _impacts(chunk, numbers, offsets, idf[term].astype(np.float64), norm, k1)
        of_range = np.bincount(chunk.ranges)
        counts[first : first + len(of_range)] = of_range
        first += len(chunk.lengths) // RANGE
        block_starts.append(impacts.size + offsets[:-1])
        block_rows.append(np.where(numbers < 0, -1, numbers + rows.size // RANGE))
        block_terms.append(term)
        for array, values in zip((peaks, documents, impacts, rows), of_chunk, strict=True):
            array.append(values)
    block_starts.append(np.array([impacts.size]))
    return Index(
        terms, holding.astype(np.int32), offsets_of(counts), block_terms.mapped(), block_starts.mapped(),
        block_rows.mapped(), peaks.mapped(), documents.mapped(), impacts.mapped(), rows.mapped().reshape(-1, RANGE),
    )  # fmt: skip


def _rows_and_lists(offsets: I64) -> tuple[I32, I64]:
    """Decide which blocks of a chunk are rows.

    Args:
        offsets: int64[blocks + 1], offset of each block's postings.

    Returns:
        int32[blocks], the number of each row in the chunk, -1 for lists; and int64[blocks + 1], offset of each block's
        postings among those of lists.

    """
    sizes = np.diff(offsets)
    is_row = sizes >= ROW
    numbers = np.where(is_row, np.cumsum(is_row) - 1, -1).astype(np.int32)
    return numbers, offsets_of(np.where(is_row, 0, sizes))


def _sorted_chunk(tokens: Tokens) -> _Chunk:
    """Sort the tokens of a chunk of documents by range, term and document, and count equal ones."""
    lengths = np.diff(tokens.offsets)
    terms, term_of = np.unique(tokens.hashes, return_inverse=True)
    document_of = np.repeat(np.arange(len(tokens)), lengths)
    cells = (document_of // RANGE * len(terms) + term_of) * RANGE + document_of % RANGE
    cells.sort()
    is_first = np.ones(len(cells), bool)
    is_first[1:] = cells[1:] != cells[:-1]
    starts = np.flatnonzero(is_first)
    cells = cells[starts]
    frequencies = np.diff(starts, append=len(is_first))
    documents = (cells % RANGE).astype(np.uint16)
    cells //= RANGE
    is_first = np.ones(len(cells), bool)
    is_first[1:] = cells[1:] != cells[:-1]
    starts = np.flatnonzero(is_first)
    blocks = cells[starts]
    return _Chunk(
        blocks // max(len(terms), 1), terms[blocks % max(len(terms), 1)], np.append(starts, len(cells)),
        documents, frequencies.astype(np.int32), lengths,
    )  # fmt: skip


def _on_disk(values: Array) -> Any:
    array = _FileArray(values.dtype.type)
    array.append(values)
    return array.mapped()


@njit
def _impacts(chunk: _Chunk, numbers: I32, offsets: I64, idf: F64, norm: F64, k1: float) -> tuple[F32, U16, F32, F32]:
    """Compute the impacts of a chunk's postings.

    Args:
        chunk: the postings.
        numbers: int32[blocks], the number of each row, -1 for lists.
        offsets: int64[blocks + 1], offset of each block's postings among those of lists.
        idf: float64[blocks], of the block's term.
        norm: float64[documents], what is added to the frequency of a term.
        k1: term-frequency saturation.

    Returns:
        float32[blocks], the largest impact of each block; uint16 and float32, documents and impacts of lists; and
        float32[rows * RANGE].

    """
    peaks = np.zeros(len(chunk.hashes), np.float32)
    documents, impacts = np.empty(offsets[-1], np.uint16), np.empty(offsets[-1], np.float32)
    rows = np.zeros((np.max(numbers) + 1 if len(numbers) else 0) * RANGE, np.float32)
    for block in range(len(peaks)):
        target = offsets[block]
        for i in range(chunk.offsets[block], chunk.offsets[block + 1]):
            frequency, inside = chunk.frequencies[i], np.int64(chunk.documents[i])
            document = chunk.ranges[block] * RANGE + inside
            impact = np.float32(idf[block] * frequency * (k1 + 1) / (frequency + norm[document]))
            peaks[block] = max(peaks[block], impact)
            if numbers[block] >= 0:
                rows[numbers[block] * RANGE + inside] = impact
            else:
                documents[target], impacts[target] = chunk.documents[i], impact
                target += 1
    return peaks, documents, impacts, rows
