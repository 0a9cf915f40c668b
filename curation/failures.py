"""Failures of single sources: the others are worked through first, then one error names all of them.

>>> failures = Failures("fetch", "sources", "fetched")
>>> for name in ("laws", "tales"):
...     with failures.of(name):
...         if name == "laws":
...             raise FileNotFoundError(2, "No such file or directory", "laws/a.jsonl")
>>> print(failures.error(of=2, where="profile sample"))
profile sample: 1 of 2 sources could not be fetched: laws
    laws: No such file or directory: laws/a.jsonl
      remedy: see that the file is there and can be read (`curate fetch` brings raw files), then run it again
  remedy: mend what is named above, or leave it out (`sources.exclude`); the others are done and stay
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from curation.build import StepResult
from open_ml_embed.core.errors import CorpusError, MissingPackageError, StageError, TransientError


class RefusedError(StageError):
    """A step was worked through, and its result does not count until what is named is mended or allowed.

    Attributes:
        result: as it was saved.

    """

    result: StepResult | None = None


class RefusedForNowError(TransientError):
    """As `RefusedError`, where all that went wrong may pass by itself.

    Attributes:
        result: as it was saved.

    """

    result: StepResult | None = None


class Failures:
    """Collects what goes wrong with single sources (or evaluation sets) of one step."""

    def __init__(self, step: str, kind: str, done: str, *, leave_out: str = "`sources.exclude`") -> None:
        """Name the step, what it works on (`sources`), what becomes of them (`fetched`), and how to leave one out."""
        self.step = step
        self.by_name: dict[str, CorpusError] = {}
        self._kind, self._done, self._leave_out = kind, done, leave_out
        self._faults: list[Exception] = []

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Keep whatever exception is raised inside as this source's failure, and go on.

        Raises:
            MissingPackageError: it is no fault of a source, and the others may need the package too.

        """
        try:
            yield
        except MissingPackageError:
            raise
        except Exception as error:
            self.add(name, error)

    def add(self, name: str, error: Exception, *, at_once: bool = True) -> None:
        """Keep a failure, and say it at once where the step goes on after it; a second one of a source is only said."""
        said = _explained(error)
        if said is None:
            self._faults.append(error)
            what = f"{type(error).__name__}: {error}"
            said = StageError(what, remedy="this is a fault of the program; its traceback follows at the end")
        self.by_name.setdefault(name, said)
        if at_once:
            print(f"failed {name}: {said}", file=sys.stderr, flush=True)

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self.by_name)

    @property
    def refused(self) -> dict[str, str]:
        """Return why each source failed, without the remedy: what a step's file says."""
        return {name: f"{error.where}: {error.what}" if error.where else error.what for name, error in self._sorted()}

    def error(self, *, of: int, where: str) -> RefusedError | RefusedForNowError:
        """Return one error that names all failures with their remedies; transient where all of them are."""
        passing = all(isinstance(error, TransientError) for error in self.by_name.values())
        names = ", ".join(name for name, _ in self._sorted())
        lines = "".join(f"\n    {_indented(name, error)}" for name, error in self._sorted())
        return (RefusedForNowError if passing else RefusedError)(
            f"{len(self.by_name)} of {of} {self._kind} could not be {self._done}: {names}{lines}",
            where=where,
            remedy=f"mend what is named above, or leave it out ({self._leave_out}); the others are done and stay",
        )

    def end(self, *, of: int, where: str, result: StepResult | None = None) -> NoReturn:
        """Raise that error, with the step's result; a fault of the program comes out as itself, after the others."""
        error = self.error(of=of, where=where)
        error.result = result
        if self._faults:
            raise self._faults[0]
        raise error

    def _sorted(self) -> list[tuple[str, CorpusError]]:
        return sorted(self.by_name.items())


def _explained(error: Exception) -> CorpusError | None:
    """Return an error for a user to read; null for what only a fault of the program can raise."""
    if isinstance(error, CorpusError):
        return error
    if isinstance(error, OSError):
        about = error.strerror or str(error) or type(error).__name__
        named = f"{about}: {error.filename}" if error.filename else about
        return StageError(
            named,
            remedy="see that the file is there and can be read (`curate fetch` brings raw files), then run it again",
        )
    return None


def _indented(name: str, error: CorpusError) -> str:
    said = str(error).replace("\n", "\n    ")
    return said if said.startswith((f"{name}:", f"{name}/")) else f"{name}: {said}"
