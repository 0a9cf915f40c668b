"""Blocks of whole lines with their line numbers, from a stream of any size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sources.quarantine import Quarantine
from sources.readers.opening import BrokenStreamError, open_binary

BLOCK_BYTES = 4 << 20
MAX_LINE_BYTES = 64 << 20
"""A longer line is no record of any dataset; it is quarantined rather than held in memory."""
_BOM = b"\xef\xbb\xbf"


def blocks(
    path: Path, file: str, quarantine: Quarantine, *, size: int = BLOCK_BYTES
) -> Iterator[tuple[int, int, bytes]]:
    """Cut a file into blocks that end with a line end (the last may not).

    A cut compressed file yields the lines before the cut and one quarantined record, ``truncated-file``.

    Yields:
        (zero-based number of the block's first line, how many lines it has, bytes).

    """
    line, held, carry = 0, b"", b""  # a block waits for the next, so that a last line without a line end joins it
    first, skipping = True, False
    with open_binary(path) as stream:
        while True:
            try:
                data = stream.read(size)
            except BrokenStreamError as error:
                count = held.count(b"\n")
                if held:
                    yield line, count, held
                line += count
                quarantine.add(file, line, "truncated-file", f"{error}: {carry[:100]!r}")
                return
            if not data:
                break
            if first:
                data, first = data.removeprefix(_BOM), False
            end = data.rfind(b"\n") + 1
            if end == 0:
                carry += data if not skipping else b""
                if len(carry) > MAX_LINE_BYTES:
                    quarantine.add(file, line + held.count(b"\n"), "oversized-record", carry[:200])
                    carry, skipping = b"", True
                continue
            if held:
                count = held.count(b"\n")
                yield line, count, held
                line += count
            held, carry = carry + data[:end], data[end:]
            if skipping:
                held, skipping = held[held.index(b"\n") + 1 :], False
                line += 1
    if held or carry:
        yield line, held.count(b"\n") + bool(carry), held + carry
