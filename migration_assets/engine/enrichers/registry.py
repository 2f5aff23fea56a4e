"""The enrichers a plan may name: what each reads and takes, what it can give, and one line of documentation.

Belongs here: the list, and nothing that needs a data library, so that a plan can be checked cheaply. What an enricher
does stands in the modules beside this one, found by name when it first runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from migration_assets.domain.canonical.model import FieldType
from migration_assets.engine.enrichers import arguments as a
from migration_assets.engine.rules.outcome import Cleaner, Context

_TEXTS: frozenset[FieldType] = frozenset({"text", "code", "country", "email", "phone"})


@dataclass(frozen=True)
class Enricher:
    """One enricher. `reads`: least and most fields it reads. `function`: `module:function` in this package, which makes
    a Cleaner of arguments and context; None for a service, which is asked from outside."""

    name: str
    reads: tuple[int, int]
    arguments: type[a.NoArguments]
    produces: frozenset[FieldType]
    doc: str
    function: str | None

    def parse(self, given: Mapping[str, Any]) -> Any:
        """The arguments as a model; pydantic's ValidationError where they are wrong."""
        return self.arguments.model_validate(dict(given))

    def cleaner(self, arguments: Any, context: Context) -> Cleaner:
        """The function for these arguments; loads its libraries."""
        module, _, function = (self.function or "").partition(":")
        made: Cleaner = getattr(import_module(f"migration_assets.engine.enrichers.{module}"), function)(
            arguments, context
        )
        return made


def _enrichers() -> tuple[Enricher, ...]:
    countries: frozenset[FieldType] = frozenset({"country", "text"})
    text: frozenset[FieldType] = frozenset({"text"})
    return (
        Enricher("same", (1, 1), a.NoArguments, _TEXTS,
                 "The value as it is: what all rows that are read agree on.", "lists:same"),
        Enricher("country_of_phone", (1, 1), a.Countries, countries,
                 "Country of an E.164 number. A prefix that several countries share (+1, +7, +44) tells only where the "
                 "number itself is of one of them.", "places:country_of_phone"),
        Enricher("country_of_postal_code", (1, 1), a.PostalCountries, countries,
                 "Country whose postal codes have this form, if only one of those listed does.",
                 "places:country_of_postal_code"),
        Enricher("time_zone", (1, 2), a.NoArguments, text,
                 "IANA zone of a country (and state): where all of the country keeps one time, or all of the state "
                 "does (United States, Canada, Australia).", "places:time_zone"),
        Enricher("language_of_country", (1, 1), a.NoArguments, text,
                 "Language of a country that has one official language.", "places:language_of_country"),
        Enricher("code_list", (1, 4), a.CodeList, _TEXTS,
                 "What a code list of the plan says of a code, such as the name of its industry.", "lists:code_list"),
        Enricher("service", (1, 8), a.Service, _TEXTS,
                 "What a service on the network answers. Answers are kept for the snapshot, so that another run on it "
                 "asks nothing again.", None),
    )  # fmt: skip


ENRICHERS: dict[str, Enricher] = {e.name: e for e in _enrichers()}
