"""bfloat16 matrix products with float32 accumulation, for processors with AVX512-BF16.

They are four times as fast as float32 products and have a known error bound. The rounding error of each vector is
measured, so a product is off by at most ‖q - q̂‖·‖d‖ + ‖q̂‖·‖d - d̂‖ (Cauchy-Schwarz) plus the float32 error.

The kernel compares products with a threshold for each row while they are still in registers, so that the top-k scan
reads few of them. It holds 6 rows × 64 columns in 24 registers (Goto and van de Geijn 2008, Anatomy of High-Performance
Matrix Multiplication, section 4). Columns are stored in panels of 64, rows row by row; both in pairs of bfloat16
numbers, the operand format of the instruction.
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
"""Rows of a register block; float32 lanes of a register; registers for the columns of one row."""
PANEL = LANES * VECTORS
"""Columns of a panel."""


def supported() -> bool:
    """Tell whether this processor has AVX512-BF16."""
    features: dict[str, bool] = binding.get_host_cpu_features()
    return features.get("avx512bf16", False)


def pack(vectors: F32, *, panels: bool, multiple: int) -> tuple[U32, F64, F64]:
    """Round vectors to bfloat16 and pack them for `multiply`.

    Args:
        vectors: float32[n, dim], dim even, all finite.
        panels: true: pack as columns, uint32[n / 64, dim / 2, 64]; false: as rows, uint32[n, dim / 2].
        multiple: n is rounded up to a multiple of this number, itself a multiple of 64 (columns) or 6 (rows); the added
            vectors are zero.

    Returns:
        The packed vectors; their norms, float64[n]; and the norms of their rounding errors, float64[n].

    """
    n, pairs = len(vectors), vectors.shape[1] // 2
    rounded_n = -(-n // multiple) * multiple
    packed = np.zeros((rounded_n // PANEL, pairs, PANEL) if panels else (rounded_n, pairs), np.uint32)
    lengths, rounding = np.empty(n), np.empty(n)
    _pack(vectors, panels, packed.reshape(-1), lengths, rounding)
    return packed, lengths, rounding


class _Bf16Vector(ir.Type):  # type: ignore[misc] # llvmlite has no types
    """LLVM's vector type of bfloat16, which llvmlite does not have."""

    def _to_string(self) -> str:
        return f"<{2 * LANES} x bfloat>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bf16Vector)

    def __hash__(self) -> int:
        return hash(_Bf16Vector)


@intrinsic
def _block(
    typing: Any, rows: Any, row: Any, panels: Any, panel: Any, out: Any, column: Any, least: Any, reached: Any
) -> Any:
    """Compile a block: write `out[row : row + 6, column : column + 64]` and flag the rows that reach `least`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        left, right, to, limits, flags = (
            context.make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 2, 4, 6, 7)
        )
        first, number, out_column = arguments[1], arguments[3], arguments[5]
        int64, int32 = ir.IntType(64), ir.IntType(32)
        int32_vector, float32_vector, bf16_vector = (
            ir.VectorType(int32, LANES),
            ir.VectorType(ir.FloatType(), LANES),
            _Bf16Vector(),
        )
        pairs, width = builder.extract_value(left.shape, 1), builder.extract_value(to.shape, 1)

        def at(base: Any, *factors: Any) -> Any:
            position = factors[0]
            for factor in factors[1:]:
                position = builder.mul(position, factor)
            return builder.gep(base, [position])

        row_of = [builder.add(first, int64(i)) for i in range(ROWS)]
        row_at = [at(left.data, row, pairs) for row in row_of]
        panel_at = at(right.data, number, pairs, int64(PANEL))
        function_type = ir.FunctionType(float32_vector, [float32_vector, bf16_vector, bf16_vector])
        add = cgutils.get_or_insert_function(builder.module, function_type, "llvm.x86.avx512bf16.dpbf16ps.512")

        entry = builder.block
        loop, done = builder.append_basic_block("pairs"), builder.append_basic_block("done")
        builder.branch(loop)
        builder.position_at_end(loop)
        pair = builder.phi(int64)
        pair.add_incoming(int64(0), entry)
        sums = [builder.phi(float32_vector) for _ in range(ROWS * VECTORS)]
        panel_row = at(panel_at, pair, int64(PANEL))
        columns = [
            builder.load(builder.bitcast(at(panel_row, int64(LANES * v)), int32_vector.as_pointer()), align=4)
            for v in range(VECTORS)
        ]
        columns = [builder.bitcast(column, bf16_vector) for column in columns]
        added = []
        for i in range(ROWS):
            lane = builder.insert_element(int32_vector(ir.Undefined), builder.load(at(row_at[i], pair)), int32(0))
            broadcast = builder.bitcast(
                builder.shuffle_vector(lane, lane, ir.Constant(int32_vector, None)), bf16_vector
            )
            added += [builder.call(add, [sums[i * VECTORS + v], broadcast, columns[v]]) for v in range(VECTORS)]
        next_pair = builder.add(pair, int64(1))
        pair.add_incoming(next_pair, loop)
        for old, new in zip(sums, added, strict=True):
            old.add_incoming(ir.Constant(float32_vector, None), entry)
            old.add_incoming(new, loop)
        builder.cbranch(builder.icmp_signed("<", next_pair, pairs), loop, done)

        builder.position_at_end(done)
        count = builder.extract_value(flags.shape, 1)
        for i in range(ROWS):
            out_row = at(at(to.data, row_of[i], width), out_column)
            limit = builder.insert_element(
                float32_vector(ir.Undefined), builder.load(at(limits.data, row_of[i])), int32(0)
            )
            limit = builder.shuffle_vector(limit, limit, ir.Constant(int32_vector, None))
            row_sums = added[i * VECTORS : (i + 1) * VECTORS]
            for v in range(VECTORS):
                builder.store(
                    row_sums[v], builder.bitcast(at(out_row, int64(LANES * v)), float32_vector.as_pointer()), align=4
                )
            reach = reduce(builder.or_, (builder.fcmp_ordered(">=", product, limit) for product in row_sums))
            any_reached = builder.icmp_unsigned("!=", builder.bitcast(reach, ir.IntType(LANES)), ir.IntType(LANES)(0))
            builder.store(builder.zext(any_reached, ir.IntType(8)), at(at(flags.data, row_of[i], count), number))
        return context.get_dummy_value()

    return types.void(rows, row, panels, panel, out, column, least, reached), generate


@njit(nogil=True)
def multiply(rows: U32, panels: U32, out: F32, least: F32, reached: U8) -> None:
    """Multiply packed rows and packed panels. The processor must be `supported`; all arrays must be contiguous.

    Args:
        rows: uint32[rows, dim / 2] from `pack`; a multiple of 6 rows.
        panels: uint32[panels, dim / 2, 64] from `pack`.
        out: float32[rows, 64 · panels], filled with the products.
        least: float32[rows], threshold of each row.
        reached: uint8[rows, panels], filled with 1 where a product of the panel is not below the row's threshold.

    """
    for panel in range(len(panels)):
        for row in range(0, len(rows), ROWS):
            _block(rows, row, panels, panel, out, panel * PANEL, least, reached)


@njit(nogil=True, fastmath={"reassoc"})
def _pack(values: F32, panels: Flag, packed: U32, lengths: F64, rounding: F64) -> None:
    """Round to the nearest bfloat16, ties to even; subnormal numbers become zero, as in the instruction."""
    bits, pairs = values.view(np.uint32), values.shape[1] // 2
    upper = np.empty(values.shape[1], np.uint32)
    rounded = upper.view(np.float32)
    for i in range(len(values)):
        for k in range(values.shape[1]):
            rounded_bits = bits[i, k] + np.uint32(0x7FFF) + ((bits[i, k] >> np.uint32(16)) & np.uint32(1))
            upper[k] = rounded_bits & np.uint32(0xFFFF0000) if rounded_bits & np.uint32(0x7F800000) else np.uint32(0)
        square = lost_square = 0.0
        for k in range(values.shape[1]):
            value, difference = np.float64(values[i, k]), np.float64(values[i, k] - rounded[k])
            square += value * value
            lost_square += difference * difference
        lengths[i], rounding[i] = np.sqrt(square), np.sqrt(lost_square)
        start, step = (i // PANEL * pairs * PANEL + i % PANEL, PANEL) if panels else (i * pairs, 1)
        for k in range(pairs):
            packed[start + k * step] = (upper[2 * k] >> np.uint32(16)) | upper[2 * k + 1]
