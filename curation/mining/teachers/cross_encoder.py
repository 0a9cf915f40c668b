"""Reranking with a cross-encoder (the setting `second_opinion`): a batch holds pairs of many queries."""

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
    load_errors,
    one_thread,
    token_lengths,
)
from open_ml_embed.core.array_types import F32, I64
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.hashing import digest
from open_ml_embed.core.optional import require

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder


class _Texts(NamedTuple):
    """Texts and the number of tokens of each, int64[texts]."""

    texts: list[str]
    lengths: I64


class SecondOpinion:
    """Scores pairs of texts, 0 to 1, with a sentence-transformers cross-encoder.

    Raises:
        SettingsError: the folder has no `config.json`.

    """

    def __init__(self, folder: Path, settings: TeacherSettings) -> None:
        self._folder, self._settings = folder, settings
        if not (folder / "config.json").is_file():
            raise SettingsError("the folder holds no cross-encoder (no config.json)", where=str(folder))

    @functools.cached_property
    def identity(self) -> str:
        """Hash of everything that changes a score: files of the model, length and dtype."""
        settings = self._settings.model_dump(include={"max_length", "dtype"})
        return digest({"files": hash_files(self._folder), **settings})

    def score(self, queries: pa.Array, documents: pa.Array, query: I64, document: I64) -> F32:
        """Return a score for every pair, float32[pairs].

        Pairs of all queries are sorted by length together, so that batches are full.

        Args:
            queries: texts.
            documents: texts.
            query: int64[pairs], indices into `queries`.
            document: int64[pairs], indices into `documents`.

        Raises:
            SettingsError: the model does not load.
            MissingPackageError: sentence-transformers is not installed.

        """
        result = np.empty(len(query), np.float32)
        query_texts, query_index, limit = *self._read(queries, query), self._model.max_seq_length or 1 << 30
        document_texts, document_index = self._read(documents, document)
        lengths = np.minimum(query_texts.lengths[query_index] + document_texts.lengths[document_index], limit)
        with one_thread():
            for batch in length_sorted(lengths.tolist(), self._settings.batch_tokens):
                pairs = [(query_texts.texts[query_index[i]], document_texts.texts[document_index[i]]) for i in batch]
                result[batch] = self._model.predict(pairs, batch_size=len(pairs), show_progress_bar=False)
        return result

    def _read(self, texts: pa.Array, indices: I64) -> tuple[_Texts, I64]:
        """Read the texts with these indices, each once, and count their tokens; return also an index into them."""
        distinct, inverse = np.unique(indices, return_inverse=True)
        strings = texts.take(pa.array(distinct)).to_pylist()
        return _Texts(strings, np.array(token_lengths(self._model.tokenizer, strings, 1 << 30), np.int64)), inverse

    @functools.cached_property
    def _model(self) -> CrossEncoder:
        require("sentence_transformers", what="a cross-encoder", where=f"mining.second_opinion: {self._folder}")
        import torch
        from sentence_transformers import CrossEncoder

        from open_ml_embed.core import devices

        with load_errors(self._folder):
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
    """Return the cross-encoder of this name (see `curation.mining.teachers.loading.model_folder`).

    A process keeps the last one in memory.
    """
    return SecondOpinion(model_folder(name), TeacherSettings(model=name))
