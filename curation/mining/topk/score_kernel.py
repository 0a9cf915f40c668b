"""The score kernel: an inner product in float64 with a fixed order of additions, compiled to SIMD instructions.

A plain loop would either stay scalar (compilers must not reorder additions) or, with reordering allowed, give different
bits on different machines. So the order is fixed: lane i of 8 sums the products of elements i, i + 8, i + 16 …, and the
lanes are added as ((0+4)+(2+6)) + ((1+5)+(3+7)). The products are exact, because the product of two float32 numbers
fits in a float64. So the result is the same with and without fused multiply-add.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from open_ml_embed.core.array_types import F32
from open_ml_embed.core.compiled import float32, njit

LANES = 8


@intrinsic
def _float64_dot(context: Any, left: Any, right: Any) -> Any:
    """Compile the inner product of two contiguous float32 arrays whose length is the same multiple of `LANES`."""
    double, single = ir.VectorType(ir.DoubleType(), LANES), ir.VectorType(ir.FloatType(), LANES)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        typed = zip(signature.args, arguments, strict=True)
        arrays = [context.make_array(kind)(context, builder, value) for kind, value in typed]
        length = builder.extract_value(arrays[0].shape, 0)
        total = cgutils.alloca_once_value(builder, ir.Constant(double, [0.0] * LANES))
        with cgutils.for_range(builder, builder.udiv(length, ir.Constant(length.type, LANES))) as loop:
            start = builder.mul(loop.index, ir.Constant(length.type, LANES))
            values = []
            for array in arrays:
                address = builder.bitcast(builder.gep(array.data, [start]), single.as_pointer())
                values.append(builder.fpext(builder.load(address, align=4), double))
            builder.store(builder.fadd(builder.load(total), builder.fmul(*values)), total)
        lanes = [builder.extract_element(builder.load(total), ir.Constant(ir.IntType(32), i)) for i in range(LANES)]
        while len(lanes) > 1:
            half = len(lanes) // 2
            lanes = [builder.fadd(lanes[i], lanes[i + half]) for i in range(half)]
        return lanes[0]

    return types.float64(left, right), generate


@njit(nogil=True)
def dot(left: F32, right: F32) -> np.float32:
    """Return the score, float32, of two contiguous float32 arrays whose length is a multiple of `LANES`."""
    return float32(_float64_dot(left, right))


@njit(nogil=True)
def dots(left: F32, right: F32, result: F32) -> None:
    """Write the score of every pair of rows, float32[n, width] each, to `result`, float32[n]."""
    for i in range(len(result)):
        result[i] = dot(left[i], right[i])
