"""The new platform's rules with one after the other told as the old system has it: what a difference is due to.

Names that both sides have for the same choice, and the order they are exchanged in, are `plan.billing_rules`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from migration_assets.domain.legacy import terms as old
from migration_assets.domain.target import terms as new
from migration_assets.plan.billing_rules import CHOICES


def as_target(rules: old.Rules) -> new.Rules:
    """What the old system does, in the new platform's words."""
    told = {choice.new: choice.translated(getattr(rules, choice.old)) for choice in CHOICES}
    return new.Rules(**told)  # type: ignore[arg-type]


def exchanged(target: new.Rules, legacy: old.Rules) -> Iterator[tuple[str, new.Rules]]:
    """Rules in which both differ, and the target's rules when that one, and those before it, are the old system's."""
    wanted = as_target(legacy)
    for rule in (choice.new for choice in CHOICES):
        if getattr(target, rule) != getattr(wanted, rule):
            target = replace(target, **{rule: getattr(wanted, rule)})
            yield rule, target
