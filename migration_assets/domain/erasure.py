"""The words by which stages, controls and plans speak of customers that were erased (I22)."""

from __future__ import annotations

# The rule by which rows are left out, or lose their values, because their customer was erased.
ERASED_RULE = "erased_customer"
# In the `codes` of a control: what a row counts as that lost its values because another row of its customer was erased.
ERASED_CODE = "(erased)"
