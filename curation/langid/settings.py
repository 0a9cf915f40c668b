"""Settings of step `identify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Protocol

from pydantic import Field

from open_ml_embed.core.registry import Registry, one_of
from open_ml_embed.core.section import Section

if TYPE_CHECKING:
    from curation.langid.identifier import Identifier


class Load(Protocol):
    """A function that loads an identifier; it is called once in each process."""

    def __call__(self, model: str | None) -> Identifier:
        """Return the identifier of a model; `model` is `languages.model`, a path or a name that the backend defines.

        Raises:
            CorpusError: the backend needs a model and `model` is None, or there is no such model.

        """
        ...


BACKENDS: Registry[Load] = Registry(
    "backend",
    "open_ml_embed.backends",
    {
        "bundled": "curation.langid.model:load",
        "cld2": "curation.langid.cld2_backend:load",
        "fasttext": "curation.langid.fasttext_backend:load",
        "heliport": "curation.langid.heliport_backend:load",
    },
)
"""Loaders of language identifiers, by the name used in `languages.backend`."""


class SourceTrust(Section):
    """Which language counts where the declared and the identified language of a text differ."""

    policy: Literal["trust-declared", "trust-identified", "drop-disagreement"] = "trust-declared"
    """Keep the declared language, replace it by a confidently identified one, or drop the rows where these differ."""
    confidence: float = Field(default=0.9, ge=0.5, le=1)
    """Confidence from which an identified language overrules the declared one, or drops the row. It is at least 0.5,
    since a confidence is how often such an answer is right. In a text with fewer than twelve letters, an identified
    language never overrules."""


class TrustSettings(Section):
    """The trust policy of every source."""

    default: SourceTrust = SourceTrust()
    """The policy of all sources that `sources` does not name."""
    sources: dict[str, SourceTrust] = {}
    """Source → its policy."""

    def of(self, source: str) -> SourceTrust:
        """Return the policy of a source."""
        return self.sources.get(source, self.default)

    def __hash__(self) -> int:
        """Hash by content, since caches of identifiers use settings as keys."""
        return hash(self.model_dump_json())


class LanguageSettings(Section):
    """Which identifier to use, and how to treat its answers."""

    backend: Annotated[str, one_of(BACKENDS)] = "bundled"
    """A name in `BACKENDS`."""
    model: str | None = None
    """fastText: a path, or `owner/name:file` on the Hub. Bundled: a .lid file to use instead of the packaged one."""
    policy: Literal["individual", "macro", "corpus"] = "corpus"
    """How codes of macrolanguages and their members are folded: see `curation.langid.codes`."""
    code_declared: bool = True
    """Accept a declared programming language without identification."""
    content: bool = True
    """Detect program code, and strip addresses, numbers and similar tokens, before identifying the language."""
    trust: TrustSettings = TrustSettings()
    """Which language counts if declared and identified languages differ, by source."""
