"""What another hand changes in Acme's target."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest
from world import World

from migration_assets.wiring.conflicts import conflicts_in
from migration_assets.wiring.results import Summary

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]


def test_what_another_hand_changes_in_the_target_shows_in_bills_access_balances_and_terms(
    acme: World, acme_run: Summary
) -> None:
    """The reconciliation finds the rows, and holds what comes after it back; this is what they come to."""
    cohort, dearer = "rest_01", "update app.subscription_items set unit_price = unit_price + {} where item_id = '{}'"
    ((item,),) = acme.target(
        "select i.item_id from app.subscription_items i join cutover.crosswalk x on x.target_id = i.subscription_id "
        "join app.subscriptions s using (subscription_id) where x.cohort = 'rest_01' and i.kind = 'base' "
        "and s.status = 'active' and s.ends_at is null and i.ends_at is null and i.quantity > 0 order by 1 limit 1"
    )
    ((right,),) = acme.target(
        "select e.entitlement_id from app.entitlements e join cutover.crosswalk x on x.target_id = e.entitlement_id "
        "join app.subscriptions s using (subscription_id) where x.cohort = 'rest_01' and s.status = 'active' and "
        "e.ends_at is null and e.granted_by = 'plan' and e.feature_code = 'projects' and e.allowed and not exists "
        # What the same customer is granted elsewhere would be added to it.
        "(select from app.entitlements o where o.account_id = e.account_id and o.feature_code = e.feature_code "
        "and o.entitlement_id <> e.entitlement_id) order by 1 limit 1"
    )
    ((paid,),) = acme.target(
        "select a.payment_application_id from app.payment_applications a join cutover.crosswalk x on x.target_id = "
        "a.payment_application_id join app.payments p using (payment_id) where x.cohort = 'rest_01' and "
        # Of a payment of which something was given back, what settles nothing would be that first.
        "a.amount_minor > 9 and p.status = 'settled' and not exists (select from app.refunds r where r.payment_id = "
        "p.payment_id) and not exists (select from app.disputes d where d.payment_id = p.payment_id) order by 1 limit 1"
    )
    ((seat, seat_id),) = acme.target(
        "select s.seat_assignment_id, x.source_id from app.seat_assignments s join cutover.crosswalk x on "
        "x.target_id = s.seat_assignment_id where x.cohort = 'rest_01' and s.holder is not null order by 1 limit 1"
    )
    assert acme.materialize("verified_billing", cohort).ok and acme.found("verified_billing", cohort) == {}
    acme.target(f"update app.seat_assignments set holder = 'somebody@example.com' where seat_assignment_id = '{seat}'")
    acme.target(dearer.format(1, item))
    acme.target(
        f"update app.payment_applications set amount_minor = amount_minor - 9 where payment_application_id = '{paid}'"
    )
    acme.target(f"update app.entitlements set limit_kind = 'limited', limit_units = 1 where entitlement_id = '{right}'")
    assert not acme.materialize("reconciliation", cohort).ok
    refused = acme.materialize("verified_billing", cohort)
    assert not refused.ok and "`reconciliation`" in str(refused.reason)
    assert set(acme.found("verified_billing", cohort)) == {
        "bills_same_or_signed",
        "access_kept_or_signed",
        "balances_same",
        "tie_out",
        "seats_same",
    }
    folder = acme.workspace.store.folder("verified_billing", cohort)
    lost = pq.read_table(folder / "access_differences.parquet").to_pylist()
    assert {(d["feature"], d["kind"], d["after_limit_units"]) for d in lost} == {("projects", "loss", 1)}
    billed = pq.read_table(folder / "bill_differences.parquet").to_pylist()
    assert {d["cause"] for d in billed if d["status"] == "unsigned"} == {"unexplained"}
    owed = pq.read_table(folder / "balances.parquet").to_pylist()
    apart = {d["measure"]: d["difference_minor"] for d in owed if d["status"] == "unsigned"}
    # The invoice is open by as much as is on account now.
    assert apart.keys() == {"receivables", "on_account", "recurring_revenue"}
    assert (apart["receivables"], apart["on_account"]) == (9, 9) and apart["recurring_revenue"] > 0
    terms = pq.read_table(folder / "term_differences.parquet").to_pylist()
    unsigned = [(t["record"], t["key"], t["field"]) for t in terms if t["status"] == "unsigned"]
    assert unsigned == [("seats", seat_id, "holder")]
    assert "somebody" not in (acme.workspace.environment.reports / cohort / "verified_term_differences.csv").read_text()
    assert acme.materialize("loaded_target", cohort).rows_written == 0, "nobody has said whose word counts"
    queue = conflicts_in(acme.workspace)
    asked = queue.conflicts()
    changed = {"seat_assignments", "subscription_items", "payment_applications", "entitlements"}
    assert {c.table_name for c in asked} == changed and {c.cohort for c in asked} == {cohort}
    for c in asked:
        queue.decide(c.conflict_id, "source", by="tests", reason="As the old system has it.", now=datetime.now(UTC))
    assert acme.materialize("loaded_target", cohort).rows_written == 4
    assert all(acme.materialize(asset, cohort).ok for asset in ("reconciliation", "verified_billing"))
