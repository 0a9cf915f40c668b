"""Settings of step `identify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Protocol

from pydantic import Field

from open_ml_embed.core.registry import Registry, one_of
from open_ml_embed.core.section import Section

if TYPE_CHECKING:
    from curation.langid.identifier import Identifier


class Load(Protocol):
    """Loads an identifier, once a process."""

    def __call__(self, model: str | None) -> Identifier:
        """Return the identifier of a model: `languages.model`, a path or whatever else the backend calls its models.

        Raises:
            CorpusError: it needs a model and gets none, or there is none of that name.

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
"""Identifiers of languages, by the name that `languages.backend` has."""


class SourceTrust(Section):
    """Whose word counts where the declared and the identified language of a text differ."""

    policy: Literal["trust-declared", "trust-identified", "drop-disagreement"] = "trust-declared"
    confidence: float = Field(default=0.9, ge=0.5, le=1)
    """From which an identified language overrules the declared one, or drops the row. A confidence is how often such
    an answer is right, so none below 0.5 may; and in a text of fewer than twelve letters none does."""


class TrustSettings(Section):
    """A policy for every source."""

    default: SourceTrust = SourceTrust()
    sources: dict[str, SourceTrust] = {}

    def of(self, source: str) -> SourceTrust:
        """Return the policy of a source."""
        return self.sources.get(source, self.default)

    def __hash__(self) -> int:
        """Hash by content: a loaded identifier is kept by its settings."""
        return hash(self.model_dump_json())


class LanguageSettings(Section):
    """Which identifier, and what its answer is worth."""

    backend: Annotated[str, one_of(BACKENDS)] = "bundled"
    """A name in `BACKENDS`."""
    model: str | None = None
    """fastText: a path, or `owner/name:file` on the Hub. Bundled: another .lid file than the packaged one."""
    policy: Literal["individual", "macro", "corpus"] = "corpus"
    """What becomes of macrolanguages and their members: see `curation.langid.codes`."""
    code_declared: bool = True
    """Trust a source that declares a programming language."""
    content: bool = True
    """Look for program code, addresses, numbers and the like before asking for a language."""
    trust: TrustSettings = TrustSettings()
