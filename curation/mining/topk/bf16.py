"""Matrix products of bfloat16 with sums in float32, for processors that have the instruction (AVX512-BF16).

Four times as fast as float32's, and less exact by a known amount: what rounding took from each vector is measured, so
the product is off by no more than ‖q - q̂‖·‖d‖ + ‖q̂‖·‖d - d̂‖ (Cauchy and Schwarz) and float32's own error.

While products are still in registers they are compared with what they would have to reach, so that whoever looks for
the best looks at few of them. The kernel holds 6 rows × 64 columns in 24 registers (Goto and van de Geijn 2008, Anatomy
of High-Performance Matrix Multiplication, section 4). Columns lie in panels of 64, rows as they are; both in pairs of
numbers, as the instruction takes them.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from open_ml_embed.core.array_types import F32, F64, U8, U32, Flag
from open_ml_embed.core.compiled import njit

ROWS, LANES, VECTORS = 6, 16, 4
PANEL = LANES * VECTORS


def supported() -> bool:
    """Tell whether this processor multiplies bfloat16."""
    features: dict[str, bool] = binding.get_host_cpu_features()
    return features.get("avx512bf16", False)


def pack(vectors: F32, *, panels: bool, among: int) -> tuple[U32, F64, F64]:
    """Round vectors to bfloat16 and lay them out.

    Args:
        vectors: float32[n, dim], dim even and all finite.
        panels: as columns, uint32[n / 64, dim / 2, 64], or as rows, uint32[n, dim / 2]; with zeros for vectors beyond
            the last.
        among: how many vectors of a layout are made at once, a multiple of 64 or 6: n is rounded up to it.

    Returns:
        The layout, the vectors' lengths, and the lengths of what rounding took from each, float64[n].

    """
    n, pairs = len(vectors), vectors.shape[1] // 2
    whole = -(-n // among) * among
    packed = np.zeros((whole // PANEL, pairs, PANEL) if panels else (whole, pairs), np.uint32)
    lengths, taken = np.empty(n), np.empty(n)
    _pack(vectors, panels, packed.reshape(-1), lengths, taken)
    return packed, lengths, taken


class _Halves(ir.Type):  # type: ignore[misc] # llvmlite has no types
    """What llvmlite has no name for."""

    def _to_string(self) -> str:
        return f"<{2 * LANES} x bfloat>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Halves)

    def __hash__(self) -> int:
        return hash(_Halves)


@intrinsic
def _block(
    typing: Any, rows: Any, row: Any, panels: Any, panel: Any, out: Any, column: Any, least: Any, reached: Any
) -> Any:
    """Write `out[row : row + 6, column : column + 64]`, products of six rows and a panel, and whether they reach."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        left, right, to, limits, flags = (
            context.make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 2, 4, 6, 7)
        )
        first, number, place = arguments[1], arguments[3], arguments[5]
        whole, integer = ir.IntType(64), ir.IntType(32)
        integers, floats, halves = ir.VectorType(integer, LANES), ir.VectorType(ir.FloatType(), LANES), _Halves()
        pairs, width = builder.extract_value(left.shape, 1), builder.extract_value(to.shape, 1)

        def at(base: Any, *factors: Any) -> Any:
            position = factors[0]
            for factor in factors[1:]:
                position = builder.mul(position, factor)
            return builder.gep(base, [position])

        row_of = [builder.add(first, whole(i)) for i in range(ROWS)]
        row_at = [at(left.data, row, pairs) for row in row_of]
        panel_at = at(right.data, number, pairs, whole(PANEL))
        kind = ir.FunctionType(floats, [floats, halves, halves])
        add = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512bf16.dpbf16ps.512")

        before = builder.block
        loop, after = builder.append_basic_block("pairs"), builder.append_basic_block("done")
        builder.branch(loop)
        builder.position_at_end(loop)
        pair = builder.phi(whole)
        pair.add_incoming(whole(0), before)
        sums = [builder.phi(floats) for _ in range(ROWS * VECTORS)]
        here = at(panel_at, pair, whole(PANEL))
        columns = [
            builder.load(builder.bitcast(at(here, whole(LANES * v)), integers.as_pointer()), align=4)
            for v in range(VECTORS)
        ]
        columns = [builder.bitcast(column, halves) for column in columns]
        added = []
        for i in range(ROWS):
            one = builder.insert_element(integers(ir.Undefined), builder.load(at(row_at[i], pair)), integer(0))
            same = builder.bitcast(builder.shuffle_vector(one, one, ir.Constant(integers, None)), halves)
            added += [builder.call(add, [sums[i * VECTORS + v], same, columns[v]]) for v in range(VECTORS)]
        following = builder.add(pair, whole(1))
        pair.add_incoming(following, loop)
        for old, new in zip(sums, added, strict=True):
            old.add_incoming(ir.Constant(floats, None), before)
            old.add_incoming(new, loop)
        builder.cbranch(builder.icmp_signed("<", following, pairs), loop, after)

        builder.position_at_end(after)
        count = builder.extract_value(flags.shape, 1)
        for i in range(ROWS):
            line = at(at(to.data, row_of[i], width), place)
            limit = builder.insert_element(floats(ir.Undefined), builder.load(at(limits.data, row_of[i])), integer(0))
            limit = builder.shuffle_vector(limit, limit, ir.Constant(integers, None))
            own = added[i * VECTORS : (i + 1) * VECTORS]
            for v in range(VECTORS):
                builder.store(own[v], builder.bitcast(at(line, whole(LANES * v)), floats.as_pointer()), align=4)
            reach = reduce(builder.or_, (builder.fcmp_ordered(">=", product, limit) for product in own))
            some = builder.icmp_unsigned("!=", builder.bitcast(reach, ir.IntType(LANES)), ir.IntType(LANES)(0))
            builder.store(builder.zext(some, ir.IntType(8)), at(at(flags.data, row_of[i], count), number))
        return context.get_dummy_value()

    return types.void(rows, row, panels, panel, out, column, least, reached), generate


@njit(nogil=True)
def multiply(rows: U32, panels: U32, out: F32, least: F32, reached: U8) -> None:
    """Multiply packed rows and packed panels; the processor is `supported`, and all arrays are contiguous.

    Args:
        rows: a multiple of 6 of them.
        panels: any number.
        out: float32[rows, 64 · panels], filled with the products.
        least: float32[rows].
        reached: uint8[rows, panels], filled with 1 where a product of the panel is not below the row's least.

    """
    for panel in range(len(panels)):
        for row in range(0, len(rows), ROWS):
            _block(rows, row, panels, panel, out, panel * PANEL, least, reached)


@njit(nogil=True, fastmath={"reassoc"})
def _pack(values: F32, panels: Flag, packed: U32, lengths: F64, taken: F64) -> None:
    """Round to the nearest bfloat16, ties to even; the smallest become zero, as the instruction reads them."""
    bits, pairs = values.view(np.uint32), values.shape[1] // 2
    upper = np.empty(values.shape[1], np.uint32)
    rounded = upper.view(np.float32)
    for i in range(len(values)):
        for k in range(values.shape[1]):
            one = bits[i, k] + np.uint32(0x7FFF) + ((bits[i, k] >> np.uint32(16)) & np.uint32(1))
            upper[k] = one & np.uint32(0xFFFF0000) if one & np.uint32(0x7F800000) else np.uint32(0)
        square = lost = 0.0
        for k in range(values.shape[1]):
            value, less = np.float64(values[i, k]), np.float64(values[i, k] - rounded[k])
            square += value * value
            lost += less * less
        lengths[i], taken[i] = np.sqrt(square), np.sqrt(lost)
        start, step = (i // PANEL * pairs * PANEL + i % PANEL, PANEL) if panels else (i * pairs, 1)
        for k in range(pairs):
            packed[start + k * step] = (upper[2 * k] >> np.uint32(16)) | upper[2 * k + 1]
