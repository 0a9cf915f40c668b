"""Decides language code and script of a text together, so that answers are pairs that exist."""

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
"""Scripts of answers, by number; the first ones are those of `scripts.NAMES`, in the same order."""
_FREE = (len(NAMES), len(NAMES) + 1)
"""Numbers of the scripts that need no letters in the text: `Zxxx` and `Code`."""
_COMMON = len(ANSWERED) - 1
_CANNOT, _TEXT_SCRIPT = -1, -2


@dataclass(frozen=True)
class Decided:
    """The best k answers for n texts, best first.

    Attributes:
        label: int32[n, k], numbers of labels, -1 for no answer. Impossible answers are left out, and later answers move
            up.
        script: int16[n, k], indices into `ANSWERED`; without an answer, the script of the text.
        score: float32[n, k], the model's scores, 0 for no answer.

    """

    label: I32
    script: I16
    score: F32


def decide(labels: tuple[Label, ...], ranked: Ranked, scripts: Scripts) -> Decided:
    """Keep the answers whose language is written in a script of the text, and decide on the script.

    If the text has several scripts of the language, the answer has the one that covers most of the text.

    Args:
        labels: the model's labels, by number.
        ranked: the model's answers for n texts.
        scripts: the scripts of the texts.

    """
    label, score = ranked
    sets, of_row = np.unique(scripts.admitted.view(np.int64)[:, 0], return_inverse=True)
    script = _script_table(labels, sets.view(np.int16).reshape(-1, MOST))[of_row[:, None], label]
    label = np.where(script == _CANNOT, np.int32(-1), label)
    missing = label < 0
    if (missing[:, :-1] & ~missing[:, 1:]).any():
        order = np.argsort(missing, axis=1, kind="stable")
        label = np.take_along_axis(label, order, axis=1)
        script = np.take_along_axis(script, order, axis=1)
        score = np.take_along_axis(score, order, axis=1)
    text_script = own_script(scripts)[:, None]
    return Decided(label, np.where(script < 0, text_script, script), np.where(script < 0, np.float32(0), score))


def own_script(scripts: Scripts) -> I16:
    """Return the script of each text regardless of its language, int16[n], indices into `ANSWERED`."""
    return np.where(scripts.admitted[:, 0] >= 0, scripts.admitted[:, 0], np.int16(_COMMON))


@lru_cache(maxsize=8)
def _may_be(labels: tuple[Label, ...]) -> Mask:
    """Return which scripts an answer with each label may have, bool[labels, ANSWERED]."""
    may = np.zeros((len(labels), len(ANSWERED)), np.bool_)
    for number, label in enumerate(labels):
        allowed = scripts_of_label(label)
        if allowed is None:
            may[number, : len(NAMES)] = True
        else:
            may[number, [place for place, name in enumerate(ANSWERED) if name in allowed]] = True
    return may


def _script_table(labels: tuple[Label, ...], sets: I16) -> I16:
    """Return the script of each label's answer for each set of admitted scripts, int16[sets, labels + 1].

    The last column is for no answer. `_CANNOT` marks an impossible answer, `_TEXT_SCRIPT` an answer without a language,
    which gets the script of the text.
    """
    may = _may_be(labels)
    table = np.full((len(sets), len(labels) + 1), _CANNOT, np.int16)
    answers = table[:, :-1]
    for free in _FREE:
        answers[:, may[:, free]] = free
    for number, admitted in enumerate(sets):
        for script in admitted[admitted >= 0][::-1]:
            answers[number, may[:, script]] = script
    answers[:, [label.code == UNDETERMINED for label in labels]] = _TEXT_SCRIPT
    return table
