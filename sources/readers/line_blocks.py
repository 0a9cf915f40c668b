"""Blocks of whole lines with their line numbers, from a stream of any size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sources.quarantine import Quarantine
from sources.readers.sniff import BrokenStreamError, open_text

BLOCK_BYTES = 4 << 20
MAX_LINE_BYTES = 64 << 20
"""A longer line is no record of any dataset; it is quarantined rather than held in memory."""


def blocks(
    path: Path, file: str, quarantine: Quarantine, *, encoding: str = "utf-8", size: int = BLOCK_BYTES
) -> Iterator[tuple[int, int, bytes]]:
    """Cut a file into blocks that end with a line end (the last may not).

    A cut compressed file yields the lines before the cut and one quarantined record, ``truncated-file``.

    Yields:
        (zero-based number of the block's first line, how many lines it has, bytes, in UTF-8).

    """
    line, held = 0, b""  # a block waits for the next, so that a last line without a line end joins it
    carry: list[bytes] = []
    carried, skipping = 0, False
    with open_text(path, file, encoding) as stream:
        while True:
            try:
                data = stream.read(size)
            except BrokenStreamError as error:
                count = held.count(b"\n")
                if held:
                    yield line, count, held
                line += count
                begun = b"".join(carry)[:100]
                why = f"{error}: {begun!r}"
                quarantine.add_unreadable(file, why, error.left, record=line, reason="truncated-file")
                return
            if not data:
                break
            end = data.rfind(b"\n") + 1
            if end == 0:
                if not skipping:
                    carry.append(data)
                    carried += len(data)
                if carried > MAX_LINE_BYTES:
                    quarantine.add(file, line + held.count(b"\n"), "oversized-record", carry[0][:200])
                    carry, carried, skipping = [], 0, True
                continue
            if held:
                count = held.count(b"\n")
                yield line, count, held
                line += count
            held = b"".join([*carry, data[:end]])
            carry, carried = [data[end:]] if end < len(data) else [], len(data) - end
            if skipping:
                held, skipping = held[held.index(b"\n") + 1 :], False
                line += 1
    rest = b"".join(carry)
    if held or rest:
        yield line, held.count(b"\n") + bool(rest), held + rest
