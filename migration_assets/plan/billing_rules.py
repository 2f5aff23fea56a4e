"""Choices that old system and new platform both make of how bills are made, by the name and the words of each.

The one place that knows both. Belongs here: the names. Not here: what a rule does, which each side knows alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from migration_assets.plan.billing_models import LegacyRules, TargetRules


class Choice(NamedTuple):
    """One choice: what it is about, its key in `target.rules` and in `legacy.rules`, and the words of the old system
    that are other ones in the new platform."""

    about: str
    new: str
    old: str
    words: Mapping[object, str] = {}

    def translated(self, value: object) -> object:
        """What the old system does, in the new platform's words."""
        return self.words.get(value, value)


# What decides about more goes first: which cycles there are, then what they cost, then how that is rounded.
CHOICES = (
    Choice("periods that a pause begins in", "pause", "pause", {"extends": "extend", "skips": "skip"}),
    Choice("decimals of a price after an increase", "price_decimals", "uplift_decimals"),
    Choice("parts of a period", "proration", "proration", {"actual_days": "days"}),
    Choice("parts of the smallest coin", "rounding", "rounding"),
    Choice("amounts that are rounded", "round_at", "rounded_at"),
    Choice("tax that is rounded", "tax_at", "taxed_at"),
)


def alike(choice: Choice, legacy: LegacyRules, target: TargetRules) -> bool:
    """Whether both systems do the same."""
    return bool(choice.translated(getattr(legacy, choice.old)) == getattr(target, choice.new))
