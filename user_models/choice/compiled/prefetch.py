"""To ask for memory before it is needed, in loops compiled for the CPU.

A loop over shoppers reads a row of each of many tables for each of them, all over the memory: it would wait
for each row's first bytes. To ask changes no number.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LINE = 64  # bytes that a CPU reads at once


def _prefetch(context: Any, tables: Any, row: Any) -> Any:
    """Begin to read `table[row]`, which must exist, of each of a tuple of contiguous arrays."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte, int32 = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, int32, int32, int32])
        ask = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        reading, keep, data = int32(0), int32(3), int32(1)
        number = context.cast(builder, arguments[1], row, types.intp)
        for place, table in enumerate(tables):
            array = context.make_array(table)(context, builder, builder.extract_value(arguments[0], place))
            width = builder.extract_value(array.strides, 0)
            start = builder.gep(builder.bitcast(array.data, byte), [builder.mul(number, width)])
            zero, line = width.type(0), width.type(LINE)
            with cgutils.for_range_slice(builder, zero, width, line) as (offset, _):
                builder.call(ask, [builder.gep(start, [offset]), reading, keep, data])
        return context.get_dummy_value()

    return types.void(tables, row), generate


prefetch: Any = intrinsic(_prefetch)
