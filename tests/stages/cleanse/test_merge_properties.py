"""What no merge may do, over random families, with the functions that do it in a migration (I20, I22, I23).

One example holds several families, because an expression costs far more to build than to run. A failing one prints the
blob that reproduces it.
"""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime
from fractions import Fraction

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from migration_assets.domain.canonical import ENTITIES
from migration_assets.plan.identity_models import Identity, SurvivorRule
from migration_assets.stages.canonical import redirected
from migration_assets.stages.cleanse.consents import consent_states
from migration_assets.stages.cleanse.hierarchy import without_circles
from migration_assets.stages.cleanse.survivorship import erased_identities, merged, survivors
from migration_assets.stages.identities.resolve import resolve_identities
from migration_assets.stages.references import FATES, empty, settle

PROPERTIES = settings(
    max_examples=5,
    deadline=None,
    print_blob=True,
    # Making a failing example smaller takes minutes, and each has few families anyway.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
PRIORITY = ("crm", "erp")
PERSONAL = [f.name for f in ENTITIES["customer"].fields if f.sensitivity == "personal" and f.name != "name"]
TEXTS = ("phone", "email", "website", "tax_id", "industry")
KEYS = [f"{system}.a:{n}" for system in PRIORITY for n in range(8)]
INSTANTS = [None, *(datetime(2026, 1, d, tzinfo=UTC) for d in (1, 2, 3))]


def some(*values):
    return st.sampled_from([None, *values])


CUSTOMER = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["person", "company"]),
        "status": st.sampled_from(["active", "active", "active", "erased"]),
        "name": st.sampled_from(["Jane Doe", "Jane M. Doe", "J. Doe"]),
        "given_name": some("Jane", "J."),
        "family_name": some("Doe", "Roe"),
        "country": some("DE", "US"),
        "state": some("BE", "CA"),
        "currency": some("EUR", "JPY"),
        "credit_limit_minor": some(0, 1, 100, 101, 2**62),
        "parent_id": st.sampled_from([None, None, *KEYS]),
        "source_updated_at": st.sampled_from(INSTANTS),
        **{name: some("a", "bb", "ccc") for name in TEXTS},
    }
)
CUSTOMERS = st.lists(CUSTOMER, min_size=len(KEYS), max_size=len(KEYS)).map(
    lambda rows: [{"customer_id": key, **row} for key, row in zip(KEYS, rows, strict=True)]
)
SAME = st.lists(
    st.tuples(st.sampled_from(KEYS), st.sampled_from(KEYS)).filter(lambda p: p[0] != p[1]), min_size=5, max_size=12
)
SYSTEMS = st.sampled_from([(), ("erp",), ("erp", "crm")])
STRATEGY = st.sampled_from(["priority", "most_recent", "most_complete", "longest", "manual"])


@st.composite
def rules(draw) -> tuple[SurvivorRule, ...]:
    """A rule for the name, one or two for the texts, one for the limit."""
    cut = draw(st.integers(1, len(TEXTS)))
    made = [
        SurvivorRule(fields=fields, strategy=draw(STRATEGY), systems=draw(SYSTEMS), reason="At random.")
        for fields in (("name",), TEXTS[:cut], TEXTS[cut:]) if fields
    ]  # fmt: skip
    weights = draw(st.dictionaries(st.sampled_from(PRIORITY), st.integers(1, 5), min_size=1))
    strategy = draw(st.sampled_from(["weighted_average", "priority", "most_recent"]))
    weighted = {"weights": weights} if strategy == "weighted_average" else {}
    return (*made, SurvivorRule(fields=("credit_limit_minor",), strategy=strategy, reason="At random.", **weighted))


def resolved(engine, rows, same):
    """Who is who, when persons have said of these pairs that they are one."""
    answers = {tuple(sorted(pair)): True for pair in same}
    found = resolve_identities(
        engine, Identity(priority=PRIORITY), rows, lambda _: empty(engine, FATES), None, answers=answers
    )
    return found.identities


def listed(engine, table, *order):
    return engine.arrow(table.order_by(list(order)) if order else table).to_pylist()


# --- the rules once more, one customer at a time ---


def _present(rows, name):
    return [r for r in rows if r[name] is not None]


def _in_order(rows, rule, name):
    """The rows of one customer, already in the plan's order, as a rule asks them."""
    place = {s: i for i, s in enumerate(rule.systems)} if rule else {}

    def first(row):
        if rule is None or rule.strategy in ("priority", "manual", "weighted_average"):
            return 0
        if rule.strategy == "most_recent":
            return -(row["source_updated_at"] or datetime.min.replace(tzinfo=UTC)).timestamp()
        if rule.strategy == "longest":
            return -len(row[name] or "")
        counted = rule.fields if len(rule.fields) > 1 else [f.name for f in ENTITIES["customer"].fields]
        return -sum(row.get(n) is not None for n in counted)

    return sorted(rows, key=lambda r: (first(r), place.get(r["customer_id"][:3], len(place))))


def expected(rows, given_rules):
    """One customer out of rows that stand in the plan's order."""
    ruled = {name: rule for rule in given_rules for name in rule.fields}

    def won(name, candidates):
        return next(iter(_present(_in_order(candidates, ruled.get(name), name), name)), None)

    made = {}
    for name in ("name", "country", "currency", *TEXTS):
        giver = won(name, rows)
        made[name] = giver and giver[name]
        rest = [r for r in rows if r[name] == made[name]]
        first = [giver, *(r for r in rest if r is not giver)] if giver else rest
        if name == "name":
            made["kind"] = first[0]["kind"]
            parts = next((r for r in first if r["given_name"] or r["family_name"]), {})
            made |= {part: parts.get(part) for part in ("given_name", "family_name")}
        if name == "country":
            made["state"] = next((r["state"] for r in first if r["state"]), None)
        if name == "currency":
            made["credit_limit_minor"] = _limit(rest, ruled["credit_limit_minor"], won)
    return made


def _limit(rows, rule, won):
    there = _present(rows, "credit_limit_minor")
    if rule.strategy != "weighted_average":
        giver = won("credit_limit_minor", there)
        return giver and giver["credit_limit_minor"]
    weights = [rule.weights.get(r["customer_id"][:3], 1) for r in there]
    total = sum(w * r["credit_limit_minor"] for w, r in zip(weights, there, strict=True))
    return round(Fraction(total, sum(weights))) if there else None


def _rank(row, founder):
    changed = row["source_updated_at"]
    return (
        row["customer_id"] != founder,
        PRIORITY.index(row["customer_id"][:3]),
        changed is None,
        -(changed.timestamp() if changed else 0),
        row["customer_id"],
    )


@PROPERTIES
@given(CUSTOMERS, SAME, rules(), st.integers())
def test_each_customer_is_what_the_rules_say_whatever_order_rows_come_in(
    engine, canonical, customers, same, given_rules, seed
) -> None:
    identity = Identity(priority=PRIORITY, survivorship=given_rules)
    rows = canonical("customer", *customers)
    known = resolved(engine, rows, same)
    founder = {r["customer_id"]: r["identity_id"] for r in listed(engine, known)}
    made = survivors(engine, rows, known, identity, erased_identities(rows, known))
    found = listed(engine, made.rows, "customer_id")
    erased = {founder[c["customer_id"]] for c in customers if c["status"] == "erased"}

    for row in found:
        members = [c for c in customers if founder[c["customer_id"]] == row["customer_id"]]
        if row["customer_id"] in erased:
            assert (row["name"], row["status"], [row[n] for n in PERSONAL if row[n]]) == ("(erased)", "erased", [])
            continue
        wanted = expected(sorted(members, key=lambda r: _rank(r, row["customer_id"])), given_rules)
        assert {name: row[name] for name in wanted} == wanted

    shuffled = engine.arrow(rows).take(random.Random(seed).sample(range(len(customers)), len(customers)))
    turned = engine.arrow(known).take(list(reversed(range(len(customers)))))
    again = survivors(engine, engine.table(shuffled), engine.table(turned), identity, erased_identities(rows, known))
    assert listed(engine, again.rows, "customer_id") == found
    for one, two in ((made.sources, again.sources), (made.conflicts, again.conflicts)):
        order = ("customer_id", "field", *(["reason"] if "reason" in one.columns else []))
        assert listed(engine, one, *order) == listed(engine, two, *order)
    _sources_are_true(listed(engine, made.sources), found, customers, founder)


def _sources_are_true(sources, found, customers, founder):
    """The row a value is said to be from is a row of that customer and has that value."""
    values, raw = {r["customer_id"]: r for r in found}, {c["customer_id"]: c for c in customers}
    for s in sources:
        if s["value_from"] is None:
            assert s["strategy"] == "weighted_average" and s["distinct_values"] > 1
            continue
        assert founder[s["value_from"]] == s["customer_id"]
        if s["strategy"] != "weighted_average":
            assert raw[s["value_from"]][s["field"]] == values[s["customer_id"]][s["field"]]
        assert 1 <= s["distinct_values"] <= s["candidates"]


SUBSCRIPTION = st.tuples(st.sampled_from(KEYS), st.sampled_from(["EUR", "JPY"]), st.integers(-(10**12), 10**12))
SAID = st.tuples(
    st.sampled_from(KEYS),
    some(0, 1, 2),
    st.sampled_from(["granted", "withdrawn", "unknown"]),
    st.sampled_from(INSTANTS[1:]),
    some("form 7"),
)


@PROPERTIES
@given(CUSTOMERS, SAME, st.lists(SUBSCRIPTION, max_size=20), st.lists(SAID, max_size=20))
def test_no_merge_changes_money_contracts_contacts_or_consents_and_no_redirect_runs_in_a_circle(
    engine, canonical, customers, same, contracts, said
) -> None:
    rows = canonical("customer", *customers)
    known = resolved(engine, rows, same)
    way = {r["customer_id"]: r["identity_id"] for r in listed(engine, known)}
    assert set(way) == set(KEYS) and all(way[way[key]] == way[key] for key in KEYS)
    assert all((way[a] == way[b]) for a, b in same)

    made = survivors(
        engine, redirected(ENTITIES["customer"], rows, known), known, Identity(priority=PRIORITY),
        erased_identities(rows, known),
    )  # fmt: skip
    single = without_circles(engine, engine.cached(made.rows)).rows
    parent = {r["customer_id"]: r["parent_id"] for r in listed(engine, single)}
    for start in parent:
        seen, at = set(), start
        while at is not None:
            assert at not in seen, "a hierarchy without a top"
            seen.add(at)
            at = parent[at]
    gone = listed(engine, merged(rows, known, PRIORITY))
    assert len(parent) + len(gone) == len(KEYS) and {c["into_key"] for c in gone} <= set(parent)

    contacts = [{"contact_id": f"crm.k:{n}", "customer_id": KEYS[n], "name": "Jo"} for n in range(3)]
    events = [
        {
            "consent_id": f"crm.e:{n}", "customer_id": who if k is None else KEYS[k], "purpose": "research",
            "contact_id": None if k is None else f"crm.k:{k}", "channel": "post", "decision": what, "decided_at": when,
            "evidence": shown,
        }
        for n, (who, k, what, when, shown) in enumerate(said)
    ]  # fmt: skip
    sold = [
        {"subscription_id": f"erp.s:{n}", "customer_id": who, "currency": code, "billed_to_date_minor": amount}
        for n, (who, code, amount) in enumerate(contracts)
    ]
    parents = {"customer": single.select(key="customer_id")}
    after = {}
    for entity, given_rows in (("contact", contacts), ("consent", events), ("subscription", sold)):
        moved = redirected(ENTITIES[entity], canonical(entity, *given_rows), known)
        settled = settle(engine, ENTITIES[entity], moved, parents, empty(engine, FATES))
        key = ENTITIES[entity].key.name
        after[entity] = listed(engine, settled.rows, key)
        parents[entity] = settled.rows.select(key=key)
        assert engine.count(settled.lost) == 0
        whose = {r[key]: way[r["customer_id"]] for r in given_rows}
        assert {r[key]: r["customer_id"] for r in after[entity]} == whose and len(after[entity]) == len(given_rows)

    assert _sums(after["subscription"]) == _sums(sold)
    assert {r["consent_id"]: r["contact_id"] for r in after["consent"]} == {
        e["consent_id"]: e["contact_id"] for e in events
    }
    states = consent_states(engine, canonical("consent", *after["consent"]), canonical("consent", *events))
    assert [s for s in listed(engine, states) if s["allowed"] and not s["allowed_before"]] == []


def _sums(rows):
    total = Counter()
    for r in rows:
        total[r["currency"]] += r["billed_to_date_minor"]
    return {code: amount for code, amount in total.items() if amount}
