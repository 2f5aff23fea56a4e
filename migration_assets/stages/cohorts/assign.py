"""Families and cohorts: pure rules over member numbers and names. Knows no tables.

A family is everything that must move at once: merged rows, parents and children, payers and those they pay for, and
all customers that one source row leads to, such as a payment that settles another customer's invoice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from migration_assets.plan.models import CohortRule


@dataclass(frozen=True)
class Cohort:
    """One wave's part of the customers. `position` is the order in which cohorts move."""

    name: str
    wave: int
    position: int


def planned_cohorts(rules: Sequence[CohortRule]) -> tuple[Cohort, ...]:
    """Every cohort the rules can make, in the order in which they move: by wave, then as written."""
    named = [(rule.wave, i, name) for i, rule in enumerate(rules) for name in names_of(rule)]
    ordered = sorted(named, key=lambda n: (n[0], n[1], n[2]))
    return tuple(Cohort(name, wave, position) for position, (wave, _, name) in enumerate(ordered, start=1))


def names_of(rule: CohortRule) -> tuple[str, ...]:
    """Names of the cohorts that one rule makes."""
    if not rule.buckets:
        return (rule.name,)
    width = max(2, len(str(rule.buckets)))
    return tuple(f"{rule.name}_{i:0{width}d}" for i in range(1, rule.buckets + 1))


def assign_families(
    rules: Sequence[CohortRule], family_keys: Sequence[str], taken_by: Mapping[str, Sequence[int]]
) -> list[str | None]:
    """The cohort of each family, or None when no rule takes it.

    `family_keys`: one stable key for each family. `taken_by`: rule name -> families it would take, in the order in
    which a limit counts them; a rule with buckets takes whatever is left.
    """
    cohort: list[str | None] = [None] * len(family_keys)
    for rule in rules:
        if rule.buckets:
            names = names_of(rule)
            for i, key in enumerate(family_keys):
                if cohort[i] is None:
                    cohort[i] = names[bucket(key, len(names))]
            continue
        free = [i for i in dict.fromkeys(taken_by.get(rule.name, ())) if cohort[i] is None]
        for i in free[: rule.limit or None]:
            cohort[i] = rule.name
    return cohort


def bucket(key: str, buckets: int) -> int:
    """Stable bucket of a key: the same on every machine, whatever the hash seed."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % buckets
