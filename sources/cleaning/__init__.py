"""Text cleaning by the operations that a manifest names under `clean`; it runs before normalization.

Each operation repairs one kind of damage that the production of a dataset left in its texts: markup that was not
removed, characters decoded in the wrong encoding, artifacts of a tokenizer. Only the named operations are applied. A
byte scan (`sources.cleaning.scan`) selects the texts that may have the damage. All others are left unchanged, so clean
texts cost one pass over their bytes for all operations together. Program text (language tag `…-Code`) is not cleaned.
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
from sources.cleaning.marks import (
    AMPERSAND,
    BACKSLASH,
    BRACKET,
    INVISIBLE,
    LESS_THAN,
    LINE_END,
    MOJIBAKE,
    SPACED,
    TREEBANK,
    UNDERSCORE,
)
from sources.cleaning.markup import line_ends, plain, unescaped
from sources.cleaning.remnants import without_jats, without_placeholders, without_treebank


class Operation(NamedTuple):
    """A cleaning operation: the marks of the texts that it applies to, and the function that repairs one text.

    Attributes:
        marks: bits of `sources.cleaning.scan`; a text without any of them is left unchanged.
        mend: function (text, language tag) → text.

    """

    marks: int
    mend: Callable[[str, str], str]


OPERATIONS: dict[str, Operation] = {
    "encoding": Operation(MOJIBAKE, lambda text, _: repaired(text)),
    "escapes": Operation(BACKSLASH, lambda text, _: line_ends(text)),
    "list": Operation(BRACKET, lambda text, _: items_of(text)),
    "entities": Operation(AMPERSAND, lambda text, _: unescaped(text)),
    "tags": Operation(LESS_THAN, lambda text, _: plain(text)),
    "jats": Operation(UNDERSCORE | LESS_THAN, lambda text, _: without_jats(text)),
    "placeholders": Operation(UNDERSCORE, lambda text, _: without_placeholders(text)),
    "treebank": Operation(TREEBANK, lambda text, _: without_treebank(text)),
    "invisible": Operation(INVISIBLE, lambda text, _: without_invisible(text)),
    "hard-wraps": Operation(LINE_END, lambda text, _: unwrapped(text)),
    "detokenize": Operation(SPACED, detokenized),
}
"""Operations by name (`sources.manifest.CleanName`), in the order in which they are applied.

| name | what it repairs |
| --- | --- |
| `encoding` | UTF-8 that was decoded as Latin-1 or Windows-1252 (`Itâ€™s`), by ftfy |
| `escapes` | line ends and tabs written as a backslash and a letter |
| `list` | a Python list of texts written as one text: becomes its items, one per line |
| `entities` | HTML entities (`&amp;`), unless the text is about them |
| `tags` | HTML tags: line-breaking tags become line ends, others are removed, unless the text is about them |
| `jats` | remnants of journal markup (`O_ST_ABS`, `C_SCPLOW`, `<jats:p>`) |
| `placeholders` | placeholders for parts that the authors of a dataset removed (`_URL_0_`) |
| `treebank` | brackets and quotes of the Penn Treebank (`-LRB-`, two grave accents) |
| `invisible` | zero-width, soft-hyphen and private-use characters; joiners stay where their script needs them |
| `hard-wraps` | line ends inside a paragraph: become blanks |
| `detokenize` | blanks that a tokenizer put before punctuation, inside words, between characters of Thai or Chinese |
"""


def cleaned(texts: pa.StringArray, langs: pa.StringArray, names: Sequence[str]) -> pa.StringArray:
    """Apply the named operations to texts, in the order of `OPERATIONS`.

    Args:
        texts: string array of n texts; nulls stay.
        langs: string array of n language tags.
        names: names of operations.

    Raises:
        KeyError: an unknown name; the model of manifests already refuses these.

    """
    if not names or not len(texts):
        return texts
    spaced = any(OPERATIONS[name].marks & SPACED for name in names)
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
