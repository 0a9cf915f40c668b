"""Type aliases of NumPy arrays by element type, shared by all packages."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

I8 = npt.NDArray[np.int8]
I16 = npt.NDArray[np.int16]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
F16 = npt.NDArray[np.float16]
F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
"""Booleans, one for each element of another array."""
Array = npt.NDArray[Any]
"""Elements of any type."""
Integers = npt.NDArray[np.integer[Any]]
"""Integers of any width."""
Offsets = npt.NDArray[np.int32] | npt.NDArray[np.int64]
"""int32 or int64, n + 1, as in Arrow: list i of n lists is `values[offsets[i]:offsets[i + 1]]`."""
Integer = int | np.integer[Any]
"""An integer in compiled code, which does not distinguish `int` from NumPy's integers."""
Flag = bool | np.bool
"""A boolean argument of a compiled function. numba has no keyword-only arguments, so it may be positional."""
