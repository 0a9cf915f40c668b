"""Any fastText identification model: lid.176, GlotLID, OpenLID, from a path or from the Hub."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from curation.langid.identifier import UNDETERMINED
from sources.errors import FetchError, SettingsError
from sources.languages import LanguageCodeError, tag_of

BATCH = 4096
_SPACES = re.compile(r"\s+")


class FastText:
    """A fastText model whose labels are `__label__de`, `__label__deu_Latn` or `__label__deu-Latn`."""

    def __init__(self, model: str | None) -> None:
        if not model:
            raise SettingsError(
                "the fasttext backend needs a model",
                where="languages.model",
                remedy="give a path to a .bin or .ftz file, or owner/name:file on the Hub",
            )
        import fasttext

        path = _located(model)
        with _quiet():
            try:
                self._model = fasttext.load_model(str(path))
            except ValueError as error:
                raise SettingsError(f"not a fastText model: {error}", where=str(path)) from None
        self._iso3: dict[str, str] = {}

    def codes(self, texts: pa.StringArray) -> tuple[list[str], list[float]]:
        """Return the best label of each text as ISO 639-3, and the model's probability for it."""
        codes: list[str] = []
        confidence: list[float] = []
        lines = [_SPACES.sub(" ", text or "") for text in texts.to_pylist()]
        for start in range(0, len(lines), BATCH):
            labels, scores = self._model.predict(lines[start : start + BATCH], k=1)
            codes += [self._code(label[0]) if len(label) else UNDETERMINED for label in labels]
            confidence += [min(float(score[0]), 1.0) if len(score) else 0.0 for score in scores]
        return codes, confidence

    def _code(self, label: str) -> str:
        if label not in self._iso3:
            name = label.removeprefix("__label__")
            try:
                self._iso3[label] = tag_of(re.split("[_-]", name)[0]).split("-")[0]
            except LanguageCodeError:
                self._iso3[label] = UNDETERMINED
        return self._iso3[label]


def _located(model: str) -> Path:
    repository, colon, file = model.partition(":")
    if Path(model).is_file() or not colon:
        if not Path(model).is_file():
            raise SettingsError("no such model file", where=f"languages.model: {model}")
        return Path(model)
    import huggingface_hub

    try:
        return Path(huggingface_hub.hf_hub_download(repository, file))
    except Exception as error:
        raise FetchError(
            f"cannot fetch the model: {type(error).__name__}", where=model, remedy="check the name, or give a path"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide fastText's own note on standard error while a model loads."""
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)
