"""Puts a change into Parquet files, a plan's folder or the target. Knows neither stages nor checks.

Which rows are taken follows from the seed alone. NothingToPlant when no row is fit for it: a fault that was not planted
must never count as found.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import yaml

from migration_assets.connectors.databases import connect
from migration_assets.domain.errors import BadInput
from migration_assets.drill.changes import Alter, Copy, PlanChange, Remove, RowChange, Statement, Value, WholeFile

# Where a row stands in its file; raw rows also have a number of their own, which is the same in every file.
_PLACE, _NUMBER = "file_row_number", "_row"


class NothingToPlant(BadInput):
    """The clean copy has no row in which this fault could be planted."""


def plant_rows(files: Sequence[Path], change: RowChange, seed: int) -> int:
    """Change the rows in the first of the files, and the same rows in the others; returns how many.

    The files hold the same table: the rows of a cohort, and those of all. What was there is replaced in one step, so
    that a file of another folder that shares the content keeps it.
    """
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        numbers = _picked(connection, files[0], change, seed)
        if len(numbers) < change.rows:
            raise NothingToPlant(
                f"the clean copy has {len(numbers)} rows of {change.table} with {change.where}, not {change.rows}",
                "Try another seed; if none has them, the trap asks for what the demo company does not have.",
            )
        for file in files:
            _rewrite(connection, file, change, numbers)
    return len(numbers)


def _picked(connection: duckdb.DuckDBPyConnection, file: Path, change: RowChange, seed: int) -> list[int]:
    """Numbers of the rows to change: `_row` where the table has it, else the place in the file."""
    by = _numbered_by(connection, file)
    alone = () if isinstance(change, Copy) else change.alone
    alike = f"count(*) OVER (PARTITION BY {', '.join(alone)})" if alone else "1"
    rows = connection.execute(
        f"SELECT {by} FROM (SELECT *, {alike} AS _alike FROM {_read(file)}) WHERE {change.where} AND _alike = 1 "
        f"ORDER BY md5(concat(?, '/', {by})), {by} LIMIT ?",
        [seed, change.rows],
    ).fetchall()
    return [int(row[0]) for row in rows]


def _numbered_by(connection: duckdb.DuckDBPyConnection, file: Path) -> str:
    return _NUMBER if _NUMBER in _columns(connection, file) else _PLACE


def _columns(connection: duckdb.DuckDBPyConnection, file: Path) -> dict[str, str]:
    described = connection.execute(f"DESCRIBE SELECT * EXCLUDE ({_PLACE}) FROM {_read(file)}").fetchall()
    return {str(row[0]): str(row[1]) for row in described}


def _read(file: Path) -> str:
    return f"read_parquet('{_quoted(file)}', file_row_number = true)"


def _quoted(file: Path) -> str:
    return str(file).replace("'", "''")


def _rewrite(connection: duckdb.DuckDBPyConnection, file: Path, change: RowChange, numbers: list[int]) -> None:
    by, columns = _numbered_by(connection, file), _columns(connection, file)
    taken = f"{by} IN ({', '.join(map(str, numbers))})"
    read, whole = _read(file), ", ".join(f'"{c}"' for c in columns)
    if isinstance(change, Remove):
        query = f"SELECT {whole} FROM {read} WHERE NOT ({taken})"
    elif isinstance(change, Alter):
        query = f"SELECT {_with(change, columns, taken)} FROM {read}"
    else:
        once_more = _with(Alter(change.table, _numbers_of_copy(change, columns), change.where), columns, "true")
        query = f"SELECT {whole} FROM {read} UNION ALL SELECT {once_more} FROM {read} WHERE {taken}"
    part = file.with_name(f".{file.name}.part")
    connection.execute(f"COPY ({query}) TO '{_quoted(part)}' (FORMAT parquet, COMPRESSION zstd)")
    part.replace(file)


def _with(change: Alter, columns: dict[str, str], taken: str) -> str:
    """The columns, with the new values in rows that are taken; a name that no column has is a mistake of the trap."""
    if strange := set(change.set) - set(columns):
        raise ValueError(f"{change.table} has no column {', '.join(sorted(strange))}")
    return ", ".join(
        f'CASE WHEN {taken} THEN CAST(({change.set[c]}) AS {kind}) ELSE "{c}" END AS "{c}"'
        if c in change.set
        else f'"{c}"'
        for c, kind in columns.items()
    )


def _numbers_of_copy(change: Copy, columns: dict[str, str]) -> dict[str, str]:
    """The copy of a raw row has a number of its own, far above all others."""
    return {**change.set, **({_NUMBER: f'"{_NUMBER}" + 1000000000'} if _NUMBER in columns else {})}


def plant_words(folder: Path, change: PlanChange) -> None:
    """Change a file of the plan in this folder."""
    file = folder / change.file
    before = file.read_text(encoding="utf-8")
    text = _changed(before, change)
    if text == before:
        raise NothingToPlant(
            f"{change.file} stays as it is: it does not have the words, or the place, that the fault replaces",
            "The plan was changed since the trap was written, or the mutant is made wrongly: write it anew.",
        )
    file.unlink()  # it may be shared with the clean copy
    file.write_text(text, encoding="utf-8")


def _changed(before: str, change: PlanChange) -> str:
    """The file's text with the fault in it; the same text where there is no such place."""
    if isinstance(change, WholeFile):
        return change.text
    if not isinstance(change, Value):
        return before.replace(change.old, change.new, 1)
    data = yaml.safe_load(before)
    if (wrong := _with_value(data, change.way, change.value)) == data:
        return before
    return yaml.safe_dump(wrong, allow_unicode=True, sort_keys=False)


def _with_value(node: Any, way: Sequence[str | int], value: object) -> Any:
    """The same data with another value in one place; the same data where that place is not there."""
    if not way:
        return value
    key, *rest = way
    if not isinstance(node, dict | list):
        return node
    if isinstance(node, dict):
        return {k: _with_value(v, rest, value) if k == key else v for k, v in node.items()}
    return [_with_value(v, rest, value) if i == key else v for i, v in enumerate(node)]


def plant_in_target(url: str, change: Statement, seed: int) -> int:
    """Change rows of the target and commit, as somebody with all rights who goes past the program would. Returns how
    many rows."""
    with connect(url) as connection:
        statement = change.sql.replace("{pick}", f"md5(concat('{int(seed)}/', t::text))")
        # Triggers and foreign keys do not hold back what a restored backup or a superuser's script does.
        connection.execute("SET LOCAL session_replication_role = replica")
        done = connection.execute(statement.encode()).rowcount
    if done < 1:
        raise NothingToPlant(
            f"no row of {change.table} in the target is fit for this fault", "Try another seed, or mend the trap."
        )
    return int(done)
