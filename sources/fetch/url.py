"""Fetches files at plain URLs, `<base>/<file>`, over HTTP.

A complete and checked file is renamed to `<raw_root>/url/<source>/<key>/<file>`. The key is the checksum in the
manifest, or else a hash of the server's validators (ETag, Last-Modified, size), so that a changed file gets another
path. Fetched files are listed in `.listing`, for offline runs and for conditional requests. An interrupted download is
resumed as long as the server has the same version.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from open_ml_embed.core.errors import FetchError, ManifestError, TransientError
from open_ml_embed.core.files import write_whole
from open_ml_embed.core.lock import waiting
from open_ml_embed.core.names import inside
from open_ml_embed.core.optional import require
from open_ml_embed.core.os_errors import naming
from open_ml_embed.core.sealed import seal, undamaged
from sources.fetch import FetchOptions, most_files
from sources.fetch.answer_deadline import AnswerDeadline
from sources.fetch.file_selection import matching
from sources.fetch.http_validators import Version
from sources.fetch.local import checked, known_hash, known_names, sha256_of
from sources.fetch.retry import tried
from sources.fetch.transfers import Begun, Counter, Started
from sources.fetch.url_errors import explained
from sources.globs import has_wildcard
from sources.manifest import Manifest, UrlOrigin
from sources.parts import RawFile

if TYPE_CHECKING:
    import httpx2

TRIES = 5
"""Consecutive failed attempts without a further byte."""
PAUSE_S = 2.0
"""Seconds before the second attempt; doubled before each further one."""
READ_S, ANSWER_S = 60.0, 180.0
"""Seconds of silence after which a transfer is given up, and seconds until an answer must begin."""
LEAST_BYTES, SLOW_S = 1 << 16, 300.0
"""Bytes that must come within so many seconds, and that count as progress between two attempts."""


@dataclass(frozen=True)
class Entry:
    """A fetched file in the listing.

    Attributes:
        url: where it came from.
        key: name of its folder.
        size: in bytes.
        sha256: of its content, as hexadecimal digits.
        version: the server's validators.

    """

    url: str
    key: str
    size: int
    sha256: str
    version: Version


_fresh: dict[tuple[str, str, FetchOptions], Entry] = {}
"""Cache: a file is requested once per process, not once per subset that needs it."""


def begin(manifest: Manifest, subset: str, options: FetchOptions) -> Begun[list[RawFile]]:
    """Start to download the files of a subset; see `sources.fetch.begin`."""
    origin = manifest.origin
    assert isinstance(origin, UrlOrigin)
    where = f"{manifest.name}/{subset}"
    check_names(manifest, where)
    present = in_place(manifest, subset, options) if options.local_root else None
    if present is not None:
        for file in present:
            remedy = f"fetch it again from {origin.base}/{file.name}, or correct `sha256` in the manifest"
            stated, location = origin.sha256.get(file.name), f"{where}: {file.path}"
            checked(Path(file.path), stated, where=location, remedy=remedy, options=options)
        return Begun(lambda: present)
    started = [
        _started(manifest.name, name, key, origin, options)
        for key, table in manifest.tables.items()
        for name in sorted(set(table.files))[: most_files(manifest, key, options)]
    ]

    def cancel() -> None:
        for file in started:
            file.cancel()

    return Begun(lambda: [file.result() for file in started], cancel)


def check_names(manifest: Manifest, where: str) -> None:
    """Raise a `ManifestError` if a table has wildcards: a server does not list its files."""
    for table in manifest.tables.values():
        if any(map(has_wildcard, table.files)):
            raise ManifestError(
                f"wildcards in {', '.join(table.files)}", where=where, remedy="name each file; a server lists none"
            )


def in_place(manifest: Manifest, subset: str, options: FetchOptions) -> list[RawFile] | None:
    """List the files of a local folder that replaces the server, if there is one; see `sources.fetch.in_place`."""
    folder = Path(options.local_root or "") / manifest.name
    present = known_names(folder, options)
    if not present:
        return None
    return [
        RawFile(key, name, str(folder / name), (folder / name).stat().st_size, f"sha256:{digest}")
        for key, table in manifest.tables.items()
        for name in matching(
            present, table.files, where=f"{manifest.name}/{subset}: {folder}", most=most_files(manifest, key, options)
        )
        for digest in [known_hash(folder / name, options, "sha256")]
    ]


def _started(source: str, name: str, key: str, origin: UrlOrigin, options: FetchOptions) -> Started[RawFile]:
    download = _Download(Path(options.raw_root) / "url" / source, name, origin, options.transfers.counter())

    def come() -> Entry:
        known = (source, download.url, options)
        if known not in _fresh:
            _fresh[known] = _entry(download, options, where=f"{source}: {download.url}", by_hand=f"{source}/{name}")
        return _fresh[known]

    def file() -> RawFile:
        entry = options.known.of(("url file", source, download.url), come)
        return RawFile(key, name, str(download.place(entry.key)), entry.size, f"sha256:{entry.sha256}")

    return options.transfers.start("url", download.host, file)


def _entry(download: _Download, options: FetchOptions, *, where: str, by_hand: str) -> Entry:
    entry = download.listed()
    if entry is not None and (options.offline or download.stated is not None):
        return entry
    if options.offline:
        raise FetchError("not fetched yet, and this run is offline", where=where, remedy="run online once")
    with waiting(download.part.with_suffix(".lock")):
        return tried(
            lambda: download.run(where),
            lambda error: explained(error, where, f"put the file into <local_root>/{by_hand}"),
            tries=TRIES,
            pause_s=PAUSE_S,
            progress=download.arrived,
            least=LEAST_BYTES,
            pauses=options.transfers.pauses("url", download.host),
        )


class _Download:
    """Download of one file: temporary file, validators and listing."""

    def __init__(self, home: Path, name: str, origin: UrlOrigin, counter: Counter) -> None:
        self.home, self.name, self.counter = home, name, counter
        self.url = f"{origin.base}/{name}"
        self.host = urlsplit(origin.base).netloc
        self.stated = origin.sha256.get(name)
        plain = quote(name, safe="")
        self.listing = home / ".listing" / f"{plain}.json"
        self.part = home / ".incoming" / f"{plain}.part"
        self.begun = home / ".incoming" / f"{plain}.json"

    def place(self, key: str) -> Path:
        return inside(self.home, key, self.name)

    def arrived(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def listed(self) -> Entry | None:
        """Return the entry of an earlier download, if the file still exists and agrees with the manifest."""
        data = undamaged(self.listing)
        if data is None:
            return None
        entry = Entry(**{**data, "version": Version(**data["version"])})
        path = self.place(entry.key)
        here = path.is_file() and path.stat().st_size == entry.size
        return entry if here and entry.url == self.url and self.stated in (None, entry.sha256) else None

    def run(self, where: str) -> Entry:
        """Make one attempt: request the file or the rest of it, and move it to its final path."""
        require("httpx2", what="fetching from an address", where=where)
        import httpx2

        entry, begun = self.listed(), self._begun()
        have = self.arrived() if begun is not None else 0
        # No transfer compression, since size and checksum are those of the stored file.
        headers = {"Accept-Encoding": "identity"}
        if begun is not None and have:
            if have == begun.size:
                return self._placed(begun, where, resumed=True)
            headers |= {"Range": f"bytes={have}-", "If-Range": begun.validator or ""}
        elif entry is not None:
            headers |= entry.version.conditions()
        timeout = httpx2.Timeout(READ_S, connect=15)
        deadline = AnswerDeadline()
        with ExitStack() as stack:
            client = stack.enter_context(httpx2.Client(follow_redirects=True, timeout=timeout))
            with deadline.within(ANSWER_S):
                asked = client.stream("GET", self.url, headers=headers, extensions=deadline.extensions)
                response = stack.enter_context(asked)
            if response.status_code == 304 and entry is not None:
                return entry
            if response.status_code == 416 and have:
                raise self._spoilt("the server has less than was fetched of it before", where)
            response.raise_for_status()
            version = Version.of(response.headers)
            resumed = response.status_code == 206
            if resumed:
                if begun is None or not begun.goes_on(version, response.headers, have):
                    raise self._spoilt("the file changed between two parts of it", where)
                version = begun
            elif entry is not None and version.tells and version == entry.version:
                return entry
            else:
                _written(self.begun, asdict(version))
            if version.size is not None:
                self.counter.expect(version.size)
            self._stream(response, where, at=have if resumed else 0)
        if version.size is not None and self.arrived() != version.size:
            raise TransientError(f"{self.arrived()} of {version.size} bytes came", where=where, remedy="fetch again")
        return self._placed(version, where, resumed=resumed)

    def _begun(self) -> Version | None:
        """Return the version of the partial download, or None if it cannot be resumed."""
        data = undamaged(self.begun)
        if data is None:
            return None
        version = Version(**data)
        return version if version.validator is not None else None

    def _stream(self, response: httpx2.Response, where: str, *, at: int) -> None:
        """Write the rest of the file after its first `at` bytes."""
        pace = _Pace(where)
        with self.part.open("ab" if at else "wb") as file, naming(self.part):
            for chunk in response.iter_raw():
                file.write(chunk)
                at += len(chunk)
                self.counter.reach(at)
                pace.came(len(chunk))

    def _placed(self, version: Version, where: str, *, resumed: bool) -> Entry:
        """Check a complete file and move it to its final path."""
        sha256 = sha256_of(self.part)
        if self.stated != sha256 and not _is_page(self.name) and _starts_as_page(self.part):
            self._forget()
            raise _page(where)
        if self.stated not in (None, sha256):
            if resumed:  # the two parts may come from different versions
                raise self._spoilt("what came in parts has not the checksum that the manifest states", where)
            self._forget()
            raise FetchError(
                f"sha256 is {sha256}, the manifest states {self.stated}",
                where=where,
                remedy="the publisher may have replaced the file: look what is new, then correct `sha256`",
            )
        key = self.stated[:16] if self.stated else version.key or sha256[:16]
        entry = Entry(self.url, key, self.part.stat().st_size, sha256, version)
        target = self.place(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        self.part.replace(target)
        _written(self.listing, asdict(entry))
        self._forget()
        return entry

    def _spoilt(self, what: str, where: str) -> TransientError:
        self._forget()
        return TransientError(what, where=where, remedy="fetch again")

    def _forget(self) -> None:
        self.begun.unlink(missing_ok=True)
        self.part.unlink(missing_ok=True)


class _Pace:
    """Ends a transfer that is too slow ever to end: some servers and proxies send a byte now and then."""

    def __init__(self, where: str) -> None:
        self._where, self._since, self._bytes = where, time.monotonic(), 0

    def came(self, size: int) -> None:
        """Count bytes.

        Raises:
            TransientError: fewer than `LEAST_BYTES` came within `SLOW_S` seconds.

        """
        self._bytes += size
        now = time.monotonic()
        if now - self._since < SLOW_S:
            return
        if self._bytes < LEAST_BYTES:
            what = f"the server sends too slowly: {self._bytes:,} bytes in {now - self._since:,.0f} s"
            raise TransientError(what, where=self._where, remedy="try again later, or from another network")
        self._since, self._bytes = now, 0


def _is_page(name: str) -> bool:
    return name.lower().endswith((".html", ".htm"))


def _starts_as_page(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(1024).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html", b"<head", b"<script"))


def _page(where: str) -> FetchError:
    return FetchError(
        "a web page came in place of the file: a login, a portal or a proxy answered",
        where=where,
        remedy="see with a browser what the address asks for; then fetch again, or correct `base` in the manifest",
    )


def _written(path: Path, data: dict[str, object]) -> None:
    write_whole(path, seal(data, path.name))
