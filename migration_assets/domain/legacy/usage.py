"""What of a metered item is billed in the old system: in arrears, with the invoice of the next period.

Past what is included, by the catalog's policy (I11): `bill` charges the units beyond it, `grace` charges everything
once it is passed, `block` and `none` never charge, because nothing beyond can be used or nobody counts.
"""

from __future__ import annotations

from fractions import Fraction

from migration_assets.domain.legacy.terms import Usage


def billable_units(usage: Usage) -> Fraction:
    """Units to charge for one period; what the old system counted itself goes before what can be worked out."""
    if usage.billable is not None:
        return usage.billable
    beyond = usage.used > usage.included
    if usage.overage == "bill" and beyond:
        return usage.used - usage.included
    if usage.overage == "grace" and beyond:
        return usage.used
    return Fraction(0)
