"""Backend `fasttext`: any fastText identification model (lid.176, GlotLID, OpenLID), local or on the Hub."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curation.langid import codes
from curation.langid.identifier import CANDIDATES, Ranked, as_ranked
from curation.langid.scripts import Scripts
from open_ml_embed.core.errors import FetchError, SettingsError
from open_ml_embed.core.optional import require

BATCH = 4096


class FastText:
    """A fastText model whose labels are `__label__de`, `__label__deu_Latn` or `__label__deu-Latn`."""

    calibration = "fasttext"

    def __init__(self, model: str | None) -> None:
        if not model:
            raise SettingsError(
                "the fasttext backend needs a model",
                where="languages.model",
                remedy="give a path to a .bin or .ftz file, or owner/name:file on the Hub",
            )
        fasttext = require("fasttext", what="the fasttext backend", where="languages.backend")
        path = _model_path(model)
        with _quiet():
            try:
                self._model = fasttext.load_model(str(path))
            except ValueError as error:
                raise SettingsError(f"not a fastText model: {error}", where=str(path)) from None
        names = self._model.get_labels()
        self._numbers = {name: number for number, name in enumerate(names)}
        self.labels = codes.parsed(names, codes.scheme_of(names))

    @property
    def claimed(self) -> frozenset[str]:
        """The languages of the model's labels."""
        return codes.languages_of(self.labels)

    def ranked(self, texts: pa.StringArray, scripts: Scripts, k: int) -> Ranked:
        """Return the best labels of each text with probabilities; no answer if the model knows no part of the text."""
        return as_ranked(list(self._predicted(texts, max(k, CANDIDATES))))

    def _predicted(self, texts: pa.StringArray, k: int) -> Iterator[list[tuple[int, float]]]:
        # fastText treats each line as a text, and a null character as white space.
        lines = pc.replace_substring(pc.fill_null(texts, ""), "\n", " ")
        for start in range(0, len(lines), BATCH):
            names, probabilities = self._model.predict(lines[start : start + BATCH].to_pylist(), k=k)
            for row, scores in zip(names, probabilities, strict=True):
                yield [(self._numbers[name], min(float(score), 1.0)) for name, score in zip(row, scores, strict=True)]


def _model_path(model: str) -> Path:
    repository, colon, file = model.partition(":")
    if Path(model).is_file() or not colon:
        if not Path(model).is_file():
            raise SettingsError("no such model file", where=f"languages.model: {model}")
        return Path(model)
    huggingface_hub = require("huggingface_hub", what="a fastText model on the Hub", where=f"languages.model: {model}")
    try:
        return Path(huggingface_hub.hf_hub_download(repository, file))
    except Exception as error:
        raise FetchError(
            f"cannot fetch the model: {type(error).__name__}", where=model, remedy="check the name, or give a path"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the warning that fastText prints to standard error when it loads a model."""
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def load(model: str | None) -> FastText:
    """Load a fastText model from a path, or from `owner/name:file` on the Hub.

    Raises:
        SettingsError: no model is given, there is no such file, or the file is not a fastText model.
        FetchError: the model cannot be downloaded.
        MissingPackageError: `fasttext` or `huggingface_hub` is not installed.

    """
    return FastText(model)
