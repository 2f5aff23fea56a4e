"""Customers as records that can be compared: values folded until spelling is all that tells them apart.

Folding is for comparison alone: what is compared here is never written anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import pyarrow as pa
import pyarrow.compute as pc

from migration_assets.engine.rules.companies import trading_name
from migration_assets.stages.identities.likeness import KEY

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

# Which of a customer's addresses is compared: the first kind there is.
_ADDRESS_KINDS = ("billing", "service", "shipping")
_COMPARED = (
    "kind", "name", "given_name", "family_name", "birth_date", "email", "phone", "website", "country", "state", "tax_id"
)  # fmt: skip
_PLACE = ("line1", "line2", "city", "state", "postal_code")
_NUMBER_FIRST, _NUMBER_LAST = r"^(?P<number>\d+\w?)[ ,]+(?P<street>.+)$", r"^(?P<street>.+?)[ ,]+(?P<number>\d+\w?)$"


def speakers(customers: ir.Table, spoken_for: ir.Table) -> ir.Table:
    """One customer for all rows that links tie together, under the founder's key: of each field the first present value
    in their standing. `spoken_for`: customer_id, speaker, _standing."""
    fields = [f for f in _COMPARED if f in customers.columns]
    ranked = customers.select("customer_id", *fields).inner_join(spoken_for, "customer_id")
    first = {f: ranked[f].argmin(ranked["_standing"], where=ranked[f].notnull()) for f in fields}
    return ranked.group_by("speaker").aggregate(**first).rename(customer_id="speaker")


def of_speakers(addresses: ir.Table, spoken_for: ir.Table) -> ir.Table:
    """The addresses, each with the key of who speaks for its customer."""
    owned = addresses.inner_join(spoken_for.select("customer_id", "speaker"), "customer_id")
    return owned.drop("customer_id").rename(customer_id="speaker")


def records(engine: DuckDBEngine, kind: str, customers: ir.Table, addresses: ir.Table | None) -> pa.Table:
    """Records of the persons (or companies) among customers in standard form, for `likeness.scored`.

    One row for each customer given, key `unique_id` (the canonical customer_id); the columns are those that `kits`
    compares.
    """
    mine = customers.filter(customers["kind"] == kind)
    if addresses is not None:
        placed = _one_address(addresses)
        mine = mine.left_join(placed, mine["customer_id"] == placed["_customer"]).drop("_customer")
    table = engine.arrow(mine.order_by("customer_id"))
    return _person(table) if kind == "person" else _company(table)


def _one_address(addresses: ir.Table) -> ir.Table:
    """Of each customer the first address by kind, then key."""
    kind = ibis.cases(*((addresses["kind"] == k, str(i)) for i, k in enumerate(_ADDRESS_KINDS)), else_="9")
    rank = kind + addresses["address_id"]
    place = ibis.struct({c: addresses[c] for c in _PLACE})
    first = addresses.group_by("customer_id").aggregate(_place=place.argmin(rank))
    return first.select(_customer="customer_id", **{f"_{c}": first["_place"][c] for c in _PLACE})


def _person(table: pa.Table) -> pa.Table:
    street, number = _street_and_number(_folded(_column(table, "_line1")))
    return pa.table(
        {
            KEY: table["customer_id"],
            "given_name": _folded(table["given_name"]),
            "family_name": _folded(table["family_name"]),
            "birth_date": table["birth_date"].cast(pa.string()),
            "email": _folded(table["email"]),
            "phone": table["phone"],
            "street": street,
            "house_number": number,
            "line2": _folded(_column(table, "_line2")),
            "city": _folded(_column(table, "_city")),
            "postal_code": _bare(_column(table, "_postal_code")),
            "state": pc.coalesce(_column(table, "_state"), table["state"]),
            "tax_id": _bare(table["tax_id"]),
        }
    )


def _company(table: pa.Table) -> pa.Table:
    known = {name: trading_name(name) for name in pc.unique(table["name"]).to_pylist() if name}
    names = pa.chunked_array([pa.array([known.get(n) for n in table["name"].to_pylist()], pa.string())])
    return pa.table(
        {
            KEY: table["customer_id"],
            "trading_name": _folded(names),
            "website": _folded(table["website"]),
            "email": _folded(table["email"]),
            "phone": table["phone"],
            "street": _folded(_column(table, "_line1")),
            "city": _folded(_column(table, "_city")),
            "postal_code": _bare(_column(table, "_postal_code")),
            "country": table["country"],
            "tax_id": _bare(table["tax_id"]),
        }
    )


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    return table[name] if name in table.column_names else pa.chunked_array([pa.nulls(table.num_rows, pa.string())])


def _folded(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Small letters without marks; a run of anything but letters, digits, `@` and points is one space."""
    plain = pc.replace_substring_regex(pc.utf8_normalize(texts, form="NFKD"), r"\pM+", "")
    words = pc.replace_substring_regex(pc.utf8_lower(plain), r"[^\pL\pN@.]+", " ")
    return _or_missing(pc.utf8_trim(words, " ."))


def _bare(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Letters and digits only, capitals: how numbers are typed differs in all else."""
    return _or_missing(pc.replace_substring_regex(pc.utf8_upper(texts), r"[^\pL\pN]+", ""))


def _or_missing(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pc.equal(texts, ""), None, texts)


def _street_and_number(lines: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Street and house number of folded lines, the number before or behind; a line without one is all street."""
    first, last = pc.extract_regex(lines, _NUMBER_FIRST), pc.extract_regex(lines, _NUMBER_LAST)
    street = pc.coalesce(pc.struct_field(first, "street"), pc.struct_field(last, "street"), lines)
    return street, pc.coalesce(pc.struct_field(first, "number"), pc.struct_field(last, "number"))
