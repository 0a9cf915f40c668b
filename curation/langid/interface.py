"""`identify`: texts to ISO 639-3 code, script and confidence, whatever the backend."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from curation.langid.codes import NO_LANGUAGE, Policy, fold_all
from curation.langid.identifier import ALTERNATIVE, ALTERNATIVES, Identifier, list_array
from curation.settings import LanguageSettings
from curation.text.arrays import Texts, one_array, text_array

IDENTIFIED_SCHEMA = pa.schema(
    [
        pa.field("code", pa.string(), nullable=False),
        pa.field("script", pa.string(), nullable=False),
        pa.field("confidence", pa.float32(), nullable=False),
    ]
)
"""ISO 639-3 (`und` where the model will not say, `zxx` without linguistic content) or a programming language's name;
ISO 15924 of the text's commonest script, or `Code`; 0 to 1."""


def backend(settings: LanguageSettings) -> Identifier:
    """Load the backend that the settings name, once a process."""
    return _loaded(settings.backend, settings.model)


@cache
def _loaded(name: str, model: str | None) -> Identifier:
    if name == "fasttext":
        from curation.langid.fasttext_backend import FastText

        return FastText(model)
    if name == "heliport":
        from curation.langid.heliport_backend import Heliport

        return Heliport()
    if name == "bundled":
        from curation.langid.model import Bundled

        return Bundled(Path(model) if model else None)
    from curation.langid.cld2_backend import Cld2

    return Cld2()


def identity(settings: LanguageSettings) -> str:
    """Return what the answers of a backend depend on besides the settings: a hash of its model file, if it has one."""
    if settings.backend == "bundled":
        from curation.langid.model import BUNDLED

        path = Path(settings.model) if settings.model else BUNDLED
    elif settings.backend == "fasttext" and settings.model:
        path = Path(settings.model)
    else:
        return settings.backend
    return xxhash.xxh3_128_hexdigest(path.read_bytes()) if path.is_file() else str(settings.model)


def identify(texts: Texts, settings: LanguageSettings | None = None, *, top_k: int | None = None) -> pa.Table:
    """Identify the language of every text.

    Args:
        texts: n texts, as `curation.text.arrays.text_array` takes them; null reads as empty.
        settings: which backend, how its codes are folded, and whether code and texts without language are looked for
            first; the default needs no network.
        top_k: also return up to this many answers for each text.

    Returns:
        Table of n rows, `IDENTIFIED_SCHEMA`; with `top_k` also `alternatives` (`ALTERNATIVES`), the best first, each
        code once: of two labels folded into one the likelier counts.

    """
    texts = one_array(text_array(texts))
    settings = settings or LanguageSettings()
    if not settings.content:
        return _by_model(texts, texts, settings, top_k)
    from curation.langid.content import prepared

    ready = prepared(texts)
    table = _by_model(ready.text, texts, settings, top_k)
    code = pc.is_valid(ready.code).to_numpy(zero_copy_only=False)
    known = code | ready.nothing
    if not known.any():
        return table
    return _replaced(table, known, np.where(ready.nothing, 1, ready.confidence).astype(np.float32), ready.code)


def _by_model(texts: pa.Array, whole: pa.Array, settings: LanguageSettings, top_k: int | None) -> pa.Table:
    """Ask the backend; scripts are those of the whole texts."""
    from curation.langid.scripts import scripts_of

    model = backend(settings)
    if top_k is None:
        codes, confidence = model.codes(texts)
        folded = fold_all(pa.array(codes, pa.string()), settings.policy)
        return pa.table([folded, scripts_of(whole), pa.array(confidence, pa.float32())], schema=IDENTIFIED_SCHEMA)
    alternatives = _folded(model.top(texts, top_k), settings.policy)
    best = alternatives.values.take(alternatives.offsets[:-1])
    arrays = [best.field("code"), scripts_of(whole), best.field("confidence"), alternatives]
    return pa.table(arrays, schema=IDENTIFIED_SCHEMA.append(pa.field("alternatives", ALTERNATIVES, nullable=False)))


def _replaced(
    table: pa.Table, known: npt.NDArray[np.bool_], confidence: npt.NDArray[np.float32], code: pa.StringArray
) -> pa.Table:
    """Put the answers of a look at the content in the place of the model's: code, or `zxx` where there is none."""
    rows = np.flatnonzero(known)
    names = pc.fill_null(code.take(pa.array(rows)), NO_LANGUAGE)
    scripts = pc.if_else(code.take(pa.array(rows)).is_valid(), "Code", "Zxxx")
    values = [names, scripts, pa.array(confidence[rows])]
    mask = pa.array(known)
    columns = [
        pc.replace_with_mask(column.combine_chunks(), mask, value.cast(column.type))
        for column, value in zip(table.columns[:3], values, strict=True)
    ]
    if table.num_columns > len(columns):
        sure = list_array([[pair] for pair in zip(names.to_pylist(), confidence[rows].tolist(), strict=True)])
        both = pa.concat_arrays([table["alternatives"].combine_chunks(), sure])
        place = np.arange(len(known))
        place[rows] = len(known) + np.arange(len(rows))
        columns.append(both.take(pa.array(place)))
    return pa.table(columns, schema=table.schema)


def _folded(alternatives: pa.ListArray, policy: Policy) -> pa.ListArray:
    """Fold the codes of each list, and keep the first where two become one."""
    flat = alternatives.flatten()
    codes = fold_all(flat.field("code"), policy)
    rows = pc.list_parent_indices(alternatives).to_numpy()
    pairs = rows.astype(np.int64) << 32 | codes.dictionary_encode().indices.to_numpy()
    kept = np.sort(np.unique(pairs, return_index=True)[1])
    values = pa.StructArray.from_arrays([codes, flat.field("confidence")], fields=list(ALTERNATIVE))
    offsets = np.searchsorted(rows[kept], np.arange(len(alternatives) + 1)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values.take(pa.array(kept)))
