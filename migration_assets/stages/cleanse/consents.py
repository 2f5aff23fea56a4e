"""What customers and contacts have agreed to after rows were brought together, and that nothing was won by it (I23).

The rule itself is `domain.consent`. An event with a contact is the contact's and says nothing of the customer; where
the contact does not go on, neither does the event (`Field.about`). An event that has lost its contact all the same is
not counted here, so that it allows nobody anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from migration_assets.stages.references import empty

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

# What holds for a customer (contact_id missing) or a contact. Key: customer_id, contact_id, purpose, channel.
# `because`: domain.consent.Because. `allowed_before`: whether the events of some single source customer allowed it,
# before rows became one customer; `events`: how many there are.
CONSENT_STATES = ibis.schema(
    {
        "customer_id": "string",
        "contact_id": "string",
        "purpose": "string",
        "channel": "string",
        "allowed": "boolean",
        "because": "string",
        "lawful_basis": "string",
        "decided_at": "timestamp('UTC', 6)",
        "consent_id": "string",
        "events": "int64",
        "allowed_before": "boolean",
    }
)
# Suppressed addresses by channel, each counted once, in the rows that were read and in those that go on; `missing`:
# those of the former that are not among the latter. No address is shown.
SUPPRESSED = ibis.schema({"channel": "string", "addresses_before": "int64", "addresses": "int64", "missing": "int64"})
_ASKED = ("purpose", "channel")


def consent_states(engine: DuckDBEngine, kept: ir.Table, said: ir.Table) -> ir.Table:
    """CONSENT_STATES. `kept`: consent rows after merging, references settled; `said`: the same rows before, with the
    customer and the contact that the source names."""
    before = said.select(consent_id="consent_id", _customer="customer_id", _contact="contact_id")
    known = engine.cached(kept.inner_join(before, "consent_id"))
    own = known.filter(known["_contact"].isnull() | known["contact_id"].notnull())
    whole = state_of(own, ("customer_id", "contact_id", *_ASKED))
    single = state_of(own, ("customer_id", "_customer", "contact_id", *_ASKED))
    some = single.group_by(["customer_id", "contact_id", *_ASKED]).aggregate(_some=single["allowed"].any())
    asked = some.rename(_of="customer_id", _contact="contact_id", _purpose="purpose", _channel="channel")
    same = [
        whole["customer_id"] == asked["_of"],
        whole["contact_id"].identical_to(asked["_contact"]),
        whole["purpose"] == asked["_purpose"],
        whole["channel"] == asked["_channel"],
    ]
    joined = whole.left_join(asked, same)
    return (
        joined.mutate(allowed_before=joined["_some"].fill_null(False))
        .select(*CONSENT_STATES.names)
        .cast(CONSENT_STATES)
    )


def state_of(events: ir.Table, by: tuple[str, ...]) -> ir.Table:
    """The state for each combination of `by`, with the columns of CONSENT_STATES but `allowed_before`."""
    shown = events.mutate(_shown=(events["decision"] != "granted") | (events["evidence"].fill_null("").strip() != ""))
    groups = ibis.window(group_by=list(by))
    latest = shown["decided_at"].max(where=shown["_shown"]).over(groups)
    dated = shown.mutate(_latest=latest)
    marked = dated.mutate(_last=(dated["_shown"] & (dated["decided_at"] == dated["_latest"])).fill_null(False))
    last, key = marked["_last"], marked["consent_id"]
    found = marked.group_by(list(by)).aggregate(
        _first=marked["decision"].min(where=last),
        _other=marked["decision"].max(where=last),
        _basis=ibis.struct({"basis": marked["lawful_basis"]}).argmin(key, where=last),
        _id=key.min(where=last),
        _at=marked["_latest"].max(),
        _ever=marked["decided_at"].max(),
        events=marked.count(),
    )
    one = (found["_first"] == found["_other"]).fill_null(False)
    because = ibis.cases((found["_first"].isnull(), "no_evidence"), (~one, "tie"), else_=found["_first"])
    return found.select(
        *by,
        "events",
        allowed=one & (found["_first"] == "granted"),
        because=because,
        lawful_basis=one.ifelse(found["_basis"]["basis"], ibis.null("string")),
        decided_at=ibis.coalesce(found["_at"], found["_ever"]),
        consent_id=one.ifelse(found["_id"], ibis.null("string")),
    )


def suppressed(kept: ir.Table, read: ir.Table) -> ir.Table:
    """SUPPRESSED. `kept`: suppressions that go on; `read`: those that were read."""
    after, before = (t.select("channel", "address").distinct() for t in (kept, read))
    lost = before.anti_join(after, ["channel", "address"]).group_by("channel").aggregate(missing=ibis._.count())
    there = after.group_by("channel").aggregate(addresses=ibis._.count())
    was = before.group_by("channel").aggregate(addresses_before=ibis._.count())
    joined = was.left_join(there, "channel").drop("channel_right").left_join(lost, "channel").drop("channel_right")
    return (
        joined.mutate(addresses=joined["addresses"].fill_null(0), missing=joined["missing"].fill_null(0))
        .select(*SUPPRESSED.names)
        .cast(SUPPRESSED)
    )


def no_consents(engine: DuckDBEngine) -> ir.Table:
    """CONSENT_STATES of a plan that feeds no consent."""
    return empty(engine, CONSENT_STATES)


def no_suppressions(engine: DuckDBEngine) -> ir.Table:
    """SUPPRESSED of a plan that feeds no suppression."""
    return empty(engine, SUPPRESSED)
