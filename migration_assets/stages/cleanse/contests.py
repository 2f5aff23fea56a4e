"""What is decided together when rows become one customer: which fields, by which rule, beside which other field.

Follows from the plan and the canonical model alone; no row is looked at here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from migration_assets.domain.canonical import ENTITIES, TOGETHER
from migration_assets.plan.identity_models import SurvivorRule

_CUSTOMER = ENTITIES["customer"]
_REASON = "the plan names no other rule"


@dataclass(frozen=True)
class Contest:
    """`fields` get their values from one row, chosen by `rule`. With a `lead`, only rows that have the lead's surviving
    value take part; `follows`: the row that gave the lead goes first, because no rule was written for these fields."""

    fields: tuple[str, ...]
    rule: SurvivorRule
    lead: str | None = None
    follows: bool = False

    @property
    def order(self) -> str:
        """Name of the column that holds the order in which rows are asked: one for all fields of a rule, if the rule
        does not look at the field itself, and one for all that follow a lead."""
        if self.is_plain:
            return "_rank"
        if self.follows:
            return f"_after_{self.lead}"
        own = self.rule.strategy in ("longest", "manual")
        return f"_order_{self.fields[0] if own else self.rule.fields[0]}"

    @property
    def is_plain(self) -> bool:
        """Whether the rows are asked in the plan's own order."""
        return self.rule.strategy == "priority" and not self.rule.systems and not self.follows


def contests_of(rules: Iterable[SurvivorRule]) -> tuple[Contest, ...]:
    """Every field of a customer but the key in exactly one contest; those that lead others stand before them."""
    ruled = {field: rule for rule in rules for field in rule.fields}
    led = {field: group for group in TOGETHER for field in group.fields}
    found: dict[tuple[str, ...], Contest] = {}
    for field in _CUSTOMER.fields[1:]:
        group = led.get(field.name)
        rule = ruled.get(field.name) or _plain(field.name)
        fields = (field.name,) if group is None else group.fields
        lead = None if group is None else group.lead
        found[fields] = Contest(fields, rule, lead, follows=lead is not None and field.name not in ruled)
    return tuple(sorted(found.values(), key=lambda c: c.lead is not None))


def _plain(field: str) -> SurvivorRule:
    return SurvivorRule(fields=(field,), strategy="priority", reason=_REASON)
