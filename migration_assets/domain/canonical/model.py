"""What an entity and a field of the canonical model are, and short constructors to write them with.

Physical types, the same in Parquet, DuckDB and PostgreSQL:

| type      | holds                                      | Arrow              | PostgreSQL      |
|-----------|--------------------------------------------|--------------------|-----------------|
| key       | the row's own canonical key                | string             | uuid (target id)|
| reference | another row's canonical key                | string             | uuid (target id)|
| text, code, country, currency, email, phone    | string             | text            |
| integer   | whole number                               | int64              | bigint          |
| money     | whole minor units; the row has `currency`  | int64              | bigint          |
| decimal   | exact number with its own scale            | decimal128(28, 8)  | numeric(28, 8)  |
| boolean   |                                            | bool               | boolean         |
| date      |                                            | date32             | date            |
| instant   | UTC                                        | timestamp[us, UTC] | timestamptz     |

A canonical key is `<system>.<table>:<source id>`; parts of a composite id are joined by `/`. It is unique over all
systems, says where the row was founded, and becomes a UUID only in the target (through the crosswalk).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

FieldType = Literal[
    "key",
    "reference",
    "text",
    "code",
    "country",
    "currency",
    "email",
    "phone",
    "integer",
    "money",
    "decimal",
    "boolean",
    "date",
    "instant",
]
Stage = Literal["reference_data", "cleansed_customers", "transformed_entitlements", "transformed_billing"]
Sensitivity = Literal["public", "internal", "personal", "secret"]


def key_parts(key: str) -> tuple[str, str, str]:
    """System, table and source id of a canonical key; the id itself may hold any character."""
    place, _, source_id = key.partition(":")
    system, _, table = place.partition(".")
    return system, table, source_id


@dataclass(frozen=True)
class Field:
    """One column of an entity. `references` names an entity (reference) or a catalog list such as `catalog.plan`.
    `about`: where the field is given, the row is about that other row and nobody else."""

    name: str
    type: FieldType
    description: str
    required: bool = False
    sensitivity: Sensitivity = "internal"
    references: str | None = None
    codes: tuple[str, ...] = ()
    about: bool = False

    @property
    def takes_row_along(self) -> bool:
        """Whether a value that cannot be mended, or leads to no row that goes on, costs the row: without it there
        would be none, or it would say something of somebody else."""
        return self.required or self.about


@dataclass(frozen=True)
class Entity:
    """One table of the canonical model.

    `stage` is the asset that produces it. `derived` entities have no mapping: the program makes them. A catalog
    entity comes from `catalog.yaml` or `geo.csv` instead of a source, and its key is a code that people know. One that
    `may_be_fed` can come from a source as well, which then has to say the code: it is mapped like any other field.
    """

    name: str
    stage: Stage
    description: str
    fields: tuple[Field, ...]
    origin: Literal["source", "catalog", "derived"] = "source"
    may_be_fed: bool = False

    @property
    def key(self) -> Field:
        """The entity's own key: always its first field."""
        return self.fields[0]

    def field(self, name: str) -> Field:
        """The field of that name; KeyError when there is none."""
        return next((f for f in self.fields if f.name == name), None) or _no_field(self.name, name)

    @property
    def references(self) -> tuple[Field, ...]:
        """Fields that point at rows of other entities (or of this one)."""
        return tuple(f for f in self.fields if f.type == "reference")


def _no_field(entity: str, name: str) -> Field:
    raise KeyError(f"{entity} has no field {name}")


# Columns every canonical row carries beside its entity's own: where it came from.
PROVENANCE = (
    Field("source_system", "text", "System the row was read from."),
    Field("source_table", "text", "Table of that system."),
    Field("source_id", "text", "Key in that table, parts joined by '/'."),
    Field("source_row", "integer", "Row number in the golden copy: the surrogate that reports and metadata use."),
    Field("source_updated_at", "instant", "When the source says the row last changed."),
)


def required(f: Field) -> Field:
    """The same field, required: a row without it is rejected."""
    return replace(f, required=True)


def about(f: Field) -> Field:
    """The same reference, as saying whom its row is about wherever it is given."""
    return replace(f, about=True)


def personal(f: Field) -> Field:
    """The same field, marked personal data."""
    return replace(f, sensitivity="personal")


def key(name: str) -> Field:
    return Field(name, "key", "Canonical key of the row.", required=True)


def ref(name: str, entity: str, description: str) -> Field:
    return Field(name, "reference", description, references=entity)


def listed(name: str, catalog_list: str, description: str) -> Field:
    """A code that must stand in the catalog list of that name (plan, product, price, feature)."""
    return Field(name, "code", description, references=f"catalog.{catalog_list}")


def text(name: str, description: str) -> Field:
    return Field(name, "text", description)


def code(name: str, description: str, *codes: str) -> Field:
    return Field(name, "code", description, codes=codes)


def country(name: str, description: str) -> Field:
    return Field(name, "country", description)


def currency(description: str = "ISO 4217 code of every amount in the row.") -> Field:
    return Field("currency", "currency", description)


def email(name: str, description: str) -> Field:
    return personal(Field(name, "email", description))


def phone(name: str, description: str) -> Field:
    return personal(Field(name, "phone", description))


def integer(name: str, description: str) -> Field:
    return Field(name, "integer", description)


def money(name: str, description: str) -> Field:
    return Field(name, "money", description)


def decimal(name: str, description: str) -> Field:
    return Field(name, "decimal", description)


def boolean(name: str, description: str) -> Field:
    return Field(name, "boolean", description)


def date(name: str, description: str) -> Field:
    return Field(name, "date", description)


def instant(name: str, description: str) -> Field:
    return Field(name, "instant", description)
