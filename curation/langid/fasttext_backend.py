"""Any fastText identification model: lid.176, GlotLID, OpenLID, from a path or from the Hub."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curation.langid import codes
from curation.langid.identifier import UNDETERMINED, list_array
from sources.errors import FetchError, SettingsError

BATCH = 4096


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
        labels = self._model.get_labels()
        self._codes = codes.parsed(labels, codes.scheme_of(labels))

    @property
    def claimed(self) -> frozenset[str]:
        """The languages of the model's labels."""
        return codes.languages_of(self._codes.values())

    def codes(self, texts: pa.StringArray) -> tuple[list[str], list[float]]:
        """Return the best label of each text as ISO 639-3, and the model's probability for it."""
        best = [row[0] for row in self._predicted(texts, 1)]
        return [code for code, _ in best], [score for _, score in best]

    def top(self, texts: pa.StringArray, k: int) -> pa.ListArray:
        """Return the `k` best labels of each text as ISO 639-3: `ALTERNATIVES`, n."""
        return list_array(list(self._predicted(texts, k)))

    def _predicted(self, texts: pa.StringArray, k: int) -> Iterator[list[tuple[str, float]]]:
        """Yield the answers for each text; `und` for refused labels, and where the model knows no part of a text."""
        # A line is a text to fastText, and a null character is white space to it.
        lines = pc.replace_substring(pc.fill_null(texts, ""), "\n", " ")
        for start in range(0, len(lines), BATCH):
            labels, scores = self._model.predict(lines[start : start + BATCH].to_pylist(), k=k)
            for names, chances in zip(labels, scores, strict=True):
                pairs = zip([self._codes[name] for name in names], chances, strict=True)
                yield [(c, min(float(p), 1.0) if c != UNDETERMINED else 0.0) for c, p in pairs] or [(UNDETERMINED, 0.0)]


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
