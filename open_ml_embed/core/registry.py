"""Registries of extensions by name: readers, shapes, language identification backends, teachers, exporters.

A registry holds the built-in entries as `"module:object"`, imported on first use. Other installed distributions add
entries as entry points:

    [project.entry-points."open_ml_embed.shapes"]
    dialogue = "my_package.dialogue"

An entry point cannot replace a built-in name. An unusable entry point is reported by one line on standard error, which
names its distribution; other entries are not affected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from pydantic import AfterValidator
from pydantic_core import PydanticKnownError

from open_ml_embed.core.errors import SettingsError, UnknownNameError
from open_ml_embed.core.printing import print_text

T = TypeVar("T")


class Registry(Generic[T]):
    """Named objects of one kind, each loaded on first use.

    Attributes:
        kind: noun for one entry in messages: `shape`.
        group: name of the group of entry points: `open_ml_embed.shapes`.

    """

    def __init__(self, kind: str, group: str, targets: Mapping[str, str]) -> None:
        """Create a registry.

        Args:
            kind: noun for one entry in messages.
            group: name of the group of entry points.
            targets: built-in entries: name → `"module"` or `"module:object"`.

        """
        self.kind, self.group = kind, group
        self._targets: dict[str, str | T] = dict(targets)
        self._loaded: dict[str, T] = {}

    def names(self) -> list[str]:
        """Return all names, sorted, without loading any entry."""
        return sorted({*self._targets, *declared(self.group)})

    def __contains__(self, name: object) -> bool:
        """Return whether there is an entry of this name, without loading it."""
        return name in self._targets or name in declared(self.group)

    def get(self, name: str, *, where: str = "") -> T:
        """Return the entry of this name.

        Args:
            name: of a built-in entry, a registered one, or one that an installed distribution declares.
            where: location for error messages, such as a setting.

        Raises:
            UnknownNameError: there is no such entry; the message suggests the nearest names.
            SettingsError: a distribution declares the entry, but it cannot be imported.

        """
        if name in self._loaded:
            return self._loaded[name]
        if name in self._targets:
            target = self._targets[name]
            entry: T = imported(target) if isinstance(target, str) else target
        elif name in (others := declared(self.group)):
            entry = self._of_entry_point(others[name], where)
        else:
            raise UnknownNameError(self.kind, name, self.names(), where=where)
        self._loaded[name] = entry
        return entry

    def register(self, name: str, target: str | T | None = None) -> Callable[[T], T]:
        """Add an entry in this process.

        Worker processes do not see it. Register entries that workers need in a module that the workers import, or
        declare an entry point.

        Args:
            name: of the new entry.
            target: `"module:object"` or the object itself; None: use the result as a decorator.

        Returns:
            A decorator that registers a function or class and returns it unchanged.

        Raises:
            SettingsError: there is already an entry of this name.

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
        """Return `distribution version` for an entry of another distribution, None for a built-in entry.

        The behavior of such an entry may change with the version, so results must be keyed by it.
        """
        if name in self._targets or name not in (others := declared(self.group)):
            return None
        return distribution_of(others[name])

    def _of_entry_point(self, entry: EntryPoint, where: str) -> T:
        try:
            return entry.load()  # type: ignore[no-any-return] # a package's own
        except Exception as error:
            raise SettingsError(
                f"the {self.kind} {entry.name!r} of {distribution_of(entry)} cannot be loaded: {_summary(error)}",
                where=where,
                remedy="repair or uninstall that distribution",
            ) from error


@dataclass(frozen=True)
class One:
    """Pydantic validator: the value is a name in a registry. Other values fail with pydantic's `literal_error`."""

    registry: Registry[Any]

    def __call__(self, value: str) -> str:
        """Return the value."""
        if value not in self.registry:
            names = [f"'{name}'" for name in self.registry.names()]
            expected = " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
            raise PydanticKnownError("literal_error", {"expected": expected})
        return value


def one_of(registry: Registry[Any]) -> AfterValidator:
    """Return the pydantic annotation of a setting whose value is a name in a registry."""
    return AfterValidator(One(registry))


def imported(target: str) -> Any:
    """Import `module` or `module:object` and return the module or the object."""
    name, _, attribute = target.partition(":")
    module: Any = import_module(name)
    return getattr(module, attribute) if attribute else module


@cache
def declared(group: str) -> dict[str, EntryPoint]:
    """Return the entry points of a group by name, sorted, without loading any.

    If two distributions declare the same name, the one whose name sorts first is used, and the other is reported.
    """
    entries: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=group), key=lambda e: (e.name, distribution_of(e), e.value)):
        if entry.name not in entries:
            entries[entry.name] = entry
        elif distribution_of(entry) != distribution_of(entries[entry.name]):
            report(entry, f"not used: {distribution_of(entries[entry.name])} has one of that name")
    return entries


def distribution_of(entry: EntryPoint) -> str:
    """Return name and version of the distribution that declares an entry point."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value


@cache
def report(entry: EntryPoint, why: str) -> None:
    """Print one warning on standard error: this entry point is not used, and why. Each warning is printed once."""
    print_text(f"warning: {entry.group} {entry.name!r} of {distribution_of(entry)}: {why}", error=True)


def cannot_load(entry: EntryPoint, error: Exception) -> None:
    """Print one warning on standard error: this entry point cannot be loaded."""
    report(entry, f"cannot be loaded: {_summary(error)}")


def _summary(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
