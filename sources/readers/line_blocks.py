"""Reads a file of any size in blocks of whole lines, with line numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sources.quarantine import Quarantine
from sources.readers.sniff import BrokenStreamError, open_text

BLOCK_BYTES = 4 << 20
MAX_LINE_BYTES = 64 << 20
"""Longest line; longer ones are quarantined, since they are damage, and are not held in memory."""


def blocks(
    path: Path, file: str, quarantine: Quarantine, *, encoding: str = "utf-8", size: int = BLOCK_BYTES
) -> Iterator[tuple[int, int, bytes]]:
    """Cut a file into blocks that end with a line end (except perhaps the last one).

    For a cut compressed file, the lines before the cut are yielded, and one record ``truncated-file`` is quarantined.

    Args:
        path: local path of the file.
        file: name of the file at its origin.
        quarantine: receives lines that are too long, and the cut.
        encoding: of the file; the blocks are UTF-8.
        size: bytes to read at a time.

    Yields:
        (zero-based number of the first line, number of lines, bytes in UTF-8).

    """
    line, held = 0, b""  # a block is held until the next one, so that a last line without a line end can be joined
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
