"""The new platform's rules with one after the other told as the old system has it: what a difference is due to.

The one place that knows the names both sides have for the same choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from migration_assets.domain.legacy import terms as old
from migration_assets.domain.target import terms as new

_PRORATION = {"30e_360": "30e_360", "actual_days": "days"}
_PAUSE = {"extends": "extend", "skips": "skip"}


def as_target(rules: old.Rules) -> new.Rules:
    """What the old system does, in the new platform's words."""
    return new.Rules(
        pause=_PAUSE[rules.pause],  # type: ignore[arg-type]
        price_decimals=rules.uplift_decimals,
        proration=_PRORATION[rules.proration],  # type: ignore[arg-type]
        rounding=rules.rounding,
        round_at=rules.rounded_at,
        tax_at=rules.taxed_at,
    )


# What decides about more goes first: which cycles there are, then what they cost, then how that is rounded.
_ORDER = ("pause", "price_decimals", "proration", "rounding", "round_at", "tax_at")


def exchanged(target: new.Rules, legacy: old.Rules) -> Iterator[tuple[str, new.Rules]]:
    """Rules in which both differ, and the target's rules when that one, and those before it, are the old system's."""
    wanted = as_target(legacy)
    for rule in _ORDER:
        if getattr(target, rule) != getattr(wanted, rule):
            target = replace(target, **{rule: getattr(wanted, rule)})
            yield rule, target
