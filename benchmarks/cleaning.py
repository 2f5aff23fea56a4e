"""Cleaning the parties of Acme: our rules beside the libraries they stand on, called value by value, on the same rows.

usage: python -m benchmarks.cleaning [--customers 200000] [--rounds 1]

The rows are the generator's accounts and addresses with all their defects. Both sides read the same Parquet files and
write what they made of them; making the rows and importing libraries do not count. The peer gives every value to ftfy,
phonenumbers, email-validator and tables made of pycountry, as a script would, and keeps no answers; ours also writes a
note for each value it changed, and looks for mistyped domains. Cleaning alone is what finding the clean value of every
input costs, without reading, joining the answers back, types, rejections, notes and files. Each measurement is a
process of its own.
Prints one line for each side (medians), the ratios, and how many e-mails, phones and countries both sides agree on.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.sides import COSTS, ROOT, Measured, Sides, medians

if TYPE_CHECKING:
    from migration_assets.domain.predicates import Predicate

GOAL = 5.0
COMPARED = ("email", "phone", "country")


def make_rows(folder: Path, customers: int) -> None:
    """Write accounts.parquet and addresses.parquet with row numbers, as the golden copy has them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from migration_assets.demo import generate

    tables = generate(customers).tables
    for name in ("accounts", "addresses"):
        rows = tables[f"crm.{name}"]
        numbered = rows.append_column("_row", pa.array(range(1, rows.num_rows + 1), pa.int64()))
        pq.write_table(numbered, folder / f"{name}.parquet", compression="zstd")


# --- ours ----------------------------------------------------------------------------------------------------------


def ours(folder: Path) -> float:
    """Feeds as a plan has them; canonical rows and notes end in files. CPU seconds of what comes before those."""
    from migration_assets.demo import DEFAULT_AS_OF
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.engine.mapping import FeedSpec, FieldRule, map_feed

    both = {"kind": "person", "status": "active"}
    account = (
        FieldRule("email", "email", ("email",)),
        FieldRule("phone", "phone", ("phone", "country")),
        FieldRule("country", "country", ("country",)),
        FieldRule("state", "state", ("state", "country")),
        FieldRule("website", "website", ("website",)),
        FieldRule("tax_id", "tax_id", ("tax_id",)),
        *(FieldRule(field, "constant", (), {"value": value}) for field, value in both.items()),
    )
    address = (
        FieldRule("customer_id", "reference", ("account_id",), {"table": "crm.accounts"}),
        FieldRule("kind", "constant", (), {"value": "billing"}),
        *(FieldRule(f, "repair", (f,)) for f in ("line1", "line2", "city")),
        FieldRule("postal_code", "text", ("postal_code",)),
        FieldRule("state", "state", ("state", "country")),
        FieldRule("country", "country", ("country",)),
    )
    people, companies = FieldRule("name", "person_name", ("name",)), FieldRule("name", "company_name", ("name",))
    specs = (
        FeedSpec("p", "customer", "crm", "accounts", ("account_id",), (people, *account), where=_of_type("P")),
        FeedSpec("c", "customer", "crm", "accounts", ("account_id",), (companies, *account), where=_of_type("C")),
        FeedSpec("a", "address", "crm", "addresses", ("address_id",), address),
    )
    with DuckDBEngine() as engine:
        begun = time.process_time()
        tables = {s.table: engine.read(folder / f"{s.table}.parquet") for s in specs}
        mapped = [map_feed(engine, spec, tables[spec.table], DEFAULT_AS_OF) for spec in specs]
        alone = time.process_time() - begun
        for spec, made in zip(specs, mapped, strict=True):
            for name, rows in (("rows", made.rows), ("notes", made.notes)):
                engine.write(rows, folder / f"ours.{spec.table}.{spec.feed}.{name}.parquet")
    return alone


def _of_type(code: str) -> tuple[Predicate, ...]:
    from migration_assets.domain.predicates import Predicate

    return (Predicate(field="account_type", op="eq", value=code),)


# --- the peer ------------------------------------------------------------------------------------------------------


def value_by_value(folder: Path) -> float:
    """The libraries, called for each value of each row. CPU seconds of the calls."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    countries, alone = _country_table(), 0.0
    for table, columns in (("accounts", _ACCOUNT), ("addresses", _ADDRESS)):
        rows = pq.read_table(folder / f"{table}.parquet")
        made: dict[str, list[Any]] = {"source_row": rows["_row"].to_pylist()}
        columns_of = {c: rows[c].to_pylist() for c in (*columns, "country")}
        begun = time.process_time()
        known = [countries.get((c or "").strip().casefold()) for c in columns_of["country"]]
        made["country"] = known
        for column, clean in columns.items():
            values = zip(columns_of[column], known, strict=True)
            made[column] = [None if v is None else clean(v, c) for v, c in values]
        alone += time.process_time() - begun
        pq.write_table(pa.table(made), folder / f"peer.{table}.rows.parquet", compression="zstd")
    return alone


def _country_table() -> dict[str, str]:
    import pycountry

    names: dict[str, str] = {}
    for c in pycountry.countries:
        for name in (c.alpha_2, c.alpha_3, c.name, getattr(c, "official_name", None), getattr(c, "common_name", None)):
            if name:
                names[name.casefold()] = c.alpha_2
    return names


def _text(value: str, _: str | None) -> str | None:
    import ftfy

    return " ".join(unicodedata.normalize("NFC", ftfy.fix_text(value)).split()) or None


def _email(value: str, _: str | None) -> str | None:
    from email_validator import EmailNotValidError, validate_email

    try:
        return str(validate_email(value.strip(), check_deliverability=False).normalized).lower()
    except EmailNotValidError:
        return None


def _phone(value: str, country: str | None) -> str | None:
    import phonenumbers

    try:
        number = phonenumbers.parse(value, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _website(value: str, _: str | None) -> str | None:
    from urllib.parse import urlsplit

    text = value.strip().lower()
    try:
        host = urlsplit(text if "//" in text else f"//{text}").hostname
    except ValueError:
        return None
    return host.removeprefix("www.") if host else None


def _state(value: str, country: str | None) -> str | None:
    import pycountry

    found = pycountry.subdivisions.get(code=f"{country}-{value.strip().upper()}") if country else None
    return found.code.partition("-")[2] if found else None


_ACCOUNT: dict[str, Callable[[str, str | None], str | None]] = {
    "name": _text, "email": _email, "phone": _phone, "state": _state, "website": _website, "tax_id": _text,
}  # fmt: skip
_ADDRESS: dict[str, Callable[[str, str | None], str | None]] = {
    "line1": _text, "line2": _text, "city": _text, "postal_code": _text, "state": _state,
}  # fmt: skip


# --- measuring -----------------------------------------------------------------------------------------------------


def few_rows(folder: Path) -> Path:
    """Rows enough to import what a side needs."""
    make_rows(folder, 100)
    return folder


SIDES = Sides(__file__, {"ours": ours, "value by value": value_by_value}, few_rows)


def agreement(folder: Path) -> dict[str, tuple[int, int, int]]:
    """By field of the accounts: values that are equal, that only ours has, and that differ or only the peer has."""
    import duckdb

    found = {}
    for field in COMPARED:
        row = duckdb.sql(
            f"""select count(*) filter (o.{field} is not distinct from p.{field}),
            count(*) filter (o.{field} is not null and p.{field} is null),
            count(*) filter (p.{field} is not null and o.{field} is distinct from p.{field})
            from '{folder}/peer.accounts.rows.parquet' p
            left join '{folder}/ours.accounts.*.rows.parquet' o using (source_row)"""
        ).fetchone()
        assert row is not None
        found[field] = (int(row[0]), int(row[1]), int(row[2]))
    return found


def rows_in(folder: Path) -> int:
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(folder / f"{t}.parquet").num_rows for t in ("accounts", "addresses"))


def main() -> int:
    parser = SIDES.parser(__doc__, rounds=1)
    parser.add_argument("--customers", type=int, default=200_000)
    asked = parser.parse_args()
    if asked.side:
        print(json.dumps(SIDES.measured(asked.side, asked.at)))
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # In a process of its own: a child's peak memory begins with that of the process it came from.
        made = [
            sys.executable,
            "-c",
            f"from benchmarks.cleaning import *; make_rows(Path({name!r}), {asked.customers})",
        ]
        subprocess.run(made, check=True, cwd=ROOT)
        return report(rows_in(folder), SIDES.rounds(folder, asked.rounds), agreement(folder))


def report(rows: int, rounds: dict[str, list[Measured]], agreed: dict[str, tuple[int, int, int]]) -> int:
    """Print medians, ratios and agreement. What a side made is the CPU seconds of its cleaning alone."""
    found = {side: medians(taken, (*COSTS, "made")) for side, taken in rounds.items()}
    print(f"{len(_ACCOUNT) + len(_ADDRESS) + 2} columns over {rows:,} rows, medians of {len(rounds['ours'])}")
    for side, m in found.items():
        cost = f"{m['wall']:8.2f} s wall {m['cpu']:8.2f} s CPU, of these cleaning alone {m['made']:8.2f}"
        print(f"  {side:16}{cost} {m['peak_mb']:6.0f} MB peak")
    peer, own = found["value by value"], found["ours"]
    whole, alone = peer["cpu"] / own["cpu"], peer["made"] / own["made"]
    print(f"  {whole:.1f} times less CPU, {alone:.1f} times for cleaning alone (goal {GOAL:.0f})")
    for field, (same, more, other) in agreed.items():
        print(f"  {field}: {same:,} the same, {more:,} only ours could read, {other:,} the peer reads otherwise")
    return 0


if __name__ == "__main__":
    sys.exit(main())
