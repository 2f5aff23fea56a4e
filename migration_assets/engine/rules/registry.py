"""The rules a mapping may name: arity, arguments, what each can give, and one line of documentation.

Belongs here: the list, and nothing that needs a data library, so that a plan can be checked cheaply. What a rule does
stands in the modules beside this one, found by name when it first runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, get_args

from pydantic import ValidationError

from migration_assets.domain.canonical.model import FieldType
from migration_assets.domain.errors import BadInput
from migration_assets.engine.rules import arguments as a

TEXTS: frozenset[FieldType] = frozenset({"text", "code", "country", "currency", "email", "phone"})
# A key is made by the engine itself, and only `reference` (or a fixed list) names other rows.
VALUES: frozenset[FieldType] = frozenset(get_args(FieldType)) - {"key", "reference"}
# Money only from rules that say its unit: copying 12.00 into minor units would be off by a factor of 100 in silence.
UNITLESS: frozenset[FieldType] = VALUES - {"money"}


@dataclass(frozen=True)
class Rule:
    """One rule of the registry.

    `max_columns` None means any number. `expression` and `cleaner` are `module:function` in this package: the
    expression is asked first and may decline by column type; then the cleaner runs over the distinct inputs.
    `cleans`: text in, text out, so that a changed value is noted as cleaned. `takes_missing`: also asked for missing
    input. `code`: several columns are one code, joined with `=`. `fallback` is asked last, for values that stand in for
    blank ones. `learns` is asked first, for what only the whole column can tell: (engine, rows, columns, arguments) ->
    `Context.learned`.
    """

    name: str
    min_columns: int
    max_columns: int | None
    arguments: type[a.Arguments]
    produces: frozenset[FieldType]
    doc: str
    expression: str | None = None
    cleaner: str | None = None
    cleans: bool = False
    takes_missing: bool = False
    code: bool = False
    fallback: str | None = None
    learns: str | None = None

    def parse(self, given: Mapping[str, Any]) -> a.Arguments:
        """The arguments as a model; BadInput that names each wrong argument otherwise."""
        try:
            return self.arguments.model_validate(dict(given))
        except ValidationError as error:
            raise BadInput(
                f"rule {self.name}: {'; '.join(argument_problems(error))}",
                f"arguments of {self.name}: {_argument_names(self.arguments) or 'none'}",
            ) from None

    def load(self, part: str) -> Any:
        """The function behind `expression` or `cleaner`; loads its libraries."""
        module, _, function = part.partition(":")
        return getattr(import_module(f"migration_assets.engine.rules.{module}"), function)

    @property
    def columns_text(self) -> str:
        """Arity for people: `1`, `1-2`, `1 or more`."""
        if self.max_columns is None:
            return f"{self.min_columns} or more"
        least, most = self.min_columns, self.max_columns
        return str(least) if least == most else f"{least}-{most}"

    def problems(self, columns: int, given: Mapping[str, Any]) -> list[str]:
        """Every reason why the rule cannot run on that many columns with these arguments; none is good."""
        found = []
        if columns < self.min_columns or (self.max_columns is not None and columns > self.max_columns):
            found.append(f"takes {self.columns_text} column(s), not {columns}")
        try:
            parsed = self.arguments.model_validate(dict(given))
        except ValidationError as error:
            return found + argument_problems(error)
        return found + parsed.misfits(columns)


def argument_problems(error: ValidationError) -> list[str]:
    """One readable sentence per wrong argument, without pydantic's links and echoes."""
    return [
        f"{'.'.join(str(p) for p in e['loc']) or 'arguments'}: {e['msg'].removeprefix('Value error, ')}"
        for e in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def _argument_names(model: type[a.Arguments]) -> str:
    return ", ".join(f.alias or n for n, f in model.model_fields.items() if n != "when")


_TEXT: frozenset[FieldType] = frozenset({"text"})
_NUMBERS: frozenset[FieldType] = frozenset({"integer", "decimal"})
_PLAIN = a.Arguments


def _only(*kinds: FieldType) -> frozenset[FieldType]:
    return frozenset(kinds)


def _of_any_text() -> tuple[Rule, ...]:
    """What text alone decides, whatever it means."""
    return (
        Rule("copy", 1, 1, _PLAIN, UNITLESS, "The value as it is, cast exactly to the field's type.", "text:copy"),
        Rule("constant", 0, 0, a.Constant, VALUES | {"reference"}, "The same for every row.", "text:constant"),
        Rule("trim", 1, 1, _PLAIN, TEXTS, "Unicode white space off both ends.", "text:trim", cleans=True),
        Rule("case", 1, 1, a.Case, TEXTS, "Unicode upper, lower or title case, whatever the locale.",
             cleaner="text:case", cleans=True),
        Rule("text", 1, 1, _PLAIN, TEXTS,
             "NFC, invisible characters out, white space to single spaces, trimmed; empty is missing.",
             cleaner="text:text", cleans=True),
        Rule("repair", 1, 1, _PLAIN, TEXTS, "Mojibake repaired only where the repair round-trips, then `text`.",
             cleaner="text:repair", cleans=True),
    )  # fmt: skip


def _of_times_and_amounts() -> tuple[Rule, ...]:
    """Days, instants, numbers and money."""
    return (
        Rule("date", 1, 1, a.Date, _only("date"),
             "Text or date to date; one that does not exist is an error, and so is one that an inferred order leaves "
             "open.",
             "dates:date_expression", "dates:date", learns="day_order:learn_order"),
        Rule("timestamp", 1, 2, a.Timestamp, _only("instant"),
             "To an instant in UTC, from a fixed zone or a zone column; inside a DST gap is an error; inclusive ends "
             "become half-open.",
             "dates:timestamp_expression", "dates:timestamp", learns="day_order:learn_order"),
        Rule("integer", 1, 1, _PLAIN, _NUMBERS, "Whole number, never rounded.", "numbers:integer"),
        Rule("decimal", 1, 1, a.DecimalText, _NUMBERS, "Exact decimal; NaN and Infinity are errors.",
             "numbers:decimal_expression", "numbers:decimal"),
        Rule("money", 1, 2, a.Money, _only("money"),
             "Amount (and currency column) to whole minor units by the currency's exponent.",
             "money:money_expression", "money:money", fallback="money:with_default"),
        Rule("exact_line_amount", 2, 3, a.Line, _only("decimal"),
             "Quantity times unit price less discount, exactly; more than eight decimals are an error.",
             cleaner="money:exact_line_amount"),
        Rule("line_amount", 2, 4, a.LineAmount, _only("money"),
             "Quantity times unit price less discount, to whole minor units by the currency's exponent.",
             cleaner="money:line_amount"),
    )  # fmt: skip


def _of_lists_and_parts() -> tuple[Rule, ...]:
    """Codes of a list, and texts put together or taken apart."""
    return (
        Rule("boolean", 1, 1, a.Boolean, _only("boolean"), "Spellings of true and false, or a real boolean.",
             "codes:boolean_expression", "codes:boolean"),
        Rule("lookup", 1, None, a.Lookup, VALUES - {"money", "date", "instant"} | {"reference"},
             "A code list; several columns are one code, joined with `=`; unknown codes are errors.",
             cleaner="codes:lookup", takes_missing=True, code=True),
        Rule("coalesce", 1, None, _PLAIN, UNITLESS, "The first present value (text: not blank).", "text:coalesce"),
        Rule("join", 1, None, a.Join, TEXTS, "The present values, joined.", "text:join"),
        Rule("split", 1, 1, a.Split, TEXTS, "One part of a text, trimmed.", "text:split"),
        Rule("extract", 1, 1, a.Extract, TEXTS, "What a pattern finds in free text; missing where it finds nothing.",
             "text:extract"),
        Rule("default", 1, 1, a.Default, UNITLESS,
             "Stands in where the column is blank and `if` holds; each is noted; blank otherwise is an error.",
             "text:default", takes_missing=True),
    )  # fmt: skip


def _of_people_and_places() -> tuple[Rule, ...]:
    """How to reach somebody, and where."""
    return (
        Rule("phone", 1, 2, a.Phone, _only("phone", "text"),
             "Number (and country column) to E.164; an extension is left out and noted.",
             cleaner="contacts:phone", cleans=True),
        Rule("email", 1, 1, _PLAIN, _only("email", "text"),
             "Normalised address in lower case; no DNS is asked. A domain that looks mistyped stays, and what may be "
             "meant is noted.",
             cleaner="contacts:email", cleans=True, learns="mail_domains:learn_domains"),
        Rule("country", 1, 1, _PLAIN, _only("country", "text"),
             "ISO alpha-2 from code, English or native name or usual alias.", cleaner="geography:country", cleans=True),
        Rule("state", 1, 2, a.State, _TEXT, "State (and country column) to the ISO 3166-2 part, from code or name.",
             cleaner="geography:state", cleans=True),
        Rule("address_part", 1, 2, a.AddressPart, _TEXT | {"country"},
             "One part of an address in free text (and country column), as the country writes addresses; text that is "
             "not understood stays whole as line1.",
             cleaner="addresses:address_part", cleans=True),
        Rule("address_text", 1, None, a.AddressText, _TEXT,
             "The parts of an address as one text, in the order of its country.",
             cleaner="addresses:address_text", takes_missing=True),
        Rule("street", 1, 2, a.InCountry, _TEXT,
             "Street line (and country column) with the kind of street as the country's post writes it: St., Str., Av.",
             cleaner="streets:street", cleans=True),
        Rule("postal_code", 1, 2, a.InCountry, _TEXT,
             "Postal code (and country column) in the country's writing; another shape is an error.",
             cleaner="postal_codes:postal_code", cleans=True),
    )  # fmt: skip


def _of_names_and_codes() -> tuple[Rule, ...]:
    """What people, companies, languages and zones are called, and numbers that offices gave them."""
    return (
        Rule("currency", 1, 1, _PLAIN, _only("currency", "text"), "ISO 4217 code, upper case; it must exist.",
             cleaner="codes:currency", cleans=True),
        Rule("language", 1, 1, _PLAIN, _TEXT, "BCP 47 tag.", cleaner="geography:language", cleans=True),
        Rule("time_zone", 1, 1, _PLAIN, _TEXT, "IANA zone; it must exist.", cleaner="geography:time_zone", cleans=True),
        Rule("person_name", 1, 1, a.PersonName, _TEXT,
             "White space, case of shouted or whispered names, particles kept; the whole name or a part of it.",
             cleaner="names:person_name", cleans=True),
        Rule("company_name", 1, 1, _PLAIN, _TEXT, "`text` and the usual spelling of the legal form.",
             cleaner="companies:company_name", cleans=True),
        Rule("website", 1, 1, _PLAIN, _TEXT, "Host of a URL or domain, lower case.", cleaner="contacts:website",
             cleans=True),
        Rule("tax_id", 1, 1, _PLAIN, _TEXT, "Upper case, separators out.", cleaner="codes:tax_id", cleans=True),
    )  # fmt: skip


def _of_links_and_counts() -> tuple[Rule, ...]:
    """Keys of other rows, quantities, and what follows from `as_of`."""
    return (
        Rule("reference", 1, None, a.Reference, _only("reference"),
             "Canonical key `<table>:<id>`; parts joined by `/`.", "keys:reference"),
        Rule("quantity", 1, 2, a.Quantity, _NUMBERS,
             "Amount (and unit column) to the canonical unit, exactly; an unknown unit is an error.",
             cleaner="numbers:quantity"),
        Rule("months_before_as_of", 1, 1, _PLAIN, _only("instant"), "`as_of` minus that many whole months, clamped.",
             cleaner="dates:months_before_as_of"),
        Rule("as_of", 0, 0, _PLAIN, _only("instant"), "The plan's `as_of`.", "dates:as_of"),
    )  # fmt: skip


_FAMILIES = (
    _of_any_text,
    _of_times_and_amounts,
    _of_lists_and_parts,
    _of_people_and_places,
    _of_names_and_codes,
    _of_links_and_counts,
)
REGISTRY: dict[str, Rule] = {rule.name: rule for family in _FAMILIES for rule in family()}
NAMES: tuple[str, ...] = tuple(REGISTRY)


def get(name: str) -> Rule:
    """The rule of that name; BadInput when there is none."""
    if name not in REGISTRY:
        raise BadInput(f"there is no rule {name!r}", f"use one of: {', '.join(NAMES)}")
    return REGISTRY[name]


def rules_reference() -> str:
    """The registry as a markdown table, one row a rule."""
    lines = ["| rule | columns | arguments | gives | does |", "|---|---|---|---|---|"]
    lines += [
        f"| {r.name} | {r.columns_text} | {_argument_names(r.arguments)} | {', '.join(sorted(r.produces))} | {r.doc} |"
        for r in REGISTRY.values()
    ]
    return "\n".join(lines) + "\n"
