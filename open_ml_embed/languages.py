"""`identify`: the languages of texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.langid.codes import UNDETERMINED
from curation.langid.interface import identify as identify_table
from curation.langid.settings import LanguageSettings
from open_ml_embed.core.text.arrays import Texts, text_array
from open_ml_embed.core.validation_errors import from_arguments
from open_ml_embed.core.words import counted


@dataclass(frozen=True, eq=False)
class Languages:
    """The languages of n texts.

    Attributes:
        table: pyarrow.Table of n rows: `code` string (ISO 639-3, `und` where the model names none, `zxx` without
            linguistic content, or a programming language), `script` string (ISO 15924, or `Code`), `confidence`
            float32 (how often such an answer is right, 0 to 1), `letters` int32 (how many it rests on); with `top_k`
            also `alternatives`, list<struct<code: string, confidence: float32>>, the best first.

    """

    table: pa.Table

    @property
    def languages(self) -> list[str]:
        """The n answers as code and script: `deu-Latn`, `python-Code`, `und-Latn`."""
        columns = (self.table[name].cast(pa.string()) for name in ("code", "script"))
        tags: list[str] = pc.binary_join_element_wise(*columns, "-").to_pylist()
        return tags

    @property
    def confidence(self) -> npt.NDArray[np.float32]:
        """How often such an answer is right: float32[n], from 0 to 1; 0 where the language is undetermined."""
        return np.asarray(self.table["confidence"].to_numpy())

    @property
    def undetermined(self) -> npt.NDArray[np.bool_]:
        """Which texts have no answer, mostly those of few letters: bool[n]."""
        return np.asarray(pc.equal(self.table["code"], UNDETERMINED).to_numpy(), np.bool_)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        counts = pa.array(self.languages, pa.string()).value_counts().to_pylist()
        common = sorted(counts, key=lambda entry: (-entry["counts"], entry["values"]))
        shown = [f"{entry['values']} {entry['counts']:,}" for entry in common[:5]]
        more = [f"{len(common) - 5} more languages"] if len(common) > 5 else []
        return f"Languages({counted(len(self), 'text')}: {', '.join([*shown, *more]) or 'none'})"


def identify(
    texts: Texts,
    *,
    backend: Literal["bundled", "cld2", "fasttext", "heliport"] = "bundled",
    model: str | None = None,
    policy: Literal["individual", "macro", "corpus"] = "corpus",
    content: bool = True,
    top_k: int | None = None,
) -> Languages:
    """Identify the language and script of every text.

    Args:
        texts: n texts: a list or tuple of str, a pyarrow, polars or pandas column of strings, a NumPy array of str
            objects, or a column of a `datasets.Dataset`.
        backend: who answers. `bundled` needs no network and no other file (docs/langid-model.md).
        model: of `fasttext`: a path, or owner/name:file on the Hub; of `bundled`: another .lid file.
        policy: whether macrolanguages or their members are answered; `corpus`: as the corpus declares them.
        content: look for program code, addresses, numbers and the like first.
        top_k: keep up to this many answers for each text, in the column `alternatives`; null: the best alone.

    Returns:
        The answers, in the order of the texts.

    Raises:
        ValueError: (a `CorpusError`) these are no texts, one is missing, or there is no such backend, policy or model.

    >>> import open_ml_embed as ome
    >>> found = ome.identify(["guten Morgen, wie geht es Ihnen?", "for (int i = 0; i < n; i++) { sum += a[i]; }", "42"])
    >>> found.languages
    ['deu-Latn', 'java-Code', 'zxx-Zxxx']

    """
    chosen = {"backend": backend, "model": model, "policy": policy, "content": content}
    settings = from_arguments(LanguageSettings, "identify", chosen)
    return Languages(identify_table(text_array(texts, nulls=False), settings, top_k=top_k))
