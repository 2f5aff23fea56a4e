"""The names that the United Nations, ISO and CLDR give countries: the right code or none, never another country's."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from migration_assets.engine.rules.geography import country_code

ROOT = Path(__file__).parents[3]
FILE = Path(os.environ.get("CUTOVER_DATA") or ROOT / "../shared/data") / "country_codes" / "country-codes.csv"
# Column of the file, and how many of a hundred of its names are known at the least.
COLUMNS = {
    "ISO3166-1-Alpha-2": 100,
    "ISO3166-1-Alpha-3": 100,
    "official_name_en": 99,
    "CLDR display name": 100,
    "ISO4217-currency_country_name": 99,
    "UNTERM English Short": 97,
    "UNTERM English Formal": 97,
    "UNTERM French Short": 89,
    "UNTERM Spanish Short": 89,
    "official_name_fr": 86,
    "official_name_es": 85,
    "official_name_cn": 85,
    "official_name_ru": 76,
    "official_name_ar": 72,
    "UNTERM French Formal": 0,
    "UNTERM Spanish Formal": 0,
    "UNTERM Russian Formal": 0,
    "UNTERM Chinese Formal": 0,
    "UNTERM Arabic Formal": 0,
}


@pytest.mark.skipif(not FILE.exists(), reason="needs country_codes/country-codes.csv (CUTOVER_DATA)")
@pytest.mark.parametrize(("column", "least"), COLUMNS.items())
def test_a_listed_name_is_its_own_country_or_none(column: str, least: int) -> None:
    with FILE.open(encoding="utf-8-sig", newline="") as file:
        listed = [(r[column].strip(), r["ISO3166-1-Alpha-2"]) for r in csv.DictReader(file) if r[column].strip()]
    found = [(name, code, country_code(name)) for name, code in listed]
    assert len(found) > 180
    assert [f for f in found if f[2] not in (f[1], None)] == []
    assert sum(got is not None for *_, got in found) * 100 >= least * len(found)


@pytest.mark.parametrize("number", ["276", "004", "372", "380", "1", "49"])
def test_numbers_are_refused_since_a_dialling_code_looks_like_an_iso_number(number: str) -> None:
    assert country_code(number) is None


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("the Netherlands", "NL"),
        ("Korea (the Republic of)", "KR"),
        ("Bahamas (the)", "BS"),
        ("la France", "FR"),
        ("L'Italie", "IT"),
        ("Германия", "DE"),
        ("德国", "DE"),
        ("Congo (the)", None),
        ("Korea", None),
        ("the", None),
        ("(the)", None),
    ],
)
def test_articles_and_turned_names(name: str, code: str | None) -> None:
    assert country_code(name) == code
