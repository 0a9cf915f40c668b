"""Copies of raw files in an object store, for machines of a cluster that do not share a disk with the one that fetched.

A profile whose `work` is an address uploads each fetched file once. A task that finds a file on the disk of its machine
reads it there; otherwise it downloads a copy, which it removes at its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from open_ml_embed.core.hashing import digest
from open_ml_embed.core.scratch import scratch_folder
from open_ml_embed.core.store import Store
from sources.parts import RawFile


@dataclass(frozen=True)
class RawCopies:
    """Where raw files lie.

    Attributes:
        folder: of the fetched files on the machine that fetched them.
        url: of their copies in an object store; None if all machines see `folder`.

    """

    folder: str
    url: str | None = None

    def upload(self, files: Iterable[RawFile]) -> None:
        """Copy fetched files into the object store, except those that it has; files read in place have no copy."""
        if self.url is None:
            return
        store = Store(self.url)
        paths = {name: file for file in files if (name := self._name(file)) is not None}
        for path, size in store.sizes(paths).items():
            if size != paths[path].size:
                store.put(Path(paths[path].path), path)

    def missing(self, files: Iterable[RawFile]) -> RawFile | None:
        """Return the first file that neither this machine nor the object store has in full size, or None."""
        away = [file for file in files if not _is_here(file)]
        if self.url is None or not away:
            return next(iter(away), None)
        names = [self._name(file) for file in away]
        sizes = Store(self.url).sizes(name for name in names if name is not None)
        return next(
            (file for file, name in zip(away, names, strict=True) if name is None or sizes[name] != file.size), None
        )

    @contextmanager
    def here(self, files: Sequence[RawFile]) -> Iterator[tuple[RawFile, ...]]:
        """Yield the files with paths that this machine can read."""
        if self.url is None or all(_is_here(file) for file in files):
            yield tuple(files)
            return
        store = Store(self.url)
        with scratch_folder("raw") as folder:
            readable = []
            for number, file in enumerate(files):
                name = None if _is_here(file) else self._name(file)
                if name is not None:
                    target = Path(folder, str(number), Path(file.path).name)
                    store.export(name, target)
                    file = replace(file, path=str(target))  # noqa: PLW2901
                readable.append(file)
            yield tuple(readable)

    def _name(self, file: RawFile) -> str | None:
        """Return the path of a file's copy: it changes with the content. None for a file that is read in place."""
        path = Path(file.path)
        if not path.is_relative_to(self.folder):
            return None
        return f"{path.relative_to(self.folder).as_posix()}/{digest([file.identity, file.size])[:16]}"


def _is_here(file: RawFile) -> bool:
    path = Path(file.path)
    return path.is_file() and path.stat().st_size == file.size
