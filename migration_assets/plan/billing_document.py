"""What billing.yaml says as a part of the mapping specification: who signed what, how each side bills, what is read.

It shows rules and codes, never a row of data.
"""

from __future__ import annotations

from collections.abc import Iterator

from migration_assets.plan.access_models import AcceptedAccess, Budget
from migration_assets.plan.billing_models import AcceptedDifference, Billing, ReadColumn
from migration_assets.plan.billing_records import READS, RECORDS
from migration_assets.plan.billing_rules import CHOICES, alike
from migration_assets.plan.conditions import conditions
from migration_assets.plan.markdown import cell, table
from migration_assets.plan.models import Plan
from migration_assets.plan.wording import listing


def billing_section(plan: Plan) -> str:
    """How bills of both sides are made and held against each other, below a heading of the second level."""
    if plan.billing is None:
        return "The plan has no billing.yaml: nothing is proved about bills.\n"
    return "\n".join(_parts(plan, plan.billing))


def _parts(plan: Plan, billing: Billing) -> Iterator[str]:
    signed = f"{cell(billing.signed_by)} on {billing.signed_on.isoformat()}"
    yield f"That the old system bills so was signed by {signed}. Nothing of it goes through the mapping.\n"
    yield f"### How each side bills\n\n{_rules(billing)}"
    yield f"### Differences of bills that were signed for\n\n{_accepted(billing.accepted)}"
    yield f"### Differences of access that were signed for\n\n{_accepted_access(billing.accepted_access)}"
    yield f"### Differences that nobody signed for\n\n{_budgets(billing)}"
    yield "### What the old system bills from\n"
    for record, read in billing.legacy.reads.items():
        rows = conditions(read.where) or "every row"
        yield f"#### {record}\n\n{RECORDS[record]} From {cell(read.table)}: {cell(rows)}.\n"
        fields = ((name, _origin(t), _means(t), READS[record][name].says) for name, t in read.fields.items())
        yield table(("field", "from", "raw values", "is"), fields)
        if absent := [name for name in READS[record] if name not in read.fields]:
            yield f"Not read: {', '.join(absent)}.\n"
    yield f"### Features\n\n{_features(billing)}"
    rates = ((r.country, r.valid_from.isoformat(), r.percent) for r in plan.tax)
    yield f"### Tax that the new platform charges\n\n{table(('country', 'from', 'percent'), rates)}"


def _rules(billing: Billing) -> str:
    """Each choice as both sides make it; of a new platform that the plan does not tell, nothing."""
    old, new = billing.legacy.rules, billing.target.rules if billing.target else None
    rows = (
        (
            choice.about,
            getattr(old, choice.old),
            "not said" if new is None else getattr(new, choice.new),
            "" if new is None or alike(choice, old, new) else f"yes: {choice.new}",
        )
        for choice in CHOICES
    )
    return table(("choice", "old system", "new platform", "bills differ by it"), rows)


def _accepted(accepted: tuple[AcceptedDifference, ...]) -> str:
    names = ("cause", "contracts", "one invoice, at most", "until", "reason", "signed by", "on")
    rows = (
        (
            a.cause,
            ", ".join(a.contracts) or "all",
            f"{a.at_most_minor} minor units",
            *_signature(a),
        )
        for a in accepted
    )
    return table(names, rows)


def _accepted_access(accepted: tuple[AcceptedAccess, ...]) -> str:
    names = ("feature", "kind", "regions", "customers", "at most", "until", "reason", "signed by", "on")
    rows = (
        (
            a.feature,
            a.kind,
            ", ".join(a.regions) or "all",
            ", ".join(a.customers) or "all",
            f"{a.at_most_customers} customers of a cohort",
            *_signature(a),
        )
        for a in accepted
    )
    return table(names, rows)


def _budgets(billing: Billing) -> str:
    named = (("A cohort", billing.budget), ("A wave", billing.wave_budget))
    found = [_budget(who, budget) for who, budget in named if budget is not None]
    return "\n".join(found) or "One of them stops its cohort.\n"


def _budget(who: str, budget: Budget) -> str:
    yearly = budget.at_most_yearly_minor
    worth = "" if yearly is None else " with " + listing([f"{n} minor units of {c}" for c, n in yearly.items()])
    signed = f"{cell(budget.signed_by)} on {budget.signed_on.isoformat()}: {cell(budget.reason)}"
    return f"{who} goes on with at most {budget.at_most_customers} customers{worth} a year. Signed by {signed}\n"


def _signature(signed: AcceptedDifference | AcceptedAccess) -> tuple[str, str, str, str]:
    """Until when it counts, why, who signed, and on which day."""
    until = f"before {signed.expires_on.isoformat()}" if signed.expires_on else "for good"
    return until, signed.reason, signed.signed_by, signed.signed_on.isoformat()


def _origin(told: ReadColumn) -> str:
    if told.column is None:
        return f"the same for all: {told.value}"
    return f"the day before {told.column}" if told.exclusive else told.column


def _means(told: ReadColumn) -> str:
    codes = [f"{code} is {meaning}" for code, meaning in (told.codes or {}).items()]
    none = [f"{', '.join(told.none)}: none"] if told.none else []
    return "; ".join([*codes, *none])


def _features(billing: Billing) -> str:
    rows = (
        (code, f.feature, "; ".join(f"{unit} is {n}" for unit, n in f.units.items()), ", ".join(f.metered_by))
        for code, f in billing.legacy.features.items()
    )
    return table(("old system", "catalog", "units", "billed by"), rows)
