"""Reader of JSON messages, one file per language: of a bot framework, a text editor, a map editor, and Scratch."""

from __future__ import annotations

import json
from collections.abc import Iterator

from sources.adapters.mediawiki import cleaned
from tools.langid.packages import Package, Taken
from tools.langid.passages import Passage, plain

PACKAGES = (
    Package("pip", "pywikibot-scripts", "MIT", "11.9.0"),
    Package("npm", "ep_etherpad-lite", "Apache-2.0", "1.8.14"),
    Package("npm", "@openstreetmap/id", "ISC", "2.42.2"),
    Package("npm", "scratch-l10n", "BSD-3-Clause", "3.18.357"),  # the last of the 3.x; later ones are AGPL
)

_CODE = r"(?P<code>[a-z]{2,3}(?:-[A-Za-z]+)*)"
_FILES = (
    rf"pywikibot_scripts/i18n/(?P<bot>\w+)/{_CODE}\.json"
    rf"|package/(?P<folder>(?:[\w-]+/)*?(?:locales|editor/[\w-]+|www/[\w.-]+))/{_CODE.replace('code', 'other')}"
    r"(?:\.min)?\.json"
)
_NO_LANGUAGE = ("index", "qqq")


def read(taken: Taken) -> Iterator[Passage]:
    """Yield the messages; all messages with the same key are one document."""
    for match, content in taken.members(_FILES):
        code = match["code"] or match["other"]
        if code in _NO_LANGUAGE:
            continue
        folder = match["bot"] or match["folder"]
        for key, message in _flat(json.loads(content)):
            text = plain(cleaned(message) or "")
            if text:
                yield Passage(text, code, f"{taken.package.project}/{folder}/{key.removeprefix(f'{code}.')}")


def _flat(tree: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path of keys, string) for all strings in nested objects."""
    if isinstance(tree, str):
        yield path, tree
    elif isinstance(tree, dict):
        for key, branch in tree.items():
            if key != "@metadata":
                yield from _flat(branch, f"{path}.{key}" if path else key)
