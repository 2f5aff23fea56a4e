"""The issued invoices follow the rules written at the head of schema_erp.sql: recomputed here with plain Decimals."""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from demo_query import Query

from migration_assets.demo import Legacy

MONTHS = {"M": 1, "Q": 3, "Y": 12}
UNIT = {
    "USD": Decimal("0.01"),
    "EUR": Decimal("0.01"),
    "GBP": Decimal("0.01"),
    "JPY": Decimal(1),
    "KWD": Decimal("0.001"),
}
Row = dict[str, Any]


def _round(amount: Decimal, currency: str) -> Decimal:
    return amount.quantize(UNIT[currency], ROUND_HALF_UP)


def _boundary(anchor: date, months: int) -> date:
    index = anchor.year * 12 + anchor.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(anchor.day, monthrange(year, month + 1)[1]))


def _days_360(start: date, end: date) -> int:
    return (end.year - start.year) * 360 + (end.month - start.month) * 30 + min(end.day, 30) - min(start.day, 30)


@pytest.fixture(scope="module")
def world(clean: Legacy) -> dict[str, list[Row]]:
    names = ("subscriptions", "subscription_items", "discounts", "invoices", "invoice_lines", "tax_rates")
    return {name: clean.tables[f"erp.{name}"].to_pylist() for name in names}


@pytest.fixture(scope="module")
def expected(world: dict[str, list[Row]]) -> dict[int, list[tuple[Any, ...]]]:
    """What each subscription invoice must say, usage left out: (kind, item, amount, tax) sorted."""
    items, rates = defaultdict(list), defaultdict(list)
    for item in world["subscription_items"]:
        items[item["sub_id"]].append(item)
    for rate in world["tax_rates"]:
        rates[rate["country"]].append((rate["valid_from"], rate["tax_pct"]))
    discounts = {d["sub_id"]: d for d in world["discounts"]}
    subs = {s["sub_id"]: s for s in world["subscriptions"]}
    made = {}
    for invoice in world["invoices"]:
        if invoice["sub_id"] is not None:
            sub = subs[invoice["sub_id"]]
            lines = _lines(invoice, sub, items[sub["sub_id"]], discounts.get(sub["sub_id"]))
            pct = max(r for r in rates[sub["service_country"]] if r[0] <= invoice["issue_date"])[1]
            pct = Decimal(0) if sub["tax_exempt"] == "Y" else pct
            made[invoice["invoice_id"]] = sorted(_with_tax(line, pct, sub) for line in lines)
    return made


def _lines(invoice: Row, sub: Row, items: list[Row], discount: Row | None) -> list[tuple[str, str, Decimal]]:
    months, currency, begins = MONTHS[sub["bill_interval"]], sub["currency"], invoice["period_from"]
    elapsed = (begins.year - sub["anchor_date"].year) * 12 + begins.month - sub["anchor_date"].month
    assert elapsed % months == 0
    assert _boundary(sub["anchor_date"], elapsed) == begins
    previous = _boundary(sub["anchor_date"], elapsed - months)
    lines = []
    for item in (i for i in items if i["item_kind"] != "U"):
        full = item["quantity"] * item["unit_price"]
        since, until = item["start_date"] or date.min, item["end_date"] or date.max
        if since <= begins <= until:
            lines.append(("REC", item["item_no"], _round(full, currency)))
        if previous < since < begins and elapsed:
            share = full * _days_360(since, begins) / (30 * months)
            lines.append(("PRO", item["item_no"], _round(share, currency)))
    if discount and discount["from_date"] <= begins <= (discount["to_date"] or date.max):
        base = sum(line[2] for line in lines if line[0] == "REC")
        percent = discount["disc_type"] == "PCT"
        off = _round(base * discount["pct"] / 100, currency) if percent else min(discount["amount"], base)
        lines.append(("DSC", "", -off))
    return lines


def _with_tax(line: tuple[str, str, Decimal], pct: Decimal, sub: Row) -> tuple[Any, ...]:
    kind, item, gross = line
    if sub["tax_inclusive"] == "Y":
        tax = _round(gross * pct / (100 + pct), sub["currency"])
        return kind, item, gross - tax, tax
    return kind, item, gross, _round(gross * pct / 100, sub["currency"])


def test_every_line_of_every_invoice_is_reproduced(
    world: dict[str, list[Row]], expected: dict[int, list[tuple[Any, ...]]]
) -> None:
    found: dict[int, list[tuple[Any, ...]]] = {invoice: [] for invoice in expected}
    for line in world["invoice_lines"]:
        if line["kind"] in ("REC", "PRO", "DSC"):
            found[line["invoice_id"]].append((line["kind"], line["item_no"] or "", line["amount"], line["tax_amount"]))
    assert len(expected) > 4000
    assert {k for k, lines in found.items() if sorted(lines) != expected[k]} == set()
    kinds = {line[0] for lines in expected.values() for line in lines}
    assert kinds == {"REC", "PRO", "DSC"}


def test_periods_tile_without_gap_or_overlap(ask_clean: Query) -> None:
    gaps = ask_clean("""
        SELECT sub_id FROM (SELECT sub_id, period_from, lag(period_to) OVER (PARTITION BY sub_id ORDER BY period_from)
                            AS before FROM erp.invoices WHERE status <> 'VOI' AND sub_id IS NOT NULL)
        WHERE period_from <> before + 1""")
    assert gaps == []
    last = ask_clean("""
        SELECT sub_id FROM erp.subscriptions s JOIN erp.invoices i USING (sub_id)
        GROUP BY sub_id, s.period_to HAVING max(i.period_to) <> s.period_to""")
    assert last == []


def test_trials_are_not_billed_and_everybody_else_is(ask_clean: Query) -> None:
    billed = ask_clean("""
        SELECT DISTINCT s.status, i.sub_id IS NOT NULL FROM erp.subscriptions s
        LEFT JOIN (SELECT DISTINCT sub_id FROM erp.invoices) i USING (sub_id)""")
    assert dict(billed) == {status: status != "TRL" for status in ("TRL", "ACT", "PDU", "PAU", "CXL", "EXP")}
    assert len(billed) == 6


SUMS = {
    "lines and invoice": """
        SELECT invoice_id FROM erp.invoices i JOIN erp.invoice_lines l USING (invoice_id) GROUP BY invoice_id
        HAVING any_value(subtotal) <> sum(amount) OR any_value(tax) <> sum(tax_amount)""",
    "subtotal, tax and total": "SELECT invoice_id FROM erp.invoices WHERE subtotal + tax <> total",
    "currency of lines": """
        SELECT 1 FROM erp.invoices i JOIN erp.invoice_lines l USING (invoice_id) WHERE i.currency <> l.currency""",
    "positions": """
        SELECT invoice_id FROM erp.invoice_lines GROUP BY 1 HAVING min(line_no) <> 1 OR max(line_no) <> count(*)""",
    "payments and applications": """
        SELECT payment_id FROM erp.payments p LEFT JOIN erp.payment_applications a USING (payment_id)
        GROUP BY payment_id, p.status, p.amount
        HAVING coalesce(sum(a.amount), 0) <> CASE WHEN p.status IN ('PND', 'FLD') THEN 0 ELSE p.amount END""",
    "credits above the invoice": """
        SELECT invoice_id FROM erp.credit_memos m JOIN erp.invoices i USING (invoice_id)
        GROUP BY invoice_id, total HAVING sum(applied_amount) > total""",
    "billed to date": """
        SELECT s.sub_id FROM erp.subscriptions s LEFT JOIN erp.invoices i ON i.sub_id = s.sub_id AND i.status <> 'VOI'
        GROUP BY s.sub_id, billed_to_date HAVING coalesce(sum(total), 0) <> billed_to_date""",
    "revenue schedule and line": """
        SELECT line_id FROM erp.revenue_schedule r JOIN erp.invoice_lines l USING (line_id)
        GROUP BY line_id, l.amount HAVING sum(r.amount) <> l.amount""",
    "status and open amount": """
        SELECT invoice_id, status, open_amount FROM erp.invoices
        WHERE (open_amount > 0) <> (status IN ('OPN', 'PRT', 'OVD')) OR open_amount < 0""",
    "overdue before it is due": """
        SELECT invoice_id FROM erp.invoices
        WHERE status = 'OVD' AND due_date >= timezone(contract_tz, TIMESTAMPTZ '2026-06-30 12:00:00+00')::DATE""",
    "overdue without dunning": """
        SELECT invoice_id FROM erp.invoices
        WHERE status = 'OVD' AND invoice_id NOT IN (SELECT invoice_id FROM erp.dunning)""",
    "past due without an overdue invoice": """
        SELECT sub_id FROM erp.subscriptions WHERE status = 'PDU'
        AND sub_id NOT IN (SELECT sub_id FROM erp.invoices WHERE status = 'OVD' AND sub_id IS NOT NULL)""",
    "payer without payment method": """
        SELECT customer_no FROM erp.payments WHERE customer_no NOT IN (SELECT customer_no FROM erp.payment_methods)""",
    "invoice numbers": """
        SELECT any_value(invoice_no) FROM erp.invoices WHERE status <> 'DRF' GROUP BY invoice_no[:8]
        HAVING max(invoice_no[9:]::INT) <> count(*) OR count(DISTINCT invoice_no) <> count(*)""",
    "numbers out of the order of issue": """
        SELECT 1 FROM (SELECT issue_date, lag(issue_date) OVER (PARTITION BY invoice_no[:8] ORDER BY invoice_no)
                       AS before FROM erp.invoices WHERE status <> 'DRF') WHERE issue_date < before""",
}


@pytest.mark.parametrize("query", SUMS.values(), ids=SUMS.keys())
def test_sums_tie(ask_clean: Query, query: str) -> None:
    assert ask_clean(query) == []


def test_open_amount_is_what_the_documents_say(ask_clean: Query) -> None:
    """open = total - applied - credits - write-offs + settled refunds + lost disputes, for each invoice."""
    wrong = ask_clean("""
        WITH one AS (  -- refunds and disputes hang on payments that settled a single invoice
            SELECT payment_id, any_value(invoice_id) AS invoice_id FROM erp.payment_applications GROUP BY 1),
        moved AS (
            SELECT invoice_id, -amount AS amount FROM erp.payment_applications
            UNION ALL SELECT invoice_id, -applied_amount FROM erp.credit_memos WHERE invoice_id IS NOT NULL
            UNION ALL SELECT invoice_id, -amount FROM erp.write_offs
            UNION ALL SELECT invoice_id, amount FROM erp.refunds JOIN one USING (payment_id) WHERE status = 'SET'
            UNION ALL SELECT invoice_id, amount FROM erp.disputes JOIN one USING (payment_id) WHERE status = 'LST')
        SELECT i.invoice_id FROM erp.invoices i LEFT JOIN moved m USING (invoice_id)
        WHERE i.status NOT IN ('DRF', 'VOI') GROUP BY i.invoice_id, total, open_amount
        HAVING total + coalesce(sum(m.amount), 0) <> open_amount""")
    assert wrong == []
    many = ask_clean(
        "SELECT count(*) FROM (SELECT 1 FROM erp.payment_applications GROUP BY payment_id HAVING count(*) > 1)"
    )
    assert many[0][0] > 0


def test_contracted_price_differs_from_the_list(ask_clean: Query) -> None:
    """Otherwise a mapping that takes the wrong column would never be noticed."""
    share = ask_clean("SELECT avg((unit_price <> list_price)::INT) FROM erp.subscription_items")[0][0]
    assert 0.3 < share < 0.6


def test_amounts_fit_their_currency(world: dict[str, list[Row]]) -> None:
    for line in world["invoice_lines"]:
        assert line["amount"] == _round(line["amount"], line["currency"])
    assert any(line["currency"] == "KWD" and line["amount"] % Decimal("0.01") for line in world["invoice_lines"])


def test_anchors_of_the_31st_occur_and_are_not_chained(world: dict[str, list[Row]]) -> None:
    ends = [s for s in world["subscriptions"] if s["anchor_date"].day == 31 and s["status"] == "ACT"]
    assert ends
    for sub in ends:
        assert sub["period_from"].day == min(31, monthrange(sub["period_from"].year, sub["period_from"].month)[1])
        assert (sub["period_to"] + timedelta(1)).day >= 28
