"""Code and script of a text, decided together: from what a model answers to tags that there can be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from curation.langid.codes import Label
from curation.langid.identifier import UNDETERMINED, Ranked
from curation.langid.scripts import COMMON, MOST, NAMES, Scripts
from curation.langid.written import CODE, NO_SCRIPT, scripts_of_label
from open_ml_embed.core.array_types import F32, I16, I32, Mask

ANSWERED = (*NAMES, NO_SCRIPT, CODE, COMMON)
"""Scripts of answers by number; the first ones as in `scripts.NAMES`."""
_FREE = (len(NAMES), len(NAMES) + 1)
"""Those that need no letters."""
_COMMON = len(ANSWERED) - 1
_CANNOT, _OWN = -1, -2


@dataclass(frozen=True)
class Decided:
    """Answers for n texts, the best first.

    Attributes:
        label: int32, n x k; numbers of labels, -1 for none. An answer that cannot be is left out, and those after it
            move up.
        script: int16, n x k; numbers in `ANSWERED`. Where there is no answer it is the text's own script.
        score: float32, n x k; the model's scores, 0 for no answer.

    """

    label: I32
    script: I16
    score: F32


def decide(labels: tuple[Label, ...], ranked: Ranked, scripts: Scripts) -> Decided:
    """Keep the answers whose language is written in a script that the text has, and say in which.

    Args:
        labels: the model's, by number.
        ranked: its answers for n texts.
        scripts: of the texts; of several that a language is written in, the one that covers most of the text.

    """
    label, score = ranked
    sets, of_row = np.unique(scripts.admitted.view(np.int64)[:, 0], return_inverse=True)
    script = _script_table(labels, sets.view(np.int16).reshape(-1, MOST))[of_row[:, None], label]
    label = np.where(script == _CANNOT, np.int32(-1), label)
    gone = label < 0
    if (gone[:, :-1] & ~gone[:, 1:]).any():
        order = np.argsort(gone, axis=1, kind="stable")
        label = np.take_along_axis(label, order, axis=1)
        script = np.take_along_axis(script, order, axis=1)
        score = np.take_along_axis(score, order, axis=1)
    own = own_script(scripts)[:, None]
    return Decided(label, np.where(script < 0, own, script), np.where(script < 0, np.float32(0), score))


def own_script(scripts: Scripts) -> I16:
    """Return the script of each text, whatever its language (int16, n; numbers in `ANSWERED`)."""
    return np.where(scripts.admitted[:, 0] >= 0, scripts.admitted[:, 0], np.int16(_COMMON))


@lru_cache(maxsize=8)
def _may_be(labels: tuple[Label, ...]) -> Mask:
    """Return in which scripts each label may be answered (bool, labels x `ANSWERED`)."""
    may = np.zeros((len(labels), len(ANSWERED)), np.bool_)
    for number, label in enumerate(labels):
        allowed = scripts_of_label(label)
        if allowed is None:
            may[number, : len(NAMES)] = True
        else:
            may[number, [place for place, name in enumerate(ANSWERED) if name in allowed]] = True
    return may


def _script_table(labels: tuple[Label, ...], sets: I16) -> I16:
    """Return which script an answer has in texts with each set of admitted scripts (int16, sets x labels + 1).

    The last column is for no answer. `_CANNOT` is an answer that cannot be, `_OWN` one without a language.
    """
    may = _may_be(labels)
    table = np.full((len(sets), len(labels) + 1), _CANNOT, np.int16)
    answers = table[:, :-1]
    for free in _FREE:
        answers[:, may[:, free]] = free
    for number, admitted in enumerate(sets):
        for script in admitted[admitted >= 0][::-1]:
            answers[number, may[:, script]] = script
    answers[:, [label.code == UNDETERMINED for label in labels]] = _OWN
    return table
