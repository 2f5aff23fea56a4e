"""The generator: the same arguments give the same rows, and a clean world has nothing wrong with it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from demo_query import Query

from migration_assets.demo import Legacy, generate
from migration_assets.domain.errors import BadInput
from migration_assets.plan.load import load_plan

REFERENCES = (
    ("crm.user_roles", "user_id", "crm.users", "user_id"),
    ("crm.user_roles", "role_code", "crm.roles", "role_code"),
    ("crm.accounts", "parent_account", "crm.accounts", "account_id"),
    ("crm.accounts", "payer_account", "crm.accounts", "account_id"),
    ("crm.accounts", "owner_user", "crm.users", "user_id"),
    ("crm.contacts", "account_id", "crm.accounts", "account_id"),
    ("crm.addresses", "account_id", "crm.accounts", "account_id"),
    ("crm.consent_events", "account_id", "crm.accounts", "account_id"),
    ("crm.consent_events", "contact_id", "crm.contacts", "contact_id"),
    ("crm.suppressions", "account_id", "crm.accounts", "account_id"),
    ("crm.opportunities", "account_id", "crm.accounts", "account_id"),
    ("crm.opportunities", "owner_user", "crm.users", "user_id"),
    ("crm.opportunity_lines", "opp_id", "crm.opportunities", "opp_id"),
    ("crm.opportunity_lines", "item_no", "erp.items", "item_no"),
    ("crm.product_updates", "account_id", "crm.accounts", "account_id"),
    ("erp.plans", "item_no", "erp.items", "item_no"),
    ("erp.item_limits", "item_no", "erp.items", "item_no"),
    ("erp.customers", "crm_account_id", "crm.accounts", "account_id"),
    ("erp.tax_registrations", "customer_no", "erp.customers", "customer_no"),
    ("erp.subscriptions", "customer_no", "erp.customers", "customer_no"),
    ("erp.subscriptions", "payer_customer_no", "erp.customers", "customer_no"),
    ("erp.subscriptions", "le_code", "erp.legal_entities", "le_code"),
    ("erp.subscriptions", "plan_code", "erp.plans", "plan_code"),
    ("erp.subscription_items", "sub_id", "erp.subscriptions", "sub_id"),
    ("erp.subscription_items", "item_no", "erp.items", "item_no"),
    ("erp.scheduled_changes", "sub_id", "erp.subscriptions", "sub_id"),
    ("erp.scheduled_changes", "new_plan_code", "erp.plans", "plan_code"),
    ("erp.discounts", "sub_id", "erp.subscriptions", "sub_id"),
    ("erp.commitments", "customer_no", "erp.customers", "customer_no"),
    ("erp.commitments", "sub_id", "erp.subscriptions", "sub_id"),
    ("erp.entitlement_overrides", "customer_no", "erp.customers", "customer_no"),
    ("erp.usage_balances", "sub_id", "erp.subscriptions", "sub_id"),
    ("erp.usage_events", "sub_id", "erp.subscriptions", "sub_id"),
    ("erp.seat_assignments", "sub_item_id", "erp.subscription_items", "sub_item_id"),
    ("erp.seat_assignments", "contact_id", "crm.contacts", "contact_id"),
    ("erp.invoices", "customer_no", "erp.customers", "customer_no"),
    ("erp.invoices", "payer_customer_no", "erp.customers", "customer_no"),
    ("erp.invoices", "sub_id", "erp.subscriptions", "sub_id"),
    ("erp.invoice_lines", "invoice_id", "erp.invoices", "invoice_id"),
    ("erp.invoice_lines", "sub_item_id", "erp.subscription_items", "sub_item_id"),
    ("erp.payments", "customer_no", "erp.customers", "customer_no"),
    ("erp.payment_applications", "payment_id", "erp.payments", "payment_id"),
    ("erp.payment_applications", "invoice_id", "erp.invoices", "invoice_id"),
    ("erp.refunds", "payment_id", "erp.payments", "payment_id"),
    ("erp.disputes", "payment_id", "erp.payments", "payment_id"),
    ("erp.write_offs", "invoice_id", "erp.invoices", "invoice_id"),
    ("erp.credit_memos", "customer_no", "erp.customers", "customer_no"),
    ("erp.credit_memos", "invoice_id", "erp.invoices", "invoice_id"),
    ("erp.credit_balances", "customer_no", "erp.customers", "customer_no"),
    ("erp.payment_methods", "customer_no", "erp.customers", "customer_no"),
    ("erp.revenue_schedule", "line_id", "erp.invoice_lines", "line_id"),
    ("erp.dunning", "invoice_id", "erp.invoices", "invoice_id"),
    ("erp.orders", "customer_no", "erp.customers", "customer_no"),
    ("erp.orders", "opp_id", "crm.opportunities", "opp_id"),
    ("erp.order_lines", "order_id", "erp.orders", "order_id"),
)
# Each query finds rows that would be wrong in a clean world.
NOTHING_WRONG = {
    "subscription ends before it starts": "SELECT sub_id FROM erp.subscriptions WHERE end_date < start_ts::DATE",
    "period is empty": "SELECT sub_id FROM erp.subscriptions WHERE period_to < period_from",
    "as_of outside the running period": """
        SELECT sub_id FROM erp.subscriptions WHERE status NOT IN ('CXL', 'EXP')
        AND timezone(contract_tz, TIMESTAMPTZ '2026-06-30 12:00:00+00')::DATE NOT BETWEEN period_from AND period_to""",
    "ended contract has no end": "SELECT 1 FROM erp.subscriptions WHERE status IN ('CXL', 'EXP') AND end_date IS NULL",
    "anchor is not the day after the trial": """
        SELECT sub_id FROM erp.subscriptions WHERE trial_end_ts + INTERVAL 1 SECOND <> anchor_date""",
    "started before the customer": """
        SELECT sub_id FROM erp.subscriptions JOIN erp.customers USING (customer_no) WHERE start_ts < created_on""",
    "contract differs in currency from its customer": """
        SELECT sub_id FROM erp.subscriptions s JOIN erp.customers c USING (customer_no)
        WHERE s.currency <> c.currency""",
    "item ends before it starts": "SELECT 1 FROM erp.subscription_items WHERE end_date < start_date",
    "item starts outside the contract": """
        SELECT 1 FROM erp.subscription_items i JOIN erp.subscriptions s USING (sub_id)
        WHERE start_date < start_ts::DATE OR start_date > period_to OR i.end_date > period_to""",
    "contract without exactly one base item of its plan": """
        SELECT sub_id FROM erp.subscriptions JOIN erp.plans p USING (plan_code)
        JOIN erp.subscription_items i USING (sub_id) WHERE item_kind = 'B' GROUP BY sub_id
        HAVING count(*) <> 1 OR any_value(i.item_no) <> any_value(p.item_no)""",
    "quantity": "SELECT 1 FROM erp.subscription_items WHERE quantity <= 0",
    "overlapping overrides": """
        SELECT a.override_id FROM erp.entitlement_overrides a JOIN erp.entitlement_overrides b
        ON a.customer_no = b.customer_no AND a.feature_code = b.feature_code AND a.override_id < b.override_id""",
    "override without a period": "SELECT 1 FROM erp.entitlement_overrides WHERE to_date < from_date",
    "more seats held than bought": """
        SELECT sub_item_id FROM erp.seat_assignments JOIN erp.subscription_items USING (sub_item_id)
        GROUP BY sub_item_id HAVING count(*) FILTER (released_at IS NULL) > any_value(quantity)""",
    "events differ from the balance": """
        SELECT b.sub_id FROM erp.usage_balances b LEFT JOIN erp.usage_events e USING (sub_id, feature_code)
        WHERE feature_code <> 'STORAGE' GROUP BY b.sub_id, feature_code, used HAVING coalesce(sum(units), 0) <> used""",
    "event outside its period": """
        SELECT 1 FROM erp.usage_events JOIN erp.subscriptions USING (sub_id)
        WHERE timezone(contract_tz, occurred_at)::DATE NOT BETWEEN period_from AND period_to""",
    "two consents at one moment": """
        SELECT 1 FROM crm.consent_events
        GROUP BY account_id, contact_id, purpose, channel, event_time HAVING count(*) > 1""",
    "date of entry in neither of the two formats": """
        SELECT 1 FROM crm.accounts WHERE try_strptime(created_on, ['%Y-%m-%d', '%d.%m.%Y']) IS NULL""",
    "shared e-mail": "SELECT email FROM crm.accounts GROUP BY email HAVING count(*) > 1",
    "shared tax number": "SELECT tax_no FROM erp.customers WHERE tax_no NOT NULL GROUP BY 1 HAVING count(*) > 1",
    "main contact": "SELECT 1 FROM crm.contacts GROUP BY account_id HAVING count(*) FILTER (is_primary = 'Y') <> 1",
    "opportunity differs from its lines": """
        WITH offered AS (SELECT opp_id, currency = 'JPY' AS yen, quantity * unit_price
                         * (100 - coalesce(discount_pct, 0)) * 0.01::DECIMAL(3, 2) AS price FROM crm.opportunity_lines)
        SELECT opp_id FROM crm.opportunities JOIN offered USING (opp_id) GROUP BY opp_id
        HAVING any_value(amount) <> sum(CASE WHEN yen THEN round(price, 0) ELSE round(price, 2) END)""",
    "order differs from its lines": """
        SELECT order_id FROM erp.orders JOIN erp.order_lines l USING (order_id)
        GROUP BY order_id HAVING any_value(total) <> sum(amount)""",
    "discount cycles": "SELECT 1 FROM erp.discounts WHERE cycles_left > cycles_total OR cycles_left < 0",
}


def test_same_seed_gives_the_same_rows_and_another_seed_does_not(messy: Legacy) -> None:
    again, other = generate(1500, seed=7, messy=True), generate(1500, seed=8, messy=True)
    assert again.truth == messy.truth
    assert all(again.tables[name].equals(table) for name, table in messy.tables.items())
    assert not other.tables["crm.accounts"].equals(messy.tables["crm.accounts"])


def test_rows_do_not_depend_on_the_hash_seed_of_the_process() -> None:
    script = (
        "import hashlib, pyarrow as pa\n"
        "from migration_assets.demo import generate\n"
        "for name, table in sorted(generate(150, seed=3).tables.items()):\n"
        "    print(name, hashlib.sha256(str(table.to_pydict()).encode()).hexdigest())\n"
    )
    digests = {
        hashlib.sha256(
            subprocess.run(
                [sys.executable, "-c", script],
                env={**os.environ, "PYTHONHASHSEED": seed},
                check=True,
                capture_output=True,
            ).stdout
        ).hexdigest()
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_every_defect_switched_on_leaves_the_other_tables_alone(clean: Legacy) -> None:
    only = generate(1500, seed=7, messy={"negative_quantity": 0.01})
    changed = {name for name, table in clean.tables.items() if not _plain(only.tables[name]).equals(_plain(table))}
    assert changed == {"erp.subscription_items"}


def test_unknown_defects_and_impossible_arguments_are_refused() -> None:
    with pytest.raises(BadInput, match="gremlins"):
        generate(200, messy={"gremlins": 0.1})
    with pytest.raises(BadInput, match="out of range"):
        generate(200, messy={"mojibake": 1.5})
    with pytest.raises(BadInput, match="too few"):
        generate(5)
    with pytest.raises(BadInput, match="time zone"):
        generate(200, as_of=datetime(2026, 6, 30))  # noqa: DTZ001 -- that is the mistake


@pytest.mark.parametrize(("table", "column", "parent", "key"), REFERENCES, ids=lambda v: str(v))
def test_clean_references_all_resolve(ask_clean: Query, table: str, column: str, parent: str, key: str) -> None:
    held = f"SELECT count(*) FROM {table} WHERE {column} IS NOT NULL"
    lost = f"{held} AND {column} NOT IN (SELECT {key} FROM {parent})"
    assert ask_clean(held)[0][0] > 0
    assert ask_clean(lost) == [(0,)]


@pytest.mark.parametrize("query", NOTHING_WRONG.values(), ids=NOTHING_WRONG.keys())
def test_clean_world_has_nothing_wrong(ask_clean: Query, query: str) -> None:
    assert ask_clean(query) == []


def test_clean_hierarchy_has_no_cycle(ask_clean: Query) -> None:
    """A parent always has the lower id."""
    assert ask_clean("SELECT 1 FROM crm.accounts WHERE parent_account >= account_id") == []
    shares = ask_clean("SELECT count(parent_account) / count(*), count(payer_account) / count(*) FROM crm.accounts")
    assert 0.07 < shares[0][0] < 0.13
    assert 0.03 < shares[0][1] < 0.07


def test_every_state_country_currency_and_kind_occurs(ask_clean: Query) -> None:
    for table, column, count in (
        ("erp.subscriptions", "status", 6),
        ("erp.subscriptions", "currency", 5),
        ("erp.subscriptions", "plan_code", 8),
        ("erp.subscriptions", "le_code", 3),
        ("erp.customers", "country", 9),
        ("erp.invoices", "status", 7),
        ("erp.invoice_lines", "kind", 5),
        ("erp.refunds", "status", 3),
        ("erp.disputes", "status", 3),
        ("erp.credit_memos", "status", 3),
        ("erp.payments", "status", 5),
        ("erp.dunning", "status", 4),
        ("erp.scheduled_changes", "change_type", 5),
    ):
        assert ask_clean(f"SELECT count(DISTINCT {column}) FROM {table}") == [(count,)], (table, column)


def test_nobody_is_served_where_acme_forbids_everything_and_somebody_where_it_allows_by_name(ask_clean: Query) -> None:
    """A ban that a customer of the demo feels would be a loss of access that nobody has signed for (I15)."""
    served = {country for (country,) in ask_clean("SELECT DISTINCT service_country FROM erp.subscriptions")}
    rules = load_plan(Path(__file__).parents[2] / "plans/acme").geo
    banned = {r.region for r in rules if not r.allowed}
    named = {r.region for r in rules if r.allowed and r.region != "*"}
    assert banned and named
    assert not banned & served and "*" not in banned
    assert named <= served


def test_another_instant_moves_the_world() -> None:
    legacy = generate(200, as_of=datetime(2025, 3, 31, 6, tzinfo=UTC), messy=False)
    assert legacy.tables["erp.invoices"]["issue_date"].combine_chunks().cast(pa.int32()).to_numpy().max() <= 20178


def test_truth_counts_rows_and_money(clean: Legacy, ask_clean: Query) -> None:
    assert not any(clean.truth["defects"].values())
    assert clean.truth["rows"]["erp.invoices"] == ask_clean("SELECT count(*) FROM erp.invoices")[0][0]
    total = ask_clean("SELECT sum(total) FROM erp.invoices WHERE currency = 'KWD'")[0][0]
    assert clean.truth["money"]["invoiced"]["KWD"] == f"{total:.4f}"


def _plain(table: pa.Table) -> pa.Table:
    """Without dictionaries: spoilt columns lose theirs."""
    fields = [f.with_type(f.type.value_type) if pa.types.is_dictionary(f.type) else f for f in table.schema]
    return table.cast(pa.schema(fields)).combine_chunks()
