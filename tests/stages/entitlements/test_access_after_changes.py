"""What the target lets a customer do by the entitlements derived for it is what the old system does: also after changes
that are agreed and not yet made (I15, I31)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from random_access import GRANTS, Customer, before, canonical_rows, customer

from migration_assets.domain.access import ANYWHERE, Span
from migration_assets.domain.access_parity import access_differences
from migration_assets.domain.legacy import access as old
from migration_assets.domain.target import access as new
from migration_assets.stages.entitlements.derive import CatalogRows, granted_by_items, granted_by_overrides
from migration_assets.stages.entitlements.resolve import resolved

SINCE, UNTIL = datetime(2025, 6, 1, tzinfo=UTC), datetime(2027, 9, 1, tzinfo=UTC)
SEED = 20261128


def derived(engine: Any, canonical: Any, rows: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The entitlements of all customers."""
    told = {entity: canonical(entity, *given) for entity, given in rows.items()}
    catalog = CatalogRows(told["plan"], told["product_feature"], told["feature"], told["geo_rule"])
    by_items = granted_by_items(
        engine, told["subscription"], told["subscription_item"], told["scheduled_change"], catalog
    )
    by_overrides = granted_by_overrides(told["entitlement_override"], catalog)
    found: list[dict[str, Any]] = engine.arrow(resolved(engine, engine.union([by_items, by_overrides]))).to_pylist()
    return found


def entitlement(row: dict[str, Any]) -> new.Entitlement:
    units = row["limit_units"]
    told = {f: row[f] for f in new.Entitlement.__dataclass_fields__ if f not in ("feature", "limit_units")}
    return new.Entitlement(**told, feature=row["feature_code"], limit_units=None if units is None else Fraction(units))


def after(rows: Iterable[dict[str, Any]], subscriptions: Iterable[dict[str, Any]]) -> tuple[Span, ...]:
    """What the target lets one customer do."""
    states = {
        s["subscription_id"]: new.State(s["paused_at"], s["resumes_at"], s["grace_ends_at"]) for s in subscriptions
    }
    return new.access([entitlement(r) for r in rows], states, SINCE, UNTIL)


def in_regions(spans: Iterable[Span], regions: Iterable[str]) -> list[Span]:
    """Spans for each of the regions; one that is not mentioned has what is granted everywhere."""
    told: defaultdict[str, list[Span]] = defaultdict(list)
    for span in spans:
        told[span.region].append(span)
    return [
        Span(s.feature, region, s.starts_at, s.ends_at, s.answer)
        for region in regions
        for s in told.get(region, told[ANYWHERE])
    ]


def differing(engine: Any, canonical: Any, customers: Sequence[Customer], grants: Sequence[old.Grant]) -> list[str]:
    """Customers who may do other things after than before, with what they are sold."""
    rows = canonical_rows(customers, grants)
    held, theirs = defaultdict(list), defaultdict(list)
    for row in derived(engine, canonical, rows):
        held[row["customer_id"]].append(row)
    for row in rows["subscription"]:
        theirs[row["customer_id"]].append(row)
    found = []
    for each in customers:
        old_spans = before(each, grants, SINCE, UNTIL)
        new_spans = after(held[each.customer_id], theirs[each.customer_id])
        regions = sorted({s.region for s in (*old_spans, *new_spans)})
        if apart := access_differences(in_regions(old_spans, regions), in_regions(new_spans, regions)):
            found.append(f"{each}\n{apart}")
    return found


def customers(seed: int, count: int, overrides: bool) -> list[Customer]:
    rng = Random(seed)
    return [customer(rng, n, overrides) for n in range(count)]


def test_access_is_the_same_before_and_after_whatever_is_agreed(engine: Any, canonical: Any) -> None:
    assert differing(engine, canonical, customers(SEED, 400, overrides=False), GRANTS)[:1] == [], f"seed {SEED}"


def test_access_is_the_same_with_overrides_on_top(engine: Any, canonical: Any) -> None:
    made = customers(SEED + 1, 400, overrides=True)
    assert differing(engine, canonical, made, GRANTS)[:1] == [], f"seed {SEED + 1}"


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
def test_the_same_of_20000_customers(engine: Any, canonical: Any, part: int) -> None:
    seed = SEED + 10 + part
    assert differing(engine, canonical, customers(seed, 2_500, overrides=part >= 4), GRANTS)[:1] == [], f"seed {seed}"


def test_most_of_these_customers_do_have_changes_that_change_something() -> None:
    made = customers(SEED, 400, overrides=False)
    unchanged = [replace(c, contracts=tuple((replace(s, changes=()), g) for s, g in c.contracts)) for c in made]
    pairs = zip(made, unchanged, strict=True)
    assert sum(before(a, GRANTS, SINCE, UNTIL) != before(b, GRANTS, SINCE, UNTIL) for a, b in pairs) > 200
