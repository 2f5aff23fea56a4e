"""Every row of the mapping: another column, none at all, a fixed value, another unit, another rounding."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from migration_assets.domain.canonical import ENTITIES
from migration_assets.drill.changes import WholeFile
from migration_assets.drill.mutants.csv_text import Row, replaced, rows_of, text_of, without
from migration_assets.drill.mutants.mutant import Mutant
from migration_assets.plan.models import Plan

# A fixed value of each type of field; of a field with a list of codes, the first of them.
_FIXED = {"integer": 1, "money": 1, "decimal": 1, "boolean": True, "date": "2020-01-31",
          "instant": "2020-01-31T00:00:00Z", "country": "FR", "currency": "CHF", "email": "nobody@example.com",
          "phone": "+4930123456"}  # fmt: skip
# What a thousandth or a hundredth of an amount is taken for the whole, and a last day for the first that is out.
_OTHER_UNIT = {"major": "minor", "minor": "major"}
_OTHER_END = {"inclusive_day": "exclusive", "inclusive_second": "exclusive", "exclusive": "inclusive_day"}
_OTHER_ROUNDING = {"half_up": "half_even", "half_even": "half_up", "refuse": "half_up"}


def mapping_mutants(plan: Plan) -> Iterator[Mutant]:
    """Mutants of every file of mapping/, but for the list of feeds."""
    for file in sorted((plan.folder / "mapping").glob("*.csv")):
        if file.name == "feeds.csv":
            continue
        rows = rows_of(file)
        for at, row in enumerate(rows):
            for how, changed in _ways(rows, at):
                yield Mutant(
                    f"mapping/{file.name}:{row['feed']}.{row['field']}:{how}",
                    "mapping",
                    WholeFile(f"mapping/{file.name}", text_of(changed, list(row))),
                    frozenset({row["entity"]}),
                )


def _ways(rows: Sequence[Row], at: int) -> Iterator[tuple[str, list[Row]]]:
    row = rows[at]
    yield "drop", without(rows, at)
    if other := _another_column(rows, at):
        yield "swap_column", replaced(rows, at, columns=other)
    yield (
        "fixed_value",
        replaced(rows, at, columns="", rule="constant", arguments=json.dumps({"value": _fixed(row)}), on_error=""),
    )
    arguments = json.loads(row["arguments"] or "{}")
    if (unit := _other_unit(row["rule"], arguments)) is not None:
        yield "other_unit", replaced(rows, at, arguments=json.dumps(unit))
    if row["rule"] in ("money", "line_amount"):
        rounding = {**arguments, "rounding": _OTHER_ROUNDING[arguments.get("rounding", "refuse")]}
        yield "other_rounding", replaced(rows, at, arguments=json.dumps(rounding))
    if row["rule"] == "decimal":
        yield "other_rounding", replaced(rows, at, rule="integer", arguments="{}")


def _another_column(rows: Sequence[Row], at: int) -> str | None:
    """The columns of the next row of the feed, one read by the same rule before any other; what goes with a column
    (its currency, its zone) stays."""
    row = rows[at]
    first, *rest = row["columns"].split("|")
    after = [r for r in (*rows[at + 1 :], *rows[:at]) if r["feed"] == row["feed"] and r["columns"]]
    others = [r for r in after if r["columns"].split("|")[0] != first]
    alike = [r for r in others if r["rule"] == row["rule"]]
    if not first or not others:
        return None
    return "|".join([(alike or others)[0]["columns"].split("|")[0], *rest])


def _fixed(row: Row) -> object:
    """A value of the field's type, and another one than stands there already."""
    field = next(f for f in ENTITIES[row["entity"]].fields if f.name == row["field"])
    given = json.loads(row["arguments"] or "{}").get("value")
    return next(v for v in (*field.codes, _FIXED.get(field.type, "somebody")) if v != given)


def _other_unit(rule: str, arguments: dict[str, object]) -> dict[str, object] | None:
    """Arguments by which the same text is read as something larger, smaller, later or opposite; None where the rule
    knows no unit."""
    if rule == "money":
        return {**arguments, "unit": _OTHER_UNIT[str(arguments["unit"])]}
    if rule == "timestamp":
        return {**arguments, "end": _OTHER_END[str(arguments.get("end", "exclusive"))]}
    if rule == "quantity" and isinstance(factors := arguments.get("factors"), dict):
        return {**arguments, "factors": {unit: f"{factor}0" for unit, factor in factors.items()}}
    if rule == "boolean" and {"true", "false"} <= arguments.keys():
        return {**arguments, "true": arguments["false"], "false": arguments["true"]}
    return None
