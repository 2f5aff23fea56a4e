"""Pairs in doubt on their way into the review queue: with what is at stake, in the order the plan asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from migration_assets.control import Doubted
from migration_assets.domain.money import to_minor
from migration_assets.domain.stakes import Amounts, FourEyes, rank_of
from migration_assets.stages.identities.amounts import rates_to

if TYPE_CHECKING:
    from migration_assets.plan.models import PlanFile
    from migration_assets.stages.feeds import Mapping as Feeds


def ranked(
    feeds: Feeds, doubts: Iterable[Mapping[str, Any]], stakes: Mapping[tuple[str, str], Amounts]
) -> list[Doubted]:
    """Pairs in doubt (rows of resolve.DOUBTS) with what is at stake, as the queue takes them."""
    file = feeds.plan.file
    compare_in = file.identity.review.compare_in
    rates = rates_to(feeds, compare_in) if compare_in and stakes else None
    made = []
    for doubt in doubts:
        staked = stakes.get((doubt["a"], doubt["b"]), {})
        made.append(Doubted(**doubt, stakes=staked, rank=rank_of(staked, rates, file.currency_exponents)))
    return made


def four_eyes_of(file: PlanFile) -> FourEyes:
    """When the plan asks for a second person, in minor units."""
    asked = file.identity.review.four_eyes
    if isinstance(asked, bool):
        return asked
    return {c: to_minor(Decimal(amount), c, overrides=file.currency_exponents) for c, amount in asked.items()}
