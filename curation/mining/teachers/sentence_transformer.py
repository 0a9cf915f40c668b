"""A sentence-transformers model as teacher, on the device that `open_ml_embed.core.devices` chooses."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from curation.mining.settings import TeacherSettings
from curation.mining.teachers.protocol import Side
from open_ml_embed.core.array_types import F32
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.hashing import digest, hash_file
from open_ml_embed.core.optional import require

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

MODEL_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")
"""Patterns of the files that can change a vector: weights, modules and their configuration, tokenizer."""


class SentenceTransformerTeacher:
    """Encodes texts in batches of similar length; on a CPU with one thread per process.

    With one thread, results do not depend on the number of cores, and several processes use the cores better than
    several threads. The model is loaded with the first text, so not at all if all vectors are already stored.

    Raises:
        SettingsError: the folder has no `modules.json`.

    """

    def __init__(self, folder: Path, settings: TeacherSettings) -> None:
        self._folder, self._settings = folder, settings
        if not (folder / "modules.json").is_file():
            raise SettingsError(
                "the folder holds no sentence-transformers model (no modules.json)",
                where=f"mining.teacher: {folder}",
                remedy="save the model with SentenceTransformer(…).save(folder)",
            )

    @functools.cached_property
    def identity(self) -> str:
        """Hash of the model's files, the prompts, the length and the dtype."""
        settings = self._settings.model_dump(exclude={"model", "batch_tokens"})
        return digest({"files": hash_files(self._folder), **settings})

    @functools.cached_property
    def dim(self) -> int:
        """Dimension of the vectors."""
        return int(self._model.encode_document(["x"], show_progress_bar=False).shape[1])

    def encode(self, texts: list[str], side: Side) -> F32:
        """Return float32[len(texts), dim], in the order of `texts`.

        Texts are batched by length; equal lengths keep their order.

        Raises:
            SettingsError: the model does not load.
            MissingPackageError: sentence-transformers is not installed.

        """
        model = self._model
        encode = model.encode_query if side == "query" else model.encode_document
        prompt = self._settings.query_prompt if side == "query" else self._settings.document_prompt
        lengths = token_lengths(model.tokenizer, texts, model.max_seq_length or 1 << 30)
        result = np.empty((len(texts), self.dim), np.float32)
        with one_thread():
            for batch in length_sorted(lengths, self._settings.batch_tokens):
                result[batch] = encode(
                    [texts[i] for i in batch],
                    batch_size=len(batch),
                    normalize_embeddings=True,
                    show_progress_bar=False,
                    prompt=prompt,
                )
        return result

    @functools.cached_property
    def _model(self) -> SentenceTransformer:
        require("sentence_transformers", what="a model as teacher", where=f"mining.teacher: {self._folder}")
        import torch
        from sentence_transformers import SentenceTransformer

        import open_ml_embed.factorized  # noqa: F401 (registers the model types of this project's exports)
        from open_ml_embed.core import devices

        with load_errors(self._folder):
            model = SentenceTransformer(
                str(self._folder),
                device=devices.chosen(),
                local_files_only=True,
                model_kwargs={"use_safetensors": True, "dtype": getattr(torch, self._settings.dtype)},
            )
        if self._settings.max_length is not None:
            model.max_seq_length = self._settings.max_length
        return model.eval()


@contextmanager
def load_errors(folder: Path) -> Iterator[None]:
    """Turn errors from loading a model into a `SettingsError`: no safetensors, custom code, a broken file.

    Raises:
        SettingsError: the block in the `with` statement failed.

    """
    try:
        yield
    except (OSError, ValueError, ImportError, RuntimeError, KeyError) as error:
        raise SettingsError(
            f"the model does not load: {str(error).strip().splitlines()[0] if str(error).strip() else error!r}",
            where=str(folder),
            remedy="weights as safetensors, of an architecture that transformers knows; no code of a model is run",
        ) from error


def token_lengths(tokenizer: Any, texts: list[str], limit: int) -> list[int]:
    """Return the number of tokens of each text, at most `limit`. Prompts are not counted: they add the same to all."""
    if not texts:
        return []
    return [min(len(ids), limit) for ids in tokenizer(texts, truncation=False, verbose=False)["input_ids"]]


def length_sorted(lengths: list[int], batch_tokens: int) -> Iterator[list[int]]:
    """Group texts into batches of at most `batch_tokens`, padding included, longest first; yield the indices of each.

    >>> list(length_sorted([1, 9, 2, 8], 18))
    [[1, 3], [2, 0]]
    """
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if batch and lengths[batch[0]] * (len(batch) + 1) > batch_tokens:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def hash_files(folder: Path) -> dict[str, str]:
    """Return the xxh3-128 of every file in `model_files`, by its path below the folder."""
    return {path.relative_to(folder).as_posix(): hash_file(path) for path in model_files(folder)}


def model_files(folder: Path) -> list[Path]:
    """Return the files of a model that can change its output, sorted."""
    return sorted(path for pattern in MODEL_FILES for path in folder.rglob(pattern))


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit torch to one thread inside a `with` block."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
