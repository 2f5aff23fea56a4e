"""The registry of rule types: Great Expectations' own and ours, by the name a suite uses."""

from __future__ import annotations

from migration_assets.quality.core_rules import CORE_TYPES
from migration_assets.quality.entry_rules import ENTRY_TYPES
from migration_assets.quality.link_rules import LINK_TYPES
from migration_assets.quality.row_rules import ROW_TYPES
from migration_assets.quality.rule_type import RuleType
from migration_assets.quality.total_rules import TOTAL_TYPES

RULE_TYPES: dict[str, type[RuleType]] = {**CORE_TYPES, **ROW_TYPES, **LINK_TYPES, **ENTRY_TYPES, **TOTAL_TYPES}
