"""Downloads packages by name from pip, npm or Debian, and reads their files without unpacking them to the disk."""

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
"""The source that is fetched to get Debian's indexes."""


@dataclass(frozen=True)
class Package:
    """One package, and the license of its texts.

    Attributes:
        registry: which client downloads it, from the mirrors configured on this machine; `index` means Debian's
            indexes.
        name: name in the registry.
        license: SPDX identifier, of the texts that are used.
        version: exact; empty for Debian, where the archive determines it.

    """

    registry: Literal["pip", "npm", "apt", "index"]
    name: str
    license: str
    version: str = ""

    @property
    def project(self) -> str:
        """Name of the program; packages with the translations of one program share it.

        >>> Package("apt", "libreoffice-l10n-de", "MPL-2.0").project
        'libreoffice'

        """
        return self.name.partition("-l10n")[0]


@dataclass(frozen=True)
class Taken:
    """A downloaded package.

    Attributes:
        package: the requested package.
        path: its archive, or a folder.
        version: the downloaded version.

    """

    package: Package
    path: Path
    version: str

    def members(self, pattern: str) -> Iterator[tuple[re.Match[str], bytes]]:
        """Yield (match of the name, content) of the regular files whose whole name matches, in the archive's order.

        Args:
            pattern: regular expression for names in the archive, without a leading `./`.

        Raises:
            MissingToolError: it is a Debian package, and dpkg-deb is not installed.
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
    """Download a package, unless it is already here.

    Args:
        package: the package.
        work: folder for archives; existing archives are not downloaded again.

    Raises:
        MissingToolError: the client of the registry is not installed.
        TransientError: the package could not be downloaded.

    """
    if package.registry == "index":
        manifest = load(_INDEXED)
        indexes = fetch(manifest, next(iter(manifest.subsets)), FetchOptions(raw_root=str(work)))
        return Taken(package, work.absolute() / "apt" / "files", indexes[0].name.partition("/")[0])
    if package.registry == "apt":
        home = work.absolute() / "apt"
        archives = sorted((home / "cache" / "archives").glob(f"{package.name}_*.deb"))
        path = archives[-1] if archives else apt.downloaded(home, package.name)
        return Taken(package, path, unquote(path.stem.split("_")[1]))
    folder = work.absolute() / package.registry / f"{package.name.replace('/', '-')}-{package.version}"
    archive = "*.whl" if package.registry == "pip" else "*.tgz"
    archives = sorted(folder.glob(archive))
    if not archives:
        folder.mkdir(parents=True, exist_ok=True)
        output = _client(package, folder)
        archives = sorted(folder.glob(archive))
        if not archives:
            raise TransientError(
                "the package did not arrive",
                where=f"{package.registry} {package.name} {package.version}",
                remedy=f"check the network and the client's settings; it said: {output}",
            )
    return Taken(package, archives[-1], package.version)


def _client(package: Package, folder: Path) -> str:
    """Run the client of the registry; return the end of its output."""
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
