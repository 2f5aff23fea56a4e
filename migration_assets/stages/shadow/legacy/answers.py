"""What the old system answers where several grants or overrides speak of one customer, feature and region.

Grants of one contract add up; where one allows and another forbids, the add-on speaks before the plan. Contracts add
up too. An override replaces all that, one for the country before one for everywhere, and of two the one that came
later; it keeps the policy past the limit of what it amends, and one for everywhere that amends nothing in a country
what holds where the customer has contracts. Not here: who has which grants and overrides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from migration_assets.stages.shadow.legacy.policies import POLICIES, allows, code_of, word_of
from migration_assets.stages.shadow.spans import ANSWER, LIMIT, SPAN, SUBJECT, joined

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

_AT = ("subject", "at")


def answered(engine: DuckDBEngine, granted: ir.Table, overrides: ir.Table, amended: ir.Table) -> ir.Table:
    """Spans of subjects, as `spans` has them.

    `granted`: the subject's columns, contract_id, add_on, place (order among grants of a customer), limit, overage,
    starts_at, ends_at. `overrides`: the subject's columns, rank (the highest of those in force speaks), everywhere,
    limit, starts_at, ends_at. `amended`: as granted, of subjects with overrides and also while contracts are halted;
    and here: False of what is granted elsewhere.
    """
    subjects = granted.select(*SUBJECT).union(overrides.select(*SUBJECT), distinct=True)
    subjects = engine.cached(subjects.mutate(subject=ibis.row_number().over(ibis.window())))
    granted, amended = (
        engine.cached(t.mutate(policy=_policy(t)).join(subjects, SUBJECT).drop(*SUBJECT)) for t in (granted, amended)
    )
    overrides = engine.cached(overrides.join(subjects, SUBJECT).drop(*SUBJECT))
    pieces = engine.cached(_pieces(engine, [granted, overrides, amended]))
    anywhere = _during(amended, pieces)
    told = pieces
    for part in (
        _together(_during(granted, pieces)),
        _speaking(overrides, pieces),
        _together(anywhere.filter(anywhere["here"])).select(*_AT, amends="policy"),
        _together(anywhere).select(*_AT, elsewhere="policy"),
    ):
        told = told.left_join(part, _AT).drop("subject_right", "at_right")
    answers = _answers(told.filter(told["allowed"].notnull() | told["rank"].notnull()))
    return joined(engine.cached(answers), ["subject"], ANSWER).join(subjects, "subject").select(*SPAN)


def _policy(granted: ir.Table) -> ir.IntegerValue:
    """Place and policy past the limit in one number, so that the least one tells the policy that holds: the plan's
    before an add-on's."""
    place = granted["add_on"].cast("int64") * 2**40 + granted["place"]
    return place * len(POLICIES) + code_of(granted["overage"])


def _pieces(engine: DuckDBEngine, rows: list[ir.Table]) -> ir.Table:
    """Times between two instants at which anything of a subject starts or ends: subject, at, until."""
    bounds = engine.union([t.select("subject", at=edge) for t in rows for edge in ("starts_at", "ends_at")]).distinct()
    until = bounds["at"].lead().over(ibis.window(group_by="subject", order_by="at"))
    cut = bounds.mutate(until=until)
    return cut.filter(cut["until"].notnull())


def _during(rows: ir.Table, pieces: ir.Table) -> ir.Table:
    """Rows in each piece that they last through."""
    own = pieces.select("at", _subject="subject")
    lasts = [rows["subject"] == own["_subject"], rows["starts_at"] <= own["at"], own["at"] < rows["ends_at"]]
    return rows.join(own, lasts).drop("_subject")


def _together(granted: ir.Table) -> ir.Table:
    """One answer for all grants of a piece: subject, at, allowed, unlimited, total, policy."""
    allowing = allows(granted["limit"])
    granted = granted.mutate(allowing=allowing, speaks=granted["add_on"].ifelse(allowing, ibis.null("boolean")))
    of_one = granted.group_by(*_AT, "contract_id").aggregate(
        # The add-ons' word where there is one.
        allowed=granted["speaks"].any().coalesce(granted["allowing"].any()),
        unlimited=(granted["allowing"] & granted["limit"].isnull()).any(),
        total=granted["limit"].sum(where=granted["allowing"]),
        if_allowed=granted["policy"].min(where=granted["allowing"]),
        if_not=granted["policy"].min(where=~granted["allowing"]),
    )
    return of_one.group_by(*_AT).aggregate(
        allowed=of_one["allowed"].any(),
        unlimited=(of_one["allowed"] & of_one["unlimited"]).any(),
        total=of_one["total"].sum(where=of_one["allowed"]),
        policy=of_one["if_allowed"].min(where=of_one["allowed"]).coalesce(of_one["if_not"].min()),
    )


def _speaking(overrides: ir.Table, pieces: ir.Table) -> ir.Table:
    """The override that speaks in each piece: subject, at, rank, everywhere, limit."""
    met = _during(overrides, pieces)
    best = met.group_by(*_AT).aggregate(rank=met["rank"].max())
    return best.join(overrides.select("subject", "rank", "everywhere", "limit").distinct(), ["subject", "rank"])


def _answers(told: ir.Table) -> ir.Table:
    """Pieces with their answers: subject, starts_at, ends_at, allowed, limit_units, overage."""
    overridden = told["rank"].notnull()
    exact = ibis.null(LIMIT)
    granted = told["allowed"].ifelse(told["unlimited"].ifelse(exact, told["total"]), ibis.literal(0).cast(LIMIT))
    elsewhere = told["everywhere"].fill_null(False).ifelse(told["elsewhere"], ibis.null("int64"))
    known = overridden.ifelse(told["amends"].coalesce(elsewhere), told["policy"])
    return told.select(
        "subject",
        starts_at="at",
        ends_at="until",
        allowed=overridden.ifelse(allows(told["limit"]), told["allowed"]),
        limit_units=overridden.ifelse(told["limit"], granted).cast(LIMIT),
        overage=word_of(known % len(POLICIES)).coalesce(ibis.literal("block")),
    )
