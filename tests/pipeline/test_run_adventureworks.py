"""The public AdventureWorks LT files, whole: 440 people out of 847 rows, and every figure stated exactly and rounded.

The files are not part of this repository: ADVENTUREWORKS_DIR names their folder, or it lies beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from world import REPOSITORY, World, add_plan, make_root, opened

from migration_assets.wiring.results import Summary

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

FOLDER = Path(os.environ.get("ADVENTUREWORKS_DIR") or REPOSITORY / "../shared/data/adventureworks_lt").resolve()
COHORT = "everybody_01"


@pytest.fixture(scope="module")
def shop(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if not FOLDER.is_dir():
        pytest.skip("the AdventureWorks files are not here: set ADVENTUREWORKS_DIR to the folder with SalesLT.*.csv")
    root = make_root(tmp_path_factory.mktemp("shop"))
    cohorts = (REPOSITORY / "plans/adventureworks/cohorts.yaml").read_text(encoding="utf-8")
    add_plan(root, "adventureworks", "shop_files", cohorts)
    with opened(root, "shop_files", server, {"ADVENTUREWORKS_DIR": str(FOLDER)}) as world:
        yield world


@pytest.fixture(scope="module")
def shop_run(shop: World) -> Summary:
    return shop.migrate()


def test_847_rows_are_440_customers_and_407_were_merged(shop: World, shop_run: Summary) -> None:
    assert shop_run.ok, shop_run.to_json("shop_files")
    sources = {
        row["table"]: row for cohort in shop_run.cohorts for row in shop.report(cohort)["sources"] if row["read"]
    }
    customers = sources["aw.customers"]
    assert (customers["read"], customers["loaded"], customers["merged"]) == (847, 440, 407)
    assert all(row["rejected"] == 0 for row in sources.values())
    assert shop.target("select count(*), count(distinct email), count(company_name) from shop.accounts") == [
        (440, 440, 440)
    ]


def test_every_order_line_and_address_hangs_on_the_one_customer_that_is_left(shop: World, shop_run: Summary) -> None:
    tied = "shop.orders o join shop.accounts a using (account_id)"
    assert shop.target(f"select count(*), count(distinct account_id) from {tied}") == [(32, 32)]
    whole = f"shop.order_lines l join ({tied}) using (order_id) join shop.products p using (product_code)"
    assert shop.target(f"select count(*) from {whole}") == [(542,)]
    own = f"{tied} join shop.addresses d on d.address_id = o.bill_to_address_id and d.account_id = o.account_id"
    assert shop.target(f"select count(*), count(d.line1), count(d.country) from {own}") == [(32, 32, 32)]
    assert shop.target("select count(*), count(city), count(country) from shop.addresses") == [(417, 417, 417)]


def test_money_is_kept_exactly_and_its_rounding_is_declared_noted_and_tied(shop: World, shop_run: Summary) -> None:
    assert shop.target("select sum(exact_total), sum(total_minor)::bigint from shop.orders") == [
        (Decimal("865433.11710000"), 86_543_311)
    ]
    assert shop.target("select sum(exact_amount), sum(amount_minor)::bigint from shop.order_lines") == [
        (Decimal("708690.15305800"), 70_869_007)
    ]
    report = shop.report(COHORT)
    money = {row["measure"]: (row["source_minor"], row["target_minor"]) for row in report["money"]}
    assert money["order_totals_exact"] == ("86543311.71", "86543311.71")
    assert money["order_totals_in_cents"] == (86_543_311, 86_543_311)
    assert all(row["difference_minor"] == 0 for row in report["money"]) and report["unexplained"] == 0
    rounded = {
        r["field"]: (r["reason"], r["rows"], r["rounded_minor"]) for r in report["changes"] if r["action"] == "rounded"
    }
    assert rounded == {
        "sales_order.total_minor": ("half_up, USD", 30, "-0.71"),
        "sales_order.tax_minor": ("half_up, USD", 32, "0.03"),
        "sales_order.freight_minor": ("half_up, USD", 32, "-1.81"),
        "sales_order_line.amount_minor": ("half_up, USD", 373, "-8.3058"),
    }


def test_subtotals_that_their_lines_do_not_make_are_a_finding_and_no_stop(shop: World, shop_run: Summary) -> None:
    found = {
        check: (severity, passed, unexpected, keys, detail, amount)
        for check, severity, passed, unexpected, keys, detail, amount in shop.control(
            'select "check", severity, passed, unexpected, sample_keys, detail, amount_minor from verdict '
            f"where asset = 'transformed_billing' and cohort = '{COHORT}' and current"
        )
    }
    severity, passed, unexpected, keys, detail, amount = found["sales_order_exact_lines_tie"]
    assert (severity, passed, unexpected) == ("warning", False, 32)
    assert (
        "USD exact_total 865,433.1171, sales_order_line.exact_amount 708,690.153058, apart by 156,742.964042" in detail
    )
    assert len(keys) == 10 and all(key.startswith("aw.orders#") for key in keys)
    # In cents, what is at stake is by how much the two differ, not what the orders are worth.
    *_, detail, amount = found["sales_order_lines_tie"]
    assert "USD total_minor 86,543,311, sales_order_line.amount_minor 70,869,007, apart by 15,674,304" in detail
    assert amount == {"USD": "15674304"}
    assert found["sales_order_line_amount_follows"][1], "worked out again, every line amount is right"


def test_passwords_are_nowhere_and_null_is_no_word(shop: World, shop_run: Summary) -> None:
    (golden,) = shop.workspace.store.root.glob("golden_copy/*/aw.customers.parquet")
    rows = pq.read_table(golden)
    assert rows.num_rows == 847 and not [c for c in rows.column_names if "Password" in c]
    with (FOLDER / "SalesLT.Customer.csv").open(encoding="utf-8-sig") as file:
        header, first = file.readline().split(","), file.readline().split(",")
    secret = first[header.index("PasswordHash")]
    kept = [path for path in shop.workspace.environment.plan_home.rglob("*") if path.is_file()]
    assert len(kept) > 20 and not [path for path in kept if secret.encode() in path.read_bytes()]
    assert shop.target("select count(*) from shop.accounts a where a::text ilike '%null%'") == [(0,)]
    assert shop.target("select count(*) from shop.accounts where sales_person like '%\\%'") == [(0,)]


def test_running_it_again_writes_nothing(shop: World, shop_run: Summary) -> None:
    again = shop.migrate()
    assert again.ok and again.rows_written == 0
