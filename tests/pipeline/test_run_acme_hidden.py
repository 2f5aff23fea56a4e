"""What must never show, of Acme with every defect that was planted: secrets, and whatever is personal."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest
from world import World, asked

from migration_assets.demo import Legacy
from migration_assets.wiring.results import Summary

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]


def test_secrets_are_never_read(acme: World, acme_run: Summary, legacy: Legacy) -> None:
    secrets = set(legacy.tables["crm.users"]["password_hash"].to_pylist())
    assert secrets
    for path in acme.workspace.store.root.rglob("*.parquet"):
        table = pq.read_table(path)
        assert "password_hash" not in table.column_names, path.name
        for column in (c for c in table.columns if str(c.type) == "string"):
            assert not secrets & set(column.to_pylist()), path.name
    told = _everything_told(acme)
    assert not [s for s in secrets if s in told]
    columns = "select column_name from information_schema.columns where table_schema in ('app', 'cutover')"
    assert len(acme.target(columns)) > 100
    columns += " and column_name ~ 'password'"
    assert acme.target(columns) == []


def test_personal_values_do_not_show_in_history_checks_verdicts_or_logs(
    acme: World, acme_run: Summary, legacy: Legacy
) -> None:
    told = _everything_told(acme)
    assert "cleansed_customers" in told, "we looked at the right place"
    personal = {
        value
        for table, column in (("crm.accounts", "email"), ("crm.contacts", "email"), ("crm.accounts", "name"),
                              ("crm.addresses", "line1"), ("erp.customers", "name"), ("erp.customers", "tax_no"))
        for value in legacy.tables[table][column].to_pylist()
        if value and len(value.strip()) > 7
    }  # fmt: skip
    assert len(personal) > 500
    shown = [v for v in personal if v in told or json.dumps(v)[1:-1] in told or v.strip().lower() in told]
    assert shown == []


def _everything_told(acme: World) -> str:
    """All that Dagster and the control database keep, and what runs wrote to their logs."""
    environment = acme.workspace.environment
    dagster_url = environment.dagster_url.replace("+psycopg2", "")
    told = []
    for url, tables in (
        (dagster_url, ("event_logs", "runs", "run_tags", "asset_check_executions")),
        (environment.control_url, ("verdict", "audit_log", "cohort", "migration_record")),
    ):
        for table in tables:
            told += [row[0] for row in asked(url, f"select t::text from {table} t")]
    logs = [p for p in environment.logs.rglob("*") if p.is_file()]
    told += [p.read_bytes().decode("utf-8", "replace") for p in logs]
    return "\n".join(told)
