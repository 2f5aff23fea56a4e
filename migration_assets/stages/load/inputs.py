"""What a load is made of, as digests: the same digests make the same rows, and need no second look.

A row's hash is over the fields that the target's tables or the record have of it. Rows are counted and their hashes
added up; each is stirred once more before, because DuckDB's hash of several columns ends in a plain exclusive or, and
two rows that swap their last value must not balance. Hashes are not stable between versions of DuckDB, which is why its
version is part of what they are about. They find changes, not forgers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from migration_assets.connectors import engine_digests
from migration_assets.domain.canonical import ENTITIES
from migration_assets.stages.load import plan as plan_rows
from migration_assets.stages.load import schema, shape
from migration_assets.stages.load.shape import REDIRECTS
from migration_assets.stages.load.whereabouts import SOURCE

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Plan
    from migration_assets.stages.load.customers import Membership
    from migration_assets.stages.load.order import LoadOrder

# What makes rows of the target of canonical ones: another text of it may make others.
_MAKERS = (shape, plan_rows, schema, engine_digests)
_MEMBERS = ("customer_id", "identity_id", "cohort")
_HASHED = "input_hashes"
# What of these and of those that were kept has no like. Columns: entity, hash, gone.
_OTHER = "other_hashes"


@dataclass(frozen=True)
class Others:
    """Canonical rows that are new or not as they were, by entity; and how many kept hashes no row has any more."""

    canonical: Mapping[str, ir.Table]
    gone: Mapping[str, int]


@dataclass(frozen=True)
class Inputs:
    """Inputs of one load. `basis`: digest of everything but the canonical rows; `digest`: of these; `counts`: how
    many there are, by entity; `fields`: what is hashed of them; `hashes`: the engine's table that has their hashes."""

    engine: DuckDBEngine
    canonical: Mapping[str, ir.Table]
    fields: Mapping[str, tuple[str, ...]]
    counts: Mapping[str, int]
    basis: str
    digest: str
    hashes: str = _HASHED

    @property
    def total(self) -> int:
        """How many canonical rows there are."""
        return sum(self.counts.values())

    def so_far(self, package: Mapping[str, ir.Table], folder: Path, cohort: str, kept: str | None) -> Inputs:
        """Of these inputs those that are loaded with this package: its rows, and those kept under a digest."""
        loaded = f"{_HASHED}_so_far"
        hashed = _hashed(self.engine, package, self.fields, loaded)
        if kept is not None:
            self.engine.connection.execute(
                f"INSERT INTO {loaded} SELECT * FROM read_parquet('{_quoted(_file(folder, cohort, kept))}')"
            )
            hashed = _added(self.engine, self.fields, loaded)
        return replace(self, digest=_digest_of(hashed), hashes=loaded)

    def keep(self, folder: Path, cohort: str) -> None:
        """Write the hash of each canonical row to a file of the cohort. Columns: entity, hash."""
        file = _file(folder, cohort, self.digest)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = folder / f".{cohort}.part"
        try:
            self.engine.connection.execute(f"COPY {self.hashes} TO '{_quoted(part)}' (FORMAT parquet)")
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)

    def keep_only(self, folder: Path, cohort: str) -> None:
        """Remove what earlier loads of the cohort have kept."""
        forget_inputs(folder, cohort, but=_file(folder, cohort, self.digest))

    def other_than(self, folder: Path, cohort: str, kept: str) -> Others | None:
        """What is another than in the load that kept hashes under this digest of its rows; None where they are gone."""
        file = _file(folder, cohort, kept)
        if not file.is_file():
            return None
        run, hashes = self.engine.connection.execute, f"read_parquet('{_quoted(file)}')"
        run(
            f"CREATE OR REPLACE TEMP TABLE {_OTHER} AS SELECT entity, hash, h.hash IS NULL AS gone "
            f"FROM {_HASHED} h FULL JOIN {hashes} k USING (entity, hash) WHERE h.hash IS NULL OR k.hash IS NULL"
        )
        gone = run(f"SELECT entity, count(*) FROM {_OTHER} WHERE gone GROUP BY entity").fetchall()
        found = {}
        for entity, fields in self.fields.items():
            rows = self.canonical[entity]
            other = f"SELECT hash FROM {_OTHER} WHERE NOT gone AND entity = '{entity}'"
            query = f"SELECT r.* FROM ({self.engine.sql(rows)}) r WHERE {_hash('r', fields)} IN ({other})"
            found[entity] = self.engine.kept(query, rows.schema())
        return Others(found, dict(gone))


def inputs_of(
    engine: DuckDBEngine,
    plan: Plan,
    order: LoadOrder,
    canonical: Mapping[str, ir.Table],
    redirects: ir.Table | None,
    membership: Membership | None,
) -> Inputs | None:
    """Inputs of a load of these rows, each read once; the hashes stay in the engine. None where nothing is to be
    relied on: no folder to keep them in, a trial, an order to put right what others have changed, or rows of the
    catalog, which have no record."""
    fields = _fields(plan, canonical)
    recorded = all(ENTITIES[e].origin != "catalog" for e in fields)
    if order.kept_folder is None or order.dry_run or order.settlement.repair or not recorded or not fields:
        return None
    basis = [
        _made_by(), duckdb.__version__, plan.digest, str(plan.file.uuid), order.cohort,
        sorted([*about, word] for about, word in order.settlement.words.items()),
        None if redirects is None else _counted(engine, redirects, tuple(REDIRECTS)),
        None if membership is None else _of_membership(engine, membership),
    ]  # fmt: skip
    hashed = _hashed(engine, canonical, fields, _HASHED)
    counts = {entity: rows for entity, rows, _ in hashed}
    return Inputs(engine, canonical, fields, counts, _digest_of(basis), _digest_of(hashed))


def forget_inputs(folder: Path, cohort: str, but: Path | None = None) -> None:
    """Remove what loads of the cohort have kept."""
    for file in folder.glob(f"{cohort}.*.parquet"):
        if file != but:
            file.unlink(missing_ok=True)


def _file(folder: Path, cohort: str, digest: str) -> Path:
    return folder / f"{cohort}.{digest[:32]}.parquet"


def _fields(plan: Plan, canonical: Mapping[str, ir.Table]) -> dict[str, tuple[str, ...]]:
    """Of each entity that the target has tables of: its key and the fields that they hold."""
    tables = plan.target.tables.values()
    fields = {e: {ENTITIES[e].key.name} for e in canonical if any(t.entity == e for t in tables)}
    for table in tables:
        if table.entity in fields:
            fields[table.entity].update(table.columns.values())
    return {entity: tuple(sorted(names)) for entity, names in sorted(fields.items())}


def _hashed(
    engine: DuckDBEngine, canonical: Mapping[str, ir.Table], fields: Mapping[str, tuple[str, ...]], into: str
) -> list[tuple[str, int, int]]:
    """Put the hash of each row into a table of the engine. Columns: entity, hash."""
    run = engine.connection.execute
    run(f"CREATE OR REPLACE TEMP TABLE {into} (entity VARCHAR, hash UBIGINT)")
    for entity, rows in canonical.items():
        if entity in fields:
            run(f"INSERT INTO {into} SELECT '{entity}', {_hash('r', fields[entity])} FROM ({engine.sql(rows)}) r")
    return _added(engine, fields, into)


def _added(engine: DuckDBEngine, fields: Mapping[str, tuple[str, ...]], hashes: str) -> list[tuple[str, int, int]]:
    """Rows of each entity and the sum of their hashes."""
    query = f"SELECT entity, count(*), sum(hash) FROM {hashes} GROUP BY entity"
    found = {e: (int(rows), int(total)) for e, rows, total in engine.connection.execute(query).fetchall()}
    return [(entity, *found.get(entity, (0, 0))) for entity in fields]


def _of_membership(engine: DuckDBEngine, membership: Membership) -> list[object]:
    """Who is in which cohort, and which rows were left out. Where a row lies matters only to rows of the record that
    are handed over, and whoever hands any over breaks every seal."""
    left_out = membership.left_out
    return [
        _counted(engine, membership.members, _MEMBERS),
        sorted(membership.cohorts),
        None if left_out is None else _counted(engine, left_out, SOURCE),
    ]


@cache
def _made_by() -> str:
    return _digest_of([hashlib.sha256(Path(str(m.__file__)).read_bytes()).hexdigest() for m in _MAKERS])


def _counted(engine: DuckDBEngine, rows: ir.Table, columns: tuple[str, ...]) -> list[int]:
    query = f"SELECT count(*), coalesce(sum({_hash('r', columns)}), 0) FROM ({engine.sql(rows)}) r"
    return [int(n) for n in engine.connection.execute(query).fetchone() or ()]


def _hash(alias: str, columns: Iterable[str]) -> str:
    listed = ", ".join(f'{alias}."{c}"' for c in columns)
    return f"hash(hash({listed}))"


def _digest_of(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
