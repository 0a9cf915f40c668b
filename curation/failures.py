"""Failures of single sources: a step processes the other sources first, then raises one error that lists all failures.

>>> failures = Failures("fetch", "sources", "fetched")
>>> for name in ("laws", "tales"):
...     with failures.of(name):
...         if name == "laws":
...             raise FileNotFoundError(2, "No such file or directory", "laws/a.jsonl")
>>> print(failures.error(of=2, where="profile sample"))
profile sample: 1 of 2 sources could not be fetched: laws
    laws/a.jsonl: no such file or directory
      remedy: see that the file is there and can be read (`curate fetch` brings raw files), then run it again
  remedy: fix what is named above, or leave it out (`sources.exclude`); the others are done and stay
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from curation.build import StepResult
from open_ml_embed.core.errors import CorpusError, MissingPackageError, StageError, TransientError
from open_ml_embed.core.os_errors import explained as in_words_of
from open_ml_embed.core.printing import print_text


class RefusedError(StageError):
    """The step ran to its end, but its result does not count until the named faults are fixed or allowed.

    Attributes:
        result: the result as the step saved it.

    """

    result: StepResult | None = None


class RefusedForNowError(TransientError):
    """Like `RefusedError`, where every failure is transient: running the step again may succeed.

    Attributes:
        result: the result as the step saved it.

    """

    result: StepResult | None = None


class Failures:
    """Collects the failures of single sources (or evaluation sets) in one step.

    Attributes:
        step: the name of the step.
        by_name: source → its first failure.

    """

    def __init__(self, step: str, kind: str, done: str, *, leave_out: str = "`sources.exclude`") -> None:
        """Start without failures.

        Args:
            step: the name of the step.
            kind: the items that the step processes, as a plural noun: `sources`.
            done: what the step does with them, as a past participle: `fetched`.
            leave_out: the setting that excludes an item.

        """
        self.step = step
        self.by_name: dict[str, CorpusError] = {}
        self._kind, self._done, self._leave_out = kind, done, leave_out
        self._faults: list[Exception] = []

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Record an exception raised in the `with` block as a failure of this source, and continue.

        Raises:
            MissingPackageError: a Python package is missing; that is not a fault of the source, and other sources may
                need the package too.

        """
        try:
            yield
        except MissingPackageError:
            raise
        except Exception as error:
            self.add(name, error)

    def add(self, name: str, error: Exception, *, at_once: bool = True) -> None:
        """Record a failure; a second failure of the same source is printed but not recorded.

        Args:
            name: the source.
            error: the exception.
            at_once: print the failure to standard error now, since the step continues after it.

        """
        explained = _explained(error)
        if explained is None:
            self._faults.append(error)
            what = f"{type(error).__name__}: {error}"
            explained = StageError(what, remedy="this is a bug in the program; its traceback follows at the end")
        self.by_name.setdefault(name, explained)
        if at_once:
            print_text(f"failed {name}: {explained}", error=True)

    def __bool__(self) -> bool:
        """Tell whether there are failures."""
        return bool(self.by_name)

    @property
    def refused(self) -> dict[str, str]:
        """Source → why it failed, without the remedy, as a step's file records it."""
        return {name: f"{error.where}: {error.what}" if error.where else error.what for name, error in self._sorted()}

    def error(self, *, of: int, where: str) -> RefusedError | RefusedForNowError:
        """Return one error that lists all failures with their remedies.

        Args:
            of: the number of sources that the step processed.
            where: the place that the message names, such as the profile.

        Returns:
            `RefusedForNowError` if every failure is transient, else `RefusedError`.

        """
        passing = all(isinstance(error, TransientError) for error in self.by_name.values())
        names = ", ".join(name for name, _ in self._sorted())
        lines = "".join(f"\n    {_indented(name, error)}" for name, error in self._sorted())
        return (RefusedForNowError if passing else RefusedError)(
            f"{len(self.by_name)} of {of} {self._kind} could not be {self._done}: {names}{lines}",
            where=where,
            remedy=f"fix what is named above, or leave it out ({self._leave_out}); the others are done and stay",
        )

    def end(self, *, of: int, where: str, result: StepResult | None = None) -> NoReturn:
        """Raise the error that `error` returns, with the step's result; instead, raise a bug in the program unchanged.

        Raises:
            RefusedError: at least one failure needs a fix.
            RefusedForNowError: every failure is transient.

        """
        error = self.error(of=of, where=where)
        error.result = result
        if self._faults:
            raise self._faults[0]
        raise error

    def _sorted(self) -> list[tuple[str, CorpusError]]:
        return sorted(self.by_name.items())


def _explained(error: Exception) -> CorpusError | None:
    """Return the error in the form that users read, or None for an exception that only a bug in the program raises."""
    if isinstance(error, CorpusError):
        return error
    return in_words_of(error) if isinstance(error, OSError) else None


def _indented(name: str, error: CorpusError) -> str:
    message = str(error).replace("\n", "\n    ")
    return message if message.startswith((f"{name}:", f"{name}/")) else f"{name}: {message}"
