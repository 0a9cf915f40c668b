"""The filters of a mix file: which rows of its sources a mix takes, by what is known of source and row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import field_validator, model_validator

from curation.mixing.licenses import permitted
from open_ml_embed.core.bounds import Range
from open_ml_embed.core.errors import UnknownNameError
from open_ml_embed.core.section import Section
from sources import registry
from sources.languages import LanguageCodeError, is_tag, tag_of
from sources.manifest import Family, Manifest, Task
from sources.spoken import speaks

FILTERS = (
    "family",
    "task",
    "license",
    "language",
    "query-chars",
    "positive-chars",
    "positive-score",
    "positive-rank",
    "negative-score",
    "language-confidence",
    "query-alphanumeric",
    "positive-alphanumeric",
    "query-symbols",
    "positive-symbols",
    "query-repetition",
    "positive-repetition",
    "length-ratio",
    "equal",
)
"""Why a filter or a threshold of quality leaves a row out, in the order they are asked about: a row counts under the
first that applies. Those after `language-confidence` are figures of the step `measure`, with dashes."""
Terms = Literal["commercial", "redistribution"]


class Filters(Section):
    """Which rows a mix takes. A filter that is not set leaves nothing out; a row has to pass all that are."""

    families: list[str] = []
    """Loss families: retrieval, clustering, classification."""
    tasks: list[str] = []
    """Task types, such as question-answering."""
    allows: list[str] = []
    """What the licenses must allow: `commercial`, `redistribution`, or both. A row counts with the license of every
    source that has it, and documents of a source without such a license are no negatives."""
    licenses: list[str] = []
    """Identifiers of licenses: those of all sources of a row must be among them."""
    languages: list[str] = []
    """Codes (`deu`, `de`, `srp-Cyrl`) and programming languages (`python`), one of which a row must have on a side:
    that which the step `identify` decided on, or the declared one where that is trusted."""
    both_sides: bool = False
    """Whether query and positive must both be in one of `languages`."""
    query_chars: Range = Range()
    """Length of the query in characters, without an instruction."""
    positive_chars: Range = Range()
    """Length of the positive in characters."""
    positive_score: Range = Range()
    """Score of the positive, from the teacher of the step `mine`. A row whose score is not known passes; so with the
    next three."""
    positive_rank: Range = Range()
    """How many candidates score above the positive."""
    negative_score: Range = Range()
    """Score of the negative with the highest score."""
    language_confidence: Range = Range()
    """Confidence of the step `identify`, of the less certain side."""

    @field_validator("families", "tasks", "allows")
    @classmethod
    def _known(cls, values: list[str], info: Any) -> list[str]:
        kind, valid = _CLOSED[info.field_name]
        for value in values:
            if value not in valid:
                raise UnknownNameError(kind, value, valid)
        return values

    @model_validator(mode="after")
    def _sides_of_languages(self) -> Filters:
        if self.both_sides and not self.languages:
            raise ValueError("both_sides says on which sides `languages` must be, and there are none")
        return self

    @property
    def needs_languages(self) -> bool:
        """Tell whether the results of the step `identify` are read."""
        return bool(self.language_confidence)

    @property
    def by_license(self) -> bool:
        """Tell whether licenses matter."""
        return bool(self.allows or self.licenses)

    def permits(self, manifest: Manifest) -> bool:
        """Tell whether the license of a source passes."""
        return permitted(manifest.license, self.allows, self.licenses)

    def refuses(self, manifest: Manifest) -> str | None:
        """Return why all rows of a source are left out, a name in `FILTERS`; null: not all of them are."""
        if self.families and manifest.family not in self.families:
            return "family"
        if self.tasks and manifest.task not in self.tasks:
            return "task"
        return None if self.permits(manifest) else "license"

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield (setting, value as text) of every filter that is set."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if name == "both_sides" or not value:
                continue
            text = ", ".join(value) if isinstance(value, list) else str(value)
            yield name, f"{text}, on both sides" if name == "languages" and self.both_sides else text

    def check(self, where: str, root: Path) -> None:
        """Look up the names that manifests have.

        Args:
            where: the file, for error messages.
            root: the folder of `params.yaml`.

        Raises:
            UnknownNameError: no source has such a license; the message has the nearest.
            LanguageCodeError: neither a language code nor a programming language of a source.

        """
        if self.licenses:
            known = {manifest.license.id for manifest in registry.load_all(root=root)}
            for license_id in self.licenses:
                if license_id not in known:
                    raise UnknownNameError("license", license_id, known, where=f"{where}: filters.licenses")
        for language in self.languages:
            _check_language(language, f"{where}: filters.languages", root)


_CLOSED: dict[str, tuple[str, Iterable[str]]] = {
    "families": ("family", get_args(Family)),
    "tasks": ("task", get_args(Task)),
    "allows": ("use", get_args(Terms)),
}


def _check_language(language: str, where: str, root: Path) -> None:
    if is_tag(language):
        return
    try:
        tag_of(language)
    except LanguageCodeError as error:
        if not any(speaks(manifest, language) for manifest in registry.load_all(root=root)):
            error.where = where
            raise
