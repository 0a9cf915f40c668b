"""The packages of `code_packages.tsv`: programs and the prose beside them, read without unpacking to disk."""

from __future__ import annotations

import csv
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple, cast

import pyarrow as pa

from curation.langid.code_content import PROSE
from curation.langid.training.code_corpus import MOST_A_FILE, Snippet, snippets, stable, table
from curation.langid.training.packages import Package, Taken, take
from sources.errors import CorpusError, TransientError
from sources.fetch import apt

log = logging.getLogger(__name__)
LIST = Path(__file__).parent / "code_packages.tsv"
_LARGEST = 200_000
"""Bytes of a file that somebody wrote."""
_MESSAGES = re.compile(r"(?:^|/)i18n/(?:.*/)?[a-z-]+\.json$")
_HELD_OUT = 0.15


class Listed(NamedTuple):
    """A line of the list.

    Attributes:
        registry: `debian` for source packages, else as `packages.Package`.
        name: as the registry knows it.
        version: exact; empty for Debian.
        side: `train`, `test`, or `both`: by folder.

    """

    registry: Literal["debian", "apt", "npm", "pip"]
    name: str
    version: str
    side: Literal["train", "test", "both"]


def listed() -> list[Listed]:
    """Read the list."""
    with LIST.open(encoding="utf-8", newline="") as file:
        return [cast(Listed, Listed(*row)) for row in csv.reader(file, delimiter="\t")]


def collect(work: Path) -> pa.Table:
    """Bring the packages here and cut them into rows of `code_corpus.CODE_SCHEMA`.

    A package that does not arrive leaves a line in the log.

    Args:
        work: folder for archives; nothing in it is asked for twice.

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
            if len(content) > _LARGEST and not _MESSAGES.search(match[0]):
                continue
            try:
                text = content.decode("utf-8")
            except UnicodeDecodeError:
                continue
            if "\0" in text:
                continue
            cut = _messages if _MESSAGES.search(match[0]) else snippets
            for snippet in cut(match[0], text, entry.name.replace("/", "-")):
                yield snippet, _side(entry, match[0])


def _side(entry: Listed, name: str) -> str:
    if entry.side != "both":
        return entry.side
    folder = name.rpartition("/")[0]
    return "test" if stable(folder) < _HELD_OUT * 2**64 else "train"


def _messages(name: str, content: str, package: str) -> Iterator[Snippet]:
    """Yield some messages of one language of MediaWiki, markup and all."""
    try:
        found = [text for key, text in json.loads(content).items() if key[0] != "@" and isinstance(text, str)]
    except (ValueError, AttributeError):
        return
    for text in sorted(found, key=stable)[:MOST_A_FILE]:
        yield Snippet(text, PROSE, "mediawiki", f"{package}/{name}")


def _taken(entry: Listed, work: Path) -> Taken:
    if entry.registry != "debian":
        return take(Package(entry.registry, entry.name, "", entry.version), work)
    home = work.absolute() / "source"
    found = _archives(home, entry.name)
    if not found:
        _ask(home, entry.name)
        found = _archives(home, entry.name)
    if not found:
        raise TransientError("the source package did not arrive", where=entry.name, remedy="try again")
    return Taken(Package("apt", entry.name, ""), found[0], found[0].name.split("_")[1])


def _archives(home: Path, name: str) -> list[Path]:
    files = [path for path in home.glob(f"{name}_*.tar.*z*") if ".debian.tar" not in path.name]
    return sorted(files, key=lambda path: (".orig.tar" not in path.name, path.name))


def _ask(home: Path, name: str) -> None:
    """Download a source package, from where this machine has its binary ones."""
    own = home / "source.list"
    options = ["-o", f"Dir::Etc::sourcelist={own}", "-o", "Dir::Etc::sourceparts=/dev/null"]
    if not own.is_file():
        apt._updated(home)
        form = "deb-src $(REPO_URI) $(SUITE) $(COMPONENT)|$(CREATED_BY)|$(ORIGIN)|$(LABEL)"
        said = apt._apt(home, "indextargets", "--format", form).decode().splitlines()
        lines = {line.split("|")[0] for line in said if line.endswith("|Packages|Debian|Debian")}
        own.write_text("\n".join(sorted(lines)) + "\n", "utf-8")
        apt._apt(home, *options, "update")
    apt._apt(home, *options, "source", "--download-only", name, folder=home)
