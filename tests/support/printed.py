"""The commands and blocks of code that the documents print, with where they stand."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support import ROOT

PAGES = ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
PROGRAMS = ("curate", "train3d", "dvc", "python", "python3", "pip", "torchrun", "git", "cd", "pytest", "pre-commit")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Printed:
    """A command as a page prints it.

    Attributes:
        page: the file, from the root.
        line: of the page, from 1.
        words: the command's words, without comment, variables before it, and the folder of the program.

    """

    page: str
    line: int
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        return shlex.join(self.words)


@dataclass(frozen=True)
class Block:
    """A fenced block of code."""

    page: str
    line: int
    language: str
    text: str


def blocks() -> Iterator[Block]:
    """Yield the fenced blocks of all pages."""
    for page in PAGES:
        text = (ROOT / page).read_text("utf-8")
        for found in _FENCE.finditer(text):
            yield Block(page, text.count("\n", 0, found.start()) + 2, found[1], found[2])


def commands() -> Iterator[Printed]:
    """Yield every command of the pages: lines of `sh` blocks and of indented blocks, and code within a sentence."""
    for page in PAGES:
        text = (ROOT / page).read_text("utf-8")
        for found in _FENCE.finditer(text):
            if found[1] == "sh":
                first = text.count("\n", 0, found.start()) + 2
                for number, line in enumerate(found[2].splitlines(), first):
                    yield from _split(page, number, line)
                    for inner in re.findall(r"`([^`]+)`", line.partition("#")[2]):
                        yield from _split(page, number, inner)
        prose = _FENCE.sub(lambda found: "\n" * found[0].count("\n"), text)
        for number, line in enumerate(prose.splitlines(), 1):
            if line.startswith("    "):
                yield from _split(page, number, line)
        for found in re.finditer(r"(?<!`)`([^`]+)`(?!`)", prose):
            words = found[1].split()
            if len(words) > 1 and _program(_bare(words)[0]) in PROGRAMS:
                yield from _split(page, prose.count("\n", 0, found.start()) + 1, " ".join(words))


def _split(page: str, number: int, line: str) -> Iterator[Printed]:
    for part in line.split(" && "):
        words = _bare(shlex.split(part, comments=True))
        if words:
            yield Printed(page, number, (_program(words[0]), *words[1:]))


def _bare(words: list[str]) -> list[str]:
    """Leave out variables that are set before a command."""
    while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        words = words[1:]
    return words or [""]


def _program(word: str) -> str:
    return word.removeprefix(".venv/bin/")
