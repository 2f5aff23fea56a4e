"""Values that broke ordinary code, each with what becomes of it; and text of any length, in bounded time."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import ftfy.bad_codecs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_world import cleaner
from test_rule_properties import CLEANERS, IDS

from migration_assets.engine.rules.text import repaired

EUR: dict[str, Any] = {"unit": "major", "currency": "EUR"}
BERLIN = {"zone": "Europe/Berlin"}


def utc(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.UTC)  # type: ignore[arg-type]


CASES: list[tuple[str, dict[str, Any], str, Any]] = [
    ("text", {}, "00123", "00123"),
    ("postal_code", {"country": "US"}, "02139", "02139"),
    ("tax_id", {}, "00123", "00123"),
    ("tax_id", {}, "n/a", ("placeholder_tax_id",)),
    ("tax_id", {}, "unknown", ("placeholder_tax_id",)),
    ("tax_id", {}, "TBD", ("placeholder_tax_id",)),
    ("tax_id", {}, "XXXXXXXXX", ("placeholder_tax_id",)),
    ("tax_id", {}, "0000000", ("placeholder_tax_id",)),
    ("tax_id", {}, "111111111", ("placeholder_tax_id",)),
    ("tax_id", {}, "DE000000000", ("placeholder_tax_id",)),
    ("tax_id", {}, "DE 999 999 999", ("placeholder_tax_id",)),
    ("tax_id", {}, "de123456789", ("placeholder_tax_id",)),
    ("tax_id", {}, "0123456789", ("placeholder_tax_id",)),
    ("tax_id", {}, "DE111111112", "DE111111112"),
    ("tax_id", {}, "A11", "A11"),
    ("person_name", {"part": "full"}, "Na", "Na"),
    ("text", {}, "NA", "NA"),
    ("text", {}, "null", "null"),
    ("text", {}, "1e5", "1e5"),
    ("text", {}, "TRUE", "TRUE"),
    ("text", {}, "12345678901234567", "12345678901234567"),
    ("money", EUR, "1234567890123.4567", ("not_whole_minor_units",)),
    ("money", {**EUR, "rounding": "half_up"}, "1234567890123.4567", 123456789012346),
    ("money", EUR, "1.234,56", ("not_a_number",)),
    ("money", {**EUR, "decimal_separator": ",", "grouping_separator": "."}, "1.234,56", 123456),
    ("money", EUR, "-0.00", 0),
    ("money", EUR, "NaN", ("not_a_number",)),
    ("money", EUR, "Infinity", ("not_a_number",)),
    ("money", EUR, "1e5", ("not_a_number",)),
    ("money", EUR, "١٢٣", ("not_a_number",)),
    ("money", {"unit": "major", "currency": "JPY"}, "1200", 1200),
    ("money", {"unit": "major", "currency": "JPY"}, "1200.5", ("not_whole_minor_units",)),
    ("money", {"unit": "major", "currency": "KWD"}, "1.234", 1234),
    ("date", {}, "03/04/2024", ("not_a_date",)),
    ("date", {"order": "infer"}, "03/04/2024", ("ambiguous_order",)),
    ("date", {"order": "dmy"}, "30/02/2024", ("no_such_date",)),
    ("date", {}, "0001-01-01", dt.date(1, 1, 1)),
    ("date", {}, "9999-12-31", dt.date(9999, 12, 31)),
    ("date", {}, "١٢٣٤-٠١-٠١", ("not_a_date",)),
    ("timestamp", BERLIN, "2024-03-31 02:30:00", ("local_time_in_gap",)),
    ("timestamp", BERLIN, "2024-10-27 02:30:00", ("local_time_ambiguous",)),
    ("timestamp", {**BERLIN, "overlap": "later"}, "2024-10-27 02:30:00", utc(2024, 10, 27, 1, 30)),
    ("timestamp", {"zone": "Asia/Tokyo"}, "0001-01-01 00:00:00", ("out_of_range",)),
    ("text", {}, "\ufeffAcme", "Acme"),
    ("text", {}, "A\x00cme", "Acme"),
    ("text", {}, "A\ud800cme", ("not_text",)),
    ("text", {}, "Cafe\u0301", "Café"),
    ("text", {}, "Ac\u200bme", "Acme"),
    ("text", {}, "\u202eemcA", "emcA"),
    ("text", {}, "\xa0Acme \u3000", "Acme"),
    ("text", {}, "Acme\nInc", "Acme Inc"),
    ("text", {}, "=1+1", "=1+1"),
    ("text", {}, "'; DROP TABLE x;--", "'; DROP TABLE x;--"),
    ("text", {}, "<script>alert(1)</script>", "<script>alert(1)</script>"),
    ("text", {}, "\x1b[31mAcme", "[31mAcme"),
    ("repair", {}, "MÃ¼ller", "Müller"),
    ("repair", {}, "CafÃ©\u200b", "Café"),
    ("repair", {}, "Müller", "Müller"),
    ("case", {"to": "lower"}, "DIYARBAKIR", "diyarbakir"),
    ("email", {}, "Jane@EXAMPLE.de\u200b", "jane@example.de"),
    ("email", {}, "a@b@c.de", ("not_an_email",)),
    ("website", {}, "../../etc", ("not_a_website",)),
    ("website", {}, "%2e%2e", ("not_a_website",)),
    ("country", {}, "NA", "NA"),
    ("country", {}, "NO", "NO"),
    ("phone", {"default_country": "DE"}, "=49", ("not_a_phone_number",)),
    ("phone", {"default_country": "DE"}, "030\xa0123456", "+4930123456"),
    ("boolean", {}, "TRUE", True),
    ("boolean", {}, "ＴＲＵＥ", ("not_a_boolean",)),
    ("quantity", {"to": "seat"}, "-0.00", 0),
]


@pytest.mark.parametrize(("rule", "arguments", "given", "wanted"), CASES)
def test_a_bad_value_ends_as_it_should(rule: str, arguments: dict[str, Any], given: str, wanted: Any) -> None:
    error = wanted[0] if isinstance(wanted, tuple) else None
    assert cleaner(rule, arguments).clean((given,)) == (None if error else wanted, error)


LONG = [
    piece * (200_000 // len(piece)) for piece in ("a", "( ", "Inc ", "1", "@.", "Ã¼", "a, ", "str. ", "2. og ", "'")
]


@pytest.mark.parametrize(("rule", "arguments", "_"), CLEANERS, ids=IDS)
def test_a_cell_of_any_length_takes_no_longer_than_its_length(rule: str, arguments: dict[str, Any], _: str) -> None:
    clean, started = cleaner(rule, arguments).clean, time.process_time()
    for text in LONG:
        clean((text,))
    assert time.process_time() - started < 20


NAMES = ["Müller", "Café", "España", "São", "Zürich", "naïve", "Łódź", "Ångström", "Smith", "Москва", "東京"]
WORDS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map(" ".join)


@settings(deadline=None, max_examples=200)
@given(WORDS, st.sampled_from(["latin-1", "sloppy-windows-1252"]), st.integers(1, 2))
def test_what_was_decoded_wrongly_is_mended_or_left(text: str, codec: str, layers: int) -> None:
    assert ftfy.bad_codecs.ok
    broken = text
    for _ in range(layers):
        broken = broken.encode("utf-8").decode(codec)
    mended = repaired(broken)
    assert mended == text or leads_to(mended, broken)


@settings(deadline=None, max_examples=500)
@given(st.text("äéñ Ã¼Â©â€™œš\x80\x9dABcd", max_size=12))
def test_a_repair_can_always_be_undone(text: str) -> None:
    mended = repaired(text)
    assert mended == text or leads_to(mended, text)


def leads_to(mended: str, broken: str, most: int = 4) -> bool:
    """Whether wrong decoding, again and again, makes `broken` of `mended`."""
    reached = {mended}
    for _ in range(most):
        reached |= {again for text in reached for again in wrongly_decoded(text)}
        if broken in reached:
            return True
    return False


def wrongly_decoded(text: str) -> list[str]:
    codecs = ("latin-1", "sloppy-windows-1252", "sloppy-windows-1251", "sloppy-windows-1250", "sloppy-windows-1253",
              "sloppy-windows-1254", "sloppy-windows-1257", "iso-8859-2", "macroman", "cp437")  # fmt: skip
    found = []
    for written, read in ((w, r) for w in ("utf-8", "sloppy-windows-1252") for r in codecs if w != r):
        try:
            found.append(text.encode(written).decode(read))
        except UnicodeError:
            continue
    return found
