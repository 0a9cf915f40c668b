"""Memory of one run: what was found out once is not found out again for every subset."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar, cast

_Result = TypeVar("_Result")


class Once:
    """Results by key. Each is computed once, even if several threads ask for it at the same time.

    A computation that raises is not remembered, so that the next caller tries again.
    """

    def __init__(self) -> None:
        self._results: dict[Hashable, Any] = {}
        self._locks: dict[Hashable, Lock] = {}
        self._guard = Lock()

    def of(self, key: Hashable, compute: Callable[[], _Result]) -> _Result:
        """Return the result for a key; compute it on the first call, while other callers of the same key wait.

        Args:
            key: identifies what `compute` finds out, all that it depends on included.
            compute: called without arguments.

        """
        with self._guard:
            lock = self._locks.setdefault(key, Lock())
        with lock:
            if key not in self._results:
                self._results[key] = compute()
            return cast("_Result", self._results[key])
