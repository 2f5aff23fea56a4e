"""Names of people and companies: what was typed with care stays, what was shouted is mended, parts are told apart."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_world import clean

from migration_assets.engine.rules.companies import company, trading_name
from migration_assets.engine.rules.names import family_name, full_name, given_name


@pytest.mark.parametrize(
    ("typed", "full", "given_part", "family"),
    [
        ("SMITH, JOHN", "John Smith", "John", "Smith"),
        ("Mr. Smith", "Mr. Smith", "", "Smith"),
        ("Dr. med. Anna von Bülow", "Dr. med. Anna von Bülow", "Anna", "von Bülow"),
        ("PROF. DR. JOHN MCDONALD", "Prof. Dr. John McDonald", "John", "McDonald"),
        ("SMITH, DR. JOHN", "Dr. John Smith", "John", "Smith"),
        ("Frau von der Leyen", "Frau von der Leyen", "", "von der Leyen"),
        ("Sr. García", "Sr. García", "", "García"),
        ("M. Night Shyamalan", "M. Night Shyamalan", "M. Night", "Shyamalan"),
        ("Herr", "Herr", "Herr", ""),
        ('Robert "Bob" Smith', 'Robert "Bob" Smith', 'Robert "Bob"', "Smith"),
        ("Robert Smith (Big Bob)", "Robert Smith (Big Bob)", "Robert", "Smith"),
        ("o'brien, seán", "Seán O'Brien", "Seán", "O'Brien"),
        ("ANNA MÜLLER-LÜDENSCHEIDT", "Anna Müller-Lüdenscheidt", "Anna", "Müller-Lüdenscheidt"),
        ("García López, Juan", "Juan García López", "Juan", "García López"),
        ("JUAN GARCÍA LÓPEZ", "Juan García López", "Juan García", "López"),
        ("LUDWIG VAN BEETHOVEN", "Ludwig van Beethoven", "Ludwig", "van Beethoven"),
        ("HENRY SMITH III", "Henry Smith III", "Henry", "Smith III"),
        ("İBRAHİM IŞIK", "İbrahim Işık", "İbrahim", "Işık"),
        ("X\u0302AVIER JONES", "X\u0302avier Jones", "X\u0302avier", "Jones"),
        ("山田 太郎", "山田 太郎", "太郎", "山田"),
        ("田中太郎", "田中太郎", "田中太郎", ""),
        ("김 철수", "김 철수", "철수", "김"),
    ],
)
def test_a_person_in_parts(typed: str, full: str, given_part: str, family: str) -> None:
    assert (full_name(typed), given_name(typed), family_name(typed)) == (full, given_part, family)


@pytest.mark.parametrize(
    "name", ["ΓΙΩΡΓΟΣ ΠΑΠΑΔΟΠΟΥΛΟΣ", "ИВАНОВ ИВАН", "محمد بن سلمان", "दीपिका पादुकोण", "สมชาย ใจดี", "김철수"]
)
def test_names_in_other_scripts_are_only_brought_to_one_form(name: str) -> None:
    decomposed = unicodedata.normalize("NFD", f"  {name}\u200b ")
    assert clean("person_name", decomposed) == (unicodedata.normalize("NFC", name), None)


NAMES = st.lists(
    st.sampled_from(["Dr.", "Mr", "Anna", "VON", "der", "Smith", "(Bob)", "Jr.", "III", "O'NEIL", "山田", "Sr.", ","]),
    min_size=1,
    max_size=5,
).map(" ".join)


@settings(deadline=None, max_examples=400)
@given(NAMES)
def test_no_word_of_a_name_is_lost(name: str) -> None:
    def words(text: str) -> list[str]:
        return sorted(text.replace(",", " ").casefold().split())

    assert words(full_name(name)) == words(name)


@pytest.mark.parametrize(
    ("typed", "stored", "compared"),
    [
        ("Foo sp. z o.o.", "Foo Sp. z o.o.", "Foo"),
        ("Foo Sp.z o.o.", "Foo Sp. z o.o.", "Foo"),
        ("Bar, s.r.o.", "Bar s.r.o.", "Bar"),
        ("Bar a.s.", "Bar a.s.", "Bar"),
        ("Bar AS", "Bar AS", "Bar"),
        ("Baz d.o.o.", "Baz d.o.o.", "Baz"),
        ("Baz KFT", "Baz Kft.", "Baz"),
        ("Baz zrt.", "Baz Zrt.", "Baz"),
        ("Foo SA DE CV", "Foo S.A. de C.V.", "Foo"),
        ("Foo LTDA", "Foo Ltda.", "Foo"),
        ("Foo pty ltd", "Foo Pty Ltd", "Foo"),
        ("Foo plc", "Foo PLC", "Foo"),
        ("Foo bvba", "Foo BVBA", "Foo"),
        ("Foo SCA", "Foo SCA", "Foo"),
        ("Foo Sdn Bhd", "Foo Sdn. Bhd.", "Foo"),
        ("Turnverein e.V.", "Turnverein e.V.", "Turnverein"),
        ("Molkerei eG", "Molkerei eG", "Molkerei"),
        ("Tesla EV", "Tesla EV", "Tesla EV"),
        ("Openreach BT", "Openreach BT", "Openreach BT"),
        ("Müller und Söhne GmbH & Co. KG", "Müller und Söhne GmbH & Co. KG", "Müller & Söhne"),
        ("Smith and Co", "Smith and Co", "Smith"),
        ("Acme Intl Mfg, Inc.", "Acme Intl Mfg Inc.", "Acme international manufacturing"),
        ("ООО «Ромашка»", "ООО «Ромашка»", "Ромашка"),
        ("株式会社東芝", "株式会社東芝", "東芝"),
        ("トヨタ自動車株式会社", "トヨタ自動車株式会社", "トヨタ自動車"),
        ("삼성전자 주식회사", "삼성전자 주식회사", "삼성전자"),
        ("华为技术有限公司", "华为技术有限公司", "华为技术"),
        ("株式会社", "株式会社", "株式会社"),
        ("Day Spa", "Day Spa", "Day Spa"),
        ("UAB Vilnius", "UAB Vilnius", "Vilnius"),
    ],
)
def test_a_company_as_it_is_stored_and_as_it_is_compared(typed: str, stored: str, compared: str) -> None:
    assert (company(typed), trading_name(typed)) == (stored, compared)


def test_one_company_written_in_many_ways_is_compared_as_one() -> None:
    ways = [
        "Acme Manufacturing & Sons, Inc.",
        "Acme Mfg and Sons",
        "Acme mfg. + Sons LLC",
        "Acme Manufacturing And Sons Ltd",
    ]
    assert {trading_name(w).casefold() for w in ways} == {"acme manufacturing & sons"}
