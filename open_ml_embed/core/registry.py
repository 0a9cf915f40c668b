"""What can be added by name: readers, shapes, identifiers of languages, teachers, exporters.

A registry holds this project's own entries as `"module:object"`, imported when one is asked for, and those of other
installed distributions, which declare them as entry points:

    [project.entry-points."open_ml_embed.shapes"]
    dialogue = "my_package.dialogue"

A name of this project's own cannot be taken. An entry point that cannot be used is reported with one line on standard
error that names its distribution; nothing else fails for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from pydantic import AfterValidator
from pydantic_core import PydanticKnownError

from open_ml_embed.core.errors import SettingsError, UnknownNameError

T = TypeVar("T")


class Registry(Generic[T]):
    """Named things of one kind, each loaded when it is first asked for.

    Attributes:
        kind: what one is called in messages: `shape`.
        group: of entry points, `open_ml_embed.shapes`.

    """

    def __init__(self, kind: str, group: str, targets: Mapping[str, str]) -> None:
        """Make a registry.

        Args:
            kind: what one is called in messages.
            group: of entry points.
            targets: name → `"module"` or `"module:object"`, this project's own.

        """
        self.kind, self.group = kind, group
        self._targets: dict[str, str | T] = dict(targets)
        self._loaded: dict[str, T] = {}

    def names(self) -> list[str]:
        """Return all names, sorted; loads nothing."""
        return sorted({*self._targets, *declared(self.group)})

    def __contains__(self, name: object) -> bool:
        """Tell whether there is one of this name; loads nothing."""
        return name in self._targets or name in declared(self.group)

    def get(self, name: str, *, where: str = "") -> T:
        """Return the one of this name.

        Args:
            name: of this project's own, registered, or declared by an installed distribution.
            where: for errors.

        Raises:
            UnknownNameError: there is none; the message has the nearest names.
            SettingsError: a distribution declares it, and it cannot be imported.

        """
        if name in self._loaded:
            return self._loaded[name]
        if name in self._targets:
            target = self._targets[name]
            found: T = imported(target) if isinstance(target, str) else target
        elif name in (others := declared(self.group)):
            found = self._of_entry_point(others[name], where)
        else:
            raise UnknownNameError(self.kind, name, self.names(), where=where)
        self._loaded[name] = found
        return found

    def register(self, name: str, target: str | T | None = None) -> Callable[[T], T]:
        """Add one in this process; a name that is taken is refused.

        Worker processes do not see it: what they are to use belongs into a module that they import, or better into an
        entry point.

        Args:
            name: new.
            target: `"module:object"` or the thing itself; null: the function or class that this decorates.

        Returns:
            A decorator, which returns what it is given.

        Raises:
            SettingsError: there is one of this name.

        """

        def add(thing: str | T) -> None:
            if name in self:
                raise SettingsError(f"there is a {self.kind} {name!r} already", where=self.group, remedy="rename yours")
            self._targets[name] = thing

        def decorate(thing: T) -> T:
            add(thing)
            return thing

        if target is not None:
            add(target)
        return decorate

    def origin(self, name: str) -> str | None:
        """Return `distribution version` of what another distribution declares; null for this project's own.

        What such a thing does may change with its version: results that depend on it depend on this.
        """
        if name in self._targets or name not in (others := declared(self.group)):
            return None
        return distribution_of(others[name])

    def _of_entry_point(self, entry: EntryPoint, where: str) -> T:
        try:
            return entry.load()  # type: ignore[no-any-return]
        except Exception as error:
            raise SettingsError(
                f"the {self.kind} {entry.name!r} of {distribution_of(entry)} cannot be loaded: {_said(error)}",
                where=where,
                remedy="repair or uninstall that distribution",
            ) from error


@dataclass(frozen=True)
class One:
    """A pydantic validator of settings: the value is a name in a registry; refused as a value of a closed list is."""

    registry: Registry[Any]

    def __call__(self, value: str) -> str:
        """Return the value."""
        if value not in self.registry:
            names = [f"'{name}'" for name in self.registry.names()]
            expected = " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
            raise PydanticKnownError("literal_error", {"expected": expected})
        return value


def one_of(registry: Registry[Any]) -> AfterValidator:
    """Return the annotation of a setting that holds a name of a registry."""
    return AfterValidator(One(registry))


def imported(target: str) -> Any:
    """Return a module, or an object of it: `module` or `module:object`."""
    module, _, attribute = target.partition(":")
    found: Any = import_module(module)
    return getattr(found, attribute) if attribute else found


@cache
def declared(group: str) -> dict[str, EntryPoint]:
    """Return what installed distributions declare in a group, by name, sorted; loads nothing.

    Where two declare one name, that of the distribution whose name sorts first is taken, and a line says so.
    """
    found: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=group), key=lambda e: (e.name, distribution_of(e), e.value)):
        if entry.name not in found:
            found[entry.name] = entry
        elif distribution_of(entry) != distribution_of(found[entry.name]):
            report(entry, f"not used: {distribution_of(found[entry.name])} has one of that name")
    return found


def distribution_of(entry: EntryPoint) -> str:
    """Return name and version of the distribution that declares an entry point."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value


@cache
def report(entry: EntryPoint, why: str) -> None:
    """Say once, on standard error, that an entry point is not used, and why."""
    print(f"warning: {entry.group} {entry.name!r} of {distribution_of(entry)}: {why}", file=sys.stderr)


def cannot_load(entry: EntryPoint, error: Exception) -> None:
    """Say once that an entry point cannot be loaded."""
    report(entry, f"cannot be loaded: {_said(error)}")


def _said(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
