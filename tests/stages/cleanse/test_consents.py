"""The set-based rule of consent gives what the readable one gives, and merging wins nobody a yes (I23)."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migration_assets.domain.consent import ConsentEvent, consent_state
from migration_assets.stages.cleanse.consents import consent_states, suppressed

PROPERTIES = settings(
    max_examples=40, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
INSTANTS = [datetime(2026, 1, d, tzinfo=UTC) for d in (1, 2, 3)]
EVENT = st.fixed_dictionaries(
    {
        "customer_id": st.sampled_from(["crm.a:1", "crm.a:2", "erp.c:1"]),
        "contact_id": st.sampled_from([None, None, "crm.k:1", "crm.k:2"]),
        "purpose": st.sampled_from(["marketing", "research"]),
        "channel": st.sampled_from(["email", "post"]),
        "decision": st.sampled_from(["granted", "withdrawn", "unknown"]),
        "decided_at": st.sampled_from(INSTANTS),
        "lawful_basis": st.sampled_from([None, "consent", "contract"]),
        "evidence": st.sampled_from([None, " ", "form 7", "call 9"]),
    }
)
IDENTITY = {"crm.a:1": "crm.a:1", "crm.a:2": "crm.a:1", "erp.c:1": "erp.c:1"}


def merged_rows(canonical, said, gone=()):
    """Rows as the source has them, and as they are after customers 1 and 2 became one."""
    rows = [{"consent_id": f"crm.e:{n}", **e} for n, e in enumerate(said)]
    kept = [
        r
        | {
            "customer_id": IDENTITY[r["customer_id"]],
            "contact_id": None if r["contact_id"] in gone else r["contact_id"],
        }
        for r in rows
    ]
    return rows, canonical("consent", *rows), canonical("consent", *kept)


def readable(rows, by):
    groups = {}
    for r in rows:
        groups.setdefault(by(r), []).append(
            ConsentEvent(r["consent_id"], r["decision"], r["decided_at"], r["lawful_basis"], r["evidence"])
        )
    return {key: consent_state(events) for key, events in groups.items()}


def asked(r):
    return (r["contact_id"], r["purpose"], r["channel"])


@PROPERTIES
@given(st.lists(EVENT, max_size=14))
def test_tables_say_what_the_readable_rule_says_and_no_merge_makes_a_yes_of_noes(engine, canonical, said) -> None:
    rows, before, after = merged_rows(canonical, said)
    found = engine.arrow(consent_states(engine, after, before)).to_pylist()
    whole = readable(rows, lambda r: (IDENTITY[r["customer_id"]], *asked(r)))
    assert {
        (r["customer_id"], *asked(r)): (
            r["allowed"],
            r["because"],
            r["decided_at"],
            r["lawful_basis"],
            r["consent_id"],
        )
        for r in found
    } == {key: (s.allowed, s.because, s.decided_at, s.lawful_basis, s.consent_id) for key, s in whole.items()}
    single = readable(rows, lambda r: (r["customer_id"], *asked(r)))
    for r in found:
        some = any(
            s.allowed
            for (who, *rest), s in single.items()
            if IDENTITY[who] == r["customer_id"] and tuple(rest) == asked(r)
        )
        assert r["allowed_before"] is some
        assert some or not r["allowed"]
    assert sum(r["events"] for r in found) == len(said)


def test_what_a_contact_said_is_never_the_customers_also_when_the_contact_is_gone(engine, canonical) -> None:
    granted = {
        "customer_id": "crm.a:2", "purpose": "research", "channel": "post", "decision": "granted",
        "decided_at": INSTANTS[0], "evidence": "form 7",
    }  # fmt: skip
    said = [granted | {"contact_id": "crm.k:1"}, granted | {"contact_id": "crm.k:2"}]
    _, before, after = merged_rows(canonical, said, gone=("crm.k:2",))
    (state,) = engine.arrow(consent_states(engine, after, before)).to_pylist()
    assert (state["customer_id"], state["contact_id"], state["allowed"]) == ("crm.a:1", "crm.k:1", True)


def test_a_suppressed_address_is_missed_when_the_rows_that_go_on_do_not_have_it(engine, canonical) -> None:
    def rows(*addresses):
        return canonical(
            "suppression",
            *({"suppression_id": f"crm.s:{n}", "channel": c, "address": a} for n, (c, a) in enumerate(addresses)),
        )

    read = rows(("email", "a@x.de"), ("email", "a@x.de"), ("email", "b@x.de"), ("phone", "+1"))
    found = engine.arrow(suppressed(rows(("email", "a@x.de")), read).order_by("channel"))
    assert found.to_pylist() == [
        {"channel": "email", "addresses_before": 2, "addresses": 1, "missing": 1},
        {"channel": "phone", "addresses_before": 1, "addresses": 0, "missing": 1},
    ]
    assert engine.arrow(suppressed(read, read))["missing"].to_pylist() == [0, 0]
