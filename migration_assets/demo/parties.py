"""Tables about people: accounts, contacts, addresses and consents of the CRM, debtors and tax numbers of the ERP."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from migration_assets.demo import columns as col
from migration_assets.demo.amounts import CURRENCIES, ONE, STEP
from migration_assets.demo.columns import Bools, Column, Ints
from migration_assets.demo.people import (
    DELETED,
    ERASED,
    FRESH_LEAD,
    STALE_LEAD,
    TEST,
    USERS,
    People,
    account_ids,
    by_place,
    contact_ids,
    domains,
    emails,
    exempt,
    family_names,
    given_names,
    names,
    phones,
    tax_numbers,
    user_ids,
    weighted,
)
from migration_assets.demo.periods import day_of_month, month_of, year_of
from migration_assets.demo.places import (
    INDUSTRIES,
    JOB_TITLES,
    PLACES,
    STREETS,
    ZONES,
    Place,
)
from migration_assets.demo.world import Setup

_DAY_US = col.MICROSECONDS_PER_DAY


def _typed_tax_numbers(people: People, seed: int) -> Column:
    """The same numbers as salespeople type them: every other one with a blank and dots."""
    body = (np.arange(people.count, dtype=np.int64) * 387_420_489 + seed) % 1_000_000_000

    def typed(p: Place, rows: Ints) -> Column:
        count = len(rows)
        dot = col.constant(".", count)
        high = col.digits(body[rows] // 1_000_000, p.tax_digits - 6)
        lower = col.digits(body[rows] // 1000 % 1000, 3)
        return col.joined(
            col.constant(f"{p.tax_prefix} " if p.tax_prefix else "", count), high, dot, lower, dot,
            col.digits(body[rows] % 1000, 3),
        )  # fmt: skip

    plain = tax_numbers(people, seed)
    return col.chosen(np.arange(people.count) % 2 == 0, by_place(people.place, typed), plain)


def iso_dates(days: Ints) -> Column:
    """YYYY-MM-DD."""
    dash = col.constant("-", len(days))
    year, month = year_of(days), month_of(days) % 12 + 1
    return col.joined(col.digits(year, 4), dash, col.digits(month, 2), dash, col.digits(day_of_month(days), 2))


def day_first_dates(days: Ints, separator: str) -> Column:
    """DD<separator>MM<separator>YYYY."""
    mark = col.constant(separator, len(days))
    year, month = year_of(days), month_of(days) % 12 + 1
    return col.joined(col.digits(day_of_month(days), 2), mark, col.digits(month, 2), mark, col.digits(year, 4))


def tables(setup: Setup, people: People, live: Bools) -> dict[str, pa.Table]:
    """All party tables. `live`: accounts with a contract that still runs."""
    return {
        **_staff(setup),
        "crm.accounts": _accounts(setup, people, live),
        "crm.contacts": _contacts(setup, people),
        "crm.addresses": _addresses(setup, people),
        "crm.consent_events": _consents(setup, people),
        "crm.suppressions": _suppressions(setup, people),
        "erp.customers": _customers(setup, people, live),
        "erp.tax_registrations": _registrations(setup, people),
    }


def _staff(setup: Setup) -> dict[str, pa.Table]:
    """Forty users, five roles; no randomness needed."""
    index = np.arange(USERS)
    place = index % len(PLACES)
    name = col.joined(given_names(place, index * 3), col.constant(" ", USERS), family_names(place, index * 5))
    created = setup.as_of_us - (index + 30) * 10 * _DAY_US
    roles = (
        ("ADM", "Administrator", "account.delete account.read account.write user.write"),
        ("FIN", "Finance", "account.read invoice.read invoice.write"),
        ("RO", "Read only", "account.read"),
        ("SAL", "Sales", "account.read account.write opportunity.write"),
        ("SUP", "Support", "account.read contact.write"),
    )
    pairs = sorted({(i, i % 5) for i in range(USERS)} | {(i, (i + 2) % 5) for i in range(0, USERS, 3)})
    return {
        "crm.users": pa.table(
            {
                "user_id": user_ids(index),
                "full_name": name,
                "email": col.joined(col.constant("staff", USERS), col.text_of(index + 1), "@acme.example.com"),
                "active": col.flags(index % 8 != 7),
                "password_hash": col.joined(col.constant("$2b$12$notarealhash", USERS), col.digits(index * 7919, 8)),
                "created_at": col.instants(created),
                "updated_at": col.instants(created),
            }
        ),
        "crm.roles": pa.table(
            {
                k: pa.array(v)
                for k, v in zip(("role_code", "role_name", "permissions"), zip(*roles, strict=True), strict=True)
            }
        ),
        "crm.user_roles": pa.table(
            {
                "user_id": user_ids(np.array([u for u, _ in pairs])),
                "role_code": pa.array([roles[r][0] for _, r in pairs]),
            }
        ),
    }


def _accounts(setup: Setup, people: People, live: Bools) -> pa.Table:
    rng = setup.stream("accounts")
    n = people.count
    index = np.arange(n, dtype=np.int64)
    erased, company = people.role == ERASED, people.company
    person = ~company & ~erased
    age = rng.integers(18, 90, n) * 365 + rng.integers(0, 365, n)
    status = np.select(
        [erased, (people.role == FRESH_LEAD) | (people.role == STALE_LEAD), live, people.subscriptions > 0],
        [4, 3, 1, 2],
        0,
    )
    stale = people.role == STALE_LEAD
    quiet = np.where(stale, rng.integers(800, 1500, n), rng.integers(0, 400, n))
    limit = np.where(people.currency == 4, 30, 100) * np.where(people.currency == 3, 100, 1) * rng.integers(1, 300, n)
    created = np.where(stale, np.minimum(people.created, setup.utc_today - quiet - 1), people.created)
    old_screen = rng.random(n) < 0.3
    test = people.role == TEST
    name = col.chosen(test, col.joined(col.constant("TEST ", n), names(people)), names(people))
    changed = setup.as_of_us - rng.integers(1, 39, n) * _DAY_US - rng.integers(0, _DAY_US, n)
    return pa.table(
        {
            "account_id": account_ids(index),
            "external_ref": col.joined(col.constant("EXT-", n), col.digits(index * 3 + 1000, 8)),
            "record_type": col.codes(("CUST", "LEAD", "LEAD", "TEST", "CUST", "CUST"), people.role),
            "account_type": col.codes(("P", "C"), company.astype(np.int64)),
            "name": col.chosen(erased, col.constant("[erased]", n), name),
            "given_name": col.blanked(given_names(people.place, people.given), ~person),
            "family_name": col.blanked(family_names(people.place, people.family), ~person),
            "birth_date": col.blanked(day_first_dates(setup.utc_today - age, "/"), ~person | (rng.random(n) < 0.4)),
            "email": col.blanked(emails(people), erased),
            "phone": col.blanked(phones(people.place, rng.integers(0, 1 << 40, n)), erased | (rng.random(n) < 0.05)),
            "website": _websites(people, rng),
            "country": col.codes([p.spellings[0] for p in PLACES], people.place),
            "state": _states(people.place, people.form, rng.random(n) < 0.3),
            "language": col.codes([p.language for p in PLACES], people.place),
            "currency": col.codes([CURRENCIES[p.currency] for p in PLACES], people.place),
            "credit_limit": col.decimals(limit * ONE, 14, 2, ~company | (rng.random(n) < 0.4)),
            "time_zone": col.codes(ZONES, people.zone),
            "status": col.codes(("Prospect", "Active", "Churned", "Lead", "Erased"), status),
            "parent_account": col.blanked(account_ids(people.parent), people.parent < 0),
            "payer_account": col.blanked(account_ids(people.payer), people.payer < 0),
            "owner_user": col.blanked(user_ids(rng.integers(0, USERS, n)), rng.random(n) < 0.1),
            "tax_id": col.blanked(_typed_tax_numbers(people, setup.seed), ~company),
            "industry": col.codes(INDUSTRIES, people.first % len(INDUSTRIES), ~company),
            "segment": col.codes(("SMB", "MID", "ENT", "CON"), np.where(company, people.second % 3, 3)),
            "created_on": col.chosen(old_screen, day_first_dates(created, "."), iso_dates(created)),
            "last_activity_on": col.dates(np.maximum(setup.utc_today - quiet, created)),
            "deleted_at": col.instants(changed, people.role != DELETED),
            "erased_at": col.instants(changed, ~erased),
            "notes": col.blanked(
                col.pick(("Calls back", "Prefers e-mail", "Key account"), index % 3), rng.random(n) < 0.7
            ),
            "updated_at": col.instants(changed),
        }
    )


def _websites(people: People, rng: np.random.Generator) -> Column:
    n = people.count
    style = rng.integers(0, 3, n)
    prefix = col.pick(("", "https://www.", "http://"), style)
    return col.blanked(col.joined(prefix, domains(people), col.pick(("", "/en", "/"), style)), ~people.company)


def _states(place: Ints, city: Ints, spelled: Bools) -> Column:
    """State of the city of that index, as code or as name; NULL outside US, BR and IN."""

    def of_country(p: Place, rows: Ints) -> Column:
        if not p.states:
            return col.nothing(len(rows))
        at = city[rows] % len(p.states)
        return col.chosen(spelled[rows], col.pick([s[1] for s in p.states], at), col.pick([s[0] for s in p.states], at))

    return by_place(place, of_country)


def _contacts(setup: Setup, people: People) -> pa.Table:
    rng = setup.stream("contacts")
    account, position = col.expand(people.contacts)
    n = len(account)
    company, place = people.company[account], people.place[account]
    given = np.where(company, rng.integers(0, 1 << 30, n), people.given[account])
    family = np.where(company, rng.integers(0, 1 << 30, n), people.family[account])
    gone = (people.role[account] == DELETED) | (people.role[account] == ERASED)
    erased = people.role[account] == ERASED
    full = col.joined(given_names(place, given), col.constant(" ", n), family_names(place, family))
    email = col.joined(
        given_names(place, given, slug=True), col.constant(".", n), family_names(place, family, slug=True),
        col.text_of(np.arange(n) + 1), col.constant("@", n), domains(people).take(pa.array(account)),
    )  # fmt: skip
    return pa.table(
        {
            "contact_id": contact_ids(np.arange(n, dtype=np.int64)),
            "account_id": account_ids(account),
            "full_name": col.chosen(erased, col.constant("[erased]", n), full),
            "job_title": col.codes(JOB_TITLES, rng.integers(0, len(JOB_TITLES), n), ~company),
            "email": col.blanked(col.chosen(company, email, emails(people).take(pa.array(account))), erased),
            "phone": col.blanked(phones(place, rng.integers(0, 1 << 40, n)), erased | (rng.random(n) < 0.2)),
            "is_primary": col.flags(position == 0),
            "language": col.codes([p.language for p in PLACES], place),
            "deleted_at": col.instants(np.full(n, setup.as_of_us - 40 * _DAY_US), ~gone),
            "updated_at": col.instants(setup.as_of_us - rng.integers(1, 300, n) * _DAY_US),
        }
    )


def _addresses(setup: Setup, people: People) -> pa.Table:
    rng = setup.stream("addresses")
    more = rng.random(people.count)
    account, position = col.expand(1 + (more < 0.3).astype(np.int64) + (more < 0.1).astype(np.int64))
    keep = people.role[account] != ERASED
    account, position = account[keep], position[keep]
    n = len(account)
    place, city = people.place[account], people.form[account] + position
    street = col.joined(col.pick(STREETS, rng.integers(0, len(STREETS), n)), " ", col.text_of(rng.integers(1, 200, n)))
    return pa.table(
        {
            "address_id": col.integers(np.arange(n) + 1),
            "account_id": account_ids(account),
            "kind": col.codes(("BILL", "SERV", "SHIP"), position),
            "line1": street,
            "line2": col.codes(
                ("2nd floor", "c/o Reception", "Building B"), rng.integers(0, 3, n), rng.random(n) < 0.8
            ),
            "city": by_place(place, lambda p, rows: col.pick(p.cities, city[rows] % len(p.cities))),
            "state": _states(place, city, rng.random(n) < 0.3),
            "postal_code": _postal_codes(place, rng.integers(0, 1 << 30, n)),
            "country": col.codes([p.spellings[0] for p in PLACES], place),
            "updated_at": col.instants(setup.as_of_us - rng.integers(1, 300, n) * _DAY_US),
        }
    )


def _postal_codes(place: Ints, number: Ints) -> Column:
    def of_country(p: Place, rows: Ints) -> Column:
        if p.code == "GB":
            tail = col.pick(("1AA", "2BB", "7TH"), number[rows] % 3)
            return col.joined(col.constant("LS", len(rows)), col.text_of(number[rows] % 28 + 1), " ", tail)
        return col.digits(number[rows] % 10**p.postal_digits, p.postal_digits)

    return by_place(place, of_country)


def _consents(setup: Setup, people: People) -> pa.Table:
    rng = setup.stream("consents")
    account, _ = col.expand(
        np.where(people.role == ERASED, 0, rng.integers(0, 3, people.count) * (rng.random(people.count) < 0.8))
    )
    n = len(account)
    with_contact = rng.random(n) < 0.6
    contact = people.first_contact[account] + rng.integers(0, 1 << 30, n) % people.contacts[account]
    back = rng.integers(1, 38, n) * _DAY_US
    return pa.table(
        {
            "event_id": col.integers(np.arange(n) + 1),
            "account_id": account_ids(account),
            "contact_id": col.blanked(contact_ids(contact), ~with_contact),
            "purpose": col.codes(("MKT", "NEWS", "PROF", "RES"), rng.integers(0, 4, n)),
            "channel": col.codes(("E", "P", "S", "L"), rng.integers(0, 4, n)),
            "decision": col.codes(("Y", "N", "?"), weighted(rng, (60, 35, 5), n)),
            "basis": col.codes(("CONS", "CONTR", "LEGIT", "LEGAL"), weighted(rng, (80, 8, 10, 2), n)),
            "event_time": col.instants(setup.as_of_us - back - rng.integers(0, _DAY_US, n)),
            "evidence": col.joined(col.constant("form-", n), col.digits(rng.integers(0, 10**8, n), 8)),
        }
    )


def _suppressions(setup: Setup, people: People) -> pa.Table:
    """By address: the account's own for most, one from a bought list for the rest."""
    rng = setup.stream("suppressions")
    account = np.flatnonzero((rng.random(people.count) < 0.02) & (people.role != ERASED))
    n = len(account)
    by_phone, listed = rng.random(n) < 0.2, rng.random(n) < 0.2
    own = emails(people).take(pa.array(account))
    foreign = col.joined(col.constant("blocked", n), col.text_of(np.arange(n) + 1), "@list.example.org")
    address = col.chosen(
        by_phone, phones(people.place[account], rng.integers(0, 1 << 40, n)), col.chosen(listed, foreign, own)
    )
    return pa.table(
        {
            "suppression_id": col.integers(np.arange(n) + 1),
            "account_id": col.blanked(account_ids(account), listed),
            "channel": col.codes(("E", "P"), by_phone.astype(np.int64)),
            "address": address,
            "reason": col.codes(("UNSUB", "BOUNCE", "COMPL", "LEGAL"), weighted(rng, (60, 30, 7, 3), n)),
            "since": col.instants(setup.as_of_us - rng.integers(1, 900, n) * _DAY_US),
        }
    )


def _customers(setup: Setup, people: People, live: Bools) -> pa.Table:
    rng = setup.stream("debtors")
    account = np.flatnonzero(people.in_erp)
    n = len(account)
    rows = pa.array(account)
    company, currency = people.company[account], people.currency[account]
    limit = rng.integers(1, 300, n) * 100 * ONE // STEP[currency] * STEP[currency]
    status = np.where(live[account], 0, np.where(people.subscriptions[account] > 0, 1, 2))
    return pa.table(
        {
            "customer_no": col.small_integers(people.customer_no[account]),
            "crm_account_id": account_ids(account),
            "cust_type": col.codes(("PER", "ORG"), company.astype(np.int64)),
            "name": names(people).take(rows),
            "email": col.blanked(emails(people).take(rows), people.role[account] == ERASED),
            "phone": col.nothing(n),
            "country": col.codes([p.code for p in PLACES], people.place[account]),
            "tax_no": col.blanked(tax_numbers(people, setup.seed).take(rows), ~company),
            "currency": col.codes(CURRENCIES, currency),
            "credit_limit": col.decimals(limit, 14, 2, ~company | (rng.random(n) < 0.4)),
            "status": col.codes(("A", "I", "P"), status),
            "created_on": col.dates(people.created[account]),
            "updated_at": col.instants(setup.as_of_us - rng.integers(1, 300, n) * _DAY_US),
        }
    )


def _registrations(setup: Setup, people: People) -> pa.Table:
    rng = setup.stream("registrations")
    account = np.flatnonzero(people.in_erp & people.company)
    n = len(account)
    return pa.table(
        {
            "reg_id": col.small_integers(np.arange(n) + 1),
            "customer_no": col.small_integers(people.customer_no[account]),
            "country": col.codes([p.code for p in PLACES], people.place[account]),
            "tax_number": tax_numbers(people, setup.seed).take(pa.array(account)),
            "verified": col.flags(rng.random(n) < 0.9),
            "exempt": col.flags(exempt(people)[account]),
            "valid_from": col.dates(people.created[account]),
        }
    )
