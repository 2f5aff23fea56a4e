from __future__ import annotations

import random
from dataclasses import replace
from datetime import date

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from migration_assets.domain.predicates import Predicate
from migration_assets.plan.identity_models import Identity, IdentityKey, IdentityLink
from migration_assets.stages.identities import decide
from migration_assets.stages.identities.components import components
from migration_assets.stages.identities.decide import Facts, Likely
from migration_assets.stages.identities.facts import FactRows
from migration_assets.stages.identities.resolve import around_parted, resolve_identities

IDENTITY = Identity(
    priority=("crm", "erp"),
    links=(IdentityLink(name="account", table="erp.c", column="account", to_table="crm.a", reason="Declared."),),
    keys=(IdentityKey(name="mailbox", entity="customer", fields=("email",), reason="Same mailbox."),),
    never_merge=(Predicate(field="status", op="eq", value="erased"),),
)


def resolved(engine, canonical, customers, accounts):
    """customer_id -> (identity_id, rule); `accounts`: what each ERP row declares, in the order of the rows given."""
    numbers = [i for i, c in enumerate(customers, start=1) if c["customer_id"].startswith("erp.c:")]
    raw = engine.table(pa.table({"_row": numbers, "account": pa.array(accounts, pa.string())}))
    rows = canonical("customer", *customers)
    found = resolve_identities(engine, IDENTITY, rows, lambda _: raw, ask=lambda _: no_facts(engine))
    return {r["customer_id"]: (r["identity_id"], r["rule"]) for r in engine.arrow(found.identities).to_pylist()}


def no_facts(engine):
    def rows(*columns):
        return engine.table(pa.schema(dict.fromkeys(("customer_id", *columns), pa.string())).empty_table())

    return FactRows(billed=rows(), plans=rows("plan_code"), tax_ids=rows("country", "tax_number"))


def customer(key, **given):
    return {"customer_id": key, "status": "active", **given}


def test_a_declared_link_leads_to_the_erased_account(engine, canonical) -> None:
    rows = [customer("crm.a:1", status="erased"), customer("erp.c:7", name="Jane Doe")]
    assert resolved(engine, canonical, rows, ["1"]) == {
        "crm.a:1": ("crm.a:1", "account"), "erp.c:7": ("crm.a:1", "account"),
    }  # fmt: skip


def test_likeness_leads_neither_to_an_erased_row_nor_to_what_is_linked_with_it(engine, canonical) -> None:
    rows = [
        customer("crm.a:1", status="erased", email="gone@x.example"),
        customer("crm.a:2", email="gone@x.example"),
        customer("crm.a:3", email="jane@x.example"),
        customer("erp.c:7", email="jane@x.example"),
        customer("erp.c:8", email="jane@x.example"),
    ]
    found = resolved(engine, canonical, rows, ["1", None])
    assert {key: identity for key, (identity, _) in found.items()} == {
        "crm.a:1": "crm.a:1", "erp.c:7": "crm.a:1",
        "crm.a:2": "crm.a:2",
        "crm.a:3": "crm.a:3", "erp.c:8": "crm.a:3",
    }  # fmt: skip


def test_without_erased_rows_links_and_keys_join_as_before(engine, canonical) -> None:
    rows = [customer("crm.a:1"), customer("crm.a:2", email="j@x.example"), customer("erp.c:7", email="j@x.example")]
    found = resolved(engine, canonical, rows, ["1"])
    assert found["crm.a:2"] == ("crm.a:1", "mailbox")
    assert found["erp.c:7"] == ("crm.a:1", "account")
    assert found["crm.a:1"] == ("crm.a:1", "account mailbox"), "the founder of what is linked speaks for all of it"


def test_an_erased_row_is_like_nobody_whatever_the_plan_says_and_does_not_part_the_others(engine, canonical) -> None:
    rows = [
        customer("crm.a:1", status="erased", email="j@x.example"),
        customer("crm.a:2", email="j@x.example"),
        customer("crm.a:3", email="j@x.example"),
    ]
    raw = engine.table(pa.table({"_row": pa.array([], pa.int64()), "account": pa.array([], pa.string())}))
    silent = IDENTITY.model_copy(update={"never_merge": ()})
    found = resolve_identities(engine, silent, canonical("customer", *rows), lambda _: raw, lambda _: no_facts(engine))
    identities = {r["customer_id"]: r["identity_id"] for r in engine.arrow(found.identities).to_pylist()}
    assert identities == {"crm.a:1": "crm.a:1", "crm.a:2": "crm.a:2", "crm.a:3": "crm.a:2"}


def alike(*pairs):
    rows = [dict(zip(("a", "b", "probability", "told_apart"), (*p, False)[:4], strict=True)) for p in pairs]
    types = {"a": pa.string(), "b": pa.string(), "probability": pa.float64(), "told_apart": pa.bool_()}
    return pa.Table.from_pylist(rows, schema=pa.schema(types))


def decided(engine, canonical, customers, pairs, answers=None, **facts):
    """(customer_id -> identity_id, doubts as (a, b, rule, reason)); facts: table -> rows."""
    known = no_facts(engine)
    given = {n: getattr(known, n).union(engine.table(pa.Table.from_pylist(rows))) for n, rows in facts.items()}
    asked = []

    def ask(rows):
        asked.extend(engine.arrow(rows)["customer_id"].to_pylist())
        return replace(known, **{n: told.semi_join(rows, "customer_id") for n, told in given.items()})

    rows = canonical("customer", *customers)
    raw = engine.table(pa.table({"_row": pa.array([], pa.int64()), "account": pa.array([], pa.string())}))
    found = resolve_identities(
        engine, IDENTITY, rows, lambda _: raw, ask, lambda _: alike(*pairs), merge_at=0.99, answers=answers
    )
    identities = {r["customer_id"]: r["identity_id"] for r in engine.arrow(found.identities).to_pylist()}
    doubts = [(r["a"], r["b"], r["rule"], r["reason"]) for r in engine.arrow(found.doubts).to_pylist()]
    return identities, doubts, asked


def test_likeness_merges_from_the_threshold_and_asks_below(engine, canonical) -> None:
    rows = [customer(f"crm.a:{n}") for n in range(1, 6)]
    pairs = [("crm.a:1", "crm.a:2", 0.99), ("crm.a:3", "crm.a:4", 0.98)]
    identities, doubts, asked = decided(engine, canonical, rows, pairs)
    assert identities == {f"crm.a:{n}": f"crm.a:{1 if n == 2 else n}" for n in range(1, 6)}
    assert doubts == [("crm.a:3", "crm.a:4", "likeness", "unsure")]
    assert asked == ["crm.a:1", "crm.a:2", "crm.a:3", "crm.a:4"], "facts of nobody else are read"


def test_likeness_does_not_merge_those_whom_just_one_thing_tells_apart(engine, canonical) -> None:
    rows = [customer("crm.a:1"), customer("crm.a:2")]
    identities, doubts, _ = decided(engine, canonical, rows, [("crm.a:1", "crm.a:2", 1.0, True)])
    assert identities["crm.a:2"] == "crm.a:2"
    assert doubts == [("crm.a:1", "crm.a:2", "likeness", "told_apart")]


def test_a_key_does_not_merge_two_that_were_both_billed(engine, canonical) -> None:
    rows = [customer("crm.a:1", email="j@x.example"), customer("crm.a:2", email="j@x.example")]
    billed = [{"customer_id": "crm.a:1"}, {"customer_id": "crm.a:2"}]
    identities, doubts, _ = decided(engine, canonical, rows, [("crm.a:1", "crm.a:2", 0.7)], billed=billed)
    assert identities["crm.a:2"] == "crm.a:2"
    assert doubts == [("crm.a:1", "crm.a:2", "mailbox", "two_payers")]


def test_what_a_person_tied_to_a_customer_speaks_for_it(engine, canonical) -> None:
    rows = [customer(f"crm.a:{n}") for n in range(1, 4)]
    billed = [{"customer_id": "crm.a:1"}, {"customer_id": "crm.a:3"}]
    identities, doubts, asked = decided(
        engine, canonical, rows, [("crm.a:2", "crm.a:3", 1.0)], {("crm.a:1", "crm.a:2"): True}, billed=billed
    )
    assert asked == ["crm.a:1", "crm.a:2", "crm.a:3"]
    assert identities == {"crm.a:1": "crm.a:1", "crm.a:2": "crm.a:1", "crm.a:3": "crm.a:3"}
    assert doubts == [("crm.a:2", "crm.a:3", "likeness", "two_payers")]


def test_plans_and_tax_numbers_speak_against_a_merge(engine, canonical) -> None:
    rows = [customer(f"crm.a:{n}") for n in range(1, 5)]
    pairs = [("crm.a:1", "crm.a:2", 1.0), ("crm.a:3", "crm.a:4", 1.0)]
    plans = [{"customer_id": f"crm.a:{n}", "plan_code": "basic"} for n in (1, 2)]
    tax_ids = [{"customer_id": f"crm.a:{n}", "country": "DE", "tax_number": f"DE{n}"} for n in (3, 4)]
    _, doubts, _ = decided(engine, canonical, rows, pairs, plans=plans, tax_ids=tax_ids)
    assert {d[3] for d in doubts} == {"same_plan_twice", "two_tax_ids"}


def test_what_a_person_decided_ties_and_parts_by_key_in_whatever_order(engine, canonical) -> None:
    rows = canonical("customer", *(customer(f"crm.a:{n}", email="j@x.example" if n < 3 else None) for n in range(1, 5)))
    raw = engine.table(pa.table({"_row": pa.array([], pa.int64()), "account": pa.array([], pa.string())}))
    answers = {("crm.a:2", "crm.a:1"): False, ("crm.a:4", "crm.a:3"): True, ("crm.a:1", "crm.a:404"): True}
    found = resolve_identities(engine, IDENTITY, rows, lambda _: raw, ask=lambda _: no_facts(engine), answers=answers)
    identities = {r["customer_id"]: (r["identity_id"], r["rule"]) for r in engine.arrow(found.identities).to_pylist()}
    assert identities == {
        "crm.a:1": ("crm.a:1", ""), "crm.a:2": ("crm.a:2", ""),
        "crm.a:3": ("crm.a:3", "decision"), "crm.a:4": ("crm.a:3", "decision"),
    }  # fmt: skip
    assert engine.count(found.doubts) == 0


def test_what_tied_the_rows_of_an_identity_is_kept(engine, canonical) -> None:
    rows = canonical("customer", *(customer(f"crm.a:{n}", email="j@x.example") for n in (1, 2)), customer("erp.c:7"))
    raw = engine.table(pa.table({"_row": [3], "account": ["2"]}))
    found = resolve_identities(engine, IDENTITY, rows, lambda _: raw, ask=lambda _: no_facts(engine))
    ties = [tuple(r.values()) for r in engine.arrow(found.ties).to_pylist()]
    assert ties == [("crm.a:1", "crm.a:2", "key", "mailbox", 1.0), ("crm.a:2", "erp.c:7", "link", "account", 1.0)]


def taken_out(engine, canonical, answers, size=3):
    """Identities of rows that share a mailbox, after these pairs were parted."""
    rows = canonical("customer", *(customer(f"crm.a:{n}", email="j@x.example") for n in range(size)))
    raw = engine.table(pa.table({"_row": pa.array([], pa.int64()), "account": pa.array([], pa.string())}))
    apart = {(f"crm.a:{a}", f"crm.a:{b}"): False for a, b in answers}
    found = resolve_identities(engine, IDENTITY, rows, lambda _: raw, ask=lambda _: no_facts(engine), answers=apart)
    identities = {r["customer_id"]: r["identity_id"] for r in engine.arrow(found.identities).to_pylist()}
    assert engine.count(found.doubts) == 0
    return [int(identities[f"crm.a:{n}"][-1]) for n in range(size)]


def test_one_of_three_is_taken_out_and_the_others_stay_together_be_it_the_founder(engine, canonical) -> None:
    assert taken_out(engine, canonical, []) == [0, 0, 0]
    assert taken_out(engine, canonical, [(0, 2), (1, 2)]) == [0, 0, 2]
    assert taken_out(engine, canonical, [(0, 1), (1, 2)]) == [0, 1, 0]
    assert taken_out(engine, canonical, [(0, 1), (0, 2)]) == [0, 1, 1]
    assert taken_out(engine, canonical, [(0, 1), (0, 2), (1, 2)]) == [0, 1, 2]
    assert taken_out(engine, canonical, [(0, 1), (0, 2), (0, 3)], size=4) == [0, 1, 1, 1]


def test_pairs_by_keys_are_as_they_were_where_nobody_was_parted() -> None:
    star = [(0, 1, "k"), (0, 2, "k"), (3, 4, "k")]
    assert around_parted(star, {}) == around_parted(star, {(0, 1): True, (1, 3): False}) == star
    assert around_parted(star, {(0, 1): False}) == [*star, (1, 2, "k")]


@given(st.integers(2, 7), st.data())
def test_whoever_is_taken_out_of_those_that_share_a_key_both_sides_stay_whole(size: int, data: st.DataObject) -> None:
    out = data.draw(st.sets(st.integers(0, size - 1), min_size=1, max_size=size - 1))
    apart = {(min(a, b), max(a, b)): False for a in out for b in set(range(size)) - out}
    pairs = [Likely(a, b, 1.0, rule) for a, b, rule in around_parted([(0, n, "k") for n in range(1, size)], apart)]
    done = decide.decided(size, [], pairs, Facts(answers=apart), merge_at=1.0)
    groups = components(size, [(p.a, p.b) for p in done.merged])
    assert done.doubts == () and len(set(groups)) == 2
    assert {groups[n] for n in out} == {min(out)}


def born(key, date=None):
    return customer(key, email="j@x.example", birth_date=date)


def test_a_key_does_not_merge_father_and_son(engine, canonical) -> None:
    rows = [born("crm.a:1", date(1955, 3, 9)), born("crm.a:2", date(1987, 11, 24)), born("crm.a:3", date(1987, 11, 24))]
    identities, doubts, _ = decided(engine, canonical, rows, [])
    assert identities == {"crm.a:1": "crm.a:1", "crm.a:2": "crm.a:2", "crm.a:3": "crm.a:2"}
    assert {d[3] for d in doubts} == {"told_apart"}
    assert ("crm.a:1", "crm.a:2", "mailbox", "told_apart") in doubts


def test_who_has_no_birth_date_does_not_bring_father_and_son_together(engine, canonical) -> None:
    rows = [born("crm.a:1"), born("crm.a:2", date(1955, 3, 9)), born("crm.a:3", date(1987, 11, 24))]
    identities, doubts, _ = decided(engine, canonical, rows, [])
    assert identities == {"crm.a:1": "crm.a:1", "crm.a:2": "crm.a:1", "crm.a:3": "crm.a:3"}
    assert doubts == [("crm.a:1", "crm.a:3", "mailbox", "told_apart")]


def test_a_slip_in_a_birth_date_tells_nobody_apart_who_shares_a_key(engine, canonical) -> None:
    rows = [born("crm.a:1", date(1955, 3, 9)), born("crm.a:2", date(1955, 9, 3)), born("crm.a:3", date(1956, 3, 9))]
    identities, doubts, _ = decided(engine, canonical, rows, [])
    assert set(identities.values()) == {"crm.a:1"}
    assert doubts == []


def test_a_link_ties_whatever_the_birth_dates(engine, canonical) -> None:
    rows = [born("crm.a:1", date(1955, 3, 9)), born("erp.c:7", date(1987, 11, 24))]
    assert resolved(engine, canonical, rows, ["1"])["erp.c:7"][0] == "crm.a:1"


def crowd(size, system="crm.a", mail="info@x.example", **given):
    return [customer(f"{system}:{n:03}", email=mail, **given) for n in range(size)]


def resolution(engine, canonical, customers, identity=IDENTITY, pairs=()):
    """(sets of keys that are one customer, crowds as (customer_id, rule, crowd, records), doubts)."""
    raw = engine.table(pa.table({"_row": pa.array([], pa.int64()), "account": pa.array([], pa.string())}))
    rows = canonical("customer", *customers)
    ask = lambda _: no_facts(engine)  # noqa: E731 - nothing is known of anybody
    found = resolve_identities(engine, identity, rows, lambda _: raw, ask, lambda _: alike(*pairs), merge_at=0.99)
    groups: dict[str, set[str]] = {}
    for r in engine.arrow(found.identities).to_pylist():
        groups.setdefault(r["identity_id"], set()).add(r["customer_id"])
    crowds = engine.arrow(found.crowds).to_pylist()
    told = [(r["customer_id"], r["rule"], r["crowd"], r["records"]) for r in crowds]
    return sorted(map(sorted, groups.values())), told, found.doubts


def keyed(**given):
    return IDENTITY.model_copy(update={"keys": (IDENTITY.keys[0].model_copy(update=given),)})


def test_what_a_crowd_shares_is_no_key_and_is_told(engine, canonical) -> None:
    few = crowd(3, mail="jane@x.example", system="erp.c")
    groups, crowds, doubts = resolution(engine, canonical, [*crowd(300), *few])
    assert [g for g in groups if len(g) > 1] == [["erp.c:000", "erp.c:001", "erp.c:002"]]
    assert crowds == [(f"crm.a:{n:03}", "mailbox", "crm.a:000", 300) for n in range(300)]
    assert engine.arrow(doubts).num_rows == 0, "nobody is asked about three hundred strangers"


def test_a_crowd_is_of_one_system_and_begins_where_the_plan_says(engine, canonical) -> None:
    both = [*crowd(100), *crowd(100, system="erp.c")]
    assert [len(g) for g in resolution(engine, canonical, both)[0]] == [200], "one customer stands in several systems"
    assert len(resolution(engine, canonical, [*both, customer("crm.a:x", email="info@x.example")])[0]) == 201
    assert [len(g) for g in resolution(engine, canonical, crowd(300), keyed(shared_by_at_most=300))[0]] == [300]
    assert [len(g) for g in resolution(engine, canonical, crowd(3), keyed(shared_by_at_most=2))[0]] == [1, 1, 1]


def test_of_a_crowd_only_something_else_ties(engine, canonical) -> None:
    names = IdentityKey(name="names", entity="customer", fields=("email", "name"), reason="Same names, too.")
    rows = [*crowd(150), customer("crm.a:x", email="info@x.example", name="Jo"), customer("erp.c:7", name="Jo")]
    rows += [customer("erp.c:8", email="info@x.example", name="Jo")]
    identity = IDENTITY.model_copy(update={"keys": (*IDENTITY.keys, names)})
    groups, crowds, _ = resolution(engine, canonical, rows, identity, [("crm.a:000", "crm.a:001", 0.995)])
    assert [g for g in groups if len(g) > 1] == [["crm.a:000", "crm.a:001"], ["crm.a:x", "erp.c:8"]]
    assert ("erp.c:8", "mailbox", "crm.a:000", 151) in crowds, "also where another system has the value once"


def test_an_erased_row_holds_back_nobody_of_its_crowd(engine, canonical) -> None:
    gone = customer("crm.a:gone", email="info@x.example", status="erased")
    groups, _, doubts = resolution(engine, canonical, [gone, *crowd(150)])
    assert (len(groups), engine.arrow(doubts).num_rows) == (151, 0)


def test_crowds_are_the_same_in_whatever_order_the_rows_come(engine, canonical) -> None:
    rows = [*crowd(120), *crowd(101, system="erp.c"), *crowd(3, mail="jane@x.example", system="erp.d")]
    shuffled = random.Random(11).sample(rows, len(rows))
    one, other = resolution(engine, canonical, rows), resolution(engine, canonical, shuffled)
    assert one[:2] == other[:2] and (len(one[0]), len(one[1])) == (222, 221)
