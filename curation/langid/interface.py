"""`identify`: texts to ISO 639-3 code, script and confidence, whatever the backend."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.langid.codes import Policy, fold_all
from curation.langid.identifier import ALTERNATIVE, ALTERNATIVES, Identifier
from curation.settings import LanguageSettings

IDENTIFIED_SCHEMA = pa.schema(
    [
        pa.field("code", pa.string(), nullable=False),
        pa.field("script", pa.string(), nullable=False),
        pa.field("confidence", pa.float32(), nullable=False),
    ]
)
"""ISO 639-3 (`und` where the model will not say), ISO 15924 of the text's commonest script, 0 to 1."""


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


def identify(texts: pa.StringArray, settings: LanguageSettings | None = None, *, top_k: int | None = None) -> pa.Table:
    """Identify the language of every text.

    Args:
        texts: string array of n texts.
        settings: which backend, and how its codes are folded; the default needs neither network nor model file.
        top_k: also return up to this many answers for each text.

    Returns:
        Table of n rows, `IDENTIFIED_SCHEMA`; with `top_k` also `alternatives` (`ALTERNATIVES`), the best first, each
        code once: of two labels folded into one the likelier counts.

    """
    from curation.langid.scripts import scripts_of

    settings = settings or LanguageSettings()
    model = backend(settings)
    if top_k is None:
        codes, confidence = model.codes(texts)
        folded = fold_all(pa.array(codes, pa.string()), settings.policy)
        return pa.table([folded, scripts_of(texts), pa.array(confidence, pa.float32())], schema=IDENTIFIED_SCHEMA)
    alternatives = _folded(model.top(texts, top_k), settings.policy)
    best = alternatives.values.take(alternatives.offsets[:-1])
    arrays = [best.field("code"), scripts_of(texts), best.field("confidence"), alternatives]
    return pa.table(arrays, schema=IDENTIFIED_SCHEMA.append(pa.field("alternatives", ALTERNATIVES, nullable=False)))


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
