"""Reads the packages of `code_packages.tsv` (programs and prose) without unpacking them to the disk."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import pyarrow as pa

from open_ml_embed.core.errors import CorpusError, TransientError
from sources.fetch import apt
from tools.langid.code_corpus import Snippet, snippets, stable, table
from tools.langid.code_prose import READERS
from tools.langid.packages import Package, Taken, take

log = logging.getLogger(__name__)
LIST = Path(__file__).parent / "code_packages.tsv"
_LARGEST = 1_000_000
"""Most bytes of a file; larger ones are generated, not written by hand."""
_HELD_OUT = 0.15


class Listed(NamedTuple):
    """A line of the list.

    Attributes:
        registry: `debian` for source packages, else as in `packages.Package`.
        name: name in the registry.
        version: exact; empty for Debian.
        side: `train`, `test`, or `both` (split by document).

    """

    registry: Literal["debian", "apt", "npm", "pip", "index"]
    name: str
    version: str
    side: Literal["train", "test", "both"]


def listed() -> list[Listed]:
    """Return the lines of the list."""
    with LIST.open(encoding="utf-8", newline="") as file:
        return [Listed._make(row) for row in csv.reader(file, delimiter="\t")]


def collect(work: Path) -> pa.Table:
    """Download the packages and cut them into rows of `code_corpus.CODE_SCHEMA`.

    A package that cannot be downloaded is skipped with a warning in the log.

    Args:
        work: folder for archives; existing archives are not downloaded again.

    """
    return table(_all(work))


def _all(work: Path) -> Iterator[tuple[Snippet, str]]:
    for entry in listed():
        try:
            taken = _taken(entry, work)
        except CorpusError as error:
            log.warning("left out: %s", error)
            continue
        for match, content in taken.members(r".*"):
            reader = next((reader.read for reader in READERS if reader.files.search(match[0])), None)
            if reader is None and len(content) > _LARGEST:
                continue
            try:
                text = content.decode("utf-8")
            except UnicodeDecodeError:
                continue
            if "\0" not in text:
                for snippet in (reader or snippets)(match[0], text, entry.name.replace("/", "-")):
                    yield snippet, _side(entry, snippet.document)


def _side(entry: Listed, document: str) -> str:
    if entry.side != "both":
        return entry.side
    return "test" if stable(document) < _HELD_OUT * 2**64 else "train"


def _taken(entry: Listed, work: Path) -> Taken:
    if entry.registry != "debian":
        return take(Package(entry.registry, entry.name, "", entry.version), work)
    home = work.absolute() / "source"
    archives = _archives(home, entry.name)
    if not archives:
        _download_source(home, entry.name)
        archives = _archives(home, entry.name)
    if not archives:
        raise TransientError("the source package did not arrive", where=entry.name, remedy="try again")
    return Taken(Package("apt", entry.name, ""), archives[0], archives[0].name.split("_")[1])


def _archives(home: Path, name: str) -> list[Path]:
    files = [path for path in home.glob(f"{name}_*.tar.*z*") if ".debian.tar" not in path.name]
    return sorted(files, key=lambda path: (".orig.tar" not in path.name, path.name))


def _download_source(home: Path, name: str) -> None:
    """Download a source package from the mirrors of the machine's binary packages."""
    source_list = home / "source.list"
    options = ["-o", f"Dir::Etc::sourcelist={source_list}", "-o", "Dir::Etc::sourceparts=/dev/null"]
    if not source_list.is_file():
        apt._configure(home, ["none"])
        apt._apt(home, "update")
        form = "deb-src $(REPO_URI) $(CODENAME) $(COMPONENT)|$(CREATED_BY)|$(ORIGIN)|$(LABEL)"
        targets = apt._apt(home, "indextargets", "--format", form).decode().splitlines()
        lines = {line.split("|")[0] for line in targets if line.endswith("|Packages|Debian|Debian")}
        source_list.write_text("\n".join(sorted(lines)) + "\n", "utf-8")
        apt._apt(home, *options, "update")
    apt._apt(home, *options, "source", "--download-only", name, folder=home)
