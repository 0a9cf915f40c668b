"""Choosing sources by what their manifests say: for `curate sources`, `curate plan` and a profile's own choice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import get_args

from open_ml_embed.core.errors import SettingsError, UnknownNameError
from sources.languages import LanguageCodeError, code_tag, is_tag, tag_of
from sources.manifest import Family, Manifest, Task

ACCESS = ("open", "gated", "manual", "dead")
LICENSE = ("commercial", "redistribution")


@dataclass(frozen=True)
class Filter:
    """What a source must be; null admits all.

    Attributes:
        language: a code or tag, of any text of the source (`deu`, `de`, `srp-Cyrl`, `python`).
        family: loss family.
        task: task type.
        license: `commercial` or `redistribution` for what a license must allow, or a license's own identifier.
        access: comma-separated kinds of access.

    """

    language: str | None = None
    family: str | None = None
    task: str | None = None
    license: str | None = None
    access: str | None = None

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) is not None for field in fields(self))

    def choose(self, manifests: Iterable[Manifest]) -> list[Manifest]:
        """Return those that are admitted, in the order given.

        Raises:
            UnknownNameError: a value that no source could have; the message has the nearest.
            LanguageCodeError: a language that is none, and that no source has as a programming language.

        """
        manifests = list(manifests)
        _known("family", self.family, get_args(Family))
        _known("task", self.task, get_args(Task))
        _known("license", self.license, {*LICENSE, *(m.license.id for m in manifests)})
        for kind in self._access():
            _known("access", kind, ACCESS)
        chosen = [m for m in manifests if self._admits(m)]
        if (
            self.language is not None
            and not is_tag(self.language)
            and not any(speaks(m, self.language) for m in chosen)
        ):
            tag_of(self.language)
        return chosen

    def without(self, kind: str) -> Filter:
        """Return this filter with one kind of access taken out of those it admits.

        Raises:
            SettingsError: it admits no other.

        """
        left = [one for one in (self._access() or ACCESS) if one != kind]
        if not left:
            raise SettingsError(
                f"access {self.access} without {kind} leaves no source",
                where="--access",
                remedy=f"leave out --access or --without-{kind}, or name other kinds: {', '.join(ACCESS)}",
            )
        return replace(self, access=",".join(left))

    def _admits(self, manifest: Manifest) -> bool:
        license = manifest.license
        allowed = {license.id} | {name for name in LICENSE if getattr(license, name)}
        return (
            self.family in (None, manifest.family)
            and self.task in (None, manifest.task)
            and (self.license is None or self.license in allowed)
            and (self.access is None or manifest.access.kind in self._access())
            and (self.language is None or speaks(manifest, self.language))
        )

    def _access(self) -> list[str]:
        return [] if self.access is None else [kind.strip() for kind in self.access.split(",")]


def speaks(manifest: Manifest, language: str) -> bool:
    """Say whether a source declares a language.

    Args:
        manifest: of the source. Where a raw column tells the language, only what the manifest lists is known.
        language: a tag, a code or a programming language's name; without a script it stands for all scripts.

    """
    tags = set(manifest.languages())
    if is_tag(language) or code_tag(language) in tags:
        return bool(tags & {language, code_tag(language)})
    try:
        asked = tag_of(language)
    except LanguageCodeError:
        return False
    if "-" in language or "_" in language:
        return asked in tags
    return asked.partition("-")[0] in {tag.partition("-")[0] for tag in tags}


def _known(kind: str, value: str | None, valid: Iterable[str]) -> None:
    if value is not None and value not in set(valid):
        raise UnknownNameError(kind, value, sorted(valid))
