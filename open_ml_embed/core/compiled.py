"""numba's compiler with types: a compiled function has the signature that it was written with.

numba takes no notice of annotations and compiles for the types that a function is called with; they are for readers and
for the type checker.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, ParamSpec, TypedDict, TypeVar, Unpack, cast, overload

import numba
import numpy as np

P = ParamSpec("P")
R = TypeVar("R")


class Options(TypedDict, total=False):
    """Options of `numba.njit`, by its names."""

    nogil: bool
    inline: Literal["never", "always"]
    fastmath: bool | set[str]
    parallel: bool


@overload
def njit(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def njit(*, signature: object = None, **options: Unpack[Options]) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def njit(
    function: Callable[P, R] | None = None, /, *, signature: object = None, **options: Unpack[Options]
) -> Callable[P, R] | Callable[[Callable[P, R]], Callable[P, R]]:
    """Compile a function on its first call, and keep the result beside its file for the next process.

    Args:
        function: to compile; left out where options are given.
        signature: numba's types of result and arguments, such as `nb.uint64(nb.uint64)`: compile for these alone, when
            the module is imported.
        **options: as `numba.njit` takes them.

    """
    if function is not None:
        return cast("Callable[P, R]", numba.njit(cache=True)(function))
    given = () if signature is None else (signature,)
    return cast("Callable[[Callable[P, R]], Callable[P, R]]", numba.njit(*given, cache=True, **options))


prange: Callable[[int], range] = numba.prange
"""`range`, its turns shared out over threads in a function compiled with `parallel`."""
int64: Callable[[Any], int] = numba.int64
"""Makes a number what `int` is in compiled code; the others likewise."""
uint32: Callable[[Any], np.uint32] = numba.uint32
uint64: Callable[[Any], np.uint64] = numba.uint64
float32: Callable[[Any], np.float32] = numba.float32
