"""People and companies entered twice with a slip, and others who only look alike: what a machine has to tell apart.

The truth names for each planted account the one it was made from. Kinds of DUPLICATES are the same party; STRANGERS are
somebody else, and BOTH_BILLED are two accounts of one party that has been billed under both: nobody but a person may
say what becomes of those.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from migration_assets.demo.bench import Bench
from migration_assets.demo.columns import Bools, Ints
from migration_assets.demo.damage import copy_children
from migration_assets.demo.people import NORMAL, account_ids

DUPLICATES = ("misspelt_person", "renamed_person", "moved_person", "renamed_company")
STRANGERS = ("namesake", "twin", "parent_and_child", "shared_mailbox", "sister_company")
BOTH_BILLED = "both_billed"

_ACCOUNTS, _ADDRESSES, _DEBTORS = "crm.accounts", "crm.addresses", "erp.customers"
Row = dict[str, Any]

_OTHER_GIVEN = ("Ulrike", "Bartholomew", "Ignacio", "Wilhelmina", "Tadeusz", "Genevieve")
_OTHER_FAMILY = ("Oberholzer", "Quintanilla", "Wetherby", "Zimmermann-Roth")
_OTHER_STREETS = ("Quarry Lane", "Foundry Row", "Orchard Mews", "Tannery Walk")
# What a sister company abroad is registered under.
_ABROAD = {"DE": ("AT", "ATU"), "AT": ("DE", "DE")}
_LEGAL_FORMS = (" GmbH", " Ltd", " Inc.", " LLC", " S.A.", " B.V.")


def plant(bench: Bench) -> None:
    """Every kind, each from accounts that no other kind of lookalike was made from."""
    _bill_twice(bench)
    for kind, change in _PERSONS.items():
        _again(bench, kind, _persons(bench), change)
    for kind, change in _COMPANIES.items():
        _again(bench, kind, _companies(bench), change)


def _persons(bench: Bench) -> Bools:
    """People with a birth date, a mailbox and a phone, whose account was left as it was."""
    present = [bench.present(_ACCOUNTS, c) for c in ("birth_date", "email", "phone")]
    return _untouched(bench, ~bench.people.company) & np.logical_and.reduce(present)


def _companies(bench: Bench) -> Bools:
    return _untouched(bench, bench.people.company)


def _untouched(bench: Bench, kind: Bools) -> Bools:
    """Rows of accounts that are customers of their own and carry no defect; none of those that were added."""
    people = bench.people
    free = np.zeros(bench.tables[_ACCOUNTS].num_rows, dtype=bool)
    free[: people.count] = kind & (people.role == NORMAL) & (people.parent < 0) & (people.payer < 0)
    for column in ("name", "email", "phone", "country", "parent_account", "created_on", "account_id"):
        if (used := bench.used.get((_ACCOUNTS, column))) is not None:
            free &= ~used
    return free


# --- entered again -------------------------------------------------------------------------------------------------


def _again(bench: Bench, kind: str, eligible: Bools, change: Callable[[Row, int], Row]) -> None:
    """Accounts like those chosen, each changed in what the kind is about; `street` in a change is that of its
    address."""
    rows = bench.choose(kind, _ACCOUNTS, "account_id", eligible)
    if len(rows) == 0:
        return
    table = bench.tables[_ACCOUNTS]
    fresh = np.arange(table.num_rows, table.num_rows + len(rows))
    ids = account_ids(fresh)
    made = [change(dict(row), i) for i, row in enumerate(_plain(table.take(pa.array(rows))).to_pylist())]
    streets = [row.pop("street", None) for row in made]
    for row, number, new in zip(made, fresh.tolist(), ids.to_pylist(), strict=True):
        row |= {"account_id": new, "external_ref": f"EXT-{number * 3 + 1000:08d}", "notes": None}
    keys = bench.row_keys(_ACCOUNTS, rows)
    added = bench.append(_ACCOUNTS, pa.Table.from_pylist(made, schema=_plain(table).schema))
    bench.note(kind, _ACCOUNTS, added, keys)
    copy_children(bench, rows, ids)
    _move(bench, kind, ids, streets)


def _plain(table: pa.Table) -> pa.Table:
    columns = {
        name: table[name].cast(table[name].type.value_type) if pa.types.is_dictionary(table[name].type) else table[name]
        for name in table.column_names
    }
    return pa.table(columns)


def _move(bench: Bench, kind: str, owners: pa.Array, streets: list[str | None]) -> None:
    """A street of their own for those who have one, with another postal code."""
    at = np.asarray(pc.index_in(owners, bench.column(_ADDRESSES, "account_id")).fill_null(-1)).astype(np.int64)
    moved = [(row, street) for row, street in zip(at.tolist(), streets, strict=True) if street and row >= 0]
    if moved:
        rows = np.array([row for row, _ in moved], dtype=np.int64)
        bench.put(_ADDRESSES, "line1", rows, pa.array([street for _, street in moved]))
        numbers = 10_000 + bench.randoms(kind, _ADDRESSES, 90_000, len(rows))
        bench.put(_ADDRESSES, "postal_code", rows, pa.array([str(n) for n in numbers.tolist()]))


def _misspelt(row: Row, i: int) -> Row:
    """A letter dropped, doubled, or changed places with the next."""
    field = ("given_name", "family_name")[i % 2]
    name = row[field]
    at = min(2, len(name) - 2)
    before, letter, following, after = name[:at], name[at], name[at + 1], name[at + 2 :]
    slips = (
        before + following + after,
        before + letter + letter + following + after,
        before + following + letter + after,
    )
    return _named(row, **{field: slips[i % 3]}) | {"email": f"post{i}.{row['account_id'].lower()}@post.example.org"}


def _named(row: Row, **parts: str) -> Row:
    row = row | parts
    return row | {"name": f"{row['given_name']} {row['family_name']}"}


def _moved(row: Row, i: int) -> Row:
    return row | {"phone": None, "email": None, "street": _street(i)}


def _street(i: int) -> str:
    return f"{_OTHER_STREETS[i % len(_OTHER_STREETS)]} {200 + i}"


def _someone(row: Row, i: int) -> Row:
    """Nothing of the other but what the kind leaves."""
    return row | {"email": f"own{i}.{row['account_id'].lower()}@own.example.org", "phone": None}


def _years_later(day: str, years: int) -> str:
    """Another birth date, day and month included."""
    date, month, year = day.split("/")
    return f"{(int(date) + 11) % 28 + 1:02d}/{(int(month) + 4) % 12 + 1:02d}/{int(year) + years}"


def _namesake(row: Row, i: int) -> Row:
    return _someone(row, i) | {"birth_date": _years_later(row["birth_date"], 9), "street": _street(i)}


def _twin(row: Row, i: int) -> Row:
    return _named(_someone(row, i), given_name=_OTHER_GIVEN[i % len(_OTHER_GIVEN)]) | {"phone": row["phone"]}


def _child(row: Row, i: int) -> Row:
    return _someone(row, i) | {"birth_date": _years_later(row["birth_date"], 27), "phone": row["phone"]}


def _partner(row: Row, i: int) -> Row:
    other = _named(row, given_name=_OTHER_GIVEN[i % len(_OTHER_GIVEN)])
    return other | {"birth_date": _years_later(row["birth_date"], 2)}


def _renamed_company(row: Row, i: int) -> Row:
    bare = _without_form(row["name"])
    written = (bare.upper(), bare + _LEGAL_FORMS[i % len(_LEGAL_FORMS)], bare)[i % 3]
    return row | {"name": written, "tax_id": None, "phone": None}


def _without_form(name: str) -> str:
    """Two words and a number make a company's name here; the rest is its legal form."""
    return " ".join(name.split()[:3])


def _sister(row: Row, i: int) -> Row:
    country, prefix = _ABROAD.get(row["country"], ("DE", "DE"))
    return _someone(row, i) | {
        "country": country, "state": None, "tax_id": f"{prefix}{900_000_000 + 7919 * i}"[: len(prefix) + 9],
        "name": _without_form(row["name"]) + " Services", "street": _street(i),
    }  # fmt: skip


_PERSONS: dict[str, Callable[[Row, int], Row]] = {
    "misspelt_person": _misspelt,
    "renamed_person": lambda row, i: _named(row, family_name=_OTHER_FAMILY[i % len(_OTHER_FAMILY)]),
    "moved_person": _moved,
    "namesake": _namesake,
    "twin": _twin,
    "parent_and_child": _child,
    "shared_mailbox": _partner,
}
_COMPANIES: dict[str, Callable[[Row, int], Row]] = {"renamed_company": _renamed_company, "sister_company": _sister}


# --- billed under both ---------------------------------------------------------------------------------------------


def _bill_twice(bench: Bench) -> None:
    """Somebody with two accounts and two debtors, and contracts under both."""
    people = bench.people
    eligible = _persons(bench)
    billed = np.asarray(
        pc.is_in(pa.array(people.customer_no), bench.column("erp.invoices", "customer_no").cast("int64"))
    )
    eligible[: people.count] &= billed
    place = np.concatenate((people.place, np.full(len(eligible) - people.count, -1)))
    second = eligible.copy()
    for here in np.unique(place[eligible]).tolist():
        second[np.flatnonzero(eligible & (place == here))[:1]] = False
    seconds = bench.choose(BOTH_BILLED, _ACCOUNTS, "account_id", second)
    firsts = []
    for row in seconds.tolist():
        first = _before(place, eligible & ~bench.used[_ACCOUNTS, "account_id"], row)
        firsts.append(first)
        if first >= 0:
            bench.used[_ACCOUNTS, "account_id"][first] = True
    _make_one(bench, np.array(firsts, dtype=np.int64), seconds)


def _before(place: Ints, free: Bools, row: int) -> int:
    """The nearest free account before it in the same place, -1 when there is none."""
    near = np.flatnonzero(free[:row] & (place[:row] == place[row]))
    return int(near[-1]) if len(near) else -1


def _make_one(bench: Bench, firsts: Ints, seconds: Ints) -> None:
    firsts, seconds = firsts[firsts >= 0], seconds[firsts >= 0]
    if len(seconds) == 0:
        return
    for column in ("name", "given_name", "family_name", "birth_date", "phone"):
        bench.put(_ACCOUNTS, column, seconds, bench.column(_ACCOUNTS, column).take(pa.array(firsts)))
    bench.note(BOTH_BILLED, _ACCOUNTS, seconds, bench.row_keys(_ACCOUNTS, firsts))
    _same(bench, _ADDRESSES, "account_id", firsts, seconds, ("line1", "city", "postal_code"))
    _same(bench, _DEBTORS, "crm_account_id", firsts, seconds, ("name",))


def _same(bench: Bench, table: str, owner: str, firsts: Ints, seconds: Ints, columns: tuple[str, ...]) -> None:
    """What the first has in a table of one's own, the second has too."""
    owners = bench.column(table, owner)
    at = [
        np.asarray(pc.index_in(account_ids(rows), owners).fill_null(-1)).astype(np.int64) for rows in (firsts, seconds)
    ]
    both = (at[0] >= 0) & (at[1] >= 0)
    for column in columns:
        bench.put(table, column, at[1][both], bench.column(table, column).take(pa.array(at[0][both])))
