"""Named rules that turn raw columns into canonical values. The list is `registry`; each kind of rule has its module.

Importing this package is cheap: no data library, phone or name table is loaded before a rule runs.
"""

from migration_assets.engine.rules.registry import NAMES, REGISTRY, Rule, argument_problems, get, rules_reference

__all__ = ["NAMES", "REGISTRY", "Rule", "argument_problems", "get", "rules_reference"]
