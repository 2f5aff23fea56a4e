"""What the program asks of an engine. DuckDB is the default; another one has to pass tests/contract/engines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

    from migration_assets.domain.money import InvoiceRounding


class Engine(Protocol):
    """Relational work on Ibis expressions; see `engine.duckdb.DuckDBEngine` for what each method promises."""

    name: str

    def read(self, *paths: Path) -> ir.Table: ...

    def table(self, frame: pa.Table) -> ir.Table: ...

    def cached(self, table: ir.Table, *more: ir.Table) -> ir.Table: ...

    def passing(self) -> AbstractContextManager[list[ir.Table]]: ...

    def resting(self) -> AbstractContextManager[None]: ...

    def arrow(self, table: ir.Table) -> pa.Table: ...

    def count(self, table: ir.Table) -> int: ...

    def write(self, table: ir.Table, path: Path, *, order_by: Sequence[str] = ()) -> int: ...

    def union(self, tables: Iterable[ir.Table]) -> ir.Table: ...

    def uuid5(self, namespace: UUID, text: ir.StringValue) -> ir.StringValue: ...

    def whole(self, total: ir.NumericValue, parts: ir.NumericValue, how: InvoiceRounding) -> ir.IntegerValue: ...
