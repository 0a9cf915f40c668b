"""Reader of Debian package descriptions and their translations."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sources.adapters.debian import split
from tools.langid.packages import Package, Taken
from tools.langid.passages import Passage, plain

PACKAGES = (Package("index", "Translation", "LicenseRef-Debian-descriptions"),)

_UNTRANSLATED = "<trans>"
_STANZA = re.compile(r"^Description-md5: (\w+)\nDescription-[\w@]+: (.*(?:\n .*)*)", re.MULTILINE)
_EMPTY_LINE = re.compile(r"^ \.$", re.MULTILINE)
_LIST_MARK = re.compile(r"^ *[-*+o•] +", re.MULTILINE)


def read(taken: Taken) -> Iterator[Passage]:
    """Yield the synopses and the paragraphs; a description is one document in all languages."""
    for match, content in taken.members(r"\w+/main/i18n/Translation-(\w+)"):
        for stanza in _STANZA.finditer(content.decode("utf-8", "replace")):
            lines = _EMPTY_LINE.sub("", stanza[2]).replace("\n ", "\n")
            title, body = split(lines)
            for paragraph in (title, *body.split("\n\n")):
                text = None if _UNTRANSLATED in paragraph else plain(_LIST_MARK.sub("", paragraph))
                if text:
                    yield Passage(text, match[1], f"{taken.package.project}/{stanza[1]}")
