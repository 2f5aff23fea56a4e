"""Who may do what, worked by hand: the old system's answer beside the target's, and what changes between them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction

from told_twice import Agreed, Part, Sold, contract

from migration_assets.domain.access import Answer, Span
from migration_assets.domain.access_parity import access_differences
from migration_assets.domain.legacy import access as old
from migration_assets.domain.legacy import terms
from migration_assets.domain.target import access as new

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
UNTIL = datetime(2027, 2, 1, tzinfo=UTC)
BILL_200 = Answer(allowed=True, limit=Fraction(200), overage="bill")


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def limited(product: str, feature: str, limit: int | None, each: bool = False, overage: str = "block") -> old.Grant:
    return old.Grant(product, feature, None if limit is None else Fraction(limit), each, overage)  # type: ignore[arg-type]


def held(sold: Sold, grace_last_day: date | None = None) -> old.Held:
    return old.Held(contract(sold), grace_last_day)


def old_access(
    *contracts: old.Held, grants: list[old.Grant], overrides: list[old.Override] | None = None
) -> tuple[Span, ...]:
    return old.access(contracts, overrides or [], grants, terms.Rules(), SINCE, UNTIL)


def row(
    limit: int | None,
    starts: str = "2026-01-01",
    ends: str | None = None,
    region: str = "DE",
    granted_by: str = "plan",
    feature: str = "seats",
    allowed: bool = True,
    overage: str = "block",
    row_id: str = "e",
) -> new.Entitlement:
    kind = "unlimited" if limit is None else "limited" if limit else "zero"
    return new.Entitlement(
        entitlement_id=row_id,
        subscription_id=None if granted_by == "override" else "s",
        feature=feature,
        region=region,
        starts_at=day(starts),
        ends_at=None if ends is None else day(ends),
        allowed=allowed and limit != 0,
        limit_kind=kind,  # type: ignore[arg-type]
        limit_units=Fraction(limit) if limit else None,
        overage=overage,  # type: ignore[arg-type]
        granted_by=granted_by,  # type: ignore[arg-type]
    )


def new_access(*rows: new.Entitlement, state: new.State | None = None) -> tuple[Span, ...]:
    return new.access(rows, {"s": state or new.State()}, SINCE, UNTIL)


def told(spans: tuple[Span, ...]) -> list[tuple[str, str, str]]:
    """Start, end and limit, as short text."""
    return [
        (s.starts_at.date().isoformat(), s.ends_at.date().isoformat() if s.ends_at else "", str(s.answer.limit))
        for s in spans
    ]


def test_ten_seats_of_the_plan_and_five_of_an_add_on_are_fifteen() -> None:
    parts = (Part("pro", "1", quantity=10), Part("seat", "1", quantity=5, kind="add_on", last_day=date(2026, 3, 31)))
    grants = [limited("pro", "seats", 1, each=True), limited("seat", "seats", 1, each=True)]
    before = old_access(held(Sold(date(2025, 1, 1), zone="UTC", parts=parts)), grants=grants)
    after = new_access(row(10), row(5, ends="2026-04-01", granted_by="add_on", row_id="f"))
    assert told(before) == [("2026-01-01", "2026-04-01", "15"), ("2026-04-01", "2027-02-01", "10")]
    assert before == after


def test_unlimited_is_more_than_any_number_and_zero_is_not_absent() -> None:
    parts = (Part("big", "1"),)
    sold = held(Sold(date(2025, 1, 1), zone="UTC", parts=parts))
    unlimited = old_access(sold, grants=[limited("big", "seats", None)])
    large = new_access(row(10**15))
    (loss,) = access_differences(unlimited, large)
    assert (loss.kind, loss.before, loss.after) == ("loss", unlimited[0].answer, large[0].answer)
    zero, absent = old_access(sold, grants=[limited("big", "seats", 0)]), old_access(sold, grants=[])
    assert zero[0].answer == Answer(allowed=False, limit=Fraction(0), overage="block")
    assert absent == ()
    assert [d.kind for d in access_differences(zero, absent)] == ["change"]


def test_a_gibibyte_is_not_a_gigabyte() -> None:
    gib, gb = 2**30, 10**9
    sold = held(Sold(date(2025, 1, 1), zone="UTC", parts=(Part("pack", "1"),)))
    before = old_access(sold, grants=[limited("pack", "storage", 100 * gib)])
    (loss,) = access_differences(before, new_access(row(100 * gb, feature="storage")))
    assert loss.kind == "loss"
    assert loss.before is not None and loss.after is not None
    assert (loss.before.limit or 0) - (loss.after.limit or 0) == 7_374_182_400  # 100 x 73,741,824
    assert access_differences(before, new_access(row(107_374_182_400, feature="storage"))) == ()


def test_of_two_overlapping_overrides_the_later_holds_while_it_lasts() -> None:
    overrides = [
        old.Override("1", "seats", None, Fraction(50), "UTC", date(2025, 6, 1), None),
        old.Override("2", "seats", None, Fraction(80), "UTC", date(2026, 2, 1), date(2026, 2, 28)),
    ]
    sold = held(Sold(date(2025, 1, 1), zone="UTC", parts=(Part("pro", "1"),)))
    grants = [limited("pro", "seats", 10, overage="bill")]
    before = [s for s in old_access(sold, grants=grants, overrides=overrides) if s.region == "DE"]
    assert [s.answer.limit for s in before] == [50, 80, 50]
    # The policy past the limit is the one of the plan it replaces.
    assert {s.answer.overage for s in before} == {"bill"}
    assert before[1].starts_at == day("2026-02-01") and before[1].ends_at == day("2026-03-01")
    rows = [
        row(50, starts="2025-06-01", region="*", granted_by="override", overage="bill", row_id="1"),
        row(80, "2026-02-01", "2026-03-01", region="*", granted_by="override", overage="bill", row_id="2"),
        row(10, overage="bill"),
    ]
    assert [s for s in new_access(*rows) if s.region == "DE"] == before


def test_an_override_for_the_country_speaks_before_one_for_everywhere() -> None:
    overrides = [
        old.Override("1", "seats", "DE", Fraction(5), "UTC", date(2025, 1, 1), None),
        old.Override("2", "seats", None, None, "UTC", date(2025, 6, 1), None),
    ]
    spans = old_access(overrides=overrides, grants=[])
    assert {s.region: s.answer.limit for s in spans} == {"DE": Fraction(5), "*": None}
    rows = [row(5, granted_by="override"), row(None, region="*", granted_by="override", row_id="f")]
    assert new_access(*rows) == spans


def test_an_override_for_everywhere_lifts_no_ban() -> None:
    banned = row(10, allowed=False)
    everywhere = row(99, region="*", granted_by="override", row_id="f")
    there = [s for s in new_access(banned, everywhere) if s.region == "DE"]
    assert [s.answer.allowed for s in there] == [False]


def test_past_due_keeps_access_up_to_the_last_day_of_grace() -> None:
    sold = held(Sold(date(2025, 1, 1), zone="UTC", parts=(Part("pro", "1"),)), grace_last_day=date(2026, 1, 20))
    before = old_access(sold, grants=[limited("pro", "seats", 10)])
    assert told(before) == [("2026-01-01", "2026-01-21", "10")]
    assert new_access(row(10), state=new.State(grace_ends_at=day("2026-01-21"))) == before
    (loss,) = access_differences(before, new_access(row(10), state=new.State(grace_ends_at=day("2026-01-20"))))
    assert (loss.kind, loss.starts_at, loss.ends_at) == ("loss", day("2026-01-20"), day("2026-01-21"))


def test_an_override_for_everywhere_keeps_the_policy_of_where_the_customer_is_served() -> None:
    """Where nothing is beneath it, too; one for a country that nothing is granted in stops at its limit."""
    sold = held(Sold(date(2025, 1, 1), zone="UTC", parts=(Part("pro", "1"),)))
    grants = [limited("pro", "seats", 10, overage="bill")]
    everywhere = old.Override("1", "seats", None, Fraction(50), "UTC", date(2025, 6, 1), None)
    of_france = old.Override("2", "seats", "FR", Fraction(80), "UTC", date(2025, 6, 1), None)
    said = {s.region: s.answer for s in old_access(sold, grants=grants, overrides=[everywhere, of_france])}
    fifty = Answer(allowed=True, limit=Fraction(50), overage="bill")
    assert said == {"*": fifty, "DE": fifty, "FR": Answer(allowed=True, limit=Fraction(80), overage="block")}


def test_past_what_is_not_limited_or_not_allowed_no_policy_counts() -> None:
    def told(policy: str, allowed: bool, limit: int | None) -> list[Span]:
        units = None if limit is None else Fraction(limit)
        return [Span("seats", "DE", SINCE, UNTIL, Answer(allowed, units, policy))]  # type: ignore[arg-type]

    for allowed, limit, kinds in ((True, None, []), (False, 0, []), (True, 10, ["change"])):
        found = access_differences(told("bill", allowed, limit), told("block", allowed, limit))
        assert [d.kind for d in found] == kinds


def test_a_pause_takes_access_from_its_first_day_and_gives_it_back_on_the_day_of_return() -> None:
    sold = Sold(
        date(2025, 1, 1),
        zone="UTC",
        parts=(Part("pro", "1"),),
        paused_on=date(2026, 2, 10),
        resumes_on=date(2026, 3, 1),
    )
    before = old_access(held(sold), grants=[limited("pro", "seats", 10)])
    assert told(before) == [("2026-01-01", "2026-02-10", "10"), ("2026-03-01", "2027-02-01", "10")]
    assert new_access(row(10), state=new.State(day("2026-02-10"), day("2026-03-01"))) == before


def test_cancelled_at_period_end_keeps_access_through_the_last_day() -> None:
    sold = Sold(date(2025, 12, 10), zone="Europe/Berlin", parts=(Part("pro", "1"),), last_day=date(2026, 3, 9))
    (span,) = old_access(held(sold), grants=[limited("pro", "seats", 10)])
    # 10 March, 00:00 in Berlin.
    assert span.ends_at == datetime(2026, 3, 9, 23, tzinfo=UTC)


def test_an_upgrade_that_is_agreed_changes_access_on_its_day() -> None:
    sold = Sold(
        date(2025, 1, 1),
        zone="UTC",
        parts=(Part("pro", "1"),),
        changes=(Agreed("upgrade", date(2026, 5, 1), price="2"),),
    )
    grants = [limited("pro", "seats", 10), limited("other", "seats", None)]
    before = old_access(held(sold), grants=grants)
    assert told(before) == [("2026-01-01", "2026-05-01", "10"), ("2026-05-01", "2027-02-01", "None")]


def test_where_a_plan_forbids_and_an_add_on_allows_the_add_on_speaks() -> None:
    parts = (Part("pro", "1"), Part("sso", "1", kind="add_on", first_day=date(2026, 4, 1)))
    grants = [limited("pro", "sso", 0), limited("sso", "sso", None)]
    spans = old_access(held(Sold(date(2025, 1, 1), zone="UTC", parts=parts)), grants=grants)
    assert [(s.answer.allowed, s.starts_at) for s in spans] == [(False, SINCE), (True, day("2026-04-01"))]


def test_differences_are_cut_where_anything_changes_and_joined_where_it_does_not() -> None:
    before = (Span("f", "DE", day("2026-01-01"), day("2026-06-01"), BILL_200),)
    after = (
        Span("f", "DE", day("2026-02-01"), day("2026-03-01"), BILL_200),
        Span("f", "DE", day("2026-03-01"), day("2026-07-01"), Answer(True, Fraction(300), "bill")),
    )
    found = access_differences(before, after)
    assert [(d.kind, d.starts_at.month, d.ends_at and d.ends_at.month) for d in found] == [
        ("loss", 1, 2),
        ("gain", 3, 6),
        ("gain", 6, 7),
    ]
    assert access_differences(before, before) == ()


def test_a_span_without_end_is_compared_without_end() -> None:
    before = (Span("f", "DE", SINCE, None, BILL_200),)
    (loss,) = access_differences(before, (Span("f", "DE", SINCE, day("2026-06-01"), BILL_200),))
    assert (loss.kind, loss.starts_at, loss.ends_at, loss.after) == ("loss", day("2026-06-01"), None, None)
