"""`identify`: the ISO 639-3 code, script and confidence of texts, with any backend."""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.langid.codes import NO_LANGUAGE, UNDETERMINED, Policy, fold
from curation.langid.confidence import LEAST, SHORT, confidence
from curation.langid.deciding import ANSWERED, Decided, decide, own_script
from curation.langid.identifier import ALTERNATIVE, ALTERNATIVES, Identifier
from curation.langid.scripts import look, own_letters
from curation.langid.settings import BACKENDS, LanguageSettings
from open_ml_embed.core.array_types import F32, Mask
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.text.arrays import Texts, one_array, text_array

IDENTIFIED_SCHEMA = pa.schema(
    [
        pa.field("code", pa.string(), nullable=False),
        pa.field("script", pa.string(), nullable=False),
        pa.field("confidence", pa.float32(), nullable=False),
        pa.field("letters", pa.int32(), nullable=False),
    ]
)
"""`code`: ISO 639-3 (`und` if the model does not determine the language, `zxx` without linguistic content), or the name
of a programming language. `script`: ISO 15924, a script that occurs in the text and that the language is written in
(the text's script for `und`, `Zxxx` for `zxx`), or `Code` for a programming language. `confidence`: how often such an
answer is right, from 0 to 1 (see `curation.langid.confidence`). `letters`: the number of letters that the answer is
based on; a character of Han, kana or hangul counts as three."""


def backend(settings: LanguageSettings) -> Identifier:
    """Return the backend that the settings name, which is loaded once in each process.

    Raises:
        CorpusError: there is no such backend, its package is missing, or its model cannot be loaded.

    """
    return _loaded(settings.backend, settings.model)


@cache
def _loaded(name: str, model: str | None) -> Identifier:
    return BACKENDS.get(name, where="languages.backend")(model)


def identify(texts: Texts, settings: LanguageSettings | None = None, *, top_k: int | None = None) -> pa.Table:
    """Identify the language of every text.

    Args:
        texts: n texts, in any form that `open_ml_embed.core.text.arrays.text_array` accepts; null reads as empty.
        settings: the backend, the policy that folds its codes, and whether to detect code and texts without linguistic
            content first; None takes the defaults, which need no network.
        top_k: also return up to this many answers for each text.

    Returns:
        Table of n rows with `IDENTIFIED_SCHEMA`. With `top_k` it also has `alternatives` (`ALTERNATIVES`), best first,
        each code once: if two labels fold into one code, the likelier label counts.

    Raises:
        SettingsError: `texts` is a single string, or not a list of texts; or the model cannot be loaded.

    Raises:
        SettingsError: `top_k` is below 1, the texts are none (see `text_array`), or there is no such model.

    """
    if top_k is not None and top_k < 1:
        raise SettingsError(f"{top_k} answers are none", where="top_k", remedy="1 or more; null: the best alone")
    texts = one_array(text_array(texts))
    settings = settings or LanguageSettings()
    if not settings.content:
        return answer(backend(settings), texts, settings.policy, top_k)
    from curation.langid.content import prepared

    ready = prepared(texts)
    table = answer(backend(settings), ready.text, settings.policy, top_k)
    code = pc.is_valid(ready.code).to_numpy(zero_copy_only=False)
    known = code | ready.nothing
    if not known.any():
        return table
    return _replaced(table, known, np.where(ready.nothing, 1, ready.confidence).astype(np.float32), ready.code)


def answer(model: Identifier, texts: pa.Array, policy: Policy, top_k: int | None = None) -> pa.Table:
    """Identify texts with a model, without first detecting code and texts without linguistic content.

    Args:
        model: the loaded backend.
        texts: string array of n texts.
        policy: the policy that folds codes.
        top_k: as in `identify`.

    Returns:
        The table that `identify` describes.

    """
    scripts = look(texts)
    ranked = model.ranked(own_letters(texts, scripts), scripts, top_k or 1)
    decided = decide(model.labels, ranked, scripts)
    sure = confidence(decided.score[:, 0], scripts.letters, decided.script[:, 0], model.calibration)
    letters = scripts.size()
    withheld = (letters < SHORT) & (sure < LEAST)
    names = pa.array([*(fold(label.code, policy) for label in model.labels), UNDETERMINED])
    label = np.where(withheld, len(model.labels), decided.label[:, 0])
    script = np.where(withheld, own_script(scripts), decided.script[:, 0])
    columns = [
        names.take(pa.array(np.where(label < 0, len(model.labels), label))),
        pa.array(ANSWERED).take(pa.array(script)),
        pa.array(np.where(withheld, np.float32(0), sure)),
        pa.array(letters),
    ]
    if top_k is None:
        return pa.table(columns, schema=IDENTIFIED_SCHEMA)
    columns.append(_alternatives(names, decided, sure, withheld, top_k))
    return pa.table(columns, schema=IDENTIFIED_SCHEMA.append(pa.field("alternatives", ALTERNATIVES, nullable=False)))


def _alternatives(
    names: pa.StringArray,
    decided: Decided,
    sure: F32,
    withheld: Mask,
    most: int,
) -> pa.ListArray:
    """Return the list of answers for each text, each code once, the best first.

    The list starts with `und` if there is no answer or the answer is withheld. The confidence of an alternative is the
    confidence of the best answer, scaled by the ratio of the two scores.
    """
    codes = names.dictionary_encode()
    share = sure / np.where(decided.score[:, 0] > 0, decided.score[:, 0], np.float32(1))
    each = np.minimum(decided.score * share[:, None], sure[:, None])
    nothing = withheld | (decided.label[:, 0] < 0)
    label = np.column_stack([np.full(len(sure), -1, np.int32), decided.label])
    each = np.column_stack([np.zeros_like(sure), each])
    rows, places = np.nonzero((label >= 0) | (nothing[:, None] & (np.arange(label.shape[1]) == 0)))
    numbers = codes.indices.to_numpy()[label[rows, places]]
    first = np.sort(np.unique(rows.astype(np.int64) << 32 | numbers, return_index=True)[1])
    rows, places, numbers = rows[first], places[first], numbers[first]
    starts = np.searchsorted(rows, np.arange(len(sure) + 1))
    kept = np.arange(len(rows)) - starts[rows] < most
    values = [codes.dictionary.take(pa.array(numbers[kept])), pa.array(each[rows, places][kept], pa.float32())]
    offsets = pa.array(np.searchsorted(rows[kept], np.arange(len(sure) + 1)).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(values, fields=list(ALTERNATIVE)))


def _replaced(table: pa.Table, known: Mask, sure: F32, code: pa.StringArray) -> pa.Table:
    """Replace the model's answers of the `known` rows by the programming language, or by `zxx` if `code` is null."""
    rows = np.flatnonzero(known)
    names = pc.fill_null(code.take(pa.array(rows)), NO_LANGUAGE)
    scripts = pc.if_else(code.take(pa.array(rows)).is_valid(), "Code", "Zxxx")
    values = [names, scripts, pa.array(sure[rows])]
    mask = pa.array(known)
    columns = [
        pc.replace_with_mask(column.combine_chunks(), mask, value.cast(column.type))
        for column, value in zip(table.columns[: len(values)], values, strict=True)
    ]
    columns.append(table["letters"])
    if table.num_columns > len(columns):
        single = pa.StructArray.from_arrays([names.cast(pa.string()), pa.array(sure[rows])], fields=list(ALTERNATIVE))
        alone = pa.ListArray.from_arrays(pa.array(np.arange(len(rows) + 1, dtype=np.int32)), single)
        both = pa.concat_arrays([table["alternatives"].combine_chunks(), alone])
        source_rows = np.arange(len(known))
        source_rows[rows] = len(known) + np.arange(len(rows))
        columns.append(both.take(pa.array(source_rows)))
    return pa.table(columns, schema=table.schema)
