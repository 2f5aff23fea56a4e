"""What a golden copy's file is, whoever reads the source."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from migration_assets.connectors.golden_parquet import ROW_GROUP, GoldenWriter


def with_dictionary(path: Path) -> set[str]:
    group = pq.ParquetFile(path).metadata.row_group(0)
    columns = [group.column(i) for i in range(group.num_columns)]
    return {c.path_in_schema for c in columns if c.has_dictionary_page}


def test_a_column_has_a_dictionary_where_its_values_recur(tmp_path: Path) -> None:
    rows = pa.table(
        {"country": ["DE", "FR", None, "US"] * 25, "name": [f"n{i}" for i in range(100)], "tags": [["a"]] * 100}
    )
    with GoldenWriter(tmp_path / "copy.parquet", rows.schema) as writer:
        writer.write(rows)
    assert with_dictionary(tmp_path / "copy.parquet") == {"country"}
    assert pq.read_table(tmp_path / "copy.parquet").drop_columns(["_row"]).equals(rows)


def test_columns_whose_values_arrow_does_not_count_are_written_too(tmp_path: Path) -> None:
    identifiers = pa.array([bytes([i]) * 16 for i in (1, 1, 1, 1)], pa.uuid())
    rows = pa.table({"uuid": identifiers, "nothing": pa.nulls(4), "view": pa.array(["a"] * 4, pa.string_view())})
    with GoldenWriter(tmp_path / "copy.parquet", rows.schema) as writer:
        writer.write(rows)
    found = pq.read_table(tmp_path / "copy.parquet")
    assert found["uuid"].cast(pa.binary(16)).to_pylist() == [b"\x01" * 16] * 4
    assert found["view"].to_pylist() == ["a"] * 4 and found["nothing"].null_count == 4


def test_however_batches_were_cut_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    numbers = list(range(ROW_GROUP + 10))
    rows = pa.table({"id": numbers, "half": [n // ROW_GROUP for n in numbers]})
    for name, size in (("one", len(numbers)), ("many", 1_000)):
        with GoldenWriter(tmp_path / name, rows.schema) as writer:
            for start in range(0, len(numbers), size):
                writer.write(rows.slice(start, size))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "many").read_bytes()


def test_a_table_without_rows_is_a_file_all_the_same(tmp_path: Path) -> None:
    schema = pa.schema([("id", pa.int64()), ("name", pa.string())])
    with GoldenWriter(tmp_path / "none.parquet", schema) as writer:
        writer.write(schema.empty_table())
    found = pq.read_table(tmp_path / "none.parquet")
    assert (found.num_rows, found.column_names) == (0, ["_row", "id", "name"])


def test_what_breaks_off_leaves_no_open_file(tmp_path: Path) -> None:
    schema = pa.schema([("id", pa.int64())])
    with pytest.raises(OSError, match="gone"), GoldenWriter(tmp_path / "part.parquet", schema):
        raise OSError("gone")
    assert pq.read_metadata(tmp_path / "part.parquet").num_rows == 0
