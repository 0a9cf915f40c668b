"""Reader of MediaWiki's interface messages in several hundred languages, from translatewiki.net."""

from __future__ import annotations

import json
from collections.abc import Iterator

from sources.adapters.mediawiki import cleaned
from tools.langid.packages import Package, Taken
from tools.langid.passages import Passage

PACKAGES = (Package("apt", "mediawiki", "GPL-2.0-or-later"),)

_FILES = r"(?P<component>(?:[\w.+-]+/)*i18n(?:/[\w.+-]+)*)/(?P<code>[a-z0-9-]+)\.json"
_CODES = {"als": "gsw", "simple": "en", "nrm": "nrf", "no": "nb", "kr": "knc"}
"""Wikimedia codes that stand for another language, or for several, in ISO 639."""


def read(taken: Taken) -> Iterator[Passage]:
    """Yield the messages of the core and of every extension; a message is one document in all languages."""
    for match, content in taken.members(_FILES):
        messages = json.loads(content)
        code = _CODES.get(match["code"], match["code"])
        for key, message in messages.items():
            text = cleaned(message) if isinstance(message, str) and not key.endswith((".css", ".js", ".json")) else None
            if text:
                yield Passage(text, code, f"{taken.package.project}/{match['component'].rpartition('i18n')[0]}{key}")
