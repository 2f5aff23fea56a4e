"""Every defect is planted at about its rate, where the truth says, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ftfy
import pytest
from demo_query import Query

from migration_assets.demo import DEFAULT_RATES, Legacy, generate, lookalikes
from migration_assets.demo.people import account_ids
from migration_assets.demo.places import PLACES

# Kind -> a query that finds the keys of all rows with the defect, from the messy tables alone.
FIND = {
    "stale_lead": "SELECT account_id FROM crm.accounts WHERE record_type = 'LEAD' AND last_activity_on < '2024-06-30'",
    "test_account": "SELECT account_id FROM crm.accounts WHERE record_type = 'TEST'",
    "soft_deleted": "SELECT account_id FROM crm.accounts WHERE deleted_at IS NOT NULL",
    "erased": "SELECT account_id FROM crm.accounts WHERE erased_at IS NOT NULL",
    "orphan_contact": """
        SELECT contact_id FROM crm.contacts WHERE account_id NOT IN (SELECT account_id FROM crm.accounts)""",
    "orphan_subscription": """
        SELECT sub_id FROM erp.subscriptions WHERE customer_no NOT IN (SELECT customer_no FROM erp.customers)""",
    "orphan_invoice": """
        SELECT invoice_id FROM erp.invoices WHERE customer_no NOT IN (SELECT customer_no FROM erp.customers)""",
    "orphan_erp_customer": """
        SELECT customer_no FROM erp.customers WHERE crm_account_id NOT IN (SELECT account_id FROM crm.accounts)""",
    "self_parent": "SELECT account_id FROM crm.accounts WHERE parent_account = account_id",
    "parent_cycle": """
        SELECT a.account_id FROM crm.accounts a JOIN crm.accounts b ON b.account_id = a.parent_account
        WHERE b.parent_account = a.account_id AND a.account_id <> b.account_id""",
    "inverted_subscription": "SELECT sub_id FROM erp.subscriptions WHERE end_date < start_ts::DATE",
    "inverted_override": "SELECT override_id FROM erp.entitlement_overrides WHERE to_date < from_date",
    "overlapping_override": """
        SELECT b.override_id FROM erp.entitlement_overrides a JOIN erp.entitlement_overrides b
        ON a.customer_no = b.customer_no AND a.feature_code = b.feature_code AND a.override_id < b.override_id""",
    "negative_quantity": "SELECT sub_item_id FROM erp.subscription_items WHERE quantity < 0",
    "currency_mismatch": """
        SELECT line_id FROM erp.invoices i JOIN erp.invoice_lines l USING (invoice_id)
        WHERE i.currency <> l.currency""",
    "unverified_method": "SELECT method_id FROM erp.payment_methods WHERE verified = 'N'",
    "impossible_date": """
        SELECT account_id FROM crm.accounts WHERE try_strptime(created_on, ['%Y-%m-%d', '%d.%m.%Y']) IS NULL""",
    "formula_cell": "SELECT account_id FROM crm.accounts WHERE regexp_matches(notes, '^[=+@-]')",
    "duplicate_external_id": """
        SELECT account_id FROM crm.accounts a WHERE EXISTS (SELECT 1 FROM crm.accounts b
        WHERE b.external_ref = a.external_ref AND b.account_id < a.account_id)""",
}


def _keys(messy: Legacy, kind: str, table: str = "") -> list[str]:
    return [k for k in messy.truth["defects"][kind] if k.startswith(table)]


@pytest.mark.parametrize("kind", FIND)
def test_truth_names_exactly_the_rows_with_the_defect(messy: Legacy, ask_messy: Query, kind: str) -> None:
    planted = {key.split("/", 1)[1] for key in messy.truth["defects"][kind]}
    assert planted
    assert {str(row[0]) for row in ask_messy(FIND[kind])} == planted


@pytest.mark.parametrize("kind", [k for k, rate in DEFAULT_RATES.items() if rate > 0])
def test_every_kind_is_planted_by_default(messy: Legacy, kind: str) -> None:
    keys = messy.truth["defects"][kind]
    assert keys
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("kind", "table", "of"),
    [
        ("orphan_subscription", "erp.subscriptions", "erp.subscriptions"),
        ("orphan_invoice", "erp.invoices", "erp.invoices"),
        ("phone_format", "crm.contacts", "crm.contacts"),
        ("status_case", "crm.accounts", "crm.accounts"),
        ("duplicate_account", "crm.accounts", "crm.accounts"),
        ("soft_deleted", "crm.accounts", "crm.accounts"),
        ("stale_lead", "crm.accounts", "crm.accounts"),
    ],
)
def test_rates_hold(kind: str, table: str, of: str) -> None:
    legacy = generate(4000, seed=5, messy={kind: 0.1})
    share = len(_keys(legacy, kind, table)) / legacy.truth["rows"][of]
    assert 0.07 < share < 0.12
    assert {k for k, keys in legacy.truth["defects"].items() if keys} == {kind}


def test_unknown_status_is_off_by_default_and_can_be_planted(messy: Legacy) -> None:
    assert messy.truth["defects"]["unknown_status"] == []
    legacy = generate(200, messy={"unknown_status": 0.05})
    assert legacy.tables["erp.subscriptions"]["status"].to_pylist().count("ZZZ") == len(_keys(legacy, "unknown_status"))


def test_duplicates_name_their_original(messy: Legacy, ask_messy: Query) -> None:
    pairs = [(k.split("/")[1], v.split("/")[1]) for k, v in messy.truth["originals"]["duplicate_account"].items()]
    rows = {
        r[0]: r[1:] for r in ask_messy("SELECT account_id, lower(trim(name)), lower(email), tax_id FROM crm.accounts")
    }
    assert pairs
    assert all(rows[copy] == rows[original] for copy, original in pairs)
    debtors = [
        (int(k.split("/")[1]), int(v.split("/")[1]))
        for k, v in messy.truth["originals"]["duplicate_erp_customer"].items()
    ]
    taxes = dict(ask_messy("SELECT customer_no, tax_no FROM erp.customers"))
    assert debtors
    assert all(taxes[copy] == taxes[original] for copy, original in debtors)


def test_every_account_beyond_those_asked_for_was_made_from_another(messy: Legacy, ask_messy: Query) -> None:
    kinds = ("duplicate_account", *lookalikes.DUPLICATES, *lookalikes.STRANGERS)
    planted = [key.split("/")[1] for kind in kinds for key in messy.truth["originals"][kind]]
    assert sorted(planted) == [r[0] for r in ask_messy("SELECT account_id FROM crm.accounts OFFSET 1500")]


def test_whoever_was_billed_twice_has_debtors_with_invoices_under_both_accounts(
    messy: Legacy, ask_messy: Query
) -> None:
    debtors = dict(ask_messy("SELECT crm_account_id, min(customer_no) FROM erp.customers GROUP BY 1"))
    billed = {row[0] for row in ask_messy("SELECT DISTINCT customer_no FROM erp.subscriptions")}
    pairs = messy.truth["originals"][lookalikes.BOTH_BILLED].items()
    assert pairs
    for pair in pairs:
        assert {debtors[key.split("/")[1]] for key in pair} <= billed


def test_mojibake_can_be_repaired_to_what_it_was(messy: Legacy, ask_messy: Query) -> None:
    spoilt = _texts(messy, ask_messy, "mojibake")
    assert len(spoilt) > 3
    assert all(now != before and ftfy.fix_encoding(now) == before for now, before in spoilt)


def test_no_text_in_a_country_of_ours_breaks_when_it_is_repaired() -> None:
    """Names that are right must survive a repair of the encoding."""
    for place in PLACES:
        for text in (*place.given, *place.family, *place.cities, *place.spellings):
            assert ftfy.fix_encoding(text) == text


def test_phones_are_other_notations_of_the_same_number(messy: Legacy, ask_messy: Query) -> None:
    phonenumbers = pytest.importorskip("phonenumbers")
    region = dict(
        ask_messy(
            "SELECT account_id, owner.country FROM crm.accounts a JOIN erp.customers owner "
            "ON owner.crm_account_id = a.account_id"
        )
    )
    known = dict(ask_messy("SELECT account_id, phone FROM crm.accounts"))
    for key, before in messy.truth["originals"]["phone_format"].items():
        table, account = key.split("/")
        if table == "crm.accounts" and region.get(account):
            parsed = phonenumbers.parse(known[account], region[account])
            assert phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == before


def test_clean_phones_are_valid(ask_clean: Query) -> None:
    phonenumbers = pytest.importorskip("phonenumbers")
    phones = [row[0] for row in ask_clean("SELECT phone FROM crm.accounts WHERE phone IS NOT NULL")]
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(phone)) for phone in phones)


def test_erased_people_keep_their_name_in_the_erp_only(messy: Legacy, ask_messy: Query) -> None:
    rows = ask_messy("""
        SELECT a.name, a.email, a.phone, a.birth_date, a.given_name, c.name FROM crm.accounts a
        JOIN erp.customers c ON c.crm_account_id = a.account_id WHERE erased_at IS NOT NULL""")
    assert rows
    assert all(row[:5] == ("[erased]", None, None, None, None) and row[5] not in (None, "[erased]") for row in rows)


def test_leads_tests_and_deleted_accounts_have_no_erp_side(messy: Legacy, ask_messy: Query) -> None:
    assert (
        ask_messy("""
        SELECT 1 FROM crm.accounts a JOIN erp.customers c ON c.crm_account_id = a.account_id
        WHERE record_type <> 'CUST' OR deleted_at IS NOT NULL""")
        == []
    )


def test_a_missing_country_is_missing_everywhere(messy: Legacy, ask_messy: Query) -> None:
    accounts = {k.split("/")[1] for k in _keys(messy, "missing_country", "crm.accounts")}
    assert accounts == {r[0] for r in ask_messy("SELECT account_id FROM crm.accounts WHERE coalesce(country, '') = ''")}
    debtors = {k.split("/")[1] for k in _keys(messy, "missing_country", "erp.customers")}
    assert debtors == {str(r[0]) for r in ask_messy("SELECT customer_no FROM erp.customers WHERE country IS NULL")}


def _texts(messy: Legacy, ask: Query, kind: str) -> Sequence[tuple[str, Any]]:
    """(text now, text before) of each row with the defect."""
    columns = {
        "crm.accounts": "account_id, name",
        "crm.contacts": "contact_id, full_name",
        "erp.customers": "customer_no, name",
    }
    now = {f"{t}/{r[0]}": r[1] for t, c in columns.items() for r in ask(f"SELECT {c} FROM {t}")}
    return [(now[key], before) for key, before in messy.truth["originals"][kind].items()]


def test_ids_are_padded() -> None:
    import numpy as np

    assert account_ids(np.array([0, 12_344_999])).to_pylist() == ["A-00000001", "A-12345000"]
