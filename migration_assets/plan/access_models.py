"""What customers may lose or gain, because somebody who may decide so has signed for it: part of billing.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictInt, StringConstraints

from migration_assets.plan.frozen import Day, Model

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class AcceptedAccess(Model):
    """What customers may do that differs from what they could, as signed for.

    `feature`: the target's code. `kind`: a `loss`, a `gain`, or a `change` that is neither, such as of what happens
    past the limit. `regions`: countries, or `*` for anywhere; none: all. `customers`: canonical keys as reports list
    them; none: all. `at_most_customers`: of one cohort; where more are hit, what was signed for is not what happens,
    and none of it counts. `expires_on`: the first day on which it counts no more; none: for good.
    """

    feature: _Text
    kind: Literal["loss", "gain", "change"]
    regions: tuple[_Text, ...] = ()
    customers: tuple[_Text, ...] = ()
    at_most_customers: Annotated[StrictInt, Field(ge=1)]
    reason: _Text
    signed_by: _Text
    signed_on: Day
    expires_on: Day | None = None


class Budget(Model):
    """How many customers of one cohort, or of the cohorts of a wave together, may lose access or be billed otherwise
    though nobody signed for it, before the cohort, or what is left of the wave, stops: those that a person looks into
    afterwards.

    `at_most_customers`: none, unless the plan says otherwise. `at_most_yearly_minor`: by currency, what all of them
    together may be billed in a year, in minor units; a currency that is not named has none. Left out: whatever it is.
    """

    at_most_customers: Annotated[StrictInt, Field(ge=1, le=10**9)]
    at_most_yearly_minor: dict[str, Annotated[StrictInt, Field(ge=0, le=10**18)]] | None = None
    reason: _Text
    signed_by: _Text
    signed_on: Day
