"""Filling a real PostgreSQL: every table arrives whole, texts survive, and a second filling replaces the first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy.engine import make_url

from migration_assets.connectors.databases import database_url, drop_database, ensure_database
from migration_assets.demo import Legacy, fill, generate


@pytest.fixture
def pair(server: str) -> Iterator[tuple[str, str]]:
    names = [f"test_{system}_{uuid4().hex[:12]}" for system in ("crm", "erp")]
    for name in names:
        ensure_database(server, name)
    yield tuple(database_url(server, name, "psycopg") for name in names)  # type: ignore[misc]
    for name in names:
        drop_database(server, name)


def _rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(False)) as connection:
        return connection.execute(query).fetchall()


def test_every_row_arrives_and_a_second_filling_replaces_it(
    pair: tuple[str, str], tmp_path: Path, messy: Legacy
) -> None:
    crm, erp = pair
    said: list[str] = []
    fill(messy, crm_url=crm, erp_url=erp, truth_path=tmp_path / "deep" / "truth.json", report=said.append)
    for name, count in messy.truth["rows"].items():
        assert _rows(crm if name.startswith("crm") else erp, f"SELECT count(*) FROM {name}") == [(count,)]
    assert len(said) == len(messy.tables)
    assert json.loads((tmp_path / "deep" / "truth.json").read_text(encoding="utf-8")) == messy.truth
    _texts_survive(crm, messy)
    _schema_is_described(crm, erp)
    small = generate(150, messy=False)
    fill(small, crm_url=crm, erp_url=erp)
    assert _rows(crm, "SELECT count(*) FROM crm.accounts") == [(150,)]


def _texts_survive(crm: str, messy: Legacy) -> None:
    """Line breaks, quotes, invisible characters and NULL against empty come out as they went in."""
    table = messy.tables["crm.accounts"]
    names = ("account_id", "name", "notes", "country", "created_on", "credit_limit", "updated_at")
    generated = sorted(zip(*(table[name].to_pylist() for name in names), strict=True))
    assert _rows(crm, f'SELECT {", ".join(names)} FROM crm.accounts ORDER BY account_id COLLATE "C"') == generated
    assert {"", None} <= {row[3] for row in generated}


def _schema_is_described(crm: str, erp: str) -> None:
    for url, schema in ((crm, "crm"), (erp, "erp")):
        bare = _rows(
            url,
            f"""
            SELECT relname FROM pg_class c WHERE relnamespace = '{schema}'::regnamespace AND relkind = 'r'
            AND (obj_description(c.oid) IS NULL
                 OR NOT EXISTS (SELECT 1 FROM pg_index WHERE indrelid = c.oid AND indisprimary))""",
        )
        assert bare == []


def test_columns_of_generator_and_schema_are_the_same(pair: tuple[str, str], clean: Legacy) -> None:
    crm, erp = pair
    fill(clean, crm_url=crm, erp_url=erp)
    found = {}
    for url in pair:
        for schema, table, column in _rows(
            url,
            """
            SELECT table_schema, table_name, column_name FROM information_schema.columns
            WHERE table_schema IN ('crm', 'erp') ORDER BY ordinal_position""",
        ):
            found.setdefault(f"{schema}.{table}", []).append(column)
    assert found == {name: table.column_names for name, table in clean.tables.items()}


def test_a_filling_that_fails_changes_nothing(pair: tuple[str, str], clean: Legacy) -> None:
    crm, erp = pair
    fill(clean, crm_url=crm, erp_url=erp)
    accounts = clean.tables["crm.accounts"]
    broken = Legacy({**clean.tables, "crm.accounts": accounts.slice(0, 1).take([0, 0])}, clean.truth)
    with pytest.raises(psycopg.errors.UniqueViolation):
        fill(broken, crm_url=crm, erp_url=erp)
    assert _rows(crm, "SELECT count(*) FROM crm.accounts") == [(accounts.num_rows,)]
