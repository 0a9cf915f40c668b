"""A cross-encoder as a second opinion: it reads query and candidate together, many queries a batch."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from curation.mining.settings import TeacherSettings
from curation.mining.teachers.loading import model_folder
from curation.mining.teachers.sentence_transformer import (
    hash_files,
    length_sorted,
    one_thread,
    refused,
    token_lengths,
)
from open_ml_embed.core.array_types import F32, I64
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.hashing import digest
from open_ml_embed.core.optional import require

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder


class _Texts(NamedTuple):
    """Texts and how many tokens each has."""

    texts: list[str]
    lengths: I64


class SecondOpinion:
    """Scores pairs of texts, 0 to 1, with a sentence-transformers cross-encoder."""

    def __init__(self, folder: Path, settings: TeacherSettings) -> None:
        self._folder, self._settings = folder, settings
        if not (folder / "config.json").is_file():
            raise SettingsError("the folder holds no cross-encoder (no config.json)", where=str(folder))

    @functools.cached_property
    def identity(self) -> str:
        """Hash of all that changes a score."""
        settings = self._settings.model_dump(include={"max_length", "dtype"})
        return digest({"files": hash_files(self._folder), **settings})

    def score(self, queries: pa.Array, documents: pa.Array, query: I64, document: I64) -> F32:
        """Return a score for every pair, float32[pairs].

        Args:
            queries: texts.
            documents: texts.
            query: int64[pairs], places in `queries`.
            document: int64[pairs], places in `documents`.

        Pairs are sorted by length over all queries at once, so a batch is full whatever a single query brought.
        """
        result = np.empty(len(query), np.float32)
        asked, ask, limit = *self._read(queries, query), self._model.max_seq_length or 1 << 30
        written, answer = self._read(documents, document)
        lengths = np.minimum(asked.lengths[ask] + written.lengths[answer], limit)
        with one_thread():
            for batch in length_sorted(lengths.tolist(), self._settings.batch_tokens):
                pairs = [(asked.texts[ask[i]], written.texts[answer[i]]) for i in batch]
                result[batch] = self._model.predict(pairs, batch_size=len(pairs), show_progress_bar=False)
        return result

    def _read(self, texts: pa.Array, places: I64) -> tuple[_Texts, I64]:
        """Read and measure the texts that are named, each once."""
        named, back = np.unique(places, return_inverse=True)
        read = texts.take(pa.array(named)).to_pylist()
        return _Texts(read, np.array(token_lengths(self._model.tokenizer, read, 1 << 30), np.int64)), back

    @functools.cached_property
    def _model(self) -> CrossEncoder:
        require("sentence_transformers", what="a cross-encoder", where=f"mining.second_opinion: {self._folder}")
        import torch
        from sentence_transformers import CrossEncoder

        from open_ml_embed.core import devices

        with refused(self._folder):
            model: CrossEncoder = CrossEncoder(
                str(self._folder),
                device=devices.chosen(),
                local_files_only=True,
                max_length=self._settings.max_length,
                activation_fn=torch.nn.Sigmoid(),
                model_kwargs={"use_safetensors": True, "dtype": getattr(torch, self._settings.dtype)},
            )
        return model


@functools.lru_cache(maxsize=1)
def load_second_opinion(name: str) -> SecondOpinion:
    """Return the cross-encoder of this name (`curation.mining.teachers.protocol`); a process keeps its last one."""
    return SecondOpinion(model_folder(name), TeacherSettings(model=name))
