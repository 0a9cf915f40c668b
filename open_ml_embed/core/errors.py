"""Exceptions for users. Each message states what went wrong and where, which values are valid, and the remedy.

Most errors end the run. For a `TransientError`, the same call may succeed later.
A bad record raises none: it is quarantined (`sources.quarantine`) and the run goes on. Errors that stem from a wrong
argument, setting, name or manifest are `ValueError`s too (`InvalidInputError`).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CorpusError(Exception):
    """Base class of all exceptions that are meant for users.

    Attributes:
        what: what went wrong, one sentence.
        where: source, subset, file, row or setting concerned; may be empty.
        remedy: what to do about it; may be empty.

    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what, self.where, self.remedy = what, where, remedy
        super().__init__(what, where, remedy)

    def __str__(self) -> str:
        """Return the message as shown on a terminal."""
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n  remedy: {self.remedy}" if self.remedy else text

    def __reduce__(self) -> tuple[object, ...]:
        """Support pickling, so that worker processes can return the exception."""
        return (_rebuild, (type(self), self.what, self.where, self.remedy))


def _rebuild(kind: type[CorpusError], what: str, where: str, remedy: str) -> CorpusError:
    error = kind.__new__(kind)
    CorpusError.__init__(error, what, where=where, remedy=remedy)
    return error


class TransientError(CorpusError):
    """The same call may succeed later: a rate limit, a lost connection, a server error."""


def exit_code(error: CorpusError) -> int:
    """Return the exit code of a command: 2 if the same call may succeed later, 1 if the user must correct something."""
    return 2 if isinstance(error, TransientError) else 1


class InvalidInputError(CorpusError, ValueError):
    """An argument, a setting, a name or a file that people write is invalid."""


class ManifestError(InvalidInputError):
    """A manifest or mix file is invalid."""


class SettingsError(InvalidInputError):
    """`params.yaml`, a command-line option or an argument holds an invalid value."""


class MissingPackageError(SettingsError):
    """A required Python package is not installed; the remedy names its extra (`open_ml_embed.core.optional`)."""


class SchemaError(CorpusError):
    """A raw file does not have the columns that its manifest declares."""


class FetchError(CorpusError):
    """Raw files cannot be fetched from the origin that the manifest names."""


class PublishError(CorpusError):
    """The Hub does not take what is published, or it must not leave this machine."""


class MissingToolError(CorpusError):
    """A program that the source needs is not on this machine; the source is skipped, not the run."""


class StageError(CorpusError):
    """A step's input is missing or was not made by the step before it."""


class StorageError(CorpusError):
    """A file cannot be written, such as on a full disk."""


class DivergenceError(CorpusError):
    """Training gave a loss, a gradient or a weight that is not finite."""


class UnknownNameError(InvalidInputError):
    """A name is not in a closed list; the remedy suggests the nearest valid names."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, where: str = "") -> None:
        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        remedy = f"did you mean {' or '.join(near)}?" if near else f"one of: {', '.join(known[:40])}"
        super().__init__(f"unknown {kind} {name!r}", where=where, remedy=remedy)
