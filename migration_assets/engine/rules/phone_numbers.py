"""Which numbers are surely valid, as an expression: the same tables the library uses, asked for many values at once.

Only numbers that the library reads digit for digit are answered here: those with a calling code, and those that people
write in their own country, where the country is known. What is doubtful (a carrier's code, a rare kind of number,
letters, a calling code without its plus) is left for it. A property test holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from operator import and_, or_
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.api import Engine

# A number with its calling code, or as its own country writes it, and in it nothing that is more than a separator.
_INTERNATIONAL = r"^ {0,4}\+[1-9][0-9 ()./-]{5,30}\z"
_NATIONAL = r"^ {0,4}[(]?[0-9][0-9 ()./-]{4,30}\z"
# Each way of reading makes the expression longer: only those that many values need are worth it.
_MOST_READINGS, _FEWEST_VALUES = 40, 50


@dataclass(frozen=True)
class Kind:
    """Digits after the calling code that are valid: a pattern and how many there may be."""

    pattern: str
    lengths: tuple[int, ...]


@dataclass(frozen=True)
class Territory:
    """One of the countries that share a calling code: everything it can have, and the kinds most numbers are of.

    `begins`: how its numbers begin, where that alone says that they are its own.
    """

    general: Kind
    kinds: tuple[Kind, ...]
    begins: str | None


@dataclass(frozen=True)
class Plan:
    """Numbers of one calling code. `reserved`: how those of a small neighbour begin, whatever their kind."""

    code: str
    territories: tuple[Territory, ...]
    reserved: tuple[str, ...]


@dataclass(frozen=True)
class Trunk:
    """The digit that people dial before a number at home (0 in 030 123456), where it is no more than that.

    `pattern`: all that the library takes off the front of a number, the digit among it.
    """

    digit: str | None
    pattern: str | None


@dataclass(frozen=True)
class Reading:
    """How digits are read that come from one place: `+49`, or `DE` when it is the country of the record.

    `general`: what has to be left behind the trunk digit for it to be taken off. `refused`: how calls abroad begin. A
    calling code without its plus needs no refusal: the library looks for it only in what is not valid as it
    stands.
    """

    place: str
    plan: Plan
    trunk: Trunk
    general: Kind
    refused: str | None


def plain_numbers(engine: Engine, inputs: ir.Table, country_of: Callable[[str | None], str | None]) -> ir.Table | None:
    """Answers for numbers (`k0`, their country in `k1` if there is one) that come from frequent places; None when there
    are none. `country_of`: the country that the text of `k1` stands for."""
    written = engine.cached(_written(inputs))
    counted = engine.arrow(written.group_by("_key").aggregate(n=written.count())).to_pylist()
    counts = {r["_key"]: r["n"] for r in counted if r["_key"] is not None}
    places = {key: place for key in counts if (place := _place(key, country_of))}
    readings = [r for place in _frequent(places, counts) if (r := reading_of(place))]
    if not readings:
        return None
    return by_readings(engine, written, places, readings).select(*inputs.columns, "_covered", "_answer")


def _written(inputs: ir.Table) -> ir.Table:
    """The inputs with `_digits`, and `_key`: the first digits with their plus, or `=` and the text of the country."""
    import ibis

    number = inputs["k0"]
    digits, nothing = number.re_replace("[^0-9]", ""), ibis.null("string")
    international, national = number.re_search(_INTERNATIONAL), number.re_search(_NATIONAL)
    country = inputs["k1"].fill_null("") if "k1" in inputs.columns else ibis.literal("")
    return inputs.mutate(
        _digits=(international | national).ifelse(digits, nothing),
        _key=ibis.cases(
            (international, ibis.literal("+") + digits.left(3)), (national, ibis.literal("=") + country), else_=nothing
        ),
    )


def _place(key: str, country_of: Callable[[str | None], str | None]) -> str | None:
    if key.startswith("="):
        return country_of(key[1:])
    return next((f"+{key[1:n]}" for n in (2, 3, 4) if key[1:n] in _calling_codes()), None)


@cache
def _calling_codes() -> frozenset[str]:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    return frozenset(map(str, COUNTRY_CODE_TO_REGION_CODE))


def _frequent(places: Mapping[str, str], counts: Mapping[str, int]) -> list[str]:
    """Places that many numbers come from, the most frequent first."""
    found: dict[str, int] = {}
    for key, place in places.items():
        found[place] = found.get(place, 0) + counts[key]
    often = sorted((p for p, n in found.items() if n >= _FEWEST_VALUES), key=lambda p: (-found[p], p))
    return often[:_MOST_READINGS]


# --- what the library's tables say ---------------------------------------------------------------------------------


def reading_of(place: str) -> Reading | None:
    """How numbers from a place are read; None where the tables say nothing plain."""
    from phonenumbers import region_code_for_country_code
    from phonenumbers.phonemetadata import PhoneMetadata

    abroad = place.startswith("+")
    region = region_code_for_country_code(int(place)) if abroad else place
    tables = PhoneMetadata.metadata_for_region_or_calling_code(int(place) if abroad else 0, region)
    general = tuple(_kinds(tables.general_desc)) if tables else ()
    if tables is None or not general:
        return None
    code = str(tables.country_code)
    refused = None if abroad else tables.international_prefix
    return Reading(place, plan_of(code), _trunk(tables), general[0], refused)


def _trunk(tables: Any) -> Trunk:
    digit, pattern = tables.national_prefix, tables.national_prefix_for_parsing
    found = re.match(pattern, digit) if digit and pattern else None
    taken_off = found is not None and found[0] == digit and not any(found.groups())
    return Trunk(digit if taken_off else None, pattern)


def plan_of(code: str) -> Plan:
    """What the library's tables say of a calling code, as far as it is plain."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE
    from phonenumbers.phonemetadata import PhoneMetadata

    territories, reserved = [], []
    for number, region in enumerate(COUNTRY_CODE_TO_REGION_CODE[int(code)]):
        tables = PhoneMetadata.metadata_for_region_or_calling_code(int(code), region)
        if tables is None:
            continue
        if tables.leading_digits is not None and number > 0:
            reserved.append(tables.leading_digits)
            continue
        kinds = tuple(_kinds(tables.fixed_line, tables.mobile, tables.toll_free))
        general = tuple(_kinds(tables.general_desc))
        if general and kinds:
            territories.append(Territory(general[0], kinds, tables.leading_digits))
    return Plan(code, tuple(territories), tuple(reserved))


def _kinds(*described: Any) -> Iterator[Kind]:
    for found in described:
        if found is not None and found.national_number_pattern:
            yield Kind(found.national_number_pattern, tuple(n for n in found.possible_length if n > 0))


# --- the expression ------------------------------------------------------------------------------------------------


def by_readings(engine: Engine, written: ir.Table, places: Mapping[str, str], readings: Sequence[Reading]) -> ir.Table:
    """What `_written` made, with `_covered` and `_answer`."""
    import ibis
    import pyarrow as pa

    known = {key: place for key, place in places.items() if place in {r.place for r in readings}}
    keys = engine.table(
        pa.table({"_at": pa.array(known, pa.string()), "_place": pa.array(known.values(), pa.string())})
    )
    rows = written.left_join(keys, written["_key"] == keys["_at"])

    def by_place(told: Callable[[Reading], Any], otherwise: Any) -> Any:
        return ibis.cases(*((rows["_place"] == r.place, told(r)) for r in readings), else_=otherwise)

    # Columns of their own, or each of the many questions would take the digits apart again.
    nothing = ibis.null("string")
    rows = rows.mutate(_digits=by_place(lambda r: _behind_code(rows["_digits"], r), nothing))
    rows = rows.mutate(_trunk=by_place(lambda r: _has_trunk(rows["_digits"], r.trunk), False))
    rows = rows.mutate(_national=by_place(lambda r: _behind_trunk(rows, r.trunk), nothing))
    rows = rows.mutate(
        _covered=by_place(lambda r: _valid(rows, r), False).fill_null(False),
        _answer=by_place(lambda r: ibis.literal(f"+{r.plan.code}"), nothing) + rows["_national"],
    )
    return rows


def _behind_code(digits: Any, reading: Reading) -> Any:
    return digits.substr(len(reading.plan.code)) if reading.place.startswith("+") else digits


def _has_trunk(digits: Any, trunk: Trunk) -> Any:
    """Whether the trunk digit, and no more than that, is what the library takes off the front."""
    if trunk.digit is None:
        return False
    begins = digits.startswith(trunk.digit)
    if trunk.pattern == trunk.digit:
        return begins
    return begins & (digits.re_extract(f"^(?:{trunk.pattern})", 0) == trunk.digit)


def _behind_trunk(rows: ir.Table, trunk: Trunk) -> Any:
    digits: Any = rows["_digits"]
    return digits if trunk.digit is None else rows["_trunk"].ifelse(digits.substr(len(trunk.digit)), digits)


def _valid(rows: ir.Table, reading: Reading) -> Any:
    digits, national, plan = rows["_digits"], rows["_national"], reading.plan
    if not plan.territories:
        return False
    right = [_of_kind(national, reading.general), reduce(or_, (_of_territory(national, t) for t in plan.territories))]
    if reading.trunk.pattern:
        right.append(rows["_trunk"] | ~_begins(digits, reading.trunk.pattern))
    if reading.refused:
        right.append(~_begins(digits, reading.refused))
    right += [~_begins(national, begin) for begin in plan.reserved]
    return reduce(and_, right)


def _begins(digits: Any, pattern: str) -> Any:
    return digits.re_search(f"^(?:{pattern})")


def _of_territory(national: Any, territory: Territory) -> Any:
    right = _of_kind(national, territory.general) & reduce(or_, (_of_kind(national, k) for k in territory.kinds))
    return right if territory.begins is None else right & _begins(national, territory.begins)


def _of_kind(national: Any, kind: Kind) -> Any:
    matches = national.re_search(f"^(?:{kind.pattern})\\z".replace("\\d", "[0-9]"))
    # Not `isin`: with many lengths it becomes a join.
    lengths = [national.length() == n for n in kind.lengths]
    return reduce(or_, lengths) & matches if lengths else matches
