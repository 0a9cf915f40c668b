"""The errors a user can meet, each saying what, where, what would be valid, and the remedy.

Terminal errors end the run; transient ones (`TransientError`) are worth another try with the same input.
A bad record is neither: it is quarantined (`sources.quarantine`) and the run goes on. What stems from a wrong argument,
setting, name or manifest is a `ValueError` too (`InvalidInputError`): callers from Python need not know our classes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CorpusError(Exception):
    """Base of everything this project raises for a user to read.

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
        """Survive the way back from a worker process."""
        return (_rebuild, (type(self), self.what, self.where, self.remedy))


def _rebuild(kind: type[CorpusError], what: str, where: str, remedy: str) -> CorpusError:
    error = kind.__new__(kind)
    CorpusError.__init__(error, what, where=where, remedy=remedy)
    return error


class TransientError(CorpusError):
    """The same call may succeed later: a rate limit, a lost connection, a server error."""


def exit_code(error: CorpusError) -> int:
    """Return what a command ends with: 2 where the same call may succeed later, 1 where something is to be mended."""
    return 2 if isinstance(error, TransientError) else 1


class InvalidInputError(CorpusError, ValueError):
    """What was given cannot be used: an argument, a setting, a name, a file that people write."""


class ManifestError(InvalidInputError):
    """A manifest or mix file does not say what it must."""


class SettingsError(InvalidInputError):
    """`params.yaml`, a command-line option or an argument of a function holds something unusable."""


class MissingPackageError(SettingsError):
    """A Python package that the command needs is in an extra that is not installed (`open_ml_embed.core.optional`)."""


class SchemaError(CorpusError):
    """A raw file does not have the columns its manifest promises."""


class FetchError(CorpusError):
    """Raw files cannot be had from the origin the manifest names."""


class MissingToolError(CorpusError):
    """A program that the source needs is not on this machine; the source is skipped, not the run."""


class StageError(CorpusError):
    """A step's input is missing or was not made by the step before it."""


class UnknownNameError(InvalidInputError):
    """A name that is not in a closed list, with the nearest that are."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, where: str = "") -> None:
        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        remedy = f"did you mean {' or '.join(near)}?" if near else f"one of: {', '.join(known[:40])}"
        super().__init__(f"unknown {kind} {name!r}", where=where, remedy=remedy)
