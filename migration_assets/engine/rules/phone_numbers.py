"""Which international numbers are surely valid, as an expression: the same tables the library uses, asked at once.

Only numbers that the library accepts digit for digit are answered here; whatever is doubtful (a national prefix after
the country's code, a rare kind of number, letters) is left for it. A property test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.api import Engine

# A number with its country's code and nothing in it that could be more than a separator.
_INTERNATIONAL = r"^\+[1-9][0-9 ().-]{5,30}\z"
# Each calling code makes the expression longer: only those that many values have are worth it.
_MOST_CODES, _FEWEST_VALUES = 20, 50


@dataclass(frozen=True)
class Kind:
    """Digits after the calling code that are valid: a pattern and how many there may be."""

    pattern: str
    lengths: tuple[int, ...]


@dataclass(frozen=True)
class Territory:
    """One of the countries that share a calling code: everything it can have, and the kinds most numbers are of."""

    general: Kind
    kinds: tuple[Kind, ...]


@dataclass(frozen=True)
class Plan:
    """Numbers of one calling code. `reserved`: beginnings that the library reads otherwise than they stand."""

    code: str
    territories: tuple[Territory, ...]
    reserved: tuple[str, ...]


def plain_numbers(engine: Engine, inputs: ir.Table) -> ir.Table | None:
    """Answers for numbers (`k0`) whose calling codes are frequent; None when there are none."""
    told = inputs.select(_begin=_compact(inputs["k0"]).left(4)).filter(lambda t: t["_begin"].notnull())
    counted = engine.arrow(told.group_by("_begin").aggregate(n=told.count())).to_pylist()
    plans = [plan_of(code) for code in _frequent({r["_begin"]: r["n"] for r in counted})]
    return by_plans(inputs, plans) if plans else None


def _compact(column: Any) -> ir.StringValue:
    """`+` and digits, null where the column holds anything else."""
    import ibis

    international = column.re_search(_INTERNATIONAL)
    return international.ifelse(ibis.literal("+") + column.re_replace("[^0-9]", ""), ibis.null("string"))


def _frequent(counts: dict[str, int]) -> list[str]:
    """Calling codes that many numbers begin with, the most frequent first."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    known = {str(code) for code in COUNTRY_CODE_TO_REGION_CODE}
    found: dict[str, int] = {}
    for begin, n in counts.items():
        digits = begin[1:]
        for code in (c for c in (digits[:1], digits[:2], digits[:3]) if c in known):
            found[code] = found.get(code, 0) + n
    often = sorted((c for c, n in found.items() if n >= _FEWEST_VALUES), key=lambda c: (-found[c], c))
    return often[:_MOST_CODES]


def plan_of(code: str) -> Plan:
    """What the library's tables say of a calling code, as far as it is plain."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE
    from phonenumbers.phonemetadata import PhoneMetadata

    territories, reserved = [], []
    for region in COUNTRY_CODE_TO_REGION_CODE[int(code)]:
        tables = PhoneMetadata.metadata_for_region_or_calling_code(int(code), region)
        if tables is None:
            continue
        if tables.national_prefix_for_parsing:
            reserved.append(tables.national_prefix_for_parsing)
        if tables.leading_digits is not None:
            # These decide which of the countries it is before any pattern is looked at.
            reserved.append(tables.leading_digits)
            continue
        kinds = tuple(_kinds(tables.fixed_line, tables.mobile, tables.toll_free))
        general = tuple(_kinds(tables.general_desc))
        if general and kinds:
            territories.append(Territory(general[0], kinds))
    return Plan(code, tuple(territories), tuple(reserved))


def _kinds(*described: Any) -> Iterator[Kind]:
    for found in described:
        if found is not None and found.national_number_pattern:
            yield Kind(found.national_number_pattern, tuple(n for n in found.possible_length if n > 0))


def by_plans(inputs: ir.Table, plans: Sequence[Plan]) -> ir.Table:
    """The inputs with `_covered` and `_answer`, by what the plans say of `k0`."""
    import ibis

    # A column of its own, or each of the many questions would bring the digits together again.
    rows = inputs.mutate(_answer=_compact(inputs["k0"]))
    compact: Any = rows["_answer"]
    branches = [
        (compact.startswith(f"+{p.code}"), _valid(compact.substr(len(p.code) + 1), p)) for p in plans if p.territories
    ]
    covered = ibis.cases(*branches, else_=False).fill_null(False) if branches else ibis.literal(False)
    return rows.mutate(_covered=covered)


def _valid(national: Any, plan: Plan) -> ir.BooleanValue:
    begins = [national.re_search(f"^(?:{p})") for p in plan.reserved]
    right = reduce(or_, (_of_territory(national, t) for t in plan.territories))
    return and_(right, ~reduce(or_, begins)) if begins else right


def _of_territory(national: Any, territory: Territory) -> ir.BooleanValue:
    return _of_kind(national, territory.general) & reduce(or_, (_of_kind(national, k) for k in territory.kinds))


def _of_kind(national: Any, kind: Kind) -> ir.BooleanValue:
    matches: ir.BooleanValue = national.re_search(f"^(?:{kind.pattern})\\z".replace("\\d", "[0-9]"))
    return national.length().isin(kind.lengths) & matches if kind.lengths else matches
