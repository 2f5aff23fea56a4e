"""Who signed billing.yaml and what may differ, when, and whether what was signed can ever count."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from migration_assets.domain.errors import Fault
from migration_assets.plan.access_models import Budget
from migration_assets.plan.billing_models import AcceptedDifference, Billing
from migration_assets.plan.billing_rules import CHOICES, alike
from migration_assets.plan.checks.standards import is_currency
from migration_assets.plan.checks.view import BILLING, PlanView
from migration_assets.plan.wording import shown

Path = tuple[str | int, ...]

# What people write where a name is still missing.
_NOBODY = frozenset({"tbd", "tba", "tbc", "todo", "n/a", "na", "none", "nobody", "unknown", "xx", "xxx", "name"})
_SHORTEST_REASON = 8


def signature_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about signatures that does not depend on the day."""
    billing = view.plan.billing
    if billing is None:
        return
    yield from _signer_faults(view, (), billing.signed_by)
    if billing.accepted and billing.target is None:
        remedy = "say how the new platform bills (`target`), or remove it"
        yield view.fault(BILLING, ("accepted",), "is never read: nothing says how the new platform bills", remedy)
    for i, access in enumerate(billing.accepted_access):
        yield from _signer_faults(view, ("accepted_access", i), access.signed_by)
        yield from _reason_faults(view, ("accepted_access", i), access.reason)
    for name, budget in _budgets(billing):
        yield from _budget_faults(view, name, budget)
    first: dict[object, int] = {}
    for i, accepted in enumerate(billing.accepted):
        place: Path = ("accepted", i)
        yield from _signer_faults(view, place, accepted.signed_by)
        yield from _reason_faults(view, place, accepted.reason)
        yield from _difference_faults(view, place, billing, accepted)
        same = first.setdefault((accepted.cause, frozenset(accepted.contracts), accepted.expires_on), i)
        if same != i:
            problem = f"the same was signed in line {view.at(BILLING, 'accepted', same)} already"
            yield view.fault(BILLING, place, problem, "keep one of them: the larger would count")


def signed_ahead(view: PlanView, latest: date) -> Iterator[Fault]:
    """Signatures of a day that has not come anywhere. `latest`: the latest day it is by any zone's calendar."""
    billing = view.plan.billing
    if billing is None:
        return
    days: list[tuple[Path, date]] = [((), billing.signed_on)]
    days += [(("accepted", i), a.signed_on) for i, a in enumerate(billing.accepted)]
    days += [(("accepted_access", i), a.signed_on) for i, a in enumerate(billing.accepted_access)]
    days += [((name,), budget.signed_on) for name, budget in _budgets(billing)]
    for place, day in days:
        if day > latest:
            remedy = "write the day on which it was signed"
            yield view.fault(BILLING, (*place, "signed_on"), f"{day.isoformat()} has not come yet", remedy)


def _budgets(billing: Billing) -> Iterator[tuple[str, Budget]]:
    named = {"budget": billing.budget, "wave_budget": billing.wave_budget}
    yield from ((name, budget) for name, budget in named.items() if budget is not None)


def _budget_faults(view: PlanView, name: str, budget: Budget) -> Iterator[Fault]:
    yield from _signer_faults(view, (name,), budget.signed_by)
    yield from _reason_faults(view, (name,), budget.reason)
    for currency in budget.at_most_yearly_minor or ():
        if not is_currency(currency, view.plan.file.currency_exponents):
            path = (name, "at_most_yearly_minor", currency)
            yield view.fault(BILLING, path, f"{shown(currency)} is no currency", "write an ISO 4217 code, as EUR")


def _signer_faults(view: PlanView, place: Path, signer: str) -> Iterator[Fault]:
    if sum(map(str.isalpha, signer)) < 2 or signer.strip().lower() in _NOBODY:
        remedy = "name the person, or the office that one person holds"
        yield view.fault(BILLING, (*place, "signed_by"), f"{shown(signer)} is nobody who can sign", remedy)


def _reason_faults(view: PlanView, place: Path, reason: str) -> Iterator[Fault]:
    if len(reason.strip()) < _SHORTEST_REASON:
        remedy = "say in a sentence why it may differ"
        yield view.fault(BILLING, (*place, "reason"), f"{shown(reason)} says too little", remedy)


def _difference_faults(view: PlanView, place: Path, billing: Billing, accepted: AcceptedDifference) -> Iterator[Fault]:
    seen: set[str] = set()
    for contract in accepted.contracts:
        if not contract or contract != contract.strip():
            problem = f"{shown(contract)} is no contract: no name of one has blanks around it"
            yield view.fault(BILLING, (*place, "contracts"), problem, "write it as the old system does")
        if contract in seen:
            yield view.fault(BILLING, (*place, "contracts"), f"{shown(contract)} stands there twice", "name it once")
        seen.add(contract)
    choice = next((c for c in CHOICES if c.new == accepted.cause), None)
    if choice is not None and billing.target is not None and alike(choice, billing.legacy.rules, billing.target.rules):
        remedy = "remove it, or tell the rule as it is: under `legacy.rules` or `target.rules`"
        problem = f"both systems have the same {accepted.cause}, so that no bill differs by it"
        yield view.fault(BILLING, (*place, "cause"), problem, remedy)
