from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from migration_assets.plan.identity_models import Identity, SurvivorRule
from migration_assets.stages.cleanse.decisions import Chosen, Stale
from migration_assets.stages.cleanse.hierarchy import without_circles
from migration_assets.stages.cleanse.survivorship import NOBODY, erased_identities, merged, survivors

PRIORITY = ("crm", "erp")


def identities(engine, pairs):
    return engine.table(
        pa.table(
            {
                "customer_id": [a for a, _ in pairs],
                "identity_id": [b for _, b in pairs],
                "rule": ["link" for _ in pairs],
                "members": [len(pairs) for _ in pairs],
                "fate": ["" for _ in pairs],
            }
        )
    )


def changed(day: int) -> datetime:
    return datetime(2026, 1, day, tzinfo=UTC)


def both(engine, canonical, first, second):
    rows = canonical(
        "customer",
        {"customer_id": "crm.a:1", "kind": "company", "status": "active", "name": "Acme", **first},
        {"customer_id": "erp.c:9", "kind": "company", "status": "active", "name": "ACME", **second},
    )
    return rows, identities(engine, [("crm.a:1", "crm.a:1"), ("erp.c:9", "crm.a:1")])


def whole(engine, rows, known, *rules, chosen=NOBODY):
    identity = Identity(priority=PRIORITY, survivorship=tuple(SurvivorRule(reason="As agreed.", **r) for r in rules))
    return survivors(engine, rows, known, identity, erased_identities(rows, known), chosen)


def survived(engine, rows, known, *rules, chosen=NOBODY):
    return engine.arrow(whole(engine, rows, known, *rules, chosen=chosen).rows).to_pylist()


def family(engine, canonical, *members):
    """Rows of one customer, the first its founder."""
    common = {"kind": "person", "status": "active", "name": "Jane Doe"}
    rows = canonical("customer", *({**common, **m} for m in members))
    keys = [m["customer_id"] for m in members]
    return rows, identities(engine, [(k, keys[0]) for k in keys])


def told(engine, table):
    return engine.arrow(table).to_pylist()


def test_the_first_system_wins_and_the_second_fills_gaps(engine, canonical) -> None:
    first = {"email": None, "country": "DE", "source_updated_at": changed(1)}
    second = {"email": "a@b.example", "country": "FR", "source_updated_at": changed(9)}
    rows, known = both(engine, canonical, first, second)
    (row,) = survived(engine, rows, known)
    assert (row["name"], row["country"], row["email"]) == ("Acme", "DE", "a@b.example")
    assert (row["customer_id"], row["source_table"], row["source_updated_at"]) == ("crm.a:1", "a", changed(9))


def test_the_row_that_goes_into_another_is_claimed_as_merged(engine, canonical) -> None:
    rows, known = both(engine, canonical, {}, {})
    (claim,) = engine.arrow(merged(rows, known, PRIORITY)).to_pylist()
    assert (claim["source_system"], claim["disposition"], claim["into_key"]) == ("erp", "merged", "crm.a:1")


def test_an_erased_member_takes_personal_values_of_the_whole_identity_along(engine, canonical) -> None:
    rows, known = both(engine, canonical, {"status": "erased", "name": "[erased]"}, {"email": "still@erp.example"})
    (row,) = survived(engine, rows, known)
    assert (row["name"], row["email"], row["status"]) == ("(erased)", None, "erased")


def test_an_erased_member_that_is_not_valid_itself_still_erases(engine, canonical) -> None:
    rows, known = both(engine, canonical, {"status": "erased", "name": "[erased]"}, {"email": "still@erp.example"})
    valid = rows.filter(rows["source_system"] == "erp")
    kept = survivors(engine, valid, known, Identity(priority=PRIORITY), erased_identities(rows, known))
    (row,) = engine.arrow(kept.rows).to_pylist()
    assert (row["name"], row["email"], row["status"]) == ("(erased)", None, "erased")


def test_a_self_parent_and_a_circle_are_set_aside_and_listed(engine, canonical) -> None:
    rows = canonical(
        "customer",
        {"customer_id": "c.a:1", "parent_id": "c.a:1"},
        {"customer_id": "c.a:2", "parent_id": "c.a:3"},
        {"customer_id": "c.a:3", "parent_id": "c.a:2"},
        {"customer_id": "c.a:4", "parent_id": "c.a:2", "payer_id": "c.a:4"},
        {"customer_id": "c.a:5", "parent_id": "c.a:404"},
    )
    result = without_circles(engine, rows)
    parents = {r["customer_id"]: r["parent_id"] for r in engine.arrow(result.rows).to_pylist()}
    assert parents == {"c.a:1": None, "c.a:2": None, "c.a:3": None, "c.a:4": "c.a:2", "c.a:5": None}
    notes = engine.arrow(engine.union(result.notes)).to_pylist()
    assert sorted((n["source_id"], n["reason"]) for n in notes) == [
        ("1", "circle"), ("2", "circle"), ("3", "circle"), ("5", "reference_missing"),
    ]  # fmt: skip


# --- rules by field ---


def test_the_value_changed_last_wins_and_a_row_without_a_time_is_oldest(engine, canonical) -> None:
    rows, known = family(
        engine, canonical,
        {"customer_id": "crm.a:1", "phone": "+1", "email": "old@x.de", "source_updated_at": None},
        {"customer_id": "crm.a:2", "phone": "+2", "email": "mid@x.de", "source_updated_at": changed(3)},
        {"customer_id": "erp.c:1", "phone": None, "email": "new@x.de", "source_updated_at": changed(9)},
    )  # fmt: skip
    (row,) = survived(engine, rows, known, {"fields": ["phone", "email"], "strategy": "most_recent"})
    assert (row["phone"], row["email"]) == ("+2", "new@x.de")


def test_a_tie_in_time_is_settled_by_the_systems_of_the_rule_then_by_those_of_the_plan(engine, canonical) -> None:
    rows, known = family(
        engine, canonical,
        {"customer_id": "crm.a:1", "phone": "+1", "source_updated_at": changed(3)},
        {"customer_id": "erp.c:1", "phone": "+2", "source_updated_at": changed(3)},
    )  # fmt: skip
    recent = {"fields": ["phone"], "strategy": "most_recent"}
    assert survived(engine, rows, known, recent)[0]["phone"] == "+1"
    assert survived(engine, rows, known, recent | {"systems": ["erp"]})[0]["phone"] == "+2"


def test_a_field_may_have_its_own_order_of_systems(engine, canonical) -> None:
    rows, known = both(engine, canonical, {"tax_id": "DE1", "website": "a.de"}, {"tax_id": "DE2", "website": "b.de"})
    (row,) = survived(engine, rows, known, {"fields": ["tax_id"], "strategy": "priority", "systems": ["erp"]})
    assert (row["tax_id"], row["website"]) == ("DE2", "a.de")


def test_the_fuller_row_wins_by_the_fields_of_the_rule_or_by_the_whole_record(engine, canonical) -> None:
    rows, known = family(
        engine, canonical,
        {"customer_id": "crm.a:1", "phone": "+1", "email": None, "country": "DE", "language": "de", "segment": "smb"},
        {"customer_id": "erp.c:1", "phone": "+2", "email": "a@x.de"},
    )  # fmt: skip
    both_fields = {"fields": ["phone", "email"], "strategy": "most_complete"}
    assert survived(engine, rows, known, both_fields)[0]["phone"] == "+2"
    assert survived(engine, rows, known, both_fields | {"fields": ["phone"]})[0]["phone"] == "+1"


def test_the_longest_text_wins_each_field_for_itself(engine, canonical) -> None:
    rows, known = both(engine, canonical, {"name": "Acme", "website": "www.acme.example"}, {"website": "acme.de"})
    (row,) = survived(engine, rows, known, {"fields": ["website", "name"], "strategy": "longest"})
    assert (row["name"], row["website"]) == ("Acme", "www.acme.example")
    rows, known = both(engine, canonical, {"name": "Acme"}, {"name": "Acme Trading", "website": "acme.de"})
    (row,) = survived(engine, rows, known, {"fields": ["website", "name"], "strategy": "longest"})
    assert (row["name"], row["website"]) == ("Acme Trading", "acme.de")


@pytest.mark.parametrize(
    ("amounts", "weights", "average"),
    [
        ((100, 200), {"crm": 3, "erp": 1}, 125),
        ((100, 101), {"crm": 1}, 100),
        ((101, 102), {"crm": 1}, 102),
        ((-100, -101), {"crm": 1}, -100),
        ((7, None), {"crm": 5}, 7),
        ((2**63 - 1, 2**63 - 1), {"crm": 1000, "erp": 999}, 2**63 - 1),
    ],
)
def test_amounts_are_averaged_exactly_and_halves_go_to_the_even_unit(
    engine, canonical, amounts, weights, average
) -> None:
    crm, erp = ({"credit_limit_minor": a, "currency": "EUR"} for a in amounts)
    rows, known = both(engine, canonical, crm, erp)
    rule = {"fields": ["credit_limit_minor"], "strategy": "weighted_average", "weights": weights}
    assert survived(engine, rows, known, rule)[0]["credit_limit_minor"] == average


# --- what belongs together ---


def test_nobody_gets_the_given_name_of_one_row_and_the_family_name_of_another(engine, canonical) -> None:
    rows, known = family(
        engine, canonical,
        {"customer_id": "crm.a:1", "name": "Jane Doe"},
        {"customer_id": "crm.a:2", "name": "Joan Roe", "given_name": "Joan", "family_name": "Roe"},
        {"customer_id": "erp.c:1", "name": "Jane Doe", "given_name": "Jane"},
        {"customer_id": "erp.c:2", "name": "Jane Doe", "given_name": "J.", "family_name": "Doe"},
    )  # fmt: skip
    (row,) = survived(engine, rows, known)
    assert (row["name"], row["given_name"], row["family_name"]) == ("Jane Doe", "Jane", None)


def test_the_parts_of_a_name_come_with_it_whatever_the_rule(engine, canonical) -> None:
    rows, known = family(
        engine, canonical,
        {"customer_id": "crm.a:1", "name": "Jane Doe", "given_name": "Jane", "family_name": "Doe"},
        {"customer_id": "erp.c:1", "name": "Jane Doe-Roe Ltd", "kind": "company", "source_updated_at": changed(2)},
    )  # fmt: skip
    made = whole(engine, rows, known, {"fields": ["name"], "strategy": "longest"})
    (row,) = told(engine, made.rows)
    assert (row["name"], row["kind"], row["given_name"], row["family_name"]) == (
        "Jane Doe-Roe Ltd", "company", None, None,
    )  # fmt: skip
    lost = {(c["field"], c["reason"]) for c in told(engine, made.conflicts)}
    assert lost == {("given_name", "none_fits"), ("family_name", "none_fits")}


@pytest.mark.parametrize("strategy", ["priority", "weighted_average"])
def test_an_amount_in_another_currency_never_counts_and_is_listed_when_nothing_else_is_there(
    engine, canonical, strategy
) -> None:
    weights = {"weights": {"erp": 9}} if strategy == "weighted_average" else {}
    rule = {"fields": ["credit_limit_minor"], "strategy": strategy, **weights}
    first, second = {"currency": "USD", "credit_limit_minor": 500}, {"currency": "JPY", "credit_limit_minor": 90_000}
    rows, known = both(engine, canonical, first, second)
    (row,) = survived(engine, rows, known, rule)
    assert (row["currency"], row["credit_limit_minor"]) == ("USD", 500)
    rows, known = both(engine, canonical, first | {"credit_limit_minor": None}, second)
    made = whole(engine, rows, known, rule)
    (row,) = told(engine, made.rows)
    assert (row["currency"], row["credit_limit_minor"]) == ("USD", None)
    (conflict,) = told(engine, made.conflicts)
    assert (conflict["field"], conflict["reason"], conflict["candidates"]) == ("credit_limit_minor", "none_fits", 1)


def test_a_state_is_one_of_the_country_that_survived(engine, canonical) -> None:
    rows, known = both(engine, canonical, {"country": "DE"}, {"country": "US", "state": "CA"})
    assert survived(engine, rows, known)[0]["state"] is None
    rows, known = both(engine, canonical, {"country": "US"}, {"country": "US", "state": "CA"})
    assert survived(engine, rows, known)[0]["state"] == "CA"


# --- where values came from, and what a person decides ---


def test_each_value_that_rows_differ_on_or_another_row_gave_knows_its_source_and_shows_no_value(
    engine, canonical
) -> None:
    rows, known = family(
        engine, canonical,
        {"customer_id": "crm.a:1", "country": "DE", "email": "a@x.de"},
        {"customer_id": "crm.a:2", "country": "DE", "email": "b@x.de", "phone": "+2"},
        {"customer_id": "erp.c:1", "country": "DE", "email": "b@x.de"},
    )  # fmt: skip
    made = whole(engine, rows, known, {"fields": ["email"], "strategy": "priority", "systems": ["erp"]})
    assert sorted(tuple(r.values()) for r in told(engine, made.sources)) == [
        ("crm.a:1", "email", "erp.c:1", "erp", "priority", 3, 2),
        ("crm.a:1", "phone", "crm.a:2", "crm", "priority", 1, 1),
    ]


def test_an_average_of_several_is_nobodys_value(engine, canonical) -> None:
    rule = {"fields": ["credit_limit_minor"], "strategy": "weighted_average", "weights": {"crm": 1}}
    for amounts, giver in (((100, 200), None), ((100, 100), "nothing to tell"), ((None, 200), "erp.c:9")):
        rows, known = both(
            engine, canonical, *({"credit_limit_minor": a, "currency": "EUR", "name": "A"} for a in amounts)
        )
        found = [r["value_from"] for r in told(engine, whole(engine, rows, known, rule).sources)]
        assert found == ([] if giver == "nothing to tell" else [giver])


def test_a_person_decides_whose_value_it_is_and_until_then_the_conflict_is_listed(engine, canonical) -> None:
    money = {"currency": "EUR"}
    rows, known = both(
        engine, canonical,
        {"tax_id": "DE1", "credit_limit_minor": 100, **money}, {"tax_id": "DE2", "credit_limit_minor": 350, **money},
    )  # fmt: skip
    rule = {"fields": ["tax_id", "credit_limit_minor"], "strategy": "manual"}
    made = whole(engine, rows, known, rule)
    (row,) = told(engine, made.rows)
    assert (row["tax_id"], row["credit_limit_minor"]) == ("DE1", 100)
    listed = {c["field"]: (c["reason"], c["difference_minor"], c["currency"]) for c in told(engine, made.conflicts)}
    assert listed == {"tax_id": ("undecided", None, None), "credit_limit_minor": ("undecided", 250, "EUR")}
    chosen = Chosen({"tax_id": frozenset({"erp.c:9"})}, (Stale("crm.a:1", "credit_limit_minor", "parted", 7),))
    made = whole(engine, rows, known, rule, chosen=chosen)
    (row,) = told(engine, made.rows)
    assert (row["tax_id"], row["credit_limit_minor"]) == ("DE2", 100)
    assert sorted((c["field"], c["reason"], c["line"]) for c in told(engine, made.conflicts)) == [
        ("credit_limit_minor", "stale_parted", 7), ("credit_limit_minor", "undecided", None),
    ]  # fmt: skip


def test_nothing_is_told_of_personal_values_that_erasure_took(engine, canonical) -> None:
    rows, known = both(
        engine, canonical, {"status": "erased", "name": "[erased]", "country": "DE"}, {"email": "e@x.de", "phone": "+1"}
    )
    made = whole(engine, rows, known, {"fields": ["email", "name"], "strategy": "manual"})
    assert told(engine, made.sources) == told(engine, made.conflicts) == []
