"""What helps where a source row was rejected: the written rule of its disposition, in words that say what to do.

Rows that a rule of the plan leaves out need no remedy: they stay behind on purpose.
"""

from __future__ import annotations

from migration_assets.engine.notes import UNREADABLE
from migration_assets.engine.rules.errors import ERRORS

# Rules that are no error of a value (engine.rules.errors), which stages reject rows by.
_OF_RULE = {
    "duplicate_key": "More than one row has this key. Have the source corrected, or name a key in plan.yaml that tells "
    "them apart.",
    "inverted_period": "It ends before it begins. Have the source corrected, or map the right columns.",
    "key_missing": "Part of the key of the table is blank. Have the source corrected, or name other key columns in "
    "plan.yaml.",
    "may_be_erased": "It may be somebody who was erased. `cutover review list` asks; `apart` lets the customer in.",
    "orphan": "What it points at is in no table, or is no customer's. Have the source corrected, or leave such rows "
    "out by `exclusions` in plan.yaml.",
    "parent_rejected": "What it points at was rejected. Mend that row, and this one comes along.",
    "required_missing": "A field that the row cannot do without is blank. Fill it in the source, or give the field a "
    "rule that can tell it (`default`, another column).",
    UNREADABLE: "The entry does not fit the pattern of `split` in plan.yaml. Have the text corrected, or widen the "
    "pattern.",
}
_NEGATIVE = "negative_"
# All by which a row may be rejected, but for those on an amount below zero.
RULES = frozenset({*_OF_RULE, *ERRORS})


def remedy_of(disposition: str, rule: str, reason: str) -> str | None:
    """What to do about rows with this disposition, rule and reason; None where nothing need be done.

    `reason` of a value that could not be mended begins with its field, as in `currency: unknown_code`.
    """
    if disposition != "rejected":
        return None
    if rule.startswith(_NEGATIVE):
        field = rule.removeprefix(_NEGATIVE)
        return (
            f"{field} is below zero. Have the source corrected, or map it by a rule that takes its sign into account."
        )
    field = reason.partition(":")[0]
    if rule == "unknown_code":
        return f"{ERRORS[rule]} Add it to the list in codes/ that {field} is looked up in."
    if rule in ERRORS:
        return (
            f"{ERRORS[rule]} Have the source corrected, or change the rule of {field} in mapping/, or what it does "
            "`on_error`."
        )
    return _OF_RULE.get(rule)
