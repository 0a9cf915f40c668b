"""Reads the pages of memory-mapped files before they are touched, many at once and without holding Python's lock.

A page that is not in memory is read when it is touched: one after the other, and with all threads of Python waiting.
Here the system is told of all pages first, so that the disk works on many of them at once, and then they are read by
calls during which other threads run.
"""

from __future__ import annotations

import mmap
import os
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from open_ml_embed.core.array_types import I64
from open_ml_embed.core.errors import StageError
from open_ml_embed.core.os_errors import naming

PAGE = mmap.PAGESIZE
FILE_SHIFT = 40
"""A page is numbered by its file, shifted so far, plus its number in the file."""


class MappedPages:
    """Memory-mapped files and where they are in memory."""

    def __init__(self, files: Sequence[tuple[Path, mmap.mmap]]) -> None:
        """Open the files again, for reading beside their maps.

        Args:
            files: path and map of each file; the maps start at the first byte.

        """
        starts = [np.frombuffer(mapped, np.uint8).__array_interface__["data"][0] for _, mapped in files]
        order = np.argsort(starts)
        self._paths = [files[i][0] for i in order]
        self._starts = np.array(starts, np.int64)[order]
        self._files = [os.open(path, os.O_RDONLY) for path in self._paths]
        weakref.finalize(self, _close, self._files)

    def read(self, addresses: I64, sizes: I64) -> None:
        """Read the pages of some ranges of memory, so that touching them waits for nothing.

        Args:
            addresses: int64, first byte of each range, inside a map.
            sizes: int64, bytes of each range.

        Raises:
            StageError: a file is shorter than its map; touching the page would end the process.
            OSError: the disk does not answer.

        """
        addresses, sizes = addresses[sizes > 0], sizes[sizes > 0]
        if not len(addresses):
            return
        file = np.searchsorted(self._starts, addresses, side="right") - 1
        offset = addresses - self._starts[file]
        first = (file << FILE_SHIFT) + offset // PAGE
        last = (file << FILE_SHIFT) + (offset + sizes - 1) // PAGE
        order = np.argsort(first, kind="stable")
        first, last = first[order], np.maximum.accumulate(last[order])
        begins = np.flatnonzero(np.append(True, first[1:] > last[:-1] + 1))
        ends = np.append(begins[1:], len(first)) - 1
        runs = list(zip(first[begins].tolist(), (last[ends] - first[begins] + 1).tolist(), strict=True))
        parts = [(page >> FILE_SHIFT, (page & ((1 << FILE_SHIFT) - 1)) * PAGE, count * PAGE) for page, count in runs]
        if hasattr(os, "posix_fadvise"):  # not on macOS
            for at, start, size in parts:
                os.posix_fadvise(self._files[at], start, size, os.POSIX_FADV_WILLNEED)
        for at, start, size in parts:
            with naming(self._paths[at]):
                got = os.pread(self._files[at], size, start)
            if not got:
                raise StageError(
                    f"the file ends before byte {start:,}, where it had more when training started",
                    where=str(self._paths[at]),
                    remedy="leave the files of a run alone while it runs; `train3d fit` makes them anew and goes on",
                )


def _close(files: list[int]) -> None:
    for file in files:
        os.close(file)
