"""Packages whose text trains the identifier: taken from pip, npm or Debian by name, read without unpacking to disk."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from open_ml_embed.core.errors import MissingToolError, TransientError
from sources.fetch import FetchOptions, apt, fetch
from sources.registry import load

_LARGEST_MEMBER = 64 << 20
_PATIENCE_S = 1800
_INDEXED = "debian_descriptions"
"""The source whose fetching brings the indexes here."""


@dataclass(frozen=True)
class Package:
    """One package, and on what terms its text may be used.

    Attributes:
        registry: where it is asked for, by the client and from the mirrors that this machine has set up; `index`
            means Debian's own indexes.
        name: as the registry knows it.
        license: SPDX, of the texts taken from it.
        version: exact; empty for Debian, where the archive decides.

    """

    registry: Literal["pip", "npm", "apt", "index"]
    name: str
    license: str
    version: str = ""

    @property
    def project(self) -> str:
        """What the texts belong to; packages with one language of a program each share it.

        >>> Package("apt", "libreoffice-l10n-de", "MPL-2.0").project
        'libreoffice'

        """
        return self.name.partition("-l10n")[0]


@dataclass(frozen=True)
class Taken:
    """A package that lies here.

    Attributes:
        package: what was asked for.
        path: its archive, or a folder.
        version: what came.

    """

    package: Package
    path: Path
    version: str

    def members(self, pattern: str) -> Iterator[tuple[re.Match[str], bytes]]:
        """Yield the regular files whose whole name matches, with the match, in the archive's order.

        Args:
            pattern: a regular expression for names as the archive has them, without a leading `./`.

        Raises:
            MissingToolError: a Debian package, and no dpkg-deb.
            TransientError: the archive is damaged.

        """
        wanted = re.compile(pattern)
        try:
            for name, content in _files(self.path, wanted):
                match = wanted.fullmatch(name)
                assert match is not None
                yield match, content
        except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
            raise TransientError(
                f"the package is damaged: {error}", where=str(self.path), remedy="delete it and collect again"
            ) from None


def take(package: Package, work: Path) -> Taken:
    """Bring a package here, unless it lies here already.

    Args:
        package: which.
        work: folder for archives; nothing in it is asked for twice.

    Raises:
        MissingToolError: the registry's client is not installed.
        TransientError: the package did not arrive.

    """
    if package.registry == "index":
        manifest = load(_INDEXED)
        indexes = fetch(manifest, next(iter(manifest.subsets)), FetchOptions(raw_root=str(work)))
        return Taken(package, work.absolute() / "apt" / "files", indexes[0].name.partition("/")[0])
    if package.registry == "apt":
        home = work.absolute() / "apt"
        found = sorted((home / "cache" / "archives").glob(f"{package.name}_*.deb"))
        path = found[-1] if found else apt.downloaded(home, package.name)
        return Taken(package, path, unquote(path.stem.split("_")[1]))
    folder = work.absolute() / package.registry / f"{package.name.replace('/', '-')}-{package.version}"
    archive = "*.whl" if package.registry == "pip" else "*.tgz"
    found = sorted(folder.glob(archive))
    if not found:
        folder.mkdir(parents=True, exist_ok=True)
        said = _client(package, folder)
        found = sorted(folder.glob(archive))
        if not found:
            raise TransientError(
                "the package did not arrive",
                where=f"{package.registry} {package.name} {package.version}",
                remedy=f"check the network and the client's settings; it said: {said}",
            )
    return Taken(package, found[-1], package.version)


def _client(package: Package, folder: Path) -> str:
    """Run the registry's own client; return the end of what it said."""
    if package.registry == "pip":
        wanted = f"{package.name}=={package.version}"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", wanted]
    else:
        command = ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE_S, check=False
        )
    except FileNotFoundError:
        raise MissingToolError(
            f"{command[0]} is not installed", where=package.name, remedy="install it, or leave the domain out"
        ) from None
    except subprocess.TimeoutExpired:
        return f"nothing for {_PATIENCE_S} s"
    return " ".join((done.stdout + done.stderr).decode("utf-8", "replace").split())[-300:]


def _files(path: Path, wanted: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            name = file.relative_to(path).as_posix()
            if wanted.fullmatch(name) and file.is_file():
                yield name, file.read_bytes()
    elif path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            for name in wheel.namelist():
                if wanted.fullmatch(name):
                    yield name, wheel.read(name)
    elif path.suffix == ".deb":
        with subprocess.Popen(
            [apt.tool("dpkg-deb"), "--fsys-tarfile", str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as unpacker:
            assert unpacker.stdout is not None
            with tarfile.open(fileobj=unpacker.stdout, mode="r|") as archive:
                yield from _in_tar(archive, wanted)
    else:
        with tarfile.open(path, mode="r|*") as archive:
            yield from _in_tar(archive, wanted)


def _in_tar(archive: tarfile.TarFile, wanted: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
    for member in archive:
        name = member.name.removeprefix("./")
        if member.isreg() and member.size <= _LARGEST_MEMBER and wanted.fullmatch(name):
            content = archive.extractfile(member)
            assert content is not None
            yield name, content.read()
