"""Declared text cleaning: what a manifest's `clean` names is done to its texts before they are normalized.

An operation mends one kind of damage that a source's own making left in its texts: markup that was never removed,
characters decoded in the wrong encoding, marks of a tokenizer. None is applied that the manifest does not name. A look
at the bytes (`sources.cleaning.scan`) tells which texts may hold the damage; the others are not touched, so that clean
texts cost one pass over their bytes for all operations together. Program text (a language tag that ends in `-Code`) is
left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from open_ml_embed.core.array_types import Mask
from sources.cleaning import scan
from sources.cleaning.detokenize import detokenized
from sources.cleaning.encoding import repaired
from sources.cleaning.invisible import without_invisible
from sources.cleaning.line_layout import items_of, unwrapped
from sources.cleaning.markup import line_ends, plain, unescaped
from sources.cleaning.remnants import without_jats, without_placeholders, without_treebank


class Operation(NamedTuple):
    """One kind of damage: which marks of `scan` its texts have (0: any text may), and what mends one text.

    Attributes:
        marks: bits of `sources.cleaning.scan`; a text without any of them is left alone.
        mend: text and language tag → text.

    """

    marks: int
    mend: Callable[[str, str], str]


OPERATIONS: dict[str, Operation] = {
    "encoding": Operation(scan.MOJIBAKE, lambda text, _: repaired(text)),
    "escapes": Operation(scan.BACKSLASH, lambda text, _: line_ends(text)),
    "list": Operation(scan.BRACKET, lambda text, _: items_of(text)),
    "entities": Operation(scan.AMPERSAND, lambda text, _: unescaped(text)),
    "tags": Operation(scan.LESS_THAN, lambda text, _: plain(text)),
    "jats": Operation(scan.UNDERSCORE | scan.LESS_THAN, lambda text, _: without_jats(text)),
    "placeholders": Operation(scan.UNDERSCORE, lambda text, _: without_placeholders(text)),
    "treebank": Operation(scan.TREEBANK, lambda text, _: without_treebank(text)),
    "invisible": Operation(scan.INVISIBLE, lambda text, _: without_invisible(text)),
    "hard-wraps": Operation(scan.LINE_END, lambda text, _: unwrapped(text)),
    "detokenize": Operation(scan.SPACED, detokenized),
}
"""The names a manifest may use (`sources.manifest.CleanName`), in the order in which they are applied.

| name | what it mends |
| --- | --- |
| `encoding` | UTF-8 that was decoded as Latin-1 or Windows-1252 (`Itâ€™s`), by ftfy |
| `escapes` | line ends and tabs written as a backslash and a letter |
| `list` | a Python list of texts written as one text: its items, one a line |
| `entities` | HTML entities (`&amp;`), save where the text is about them |
| `tags` | HTML tags: those that break lines become line ends, others go, save where the text is about them |
| `jats` | marks that are left of journal markup (`O_ST_ABS`, `C_SCPLOW`, `<jats:p>`) |
| `placeholders` | names that stand for what a dataset's makers took out (`_URL_0_`) |
| `treebank` | brackets and quotes of the Penn Treebank (`-LRB-`, two grave accents) |
| `invisible` | zero-width, soft-hyphen and private-use characters; joiners stay where their script needs them |
| `hard-wraps` | line ends inside a paragraph: blanks |
| `detokenize` | blanks that a tokenizer put before punctuation, inside words, between characters of Thai or Chinese |
"""


def cleaned(texts: pa.StringArray, langs: pa.StringArray, names: Sequence[str]) -> pa.StringArray:
    """Return the texts with the named operations applied, in the order of `OPERATIONS`.

    Args:
        texts: string array of n texts; nulls stay.
        langs: the language tag of each.
        names: of operations.

    Raises:
        KeyError: there is no operation of a name; manifests cannot hold one.

    """
    if not names or not len(texts):
        return texts
    spaced = any(OPERATIONS[name].marks & scan.SPACED for name in names)
    marks = scan.marks_of(texts, spaced=spaced)
    natural = ~_flags(pc.ends_with(langs, "-Code"))
    for name in sorted(names, key=list(OPERATIONS).index):
        operation = OPERATIONS[name]
        rows = np.flatnonzero(((marks & operation.marks) != 0) & natural)
        if not len(rows):
            continue
        index = pa.array(rows)
        before = texts.take(index)
        pairs = zip(before.to_pylist(), langs.take(index).to_pylist(), strict=True)
        after = pa.array([operation.mend(text, lang or "") for text, lang in pairs], pa.string())
        changed = rows[_flags(pc.not_equal(before, after))]
        if len(changed):
            mask = np.zeros(len(texts), bool)
            mask[changed] = True
            texts = pc.replace_with_mask(texts, pa.array(mask), after.filter(pc.not_equal(before, after)))
            marks[changed] = scan.marks_of(texts.take(pa.array(changed)), spaced=spaced)
    return texts


def _flags(mask: pa.BooleanArray) -> Mask:
    flags: Mask = pc.fill_null(mask, fill_value=False).to_numpy(zero_copy_only=False)
    return flags
