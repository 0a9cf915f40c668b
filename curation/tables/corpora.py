"""The corpora of a build: documents without queries, which `mining.corpus` names and sources search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from open_ml_embed.core.errors import SettingsError, UnknownNameError
from sources import registry
from sources.documents import documents_manifest
from sources.manifest import Manifest

if TYPE_CHECKING:
    from curation.build import Build
    from curation.mining.settings import CorpusSettings


@dataclass(frozen=True)
class Corpus:
    """A corpus.

    Attributes:
        manifest: as a source has one.
        sources: names of the sources that search it.

    """

    manifest: Manifest
    sources: tuple[str, ...]


def corpora_of(build: Build, sources: Sequence[Manifest]) -> dict[str, Corpus]:
    """Return the corpora that a profile names, by name.

    Args:
        build: the profile.
        sources: its sources, without corpora.

    Raises:
        UnknownNameError: a source that the profile does not have is to search a corpus.
        SettingsError: a corpus has the name of a source, its language is not known, its folder is not there, or a
            source that is to search it has classes.

    """
    found = {}
    for name, settings in sorted(build.profile.mining.corpus.items()):
        where = f"profile {build.name}: mining.corpus.{name}"
        if name in registry.names(build.root):
            raise SettingsError("that is the name of a source", where=where, remedy="give the corpus another name")
        searching = _searching(settings, sources, where)
        tag = settings.language or _language(searching, where)
        origin = _origin(build, settings, where)
        manifest = documents_manifest(
            name, origin, tag, settings.license, files=settings.files or None, title=settings.title
        )
        found[name] = Corpus(manifest, tuple(m.name for m in searching))
    return found


def _searching(settings: CorpusSettings, sources: Sequence[Manifest], where: str) -> list[Manifest]:
    by_name = {manifest.name: manifest for manifest in sources}
    for name in settings.sources:
        if name not in by_name:
            raise UnknownNameError("source", name, by_name, where=f"{where}.sources")
        if (family := by_name[name].family) != "retrieval":
            raise SettingsError(
                f"{name} is of the {family} family: its negatives come from its own classes",
                where=f"{where}.sources",
                remedy="name retrieval sources",
            )
    return [m for m in sources if m.family == "retrieval" and (not settings.sources or m.name in settings.sources)]


def _language(searching: Sequence[Manifest], where: str) -> str:
    """Return the language of the positives of some sources."""
    subsets = [subset for manifest in searching for subset in manifest.subsets.values()]
    declared = {str(subset.positive_lang or subset.query_lang) for subset in subsets}
    by_row = any(not isinstance(subset.positive_lang or subset.query_lang, str) for subset in subsets)
    if len(declared) != 1 or by_row:
        languages = "by row" if by_row else ", ".join(sorted(declared)[:5]) or "none"
        raise SettingsError(
            f"its language is not known: the positives of its sources have {languages}",
            where=where,
            remedy="add `language: eng-Latn`, or name `sources` of one language",
        )
    return declared.pop()


def _origin(build: Build, settings: CorpusSettings, where: str) -> dict[str, Any]:
    """Return the origin of a corpus as manifests have it: of a folder, if there is one, else of a repository."""
    folder = build.root / settings.data
    repo, _, ref = settings.data.partition("@")
    if not folder.is_dir() and repo.count("/") == 1 and not settings.data.startswith(("/", ".")):
        return {"kind": "hub", "repo": repo, "ref": ref or "main"}
    if not folder.is_dir():
        raise SettingsError(
            f"there is no folder {folder}",
            where=f"{where}.data",
            remedy="name a folder relative to the settings file, or a repository of the Hub as owner/name",
        )
    above = None if build.local_root is None else Path(build.local_root).resolve()
    if above is None or not folder.resolve().is_relative_to(above):
        raise SettingsError(
            f"{settings.data} is not below `sources.local_root`, {above or 'which is not set'}",
            where=f"{where}.data",
            remedy="set `sources.local_root` to a folder above it, such as `.`",
        )
    return {
        "kind": "manual",
        "url": "a folder of this project",
        "folder": folder.resolve().relative_to(above).as_posix(),
    }
