from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migration_assets.stages.entitlements.resolve import resolved

ANSWER = {"limited": True, "unlimited": True, "zero": False}


def at(day: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)


def grant(number, granted_by="plan", kind="unlimited", starts=0, ends=None, **given):
    return {
        "entitlement_id": f"e.i:{number}/f",
        "customer_id": "e.c:1",
        "subscription_id": None if granted_by == "override" else "e.s:1",
        "feature_code": "f",
        "region": "*" if granted_by == "override" else "DE",
        "starts_at": at(starts),
        "ends_at": None if ends is None else at(ends),
        "allowed": ANSWER[kind],
        "limit_kind": kind,
        "limit_units": Decimal(number) if kind == "limited" else None,
        "overage": "block" if granted_by == "override" else "bill",
        "granted_by": granted_by,
        **given,
    }


def rows(engine, canonical, *grants):
    found = engine.arrow(resolved(engine, canonical("entitlement", *grants))).to_pylist()
    return sorted(found, key=lambda r: (r["entitlement_id"].partition("@")[0], r["starts_at"]))


def periods(engine, canonical, *grants):
    """(id before any `@`, first day, day after the last, overage) of what stands."""
    return [
        (
            r["entitlement_id"].partition("/")[0][-1],
            (r["starts_at"] - at(0)).days,
            None if r["ends_at"] is None else (r["ends_at"] - at(0)).days,
            r["overage"],
        )
        for r in rows(engine, canonical, *grants)
    ]


def test_an_add_on_that_allows_wins_over_a_plan_that_does_not_while_it_lasts(engine, canonical) -> None:
    plan, add_on = grant(1, kind="zero"), grant(2, "add_on", starts=10, ends=20)
    found = rows(engine, canonical, plan, add_on)
    assert [(r["entitlement_id"], r["starts_at"], r["ends_at"], r["allowed"]) for r in found] == [
        ("e.i:1/f", at(0), at(10), False),
        ("e.i:1/f@2026-01-21T00:00:00.000000Z", at(20), None, False),
        ("e.i:2/f", at(10), at(20), True),
    ]
    assert {r["source_id"] for r in found} == {"1/f", "2/f"}, "each piece says where it comes from"


def test_seats_of_a_plan_and_of_an_add_on_add_up(engine, canonical) -> None:
    found = rows(engine, canonical, grant(5, kind="limited"), grant(3, "add_on", kind="limited", starts=4))
    assert [(r["entitlement_id"], r["limit_units"]) for r in found] == [("e.i:3/f", 3), ("e.i:5/f", 5)]


def test_what_adds_up_still_does_beside_a_contradiction(engine, canonical) -> None:
    given = [grant(1, kind="limited"), grant(2, "add_on", kind="limited"), grant(3, "add_on", kind="zero")]
    assert periods(engine, canonical, *given) == [("1", 0, None, "bill"), ("2", 0, None, "bill")]


def test_an_override_replaces_every_grant_of_the_customer_and_keeps_the_products_overage(engine, canonical) -> None:
    override = grant(9, "override", kind="zero", starts=3, ends=7)
    other = grant(2, ends=5, subscription_id="e.s:2", overage="grace", granted_by="add_on")
    assert periods(engine, canonical, grant(1), other, override) == [
        ("1", 0, 3, "bill"), ("1", 7, None, "bill"), ("2", 0, 3, "grace"), ("9", 3, 7, "bill"),
    ]  # fmt: skip


def test_an_override_is_cut_where_the_overage_beneath_changes(engine, canonical) -> None:
    upgrade = [grant(1, ends=5, overage="block"), grant(2, starts=5, overage="grace")]
    override = grant(9, "override", kind="limited", starts=2)
    assert periods(engine, canonical, *upgrade, override) == [
        ("1", 0, 2, "block"), ("9", 2, 5, "block"), ("9", 5, None, "grace"),
    ]  # fmt: skip


def test_between_overrides_the_latest_start_wins_then_the_id(engine, canonical) -> None:
    first, second = grant(7, "override", starts=0), grant(8, "override", kind="zero", starts=5, ends=9)
    assert periods(engine, canonical, first, second) == [
        ("7", 0, 5, "block"), ("7", 9, None, "block"), ("8", 5, 9, "block"),
    ]  # fmt: skip
    twins = [grant(7, "override"), grant(8, "override", kind="zero")]
    assert periods(engine, canonical, *twins) == [("8", 0, None, "block")]


def test_an_override_for_one_region_leaves_the_others_alone(engine, canonical) -> None:
    elsewhere = grant(1, region="FR", subscription_id="e.s:2")
    override = grant(9, "override", kind="zero", region="DE")
    assert periods(engine, canonical, elsewhere, grant(2), override) == [("1", 0, None, "bill"), ("9", 0, None, "bill")]


def test_only_an_override_that_names_the_region_lifts_a_geo_rule(engine, canonical) -> None:
    banned = grant(1, allowed=False)
    everywhere, there = grant(8, "override"), grant(9, "override", region="DE")
    assert [p[0] for p in periods(engine, canonical, banned, everywhere)] == ["1", "8"]
    assert [p[0] for p in periods(engine, canonical, banned, there)] == ["9"]


def test_an_override_for_everywhere_keeps_the_policy_of_each_country_and_lifts_no_ban(engine, canonical) -> None:
    """The lower plan's policy everywhere, and once more where a plan says another; not where nothing may be sold."""
    served = [grant(1, overage="bill"), grant(2, region="FR", overage="block", subscription_id="e.s:2")]
    banned = grant(3, region="IT", overage="grace", allowed=False, subscription_id="e.s:3")
    told = rows(engine, canonical, *served, banned, grant(9, "override"))
    assert {(r["entitlement_id"], r["region"], r["overage"]) for r in told} == {
        ("e.i:9/f", "*", "bill"),
        ("e.i:9/f/FR", "FR", "block"),
        ("e.i:3/f", "IT", "grace"),
    }


def test_an_add_on_that_a_geo_rule_forbids_takes_nothing_from_the_plan(engine, canonical) -> None:
    assert [p[0] for p in periods(engine, canonical, grant(1), grant(2, "add_on", allowed=False))] == ["1"]


def test_another_customer_and_another_feature_are_not_touched(engine, canonical) -> None:
    others = [grant(1, customer_id="e.c:2"), grant(2, feature_code="g")]
    override = grant(9, "override", kind="zero")
    assert [p[0] for p in periods(engine, canonical, *others, override)] == ["1", "2", "9"]


GRANTS = st.lists(
    st.tuples(
        st.sampled_from(["plan", "add_on", "override"]),
        st.sampled_from(sorted(ANSWER)),
        st.integers(0, 6),
        st.one_of(st.none(), st.integers(1, 5)),
        st.sampled_from(["*", "DE"]),
        st.sampled_from(["e.s:1", "e.s:2"]),
        st.sampled_from(["block", "bill"]),
        st.sampled_from([True, True, True, False]),
    ),
    min_size=1,
    max_size=6,
)


def made(number, drawn):
    granted_by, kind, starts, length, region, contract, overage, lawful = drawn
    given = {"region": region, "overage": overage, "allowed": ANSWER[kind] and (lawful or granted_by == "override")}
    if granted_by != "override":
        given["subscription_id"] = contract
    ends = None if length is None else starts + length
    return grant(number, granted_by, kind, starts, ends, **given)


def holds(row, day):
    return row["starts_at"] <= at(day) and (row["ends_at"] is None or at(day) < row["ends_at"])


def contradict(a, b):
    overrides = [r["granted_by"] == "override" for r in (a, b)]
    if a["region"] != b["region"]:
        return False
    return any(overrides) or (a["subscription_id"] == b["subscription_id"] and a["allowed"] != b["allowed"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=GRANTS)
def test_no_contradiction_is_left_and_no_instant_is_lost(engine, canonical, drawn) -> None:
    before = [made(i, d) for i, d in enumerate(drawn, start=1)]
    after = rows(engine, canonical, *before)
    assert len({r["entitlement_id"] for r in after}) == len(after)
    origin = {g["entitlement_id"]: g for g in before}
    for row in after:
        own = row["entitlement_id"].partition("@")[0]
        # An override for everywhere may stand once more for a country, with the policy there.
        whole = origin.get(own) or origin[own.removesuffix("/DE")]
        assert whole["region"] == row["region"] or (whole["region"], row["region"], own[-3:]) == ("*", "DE", "/DE")
        assert row["ends_at"] is None or row["starts_at"] < row["ends_at"]
        assert whole["starts_at"] <= row["starts_at"] and (row["ends_at"] or at(99)) <= (whole["ends_at"] or at(99))
    for day in range(13):
        held, now = [g for g in before if holds(g, day)], [r for r in after if holds(r, day)]
        assert not [(a, b) for i, a in enumerate(now) for b in now[:i] if contradict(a, b)]
        for g in held:
            answers = [r for r in now if r["region"] in (g["region"], "*")]
            assert answers, (day, g)
        for r in now:
            if r["granted_by"] == "override" and r["region"] == "*":
                assert not [
                    i for i in now if i["granted_by"] != "override" and (i["allowed"] or i["limit_kind"] == "zero")
                ]
