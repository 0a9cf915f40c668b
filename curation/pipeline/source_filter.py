"""Filter sources by the values of their manifests, for `curate sources` and `curate plan`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import get_args

from open_ml_embed.core.errors import SettingsError, UnknownNameError
from sources.languages import is_tag, tag_of
from sources.manifest import Collection, Family, Manifest, Task
from sources.registry import belongs
from sources.spoken import speaks

ACCESS = ("open", "gated", "manual", "dead")
LICENSE = ("commercial", "redistribution")


@dataclass(frozen=True)
class Filter:
    """Conditions on sources; null: no condition.

    Attributes:
        language: a code, tag or programming language of any text of the source (`deu`, `de`, `srp-Cyrl`, `python`).
        family: loss family.
        task: task type.
        license: `commercial` or `redistribution`, a use that the license must allow; or the identifier of a license.
        access: comma-separated kinds of access.
        collection: of which, or of which an included one, the source is.

    """

    language: str | None = None
    family: str | None = None
    task: str | None = None
    license: str | None = None
    access: str | None = None
    collection: str | None = None

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) is not None for field in fields(self))

    def choose(self, manifests: Iterable[Manifest]) -> list[Manifest]:
        """Return the manifests that meet all conditions, in their order.

        Raises:
            UnknownNameError: a value that no source can have; the message has the nearest.
            LanguageCodeError: neither a language code nor a programming language of a source.

        """
        manifests = list(manifests)
        _check_known("family", self.family, get_args(Family))
        _check_known("task", self.task, get_args(Task))
        _check_known("collection", self.collection, get_args(Collection))
        _check_known("license", self.license, {*LICENSE, *(m.license.id for m in manifests)})
        for kind in self._access():
            _check_known("access", kind, ACCESS)
        chosen = [m for m in manifests if self._admits(m)]
        if (
            self.language is not None
            and not is_tag(self.language)
            and not any(speaks(m, self.language) for m in chosen)
        ):
            tag_of(self.language)
        return chosen

    def without(self, kind: str) -> Filter:
        """Return this filter without one kind of access.

        Raises:
            SettingsError: no other kind is left.

        """
        remaining = [access for access in (self._access() or ACCESS) if access != kind]
        if not remaining:
            raise SettingsError(
                f"access {self.access} without {kind} leaves no source",
                where="--access",
                remedy=f"leave out --access or --without-{kind}, or name other kinds: {', '.join(ACCESS)}",
            )
        return replace(self, access=",".join(remaining))

    def _admits(self, manifest: Manifest) -> bool:
        license = manifest.license
        allowed = {license.id} | {name for name in LICENSE if getattr(license, name)}
        return (
            self.family in (None, manifest.family)
            and self.task in (None, manifest.task)
            and (self.collection is None or belongs(manifest, self.collection))
            and (self.license is None or self.license in allowed)
            and (self.access is None or manifest.access.kind in self._access())
            and (self.language is None or speaks(manifest, self.language))
        )

    def _access(self) -> list[str]:
        return [] if self.access is None else [kind.strip() for kind in self.access.split(",")]


def _check_known(kind: str, value: str | None, valid: Iterable[str]) -> None:
    if value is not None and value not in set(valid):
        raise UnknownNameError(kind, value, sorted(valid))
