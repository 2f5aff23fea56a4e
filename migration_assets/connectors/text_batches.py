"""Rows of text values to Arrow, with the limit on one value."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from migration_assets.domain.errors import SourceUnreadable

Record = tuple[int, Sequence[str | None]]


def text_table(
    records: Sequence[Record], places: Sequence[int], columns: Sequence[str], max_cell_bytes: int, name: str
) -> pa.Table:
    """Some columns of numbered records as strings; a value over the limit is refused with its line."""
    values = list(zip(*(row for _, row in records), strict=True))
    arrays = [pa.array(values[place], pa.string()) for place in places]
    for column, array in zip(columns, arrays, strict=True):
        longest = pc.max(pc.binary_length(array)).as_py()
        if longest is not None and longest > max_cell_bytes:
            line = records[pc.index(pc.binary_length(array), longest).as_py()][0]
            raise SourceUnreadable(
                f"{name}, line {line}, column {column}: a value of {longest} bytes, over {max_cell_bytes}",
                "look for an unclosed quote; if the value is right, raise the option max_cell_bytes",
            )
    return pa.Table.from_arrays(arrays, names=list(columns))
