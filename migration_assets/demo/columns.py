"""Whole columns at once: Arrow arrays out of numpy numbers. No rule of the legacy world belongs here.

`missing` is a boolean array: True where the column is NULL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Column: TypeAlias = pa.Array

MICROSECONDS_PER_DAY = 86_400_000_000


def integers(values: npt.NDArray[Any], missing: Bools | None = None) -> Column:
    """int64 column."""
    return pa.array(values.astype(np.int64, copy=False), mask=missing)


def small_integers(values: npt.NDArray[Any], missing: Bools | None = None) -> Column:
    """int32 column."""
    return pa.array(values.astype(np.int32), mask=missing)


def decimals(ten_thousandths: Ints, precision: int, scale: int, missing: Bools | None = None) -> Column:
    """numeric(precision, scale) of whole ten-thousandths; ValueError when a value does not fit the scale exactly."""
    shrink = 10 ** (4 - scale)
    if (ten_thousandths % shrink).any():
        raise ValueError(f"an amount has more than {scale} decimals")
    return _decimals(ten_thousandths // shrink, precision, scale, missing)


def _decimals(unscaled: Ints, precision: int, scale: int, missing: Bools | None) -> Column:
    words = np.empty((len(unscaled), 2), dtype="<i8")
    words[:, 0] = unscaled
    words[:, 1] = unscaled >> 63
    valid = None if missing is None else pa.py_buffer(np.packbits(~missing, bitorder="little"))
    return pa.Array.from_buffers(pa.decimal128(precision, scale), len(unscaled), [valid, pa.py_buffer(words)])


def dates(days: Ints, missing: Bools | None = None) -> Column:
    """date32 column of days since 1970-01-01."""
    return pa.array(days.astype(np.int32), type=pa.int32(), mask=missing).cast(pa.date32())


def instants(microseconds: Ints, missing: Bools | None = None) -> Column:
    """timestamptz column of microseconds since 1970-01-01 UTC."""
    return pa.array(microseconds, type=pa.int64(), mask=missing).cast(pa.timestamp("us", "UTC"))


def local_times(microseconds: Ints, missing: Bools | None = None) -> Column:
    """timestamp column without zone."""
    return pa.array(microseconds, type=pa.int64(), mask=missing).cast(pa.timestamp("us"))


def codes(labels: Sequence[str | None], index: npt.NDArray[Any], missing: Bools | None = None) -> Column:
    """Text column out of few labels, dictionary encoded. A label None is NULL."""
    known = list(dict.fromkeys(label for label in labels if label is not None))
    place = np.array([known.index(label) if label is not None else -1 for label in labels], dtype=np.int32)
    position = place[index]
    absent = position < 0 if missing is None else (position < 0) | missing
    indices = pa.array(position, mask=absent if absent.any() else None)
    return pa.DictionaryArray.from_arrays(indices, pa.array(known, type=pa.string()))


def flags(yes: Bools, missing: Bools | None = None) -> Column:
    """'Y' and 'N'."""
    return codes(("N", "Y"), yes.astype(np.int8), missing)


def pick(labels: Sequence[str] | Column, index: npt.NDArray[Any]) -> Column:
    """Plain text column: the label at each index."""
    source = labels if isinstance(labels, pa.Array) else pa.array(labels, type=pa.string())
    return source.take(pa.array(index.astype(np.int64)))


def digits(numbers: npt.NDArray[Any], width: int) -> Column:
    """Numbers as text, padded with zeros to exactly `width` digits."""
    rest = numbers.astype(np.int64)
    cells = np.empty((len(rest), width), dtype=np.uint8)
    for place in range(width - 1, -1, -1):
        rest, digit = np.divmod(rest, 10)
        cells[:, place] = digit + ord("0")
    offsets = np.arange(len(numbers) + 1, dtype=np.int64) * width
    wide = pa.Array.from_buffers(pa.large_string(), len(numbers), [None, pa.py_buffer(offsets), pa.py_buffer(cells)])
    return wide.cast(pa.string())


def joined(*parts: Column | str) -> Column:
    """Texts put together row by row; NULL where any part is."""
    return pc.binary_join_element_wise(*parts, "")


def text_of(number: npt.NDArray[Any]) -> Column:
    """Numbers as plain text without padding."""
    return pa.array(number.astype(np.int64)).cast(pa.string())


def blanked(column: Column, missing: Bools) -> Column:
    """The same column with NULL where `missing`."""
    return pc.if_else(pa.array(missing), pa.scalar(None, type=column.type), column)


def chosen(condition: Bools, where_true: Column, where_false: Column) -> Column:
    """Row by row one column or the other."""
    return pc.if_else(pa.array(condition), where_true, where_false)


def constant(value: str, count: int) -> Column:
    """The same text in every row."""
    return pa.repeat(pa.scalar(value, type=pa.string()), count)


def nothing(count: int) -> Column:
    """Text column of NULLs."""
    return pa.nulls(count, type=pa.string())


def expand(counts: Ints) -> tuple[Ints, Ints]:
    """For rows that become `counts` rows each: index of the origin, and the running number from 0 within it."""
    origin = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    first = np.cumsum(counts) - counts
    return origin, np.arange(len(origin), dtype=np.int64) - np.repeat(first, counts)


def sums(values: Ints, groups: Ints, count: int) -> Ints:
    """Exact sums of `values` per group; `groups` is sorted and within 0..count-1."""
    total = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(values)))
    edges = np.searchsorted(groups, np.arange(count + 1))
    return total[edges[1:]] - total[edges[:-1]]
