"""What a cohort reads, as a digest: it changes when that changes, and stays when something else does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.load import load_plan
from migration_assets.plan.models import Plan, PlanFile
from migration_assets.stages.golden_copy.manifest import MANIFEST, Manifest, TableEntry, file_digest
from migration_assets.stages.store import Store
from migration_assets.wiring.touched import inputs_of, tables_for_all

SNAPSHOT = "20260131T123000Z-0a1b2c"
AT = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)
COHORTS = ("north", "south", "unassigned")
ACCOUNTS = [{"_row": 1, "id": "a", "name": "Ann"}, {"_row": 2, "id": "b", "name": "Bo"}]
INVOICES = [{"_row": 1, "no": 1, "account": "a", "rate": 1}, {"_row": 2, "no": 2, "account": "b", "rate": 9}]
RATES = [{"_row": 1, "id": 1}]
WHERE = {"a": "north", "b": "south", "c": "south"}
REPOSITORY = Path(__file__).resolve().parents[2]


def plan() -> Plan:
    tables = {
        "accounts": {"read_from": "accounts", "key": ["id"], "owner": "self"},
        "invoices": {
            "read_from": "invoices", "key": ["no"], "owner": "account",
            "references": {"account": "erp.accounts", "rate": "erp.rates"},
        },
        "rates": {"read_from": "rates", "key": ["id"]},
    }  # fmt: skip
    file = {"name": "tiny", "uuid": UUID(int=1), "title": "Tiny", "owner": "me", "target": {"database": "target"},
            "sources": {"erp": {"kind": "sql", "url": "erp", "tables": tables}}}  # fmt: skip
    return Plan.model_construct(
        folder=Path("plans/tiny"), digest="d", file=PlanFile.model_validate(file), feeds=(), mapping=()
    )


class Laid:
    """A store as the global phase leaves it, small enough to write by hand."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        self.rows: dict[str, list[dict[str, Any]]] = {
            "accounts": ACCOUNTS, "invoices": INVOICES, "rates": RATES, "plan": [{"plan": "basic"}],
            "identities": [{"customer_id": f"erp.accounts:{i}", "identity_id": f"erp.accounts:{i}"} for i in "ab"],
        }  # fmt: skip
        self.workspace: Any = SimpleNamespace(
            plan=plan(), store=self.store, engine=lambda alone: DuckDBEngine(memory_limit="256MB", threads=1)
        )

    def digests(self, **changed: list[dict[str, Any]]) -> dict[str, str]:
        """Digests of the cohorts with these rows in place of the first ones."""
        rows = self.rows | changed
        store = self.store
        write(store.file("reference_data", "_all", "plan"), rows["plan"])
        write(store.file("customer_identities", "_all", "identities"), rows["identities"])
        members = [{"customer_id": f"erp.accounts:{r['id']}", "cohort": WHERE[r["id"]]} for r in rows["accounts"]]
        write(store.file("cohort_plan", "_all", "members"), members)
        entries = {}
        for table in ("accounts", "invoices", "rates"):
            write(store.golden_file(SNAPSHOT, f"erp.{table}"), rows[table])
            entries[f"erp.{table}"] = entry(table, store.golden_file(SNAPSHOT, f"erp.{table}"))
            for cohort in COHORTS:
                mine = [r for r in rows[table] if WHERE.get(r.get("account", r.get("id")), "unassigned") == cohort]
                write(store.file("cohort_plan", cohort, f"erp.{table}"), mine, like=rows[table])
        manifest = Manifest(snapshot=SNAPSHOT, plan="tiny", plan_digest="d", taken_at=AT, tables=entries).sealed()
        (store.golden(SNAPSHOT) / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
        return inputs_of(self.workspace, SNAPSHOT, COHORTS)


def write(path: Path, rows: list[dict[str, Any]], like: list[dict[str, Any]] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.Table.from_pylist(like or rows).schema), path)


def entry(table: str, path: Path) -> TableEntry:
    columns = {f.name: str(f.type) for f in pq.read_schema(path)}
    return TableEntry(
        system="erp", table=table, read_from=table, file=path.name, rows=1, bytes=1, sha256=file_digest(path),
        key=("id",), columns=columns, declared={}, secret_left_out=(), taken_at=AT,
    )  # fmt: skip


@pytest.fixture
def changed(tmp_path: Path) -> Callable[..., set[str]]:
    """Names of the cohorts whose digest is another one with these rows."""
    laid = Laid(tmp_path)
    before = laid.digests()
    assert laid.digests() == before and len(set(before.values())) == 3

    def names(**rows: list[dict[str, Any]]) -> set[str]:
        after = laid.digests(**rows)
        return {c for c in COHORTS if before[c] != after[c]}

    return names


def test_a_row_of_one_cohort_touches_that_cohort(changed: Callable[..., set[str]]) -> None:
    assert changed(accounts=[ACCOUNTS[0], ACCOUNTS[1] | {"name": "Bea"}]) == {"south"}
    assert changed(invoices=[INVOICES[0] | {"rate": 7}, INVOICES[1]]) == {"north"}


def test_the_number_of_a_row_is_part_of_it(changed: Callable[..., set[str]]) -> None:
    """Fates and reports name rows by their number."""
    assert changed(invoices=[INVOICES[0], INVOICES[1] | {"_row": 3}]) == {"south"}


def test_who_somebody_is_touches_the_cohort_that_has_them(changed: Callable[..., set[str]]) -> None:
    known = [{"customer_id": "erp.accounts:a", "identity_id": "erp.accounts:z"},
             {"customer_id": "erp.accounts:b", "identity_id": "erp.accounts:b"}]  # fmt: skip
    assert changed(identities=known) == {"north"}


def test_somebody_who_left_the_source_is_a_matter_of_unassigned(changed: Callable[..., set[str]]) -> None:
    both = [{"customer_id": f"erp.accounts:{i}", "identity_id": f"erp.accounts:{i}"} for i in "abx"]
    assert changed(identities=both) == {"unassigned"}


def test_a_reference_that_leads_somewhere_now_touches_who_has_it(changed: Callable[..., set[str]]) -> None:
    """Rate 9 of an invoice of the south was nowhere; rates belong to nobody, so that all read them anyway."""
    assert changed(rates=[*RATES, {"_row": 2, "id": 9}]) == {"north", "south", "unassigned"}


def test_reference_data_touch_everybody(changed: Callable[..., set[str]]) -> None:
    assert changed(plan=[{"plan": "premium"}]) == set(COHORTS)


def test_tables_that_every_cohort_may_read() -> None:
    acme = load_plan(REPOSITORY / "plans" / "acme")
    columns = {"_row": "int64"}
    typed: Any = SimpleNamespace(
        tables={t: SimpleNamespace(columns=columns | _timestamps(acme, t)) for t in acme.source_tables}
    )
    everybody = tables_for_all(acme, typed)
    assert {"crm.users", "erp.exchange_rates", "erp.plans"} <= everybody
    assert not {"crm.accounts", "erp.customers", "erp.invoices"} & everybody
    works = load_plan(REPOSITORY / "plans" / "adventureworks")
    texts: Any = SimpleNamespace(tables={t: SimpleNamespace(columns={}) for t in works.source_tables})
    assert {"aw.addresses", "aw.products"} <= tables_for_all(works, texts), "values are looked up there"


def _timestamps(plan: Plan, table: str) -> dict[str, str]:
    return {c: "timestamp[us, tz=UTC]" for r in plan.mapping if f"{r.system}.{r.table}" == table for c in r.columns}
