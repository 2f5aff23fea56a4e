"""Whose access cannot be told from the old system's records, and why: nothing is guessed.

Only fields that access follows from are asked for: a price that cannot be read keeps nobody from being answered.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import ibis

from migration_assets.stages.shadow.legacy.contracts import Records, record
from migration_assets.stages.shadow.reasons import INVERTED_DAYS, UNKNOWN_ZONE, UNREADABLE

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_records import RecordName
    from migration_assets.stages.shadow.legacy.days import Window

_DAYS = ("first_day", "last_day")
_ASKED: dict[RecordName, tuple[str, ...]] = {
    "contracts": ("contract_id", "customer", "status", "zone", "country", "paused_on", "resumes_on", *_DAYS),
    "items": ("item_id", "contract_id", "product", "kind", "quantity", *_DAYS),
    "changes": ("change_id", "contract_id", "kind", "first_day", "new_plan", "new_quantity"),
    "plans": ("plan", "product"),
    "grants": ("product", "limit", "unit", "for_each_unit", "overage"),
    "overrides": ("override_id", "customer", "country", "limit", "unit", "zone", *_DAYS),
}


def running(contracts: ir.Table) -> ir.Table:
    """Contracts that are not over."""
    return contracts.filter(contracts["status"].isnull() | (contracts["status"] != "over"))


def past_due(contracts: ir.Table) -> ir.BooleanValue:
    """Whether a contract's last day of grace counts."""
    return (contracts["status"] == "past_due").fill_null(False)


def unread(rows: ir.Table, name: RecordName) -> ir.BooleanValue:
    """Whether a field that access follows from could not be read."""
    lost = _names(rows, *_ASKED[name])
    if name == "contracts":
        lost = lost | (past_due(rows) & _names(rows, "grace_last_day"))
    return (rows["unreadable"] != "") & lost


def _names(rows: ir.Table, *fields: str) -> ir.BooleanValue:
    return rows["unreadable"].re_search(f"(^| )({'|'.join(fields)})( |$)")


def read(engine: DuckDBEngine, records: Records, name: RecordName) -> ir.Table:
    """Records of a kind whose every field that access follows from could be read."""
    rows = record(engine, records, name)
    return rows.filter(~unread(rows, name))


def shaping(changes: ir.Table) -> ir.Table:
    """Changes that may shape what a contract grants: an uplift raises prices only."""
    return changes.filter(changes["kind"].isnull() | (changes["kind"] != "uplift"))


def about_features(overrides: ir.Table) -> ir.Table:
    """Overrides, or grants, of features that are compared: of others the plan says no name in the target."""
    return overrides.filter(overrides["feature"].notnull())


def unanswerable(engine: DuckDBEngine, records: Records, zones: Collection[str], window: Window) -> ir.Table:
    """Customers with a record that cannot be read, and why: customer_id (null: nobody can say whose it is), reason
    (`unreadable`, `unknown_zone`, `inverted_days`, `negative`); a row for each that was found."""
    contracts = running(records["contracts"])
    items = record(engine, records, "items")
    changes = shaping(record(engine, records, "changes"))
    overrides = about_features(record(engine, records, "overrides"))
    below_nothing = changes.filter((changes["new_quantity"] < 0) & (changes["first_day"] <= window.last))
    lost_items, lost_changes = items.filter(unread(items, "items")), changes.filter(unread(changes, "changes"))
    dated = [(contracts, "contracts"), (overrides, "overrides")]
    return engine.union(
        [
            *(_why(rows.filter(unread(rows, name)), UNREADABLE) for rows, name in dated),  # type: ignore[arg-type]
            *(_why(rows.filter(~rows["zone"].isin(list(zones))), UNKNOWN_ZONE) for rows, _ in dated),
            *(_why(_inverted(rows, window), INVERTED_DAYS) for rows, _ in dated),
            *(_why(_owned(rows, contracts), UNREADABLE) for rows in (lost_items, lost_changes)),
            _why(_owned(_inverted(items, window), contracts), INVERTED_DAYS),
            _why(_owned(below_nothing, contracts), "negative"),
            _why(_owned(_met(items.filter(items["quantity"] < 0), window), contracts), "negative"),
            _why(_met(overrides.filter(overrides["limit"] < 0), window), "negative"),
        ]
    )


def _why(rows: ir.Table, reason: str) -> ir.Table:
    return rows.select(customer_id="customer", reason=ibis.literal(reason))


def _owned(parts: ir.Table, contracts: ir.Table) -> ir.Table:
    """Whose parts of running contracts are; nobody's where it cannot be read which contract they belong to."""
    known = parts.join(contracts.select("contract_id", "customer"), "contract_id").select("customer")
    astray = parts.filter(parts["contract_id"].isnull()).select(customer=ibis.null("string"))
    return known.union(astray)


def _inverted(rows: ir.Table, window: Window) -> ir.Table:
    """Rows that end before they start, where that leaves open what counts in the window."""
    over = rows["last_day"] < rows["first_day"]
    return rows.filter(over & (rows["first_day"] >= window.first) & (rows["last_day"] <= window.last))


def _met(rows: ir.Table, window: Window) -> ir.Table:
    """Rows that may count in the window."""
    begun = rows["first_day"].isnull() | (rows["first_day"] <= window.last)
    return rows.filter(begun & (rows["last_day"].isnull() | (rows["last_day"] >= window.first)))
