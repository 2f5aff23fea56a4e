"""One PostgreSQL table of 12 columns as the only source of a plan: what the benchmarks of copying share."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import psycopg

from migration_assets.plan.models import Plan, PlanFile

# Whatever old systems hold: text of any letters, '' beside NULL, trailing blanks, many decimals, microseconds.
_MADE = """
CREATE TABLE accounts (
  id bigint PRIMARY KEY, account_no text NOT NULL, name text NOT NULL, email text, amount numeric(14,4) NOT NULL,
  unit_price numeric(28,8), quantity integer, score double precision NOT NULL, active boolean, born date,
  created_at timestamptz NOT NULL, changed_at timestamp);
INSERT INTO accounts SELECT i, 'AC' || lpad((i * 7919 % 10000019)::text, 8, '0'),
  (ARRAY['Müller GmbH', 'O''Brien & Sons ', '北京公司', 'Smith, "John"', E'Łódź\\nSp. z o.o.'])[1 + i % 5] || i,
  CASE i % 9 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'user' || i || '@ex' || (i % 977) || '.example' END,
  (i * 7919 % 99999999)::numeric / 10000, CASE WHEN i % 5 > 0 THEN 12345678901.00000001 * (1 + i % 1000) END,
  CASE WHEN i % 10 > 0 THEN i % 500 END, 0.1 * i, CASE WHEN i % 7 > 0 THEN i % 2 = 0 END,
  CASE WHEN i % 3 > 0 THEN date '1850-01-01' + (i % 60000)::int END,
  timestamptz '2015-01-01 00:00+00' + i * interval '263.000123 seconds',
  CASE WHEN i % 6 > 0 THEN timestamp '2024-01-01' + i * interval '17.000001 seconds' END
FROM generate_series(1::bigint, {rows}) i;
"""


def fill(url: str, rows: int) -> None:
    """Make the table, with so many rows."""
    with opened(url) as connection:
        connection.execute(_MADE.replace("{rows}", str(rows)))
        connection.execute("VACUUM (FREEZE, ANALYZE) accounts")


def opened(url: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(plain(url), autocommit=True)


def plain(url: str) -> str:
    """The URL as libpq takes it."""
    return url.replace("postgresql+psycopg://", "postgresql://")


def plan(url: str, name: str = "accounts") -> Plan:
    """A plan that reads this table, whose key is `id`, and nothing else."""
    table = {"read_from": name, "key": ["id"]}
    file = {
        "name": "bench",
        "uuid": UUID(int=1),
        "title": "One table",
        "owner": "benchmarks",
        "sources": {"crm": {"kind": "sql", "url": url, "tables": {name: table}}},
        "target": {"database": "target"},
    }
    return Plan.model_construct(folder=Path("plans/bench"), digest="d" * 64, file=PlanFile.model_validate(file))
