"""Names of NumPy arrays by the type of their elements, one each for the whole code base."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

I8 = npt.NDArray[np.int8]
I16 = npt.NDArray[np.int16]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
F16 = npt.NDArray[np.float16]
F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
"""True or false for each of something."""
Array = npt.NDArray[Any]
"""Elements of any type."""
Integers = npt.NDArray[np.integer[Any]]
"""Whole numbers of any width."""
Offsets = npt.NDArray[np.int32] | npt.NDArray[np.int64]
"""int32 or int64, n + 1: where each of n lists begins in the values of all, and where the last one ends; as Arrow."""
Integer = int | np.integer[Any]
"""A whole number in compiled code, where `int` and NumPy's own are one."""
Flag = bool | np.bool
"""True or false in compiled code, which takes no arguments by keyword alone."""
