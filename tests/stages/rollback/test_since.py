"""What the new system did for customers since they were loaded, read from a real target."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from taken_world import AT, told
from target_world import TARGET, PostgresTarget, order, products, rows, tiny_plan, world

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.models import Plan, TargetTable
from migration_assets.stages.load.apply import load_cohort
from migration_assets.stages.load.catalog import apply_schema
from migration_assets.stages.load.schema import desired_schema
from migration_assets.stages.rollback.obstacles import ChangedSince
from migration_assets.stages.rollback.place import Place
from migration_assets.stages.rollback.since import done_since
from migration_assets.stages.rollback.take_back import RollbackOrder, roll_back

FIELDS = {
    "invoice": ("invoice_id", "customer_id", "status", "currency", "total_minor"),
    "payment": ("payment_id", "customer_id", "status", "currency", "amount_minor"),
    "refund": ("refund_id", "payment_id", "status", "currency", "amount_minor"),
    "usage_event": ("usage_event_id", "subscription_id", "feature_code", "occurred_at", "units"),
    "contact": ("contact_id", "customer_id", "name"),
}
MORE = {f"{e}s": TargetTable(entity=e, columns={f: f for f in fields}) for e, fields in FIELDS.items()}
OF_TWO = "(SELECT customer_id FROM billing.customers WHERE customer_number = 'C-00002')"


@pytest.fixture
def plan() -> Plan:
    """The tiny plan with tables for what is invoiced, paid and used."""
    return tiny_plan(target=TARGET.model_copy(update={"tables": {**TARGET.tables, **MORE}}))


@pytest.fixture
def loaded(engine: DuckDBEngine, empty: PostgresTarget, plan: Plan) -> PostgresTarget:
    apply_schema(empty, desired_schema(plan))
    load_cohort(engine, empty, plan, order("unassigned"), products(engine))
    invoice = {
        "invoice_id": "erp.invoices:1", "source_system": "erp", "source_table": "invoices", "source_id": "1",
        "source_row": 1, "customer_id": "crm.accounts:2", "status": "paid", "currency": "EUR", "total_minor": 500,
    }  # fmt: skip
    load_cohort(
        engine,
        empty,
        plan,
        order("pilot"),
        {**world().canonical(engine), "invoice": rows(engine, "invoice", [invoice])},
    )
    return empty


@pytest.fixture
def empty(database: str) -> Iterator[PostgresTarget]:
    yield PostgresTarget(database)


def found(target: PostgresTarget, plan: Plan, *cohorts: str):  # type: ignore[no-untyped-def]
    with target.transaction(read_only=True) as connection:
        return done_since(connection, Place.of(plan), cohorts)


def test_what_was_loaded_is_not_what_the_new_system_did(loaded: PostgresTarget, plan: Plan) -> None:
    assert found(loaded, plan, "pilot").is_empty


def test_invoices_payments_and_usage_are_found_for_their_customer(loaded: PostgresTarget, plan: Plan) -> None:
    told(loaded, f"INSERT INTO billing.invoices SELECT gen_random_uuid(), {OF_TWO}, 'open', 'EUR', 11900")
    told(loaded, f"INSERT INTO billing.payments SELECT gen_random_uuid(), {OF_TWO}, 'settled', 'EUR', 11900")
    told(
        loaded,
        "INSERT INTO billing.refunds SELECT gen_random_uuid(), payment_id, 'settled', 'EUR', 900 FROM billing.payments",
    )
    told(
        loaded,
        "INSERT INTO billing.usage_events SELECT gen_random_uuid(), subscription_id, 'calls', now(), 2.5 "
        "FROM billing.subscriptions WHERE billed_to_date_minor = 2000",
    )
    told(loaded, f"INSERT INTO billing.contacts SELECT gen_random_uuid(), {OF_TWO}, 'Erika Musterfrau'")
    since = found(loaded, plan, "pilot")
    (credit,) = since.credits
    assert (credit.customer, credit.credit_minor, credit.money_minor) == ("crm.accounts:2", 11_900, 11_000)
    (usage,) = since.usage
    assert (usage.customer, usage.contract, usage.units) == ("crm.accounts:2", "erp.contracts:2", Decimal("2.5"))
    assert "1 rows of contacts were made by the new system" in since.stays
    assert "Musterfrau" not in str(since)
    assert found(loaded, plan, "base").is_empty, "nothing of it is that cohort's"


def test_an_invoice_of_the_new_system_keeps_its_customer_in_the_target(loaded: PostgresTarget, plan: Plan) -> None:
    told(loaded, f"INSERT INTO billing.invoices SELECT gen_random_uuid(), {OF_TWO}, 'open', 'EUR', 11900")
    with pytest.raises(ChangedSince, match="1 of customers needed by rows that no load brought"):
        roll_back(loaded, plan, RollbackOrder(("pilot",), "anna", AT))
    done = roll_back(loaded, plan, RollbackOrder(("pilot",), "anna", AT, "preserve"))
    # Customer 2 for its invoice, and customer 1, whose child that is.
    assert done.rows("kept") == 2
    with loaded.transaction() as connection:
        left = connection.execute("SELECT total_minor FROM billing.invoices").fetchall()
    assert left == [(11_900,)], "the invoice that was loaded is gone, that of the new system is not"
