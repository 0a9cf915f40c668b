"""Columns of memory-mapped Arrow files as numpy views, addressed by one row number over all record batches."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from open_ml_embed.core.array_types import I32, I64, Array
from open_ml_embed.core.ragged import offsets_of
from train.data.mapped_pages import MappedPages
from train.data.segments import Segments


class Column:
    """An integer column; only the requested rows are read."""

    def __init__(self, arrays: Sequence[pa.Array], pages: MappedPages | None = None) -> None:
        """Look at arrays.

        Args:
            arrays: the parts of the column, without nulls.
            pages: the files that they are in; None: they are in memory.

        """
        self._parts = [array.to_numpy(zero_copy_only=True) for array in arrays]
        self._starts = offsets_of(list(map(len, self._parts)))
        self._pages = pages
        self._addresses = np.array([_address(part) for part in self._parts], np.int64)
        self._widths = np.array([part.itemsize for part in self._parts], np.int64)

    def prepare(self, rows: I64) -> None:
        """Read the pages of rows, which are touched next; see `train.data.mapped_pages`."""
        if self._pages is not None and len(rows):
            part = np.searchsorted(self._starts, rows, side="right") - 1
            width = self._widths[part]
            self._pages.read(self._addresses[part] + (rows - self._starts[part]) * width, width)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, rows: I64) -> I64:
        """Return the values of rows: int64, in the shape of `rows`."""
        wanted = np.ravel(np.asarray(rows, np.int64))
        part = np.searchsorted(self._starts, wanted, side="right") - 1
        at = (wanted - self._starts[part]).tolist()
        values = [self._parts[i][j] for i, j in zip(part.tolist(), at, strict=True)]
        return np.array(values, np.int64).reshape(np.shape(rows))

    def parts(self) -> Iterable[tuple[int, Array]]:
        """Yield (first row, values) of every record batch, to read the whole column in bounded memory."""
        return zip(self._starts.tolist(), self._parts, strict=False)


class Ragged:
    """A column of lists of integers."""

    def __init__(self, arrays: Sequence[pa.LargeListArray], pages: MappedPages | None = None) -> None:
        """Look at arrays; arguments as for `Column`."""
        self._parts = [(np.asarray(array.offsets), np.asarray(array.values)) for array in arrays]
        self._starts = offsets_of([len(offsets) - 1 for offsets, _ in self._parts]).tolist()
        self._pages = pages
        self._offsets = np.array([_address(offsets) for offsets, _ in self._parts], np.int64)
        self._values = np.array([_address(values) for _, values in self._parts], np.int64)
        self._widths = np.array([values.itemsize for _, values in self._parts], np.int64)

    def prepare(self, rows: I64) -> None:
        """Read the pages of the lists of rows, which are touched next; see `train.data.mapped_pages`."""
        if self._pages is None or not len(rows):
            return
        part = np.searchsorted(np.array(self._starts), rows, side="right") - 1
        at = rows - np.array(self._starts)[part]
        offset = np.dtype(np.int64).itemsize
        self._pages.read(self._offsets[part] + at * offset, np.full(len(rows), 2 * offset))
        bounds = [self._parts[p][0][i : i + 2].tolist() for p, i in zip(part.tolist(), at.tolist(), strict=True)]
        begins, ends = np.array(bounds, np.int64).T
        width = self._widths[part]
        self._pages.read(self._values[part] + begins * width, (ends - begins) * width)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, row: int) -> Array:
        """Return the values of one row, as a view without a copy."""
        part = bisect.bisect_right(self._starts, row) - 1
        offsets, values = self._parts[part]
        at = row - self._starts[part]
        return values[offsets[at] : offsets[at + 1]]

    def gather(self, rows: Iterable[int]) -> Segments:
        """Return the lists of rows as texts (token ids, int32), in the order of `rows`."""
        parts = [self[int(row)] for row in rows]
        lengths = np.fromiter((len(part) for part in parts), np.int32, len(parts))
        ids = np.concatenate(parts) if parts else np.empty(0, np.int32)
        return Segments(ids.astype(np.int32, copy=False), lengths)


class Rows:
    """The row numbers of one dataset, stored as ranges."""

    def __init__(self, starts: I64, lengths: I64) -> None:
        self._starts, self._ends = starts, np.cumsum(lengths)
        self._before = self._ends - lengths

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, at: I64) -> I64:
        """Return the row numbers (int64) at positions within the dataset."""
        run = np.searchsorted(self._ends, at, side="right")
        rows: I64 = self._starts[run] + at - self._before[run]
        return rows


class Runs:
    """The dataset of every row, run-length encoded."""

    def __init__(self, codes: Iterable[int], lengths: Iterable[int]) -> None:
        self._codes = np.fromiter(codes, np.int32)
        self._lengths = np.fromiter(lengths, np.int64)
        self._ends = np.cumsum(self._lengths)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, rows: I64) -> I32:
        """Return the dataset codes of rows (int32)."""
        codes: I32 = self._codes[np.searchsorted(self._ends, rows, side="right")]
        return codes

    def of(self, code: int) -> Rows:
        """Return the rows of the dataset with a code."""
        mask = self._codes == code
        return Rows((self._ends - self._lengths)[mask], self._lengths[mask])


def _address(array: Array) -> int:
    address: int = array.__array_interface__["data"][0]
    return address
