"""Files of a store in an object store (S3 and others that fsspec knows).

A file is written on the local disk first and uploaded when it is whole; it appears at once or not at all. A file is
read from a copy on the local disk (`open_ml_embed.core.shard_cache`), so that readers map and seek in it. Listings are
never cached, since other machines write too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any

import fsspec
import pyarrow as pa
import xxhash

from open_ml_embed.core import shard_cache
from open_ml_embed.core.address import SEPARATOR
from open_ml_embed.core.errors import MissingPackageError, SettingsError, StageError, UnknownNameError
from open_ml_embed.core.optional import EXTRAS, install_command

_PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
_AT_ONCE = 256
"""Small files that are requested in one call."""
_MANY = 16
"""Files of one folder from which a listing is faster than one request for each."""


class ObjectStore:
    """A prefix of a bucket. Paths are relative to it and slash-separated."""

    def __init__(self, url: str) -> None:
        self.root = url.rstrip("/")
        self.fs, self._base = _connected(self.root)

    def full(self, path: str) -> str:
        """Return the path as the fsspec file system takes it."""
        return f"{self._base}/{path}"

    @contextmanager
    def writing(self, path: str) -> Iterator[IO[bytes]]:
        """Open `path` for writing; the file is uploaded when the block ends without an error."""
        with shard_cache.spooled() as local:
            with local.open("wb") as sink:
                yield sink
            self.put(local, path)

    def read(self, path: str) -> bytes | None:
        """Return the content of a small file; None if it does not exist."""
        return self.read_all([path])[0]

    def read_all(self, paths: Iterable[str]) -> list[bytes | None]:
        """Return the content of many small files, many at once; None for a missing one."""
        wanted = [self.full(path) for path in paths]
        contents: list[bytes | None] = []
        with _in_words(self.root):
            for start in range(0, len(wanted), _AT_ONCE):
                names = wanted[start : start + _AT_ONCE]
                read = self.fs.cat(names, on_error="return")
                contents += [_content(read[name]) for name in names]
        return contents

    def mapped(self, path: str) -> pa.NativeFile:
        """Open a local copy of a file as a memory map; the caller closes it."""
        return self._local(path, pa.memory_map)

    def opened(self, path: str) -> pa.NativeFile:
        """Open a local copy of a file for reading without a memory map; the caller closes it."""
        return self._local(path, pa.OSFile)

    def sizes(self, paths: Iterable[str]) -> dict[str, int | None]:
        """Return the sizes of files in bytes, by path; None for a missing file.

        One listing for each folder with many of the files, one request for each file of other folders.
        """
        wanted = list(paths)
        sizes: dict[str, int | None] = dict.fromkeys(wanted)
        folders: dict[str, list[str]] = {}
        for path in wanted:
            folders.setdefault(self.full(path).rpartition("/")[0], []).append(path)
        for folder, of_folder in sorted(folders.items()):
            if len(of_folder) < _MANY:
                for path in of_folder:
                    sizes[path] = self._size(path)
                continue
            names = {self.full(path).strip("/"): path for path in of_folder}
            for entry in self._listed(folder):
                path_of_entry = names.get(str(entry["name"]).strip("/"))
                if path_of_entry is not None and entry["type"] == "file":
                    sizes[path_of_entry] = int(entry["size"])
        return sizes

    def count(self, folder: str, suffix: str) -> int:
        """Return how many files in a folder and below it have names that end in `suffix`."""
        return sum(path.endswith(suffix) for path in self.paths(folder))

    def paths(self, folder: str) -> Iterator[str]:
        """Yield the paths of all files in a folder and below it, in any order; an empty name is the root."""
        with _in_words(self.root):
            found = self.fs.find(self.full(folder))
        start = len(self._base.strip("/")) + 1
        for name in found:
            yield str(name).strip("/")[start:]

    def folders(self, folder: str) -> Iterator[str]:
        """Yield nothing: an object store has no folders."""
        return iter(())

    def put(self, local: Path, path: str) -> None:
        """Upload a file of this machine to `path`."""
        with _in_words(self.root):
            self.fs.put_file(str(local), self.full(path))

    def get(self, path: str, target: Path) -> None:
        """Download a file to a path of this machine."""
        with _in_words(self.root):
            self.fs.get_file(self.full(path), str(target))

    def remove(self, path: str) -> None:
        """Remove a file if it exists."""
        with contextlib.suppress(FileNotFoundError), _in_words(self.root):
            self.fs.rm_file(self.full(path))

    def sweep(self, folder: str) -> None:
        """Do nothing: an upload that did not end leaves no file."""

    def _local(self, path: str, open_file: Any) -> pa.NativeFile:
        with _in_words(self.root):
            return shard_cache.opened(
                *self._version(path), lambda target: self.fs.get_file(self.full(path), str(target)), open_file
            )

    def _version(self, path: str) -> tuple[str, int]:
        """Return a name for the present content of a file, and its size.

        Raises:
            FileNotFoundError: there is no such file.

        """
        with _in_words(self.root):
            info = self.fs.info(self.full(path))
        mark = [str(info.get(name)) for name in ("ETag", "etag", "md5Hash", "LastModified", "mtime", "created")]
        of = "\n".join([self.root, path, str(info["size"]), *mark])
        return xxhash.xxh3_128_hexdigest(of.encode()), int(info["size"])

    def _size(self, path: str) -> int | None:
        try:
            with _in_words(self.root):
                info = self.fs.info(self.full(path))
        except FileNotFoundError:
            return None
        return int(info["size"]) if info["type"] == "file" else None

    def _listed(self, folder: str) -> list[dict[str, Any]]:
        try:
            with _in_words(self.root):
                listed: list[dict[str, Any]] = self.fs.ls(folder, detail=True)
        except FileNotFoundError:
            return []
        return listed


def _content(read: object) -> bytes | None:
    """Return what `cat` returned for one file: None if it is missing.

    Raises:
        Exception: any other error, as it was returned.

    """
    if isinstance(read, bytes):
        return read
    if isinstance(read, (FileNotFoundError, IsADirectoryError)):
        return None
    assert isinstance(read, BaseException)
    raise read


@cache
def _connected(url: str) -> tuple[Any, str]:
    """Return the file system of an address and the path in it, after one request that shows that it answers.

    Raises:
        MissingPackageError: the address needs a package that is not installed.
        StageError: the bucket does not exist or refuses access, or the server does not answer.

    """
    scheme = url.partition(SEPARATOR)[0]
    if scheme not in fsspec.available_protocols():
        raise UnknownNameError("kind of address", scheme, ["gs", "s3", "az"], where=f"work: {url}")
    package = _PACKAGES.get(scheme, "")
    try:
        fs, base = fsspec.url_to_fs(url, use_listings_cache=False)
    except ImportError:
        extra = next((extra for extra, modules in EXTRAS.items() if package in modules), None)
        raise MissingPackageError(
            f"an address that begins with {scheme}{SEPARATOR} needs the package {package or 'of its file system'}",
            where=f"work: {url}",
            remedy=install_command(extra) if extra else f"pip install {package}",
        ) from None
    bucket = base.strip("/").partition("/")[0]
    if not bucket or url.partition(SEPARATOR)[2].startswith("/"):
        raise SettingsError("names no bucket", where=f"work: {url}", remedy=f"write {scheme}{SEPARATOR}bucket/folder")
    with _in_words(url):
        try:
            fs.ls(base, detail=False)
        except FileNotFoundError:  # an empty prefix, or no such bucket
            if scheme in _PACKAGES and not fs.exists(bucket):
                raise StageError(
                    f"there is no bucket {bucket!r}, or it cannot be seen with these credentials",
                    where=f"work: {url}",
                    remedy="make it, or correct `work` in params.yaml or AWS_ENDPOINT_URL and the credentials",
                ) from None
    return fs, base


@contextmanager
def _in_words(url: str) -> Iterator[None]:
    """Turn the errors of an object store into ours: no access, no credentials, no answer. Missing files stay missing.

    Raises:
        StageError: see above.

    """
    try:
        yield
    except FileNotFoundError:
        raise
    except PermissionError as error:
        raise StageError(
            f"access is refused ({error})",
            where=f"work: {url}",
            remedy="give these credentials the rights to list, read, write and delete below this address",
        ) from error
    except Exception as error:
        if not _is_of_the_client(error):
            raise
        raise StageError(
            f"the object store does not answer as it should ({type(error).__name__}: {error})",
            where=f"work: {url}",
            remedy="check the address, AWS_ENDPOINT_URL, the region and the credentials (`aws s3 ls` must work); "
            "finished shards are kept: run the same command again",
        ) from error


def _is_of_the_client(error: Exception) -> bool:
    """Tell whether an error comes from the network or from the client of the object store."""
    module = type(error).__module__.partition(".")[0]
    return isinstance(error, (ConnectionError, TimeoutError)) or module in (
        "aiobotocore", "aiohttp", "adlfs", "azure", "botocore", "gcsfs", "google", "s3fs",
    )  # fmt: skip
