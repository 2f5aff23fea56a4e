"""Dirty texts: names, phones, e-mails, countries, statuses, dates and notes as people really type them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from migration_assets.demo import columns as col
from migration_assets.demo.bench import Bench
from migration_assets.demo.columns import Bools, Column, Ints
from migration_assets.demo.people import ERASED
from migration_assets.demo.places import PLACES

_NAMES = (("crm.accounts", "name"), ("crm.contacts", "full_name"), ("erp.customers", "name"))
_BAD_PHONES = ("n/a", "ask reception", "12345", "+00 000", "-")
_BAD_DATES = ("31.02.2024", "2023-13-05", "2023-02-30", "00.00.0000", "29.02.2023")
_FORMULAS = ("=1+1", "+SUM(A1:A9)", "-2+3", "@SUM(1)", '=HYPERLINK("http://example.com","click")')
_NOTES = (
    'Said "call back, later"\nthen hung up; 50% off?',
    "Lines:\r\n1, two\r\n3",
    '"quoted"',
    "semi;colon, comma, 'single' and \"double\"",
    "tab\there, back\\slash",
)
SCRIPT = "<script>alert('acme')</script>"
SQL = "Robert'); DROP TABLE accounts;--"


def spoil_texts(bench: Bench) -> None:
    """Every kind of dirty text."""
    _spoil_names(bench)
    _spoil_phones(bench)
    _spoil_emails(bench)
    _spoil_words(bench)


def _spoil_names(bench: Bench) -> None:
    for table, column in _NAMES:
        alive = _alive(bench, table, column)
        latin = alive & ~np.asarray(pc.string_is_ascii(bench.column(table, column)).fill_null(True))
        person = alive & _of_person(bench, table)
        _each(bench, "mojibake", table, column, latin, mojibake)
        _each(bench, "shouting", table, column, person, lambda name, i: name.upper() if i % 2 else name.lower())
        _each(bench, "white_space", table, column, alive, _with_white_space)
        _each(bench, "invisible_character", table, column, alive, _with_invisible)
        _each(bench, "right_to_left_mark", table, column, alive, _with_direction)
        if table != "erp.customers":
            _each(bench, "script_name", table, column, alive, lambda _name, _i: SCRIPT)
            _each(bench, "sql_name", table, column, alive, lambda _name, _i: SQL)
    staff = _alive(bench, "crm.contacts", "full_name") & bench.present("crm.contacts", "job_title")
    _each(bench, "family_name_first", "crm.contacts", "full_name", staff, _family_first)


def _each(
    bench: Bench, kind: str, table: str, column: str, eligible: Bools, change: Callable[[str, int], str | None]
) -> None:
    """Change a few texts one by one; only chosen rows pass through Python."""
    rows = bench.choose(kind, table, column, eligible & bench.present(table, column))
    before = bench.column(table, column).take(pa.array(rows)).to_pylist()
    bench.spoil(kind, table, column, rows, [change(text, i) for i, text in enumerate(before)])


def _alive(bench: Bench, table: str, column: str) -> Bools:
    """Rows with a name that was not blanked by an erasure."""
    names = bench.column(table, column)
    return np.asarray(pc.not_equal(names, "[erased]").fill_null(False))


def _of_person(bench: Bench, table: str) -> Bools:
    if table == "crm.accounts":
        return ~bench.people.company & (bench.people.role != ERASED)
    if table == "erp.customers":
        return np.asarray(pc.equal(bench.column(table, "cust_type"), "PER"))
    return np.ones(bench.tables[table].num_rows, dtype=bool)


def mojibake(text: str, _index: int = 0) -> str:
    """UTF-8 read as a Western code page, as old exports did."""
    try:
        return text.encode("utf-8").decode("cp1252")
    except UnicodeDecodeError:
        return text.encode("utf-8").decode("latin-1")


def _with_white_space(name: str, index: int) -> str:
    return (f"  {name} ", name.replace(" ", "   ", 1), f"{name}\u00a0", f"\t{name}\n")[index % 4]


def _with_invisible(name: str, index: int) -> str:
    mark = ("\u200b", "\ufeff", "\u00ad", "\u2060")[index % 4]
    return name[:2] + mark + name[2:]


def _with_direction(name: str, index: int) -> str:
    return f"\u200f{name}" if index % 2 else f"\u202e{name}\u202c"


def _family_first(name: str, _index: int) -> str:
    given, _, family = name.partition(" ")
    return f"{family}, {given}"


def _spoil_phones(bench: Bench) -> None:
    """Contacts have no country of their own, so theirs keep the international prefix."""
    accounts = bench.people.place
    contacts = bench.people.place[col.expand(bench.people.contacts)[0]]
    for table, place, national in (("crm.accounts", accounts, True), ("crm.contacts", contacts, False)):
        present = bench.present(table, "phone")
        _each(bench, "bad_phone", table, "phone", present, lambda _phone, i: _BAD_PHONES[i % len(_BAD_PHONES)])
        settled = present & bench.present("crm.accounts", "country") if national else present
        rows = bench.choose("phone_format", table, "phone", settled)
        if len(rows):
            _reformat(bench, table, place, rows, national)


def _reformat(bench: Bench, table: str, place: Ints, rows: Ints, national: bool) -> None:
    plain = bench.column(table, "phone").take(pa.array(rows))
    style = bench.randoms("phone_format", table, 4, len(rows))
    parts, order = [], []
    for index, land in enumerate(PLACES):
        here = np.flatnonzero(place[rows] == index)
        parts.append(_written(plain.take(pa.array(here)), style[here], land.dial, land.trunk, national))
        order.append(here)
    back = np.empty(len(rows), dtype=np.int64)
    back[np.concatenate(order)] = np.arange(len(rows))
    bench.spoil("phone_format", table, "phone", rows, pa.concat_arrays(parts).take(pa.array(back)).to_pylist())


def _written(phones: Column, style: Ints, dial: str, trunk: str, national: bool) -> Column:
    """E.164 numbers in one of four notations each; style 0 is the national one."""
    n = len(phones)
    area = pc.utf8_slice_codeunits(phones, 1 + len(dial), 4 + len(dial))
    rest = pc.utf8_slice_codeunits(phones, 4 + len(dial))
    inner = f"({trunk})" if trunk else ""
    home = col.joined(col.constant(trunk, n), area, col.constant(" ", n), rest)
    bracket = col.joined(col.constant(f"+{dial} {inner}", n), area, col.constant("-", n), rest)
    dots = col.joined(col.constant(f"+{dial}.", n), area, col.constant(".", n), rest)
    blanks = col.joined(col.constant(f" +{dial} ", n), area, col.constant(" ", n), rest)
    first = home if national else bracket
    return col.chosen(style == 0, first, col.chosen(style == 1, bracket, col.chosen(style == 2, dots, blanks)))


def _spoil_emails(bench: Bench) -> None:
    for table in ("crm.accounts", "crm.contacts"):
        present = bench.present(table, "email")
        _each(bench, "bad_email", table, "email", present, _bad_email)
        _each(
            bench, "email_case", table, "email", present, lambda mail, i: mail.upper() if i % 2 else f" {mail.title()} "
        )


def _bad_email(mail: str, index: int) -> str:
    local, _, domain = mail.partition("@")
    return (f"{local}{domain}", f"{local}@@{domain}", f"{local} x@{domain}", f"{local}@", "none")[index % 5]


def _spoil_words(bench: Bench) -> None:
    accounts = "crm.accounts"
    everyone = np.ones(bench.tables[accounts].num_rows, dtype=bool)
    _each(bench, "status_case", accounts, "status", everyone, lambda s, i: s.upper() if i % 2 else s.lower())
    _each(bench, "impossible_date", accounts, "created_on", everyone, lambda _d, i: _BAD_DATES[i % len(_BAD_DATES)])
    for kind, texts in (("quoted_notes", _NOTES), ("formula_cell", _FORMULAS)):
        rows = bench.choose(kind, accounts, "notes", everyone)
        bench.spoil(kind, accounts, "notes", rows, [texts[i % len(texts)] for i in range(len(rows))])
    for table in (accounts, "crm.addresses"):
        _spell_countries(bench, table)


def _spell_countries(bench: Bench, table: str) -> None:
    rows = bench.choose("country_spelling", table, "country", bench.present(table, "country"))
    if len(rows) == 0:
        return
    clean = bench.column(table, "country").take(pa.array(rows))
    place = np.asarray(pc.index_in(clean, pa.array([p.spellings[0] for p in PLACES]))).astype(np.int64)
    style = 1 + bench.randoms("country_spelling", table, 5, len(rows))
    spellings = [spelling for p in PLACES for spelling in p.spellings]
    bench.spoil("country_spelling", table, "country", rows, col.pick(spellings, place * 6 + style).to_pylist())
