"""One language for each sample, by the rule of the published corpus: a programming language, or a natural one.

A sample with a program on either side has the programming language as its label, the document's before the query's. Any
other sample has the language of its query; of its document, where the query has no language (a number, a formula).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from curation.langid.code_names import code_name
from sources.languages import NO_LANGUAGE

Kind = Literal["natural", "programming"]
_CODE = "-Code"
_NONE = NO_LANGUAGE.partition("-")[0]


@dataclass(frozen=True, order=True)
class Label:
    """The language of a sample: its code (ISO 639-3, `zxx` where it has none) or the name of a programming language."""

    code: str
    kind: Kind


def label_of(query_tag: str, positive_tag: str) -> Label:
    """Return the language of a sample whose sides have these tags.

    >>> label_of("eng-Latn", "python-Code")
    Label(code='python', kind='programming')
    >>> label_of("deu-Latn", "eng-Latn").code, label_of("zxx-Zxxx", "fra-Latn").code
    ('deu', 'fra')
    """
    for tag in (positive_tag, query_tag):
        if tag.endswith(_CODE):
            return Label(tag.removesuffix(_CODE), "programming")
    tag = positive_tag if query_tag == NO_LANGUAGE else query_tag
    return Label(tag.partition("-")[0], "natural")


def labels_of(tags: Iterable[str]) -> set[Label]:
    """Return the languages of some tags; a text without a language has none."""
    return {label_of(tag, tag) for tag in tags if tag != NO_LANGUAGE}


@dataclass(frozen=True)
class Plain:
    """Labels of the samples of a mix, whose languages are codes without a script: `lua` is Luba-Lulua, or Lua.

    Attributes:
        programs: names of the programming languages that the source declares.
        naturals: codes of the natural languages that it declares.

    """

    programs: frozenset[str]
    naturals: frozenset[str]

    def label(self, query: str, positive: str) -> Label:
        """Return the language of a sample whose sides have these codes or names."""
        for name in (positive, query):
            if self._is_program(name):
                return Label(name, "programming")
        return Label(positive if query == _NONE else query, "natural")

    def _is_program(self, name: str) -> bool:
        if name in self.programs:
            return True
        return name not in self.naturals and len(name) != 3 and code_name(name) == name
