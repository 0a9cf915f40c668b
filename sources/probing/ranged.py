"""Reads byte ranges of files on the Hub, at a URL, or in a local folder.

A range is one request. Never more than the range is transferred: if a server responds with the whole file, the
connection is closed after the requested bytes. A token is sent to the Hub endpoint only; the client removes it if a
redirect leads to another host.
"""

from __future__ import annotations

import io
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from open_ml_embed.core.errors import CorpusError, TransientError
from open_ml_embed.core.optional import require
from sources.fetch import FetchOptions, hub, retry, url
from sources.fetch.http_validators import Version
from sources.fetch.url_errors import explained as explained_url

if TYPE_CHECKING:
    from httpx2 import Response
    from typing_extensions import Buffer

START_BYTES = 1 << 14
"""Bytes to read to check whether a file is accessible; a small file is then read completely."""
BLOCK_BYTES = 1 << 16
"""Block size of `View`."""
_PIECE = 1 << 16


class TooMuchError(Exception):
    """A view of a file would have to read more bytes than it may."""


class NoRangesError(Exception):
    """The server does not support range requests."""


class Meter:
    """Thread-safe counter of the bytes read over the network."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.bytes = 0

    def count(self, size: int) -> None:
        """Add a number of bytes."""
        with self._lock:
            self.bytes += size


class Ranged(ABC):
    """A file whose byte ranges can be read.

    Attributes:
        name: name at the origin.
        identity: changes when the content does, as far as the origin states it; may be empty.

    """

    def __init__(self, name: str, size: int | None, identity: str, meter: Meter) -> None:
        self.name, self.identity = name, identity
        self._size, self._meter = size, meter
        self._start = b""
        """The first bytes of the file that were read so far."""

    @property
    def known_size(self) -> int | None:
        """The size in bytes if it is already known, else None; nothing is read."""
        return self._size

    def size(self) -> int:
        """Return the size in bytes; if it is not known yet, read the first bytes of the file.

        Raises:
            CorpusError: the file is not available.

        """
        if self._size is None:
            self.get(0, START_BYTES)
        assert self._size is not None
        return self._size

    def get(self, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to before `stop` (fewer if the file ends earlier).

        Raises:
            CorpusError: the file is not available.
            NoRangesError: the server does not support range requests.

        """
        if self._size is not None:
            stop = min(stop, self._size)
        if start >= stop:
            return b""
        if stop <= len(self._start):
            return self._start[start:stop]
        data = self._read(start, stop)
        self._meter.count(len(data))
        if start == 0 and len(data) > len(self._start):
            self._start = data
        return data

    @abstractmethod
    def _read(self, start: int, stop: int) -> bytes:
        """Read a non-empty range, and set the size if it was unknown."""


class LocalRanged(Ranged):
    """A file in a local folder; its bytes are not counted."""

    def __init__(self, name: str, path: Path) -> None:
        super().__init__(name, path.stat().st_size, "", Meter())
        self._path = path

    def _read(self, start: int, stop: int) -> bytes:
        with self._path.open("rb") as file:
            file.seek(start)
            return file.read(stop - start)


class HubRanged(Ranged):
    """A file of a Hub repository at a commit, read with the client of huggingface-hub."""

    def __init__(self, listing: hub.Listing, name: str, options: FetchOptions, meter: Meter) -> None:
        size, identity = listing.files[name]
        super().__init__(name, size, identity, meter)
        self._listing, self._options = listing, options

    def _read(self, start: int, stop: int) -> bytes:
        listing = self._listing
        where = f"{listing.repo} at {listing.commit[:12]}: {self.name}"
        return hub.tried_on_hub(lambda: self._once(start, stop), where, listing.repo, listing.commit)

    def _once(self, start: int, stop: int) -> bytes:
        hub.settle_client()
        from huggingface_hub import get_session, hf_hub_url, hf_raise_for_status
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined] # not an explicit re-export

        listing = self._listing
        address = hf_hub_url(
            listing.repo, self.name, repo_type="dataset", revision=listing.commit, endpoint=self._options.endpoint
        )
        headers = build_hf_headers() | _range(start, stop)
        with get_session().stream("GET", address, headers=headers, follow_redirects=True, timeout=60) as response:
            if response.status_code >= 400:
                response.read()
            hf_raise_for_status(response)
            return _ranged(response, start, stop)


class UrlRanged(Ranged):
    """A file at a URL. Its size is known after the first read."""

    def __init__(self, source: str, name: str, address: str, meter: Meter) -> None:
        super().__init__(name, None, "", meter)
        self._source, self._address = source, address
        self.ranges = True
        """Whether the server supports range requests, as far as known."""
        self.unsized = False
        """Whether the server does not state the size, and the file may be larger than `size()`."""

    def _read(self, start: int, stop: int) -> bytes:
        where, by_hand = f"{self._source}: {self._address}", f"{self._source}/{self.name}"

        def explain(error: Exception) -> CorpusError | None:
            return explained_url(error, where, f"put the file into <local_root>/{by_hand}")

        return retry.tried(lambda: self._once(start, stop), explain, tries=url.TRIES, pause_s=url.PAUSE_S)

    def _once(self, start: int, stop: int) -> bytes:
        require("httpx2", what="probing an address", where=self._source)
        import httpx2

        headers = {"Accept-Encoding": "identity"} | _range(start, stop)
        timeout = httpx2.Timeout(60, connect=15)
        with (
            httpx2.Client(follow_redirects=True, timeout=timeout) as client,
            client.stream("GET", self._address, headers=headers) as response,
        ):
            if response.status_code == 416:  # the file is empty
                self._size = Version.of(response.headers).size or 0
                return b""
            response.raise_for_status()
            version = Version.of(response.headers)
            self.ranges = response.status_code == 206
            self.identity = version.key or ""
            if version.size is None:  # a stream of unknown length: treat the bytes of this range as the whole file
                data = _first(response.iter_raw(_PIECE), stop - start)
                self._size, self.unsized = start + len(data), len(data) == stop - start
                return data
            self._size = version.size
            return _ranged(response, start, min(stop, self._size))


def _range(start: int, stop: int) -> dict[str, str]:
    return {"Range": f"bytes={start}-{stop - 1}"}


def _ranged(response: Response, start: int, stop: int) -> bytes:
    """Read a range from a response, which may be the whole file, and leave the rest unread."""
    if start and response.status_code != 206:
        raise NoRangesError
    data = _first(response.iter_raw(_PIECE), stop - start)
    if len(data) < stop - start:
        raise TransientError(f"{len(data)} of {stop - start} bytes came", remedy="try again")
    return data


def _first(pieces: Iterable[bytes], size: int) -> bytes:
    data = bytearray()
    for piece in pieces:
        data += piece
        if len(data) >= size:
            break
    return bytes(data[:size])


class View(io.RawIOBase):
    """A seekable file-like view of a `Ranged`, with a cache of the blocks that it has read.

    It raises `TooMuchError` before it would read more than `most` bytes in total.
    """

    def __init__(self, ranged: Ranged, most: int) -> None:
        self._ranged, self._left = ranged, most
        self._size = ranged.size()
        self._at = 0
        self._blocks: dict[int, bytes] = {}

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the current position."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Set the current position."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def readinto(self, buffer: Buffer, /) -> int:
        """Read into a buffer and return the number of bytes."""
        view = memoryview(buffer).cast("B")
        data = self._between(self._at, min(self._at + len(view), self._size))
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _between(self, start: int, stop: int) -> bytes:
        if start >= stop:
            return b""
        first, last = start // BLOCK_BYTES, (stop - 1) // BLOCK_BYTES
        for begin, end in _runs(block for block in range(first, last + 1) if block not in self._blocks):
            low, high = begin * BLOCK_BYTES, min(end * BLOCK_BYTES, self._size)
            if high - low > self._left:
                raise TooMuchError
            data = self._ranged.get(low, high)
            self._left -= len(data)
            for number in range(begin, end):
                self._blocks[number] = data[(number - begin) * BLOCK_BYTES : (number - begin + 1) * BLOCK_BYTES]
        data = b"".join(self._blocks[block] for block in range(first, last + 1))
        return data[start - first * BLOCK_BYTES : stop - first * BLOCK_BYTES]


def _runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Group consecutive numbers into ranges (first, one past the last)."""
    begin = end = None
    for number in numbers:
        if begin is not None and number == end:
            end = number + 1
            continue
        if begin is not None and end is not None:
            yield begin, end
        begin, end = number, number + 1
    if begin is not None and end is not None:
        yield begin, end


def unreachable(error: Exception) -> str:
    """Classify an error of an origin: `gated`, `gone`, `busy` (transient), `refused`, or `reachable`.

    Args:
        error: an exception from `sources.fetch`; the exception of the client is in its context.

    """
    if isinstance(error, TransientError):
        return "busy"
    causes = retry.chain(error)
    kinds = {kind.__name__ for cause in causes for kind in type(cause).__mro__}
    statuses = {getattr(getattr(cause, "response", None), "status_code", None) for cause in causes}
    if "GatedRepoError" in kinds:  # the client derives it from the next
        return "gated"
    if kinds & {"RepositoryNotFoundError", "RevisionNotFoundError", "EntryNotFoundError", "DisabledRepoError"}:
        return "gone"
    if statuses & {401, 403}:
        return "gated"
    if statuses & {404, 410}:
        return "gone"
    return "refused" if statuses - {None} or "OfflineModeIsEnabled" in kinds else "reachable"
