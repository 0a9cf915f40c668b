"""Fetches Debian indexes and packages with apt, using a private state and the machine's own sources and keys.

It needs no root and does not touch the system's lists or cache. All data lie below ``<raw_root>/apt``: ``state`` and
``cache`` belong to apt, ``files`` holds the files that manifests name:

- indexes: ``bookworm/main/i18n/Translation-de``, ``bookworm/main/binary-amd64/Packages``;
- packages: ``mediawiki/de.tar``, the messages of all components in one language (``*/i18n/de.json``).

A completed fetch is not repeated while its files exist; delete the folder to get the current state of the archive.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from open_ml_embed.core.errors import FetchError, MissingToolError, TransientError
from open_ml_embed.core.files import whole_file
from open_ml_embed.core.lock import waiting
from sources.fetch import FetchOptions, packing
from sources.globs import Names
from sources.manifest import AptOrigin, Manifest
from sources.parts import RawFile

log = logging.getLogger(__name__)

_INDEXES = {"Packages": "Packages", "Translation": "Translations"}
"""Name in a manifest → value of apt's `CREATED_BY` for this kind of index."""
_MESSAGES = re.compile(r"^(?:\./)?(?P<name>(?:[\w.+-]+/)*i18n/(?:[\w.+-]+/)*(?P<code>[a-z0-9-]+)\.json)$")
_DEBIAN = re.compile(r"^Origin: Debian\nLabel: Debian$", re.MULTILINE)
_LARGEST_MEMBER = 64 << 20
_PATIENCE_S = 1800
_CONFIG = """\
#clear APT::Update;
#clear Acquire::Languages;
APT::Sandbox::User "{user}";
Dir::State "{home}/state";
Dir::State::Lists "{home}/state/lists";
Dir::Cache "{home}/cache";
Dir::Cache::Archives "{home}/cache/archives";
Acquire::GzipIndexes "false";
Acquire::PDiffs "false";
Acquire::Retries "3";
Acquire::Languages {{ {languages} }};
"""
"""The update hooks of the system are cleared; its proxies, keys and mirrors stay in force."""


def fetch(manifest: Manifest, subset: str, options: FetchOptions) -> list[RawFile]:
    """Fetch the indexes and packages of a manifest's origin (once for all manifests) and list those of the subset.

    A language without an index yields no file and a warning in the log.

    Raises:
        MissingToolError: apt is not installed, or its sources have no Debian archive.
        TransientError: the mirror cannot be reached, or sent less than it lists.
        FetchError: the run is offline and the files were never fetched.

    """
    origin = manifest.origin
    assert isinstance(origin, AptOrigin)
    home = Path(options.raw_root).absolute() / "apt"
    parts = (*(("indexes",) if origin.indexes else ()), *(f"package-{package}" for package in origin.packages))
    listing, names = options.known.of(("apt", parts), lambda: _all_listed(home, parts, options))
    files = list(packing.chosen(manifest, home / "files", listing, options, names))
    for table in sorted(set(manifest.tables) - {file.table for file in files}):
        log.warning("%s/%s: the archive has no file for %r", manifest.name, subset, table)
    return files


def _all_listed(home: Path, parts: tuple[str, ...], options: FetchOptions) -> tuple[packing.Listing, Names]:
    listing: packing.Listing = {}
    for part in parts:
        listing |= _listed(home, part, options)
    return listing, Names(listing)


def _listed(home: Path, what: str, options: FetchOptions) -> packing.Listing:
    marker = home / f"{what}.json"
    if not packing.whole(marker, home / "files"):
        if options.offline:
            raise FetchError("was never fetched", where=f"apt {what}", remedy="run once with a network")
        with waiting(home / "lock"):
            if not packing.whole(marker, home / "files"):  # another process may have fetched them meanwhile
                listing = _take_indexes(home) if what == "indexes" else _take_package(home, what[len("package-") :])
                packing.save(marker, listing)
    return _load(marker, marker.stat().st_mtime_ns)


@cache
def _load(marker: Path, _version: int) -> packing.Listing:
    listing = packing.load(marker)
    assert listing is not None
    return listing


def _take_indexes(home: Path) -> packing.Listing:
    targets = _updated(home)
    names = []
    for target, source in targets.items():
        path = home / "files" / target
        with whole_file(path) as unfinished:
            if source.is_file():
                shutil.copyfile(source, unfinished)
            else:
                unfinished.write_bytes(_plain(source))
        names.append(target)
    return packing.enlist(home / "files", names)


def _plain(source: Path) -> bytes:
    """Return the content of an index that apt stores compressed (``Packages.lz4`` for ``Packages``)."""
    helper = "/usr/lib/apt/apt-helper"
    packed = sorted(source.parent.glob(f"{source.name}.*"))
    if not Path(helper).is_file():
        raise MissingToolError("an index is compressed and apt-helper is missing", where=str(source))
    done = subprocess.run([helper, "cat-file", str(packed[0])], capture_output=True, check=False)
    if done.returncode:
        raise FetchError(_tail(done.stderr), where=str(packed[0]), remedy="delete the apt folder and fetch again")
    return done.stdout


def _updated(home: Path) -> dict[str, Path]:
    """Update the private state; return the indexes of the main archive, name → apt's file."""
    _configure(home, ["none"])
    output = _apt(home, "update")
    languages = sorted(_languages(home))  # the available languages are known only from the release files
    if languages:
        _configure(home, languages)
        output = _apt(home, "update")
    targets = _targets(home)
    if not targets and any(_releases(home)):
        raise MissingToolError(
            "this machine's apt sources name no Debian archive",
            where="/etc/apt",
            remedy="run it on Debian, or leave the source out",
        )
    arrived = {name.rpartition("Translation-")[2] for name in targets}
    lost = [code for code in languages if code not in arrived]
    if lost or not any(name.endswith("/Packages") for name in targets):
        raise TransientError(
            f"the mirror did not send {', '.join(lost) or 'the package index'}" if targets else "no mirror was reached",
            where="apt-get update",
            remedy=f"check the network and /etc/apt, and try again; apt said: {_tail(output)}",
        )
    return targets


def _releases(home: Path) -> Iterator[str]:
    for path in sorted((home / "state/lists").glob("*Release")):
        yield path.read_text("utf-8", "replace")


def _languages(home: Path) -> set[str]:
    """Return the language codes for which a Debian release lists a non-empty translation index."""
    listed = re.compile(r"^ \w+ +[1-9]\d* +main/i18n/Translation-(\w+)$", re.MULTILINE)
    return {code for text in _releases(home) if _DEBIAN.search(text) for code in listed.findall(text)}


def _targets(home: Path) -> dict[str, Path]:
    """Return name → apt's file of the indexes of Debian's main suites, without updates, security and third parties."""
    form = "$(CREATED_BY)|$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(SUITE)|$(CODENAME)|$(METAKEY)|$(FILENAME)"
    targets = {}
    for line in _apt(home, "indextargets", "--format", form).decode().splitlines():
        created_by, origin, label, component, suite, codename, key, path = line.split("|")
        if (
            (origin, label, component) == ("Debian", "Debian", "main")
            and created_by in _INDEXES.values()
            and not suite.endswith(("-updates", "-backports", "-proposed-updates"))
            and not codename.endswith(("-updates", "-backports"))
        ):
            targets[f"{codename}/{key}"] = Path(path)
    return dict(sorted(targets.items()))


def _take_package(home: Path, package: str) -> packing.Listing:
    deb = downloaded(home, package)
    try:
        by_code = _messages(deb)
    except tarfile.TarError as error:
        raise TransientError(f"the package is damaged: {error}", where=deb.name, remedy="fetch again") from None
    finally:
        deb.unlink()
    if not by_code:
        raise FetchError("the package holds no messages", where=deb.name, remedy="name another in the manifest")
    for code, members in by_code.items():
        packing.pack(home / "files" / package / f"{code}.tar", sorted(members))
    return packing.enlist(home / "files", (f"{package}/{code}.tar" for code in by_code))


def _messages(deb: Path) -> dict[str, list[tuple[str, bytes]]]:
    """Return language code → (name, content) of the message files of a package, without unpacking it to the disk."""
    by_code: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
    with subprocess.Popen(
        [tool("dpkg-deb"), "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as unpacker:
        assert unpacker.stdout is not None
        with tarfile.open(fileobj=unpacker.stdout, mode="r|") as archive:
            for member in archive:
                match = _MESSAGES.match(member.name)
                if match and member.isreg() and member.size <= _LARGEST_MEMBER:
                    content = archive.extractfile(member)
                    assert content is not None
                    by_code[match["code"]].append((match["name"], content.read()))
    return by_code


def downloaded(home: Path, package: str) -> Path:
    """Download one package into a private apt state and return the path of the archive.

    Args:
        home: folder of the private state.
        package: name of the package.

    Raises:
        TransientError: the package could not be downloaded.
        MissingToolError: apt is not installed.

    """
    folder = home / "cache" / "archives"
    if not any((home / "state/lists").glob("*Release")):
        _updated(home)
    output = _apt(home, "download", package, folder=folder)
    archives = sorted(folder.glob(f"{package}_*.deb"))
    if not archives:  # the listed version may no longer be in the archive
        _updated(home)
        output = _apt(home, "download", package, folder=folder)
        archives = sorted(folder.glob(f"{package}_*.deb"))
    if not archives:
        raise TransientError(
            "the package did not arrive",
            where=f"apt-get download {package}",
            remedy=f"check the network and /etc/apt, and try again; apt said: {_tail(output)}",
        )
    return archives[-1]


def _configure(home: Path, languages: list[str]) -> None:
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    text = _CONFIG.format(
        home=home,
        user="root" if os.geteuid() == 0 else "_apt",  # as root, apt would download as a user without write access
        languages=" ".join(f'"{code}";' for code in languages),
    )
    (home / "apt.conf").write_text(text, "utf-8")


def _apt(home: Path, *arguments: str, folder: Path | None = None) -> bytes:
    """Run apt-get with the private configuration and return its output; callers check the files that it wrote."""
    try:
        done = subprocess.run(
            [tool("apt-get"), "-q", "-c", str(home / "apt.conf"), *arguments],
            cwd=folder or home,
            env=os.environ | {"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TransientError(
            f"no end after {_PATIENCE_S} s", where=f"apt-get {arguments[0]}", remedy="check the network, try again"
        ) from None
    return done.stdout if done.returncode == 0 else done.stdout + done.stderr


def tool(name: str) -> str:
    """Return the path of a program, or raise `MissingToolError`."""
    path = shutil.which(name)
    if path is None:
        raise MissingToolError(
            f"{name} is not installed", where="apt origin", remedy="run it on Debian, or leave the source out"
        )
    return path


def _tail(output: bytes) -> str:
    return " ".join(output.decode("utf-8", "replace").split())[-300:] or "nothing"
