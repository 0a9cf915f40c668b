"""Typed wrapper of `numba.njit`: to the type checker, a compiled function keeps the signature of its source.

numba ignores annotations and compiles for the argument types of each call. The annotations are for readers and for the
type checker.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, ParamSpec, TypedDict, TypeVar, Unpack, cast, overload

import numba
import numpy as np

P = ParamSpec("P")
R = TypeVar("R")


class Options(TypedDict, total=False):
    """Options of `numba.njit` that this project uses, under numba's names."""

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
    """Compile a function on its first call and cache the machine code on disk, beside the source file.

    Args:
        function: the function to compile; left out when options are given (`@njit(nogil=True)`).
        signature: numba types of result and arguments, such as `nb.uint64(nb.uint64)`. With a signature, the function
            is compiled for these types only, when its module is imported.
        **options: see `numba.njit`.

    """
    if function is not None:
        return cast("Callable[P, R]", numba.njit(cache=True)(function))
    signatures = () if signature is None else (signature,)
    return cast("Callable[[Callable[P, R]], Callable[P, R]]", numba.njit(*signatures, cache=True, **options))


prange: Callable[[int], range] = numba.prange
"""`range` whose iterations run on several threads in a function compiled with `parallel`."""
int64: Callable[[Any], int] = numba.int64
"""Convert a number to numba's int64, the type of `int` in compiled code. The functions below do the same for theirs."""
uint32: Callable[[Any], np.uint32] = numba.uint32
uint64: Callable[[Any], np.uint64] = numba.uint64
float32: Callable[[Any], np.float32] = numba.float32
