"""Who exists: every account as parallel arrays, and the names, numbers and addresses each goes by.

`draw` decides (numbers only). Tables are written in `parties`; dirt is put on later, in `dirt`, except for what changes
who somebody is (leads, test accounts, deleted and erased ones).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from migration_assets.demo import columns as col
from migration_assets.demo.columns import Bools, Column, Ints
from migration_assets.demo.places import (
    COMPANY_FIRST,
    COMPANY_SECOND,
    INDUSTRIES,
    PLACES,
    Place,
)
from migration_assets.demo.world import Setup

NORMAL, FRESH_LEAD, STALE_LEAD, TEST, DELETED, ERASED = range(6)


FIRST_CUSTOMER_NO = 100_001


USERS = 40
FRESH_LEADS = 0.01


_SUBSCRIPTIONS = (0.10, 0.62, 0.18, 0.08, 0.02)


_ZONE_START = np.cumsum([0, *(len(place.zones) for place in PLACES[:-1])])


@dataclass(frozen=True)
class People:
    """Every account as parallel arrays; the account of index i is A-(i + 1).

    `parent`, `payer`: account index or -1. `place`: index into PLACES. `zone`: into ZONES. `created`: day.
    `subscriptions`: how many contracts. `given`, `family`, `first`, `second`, `form`: indexes of name parts.
    """

    role: Ints
    place: Ints
    company: Bools
    zone: Ints
    parent: Ints
    payer: Ints
    created: Ints
    subscriptions: Ints
    contacts: Ints
    given: Ints
    family: Ints
    first: Ints
    second: Ints
    form: Ints

    @property
    def count(self) -> int:
        return len(self.role)

    @cached_property
    def currency(self) -> Ints:
        return np.array([place.currency for place in PLACES], dtype=np.int64)[self.place]

    @cached_property
    def legal_entity(self) -> Ints:
        return np.array([place.legal_entity for place in PLACES], dtype=np.int64)[self.place]

    @cached_property
    def in_erp(self) -> Bools:
        """Leads, tests and deleted accounts never reached the ERP."""
        return (self.role == NORMAL) | (self.role == ERASED)

    @cached_property
    def customer_no(self) -> Ints:
        """ERP number by account, -1 where there is none."""
        return np.where(self.in_erp, np.cumsum(self.in_erp) - 1 + FIRST_CUSTOMER_NO, -1)

    @cached_property
    def first_contact(self) -> Ints:
        """Index of an account's first contact."""
        return np.cumsum(self.contacts) - self.contacts


def draw(setup: Setup) -> People:
    """Decide who exists. Companies are three quarters; persons alone are ever erased."""
    rng = setup.stream("people")
    n = setup.customers
    company = rng.random(n) < 0.75
    role = _roles(setup, rng, company)
    place = weighted(rng, [p.weight for p in PLACES], n)
    zones = np.array([len(p.zones) for p in PLACES], dtype=np.int64)
    parent, payer = _families(rng, company & (role == NORMAL))
    wanted = np.searchsorted(np.cumsum(_SUBSCRIPTIONS)[:-1], rng.random(n), side="right")
    return People(
        role=role,
        place=place,
        company=company,
        zone=_ZONE_START[place] + rng.integers(0, 1 << 30, n) % zones[place],
        parent=parent,
        payer=payer,
        created=setup.utc_today - rng.integers(40, 2000, n) - np.where(role == ERASED, 500, 0),
        subscriptions=np.where(role == NORMAL, wanted, np.where(role == ERASED, 1, 0)),
        contacts=np.where(company, rng.integers(1, 4, n), 1),
        given=rng.integers(0, 1 << 30, n),
        family=rng.integers(0, 1 << 30, n),
        first=rng.integers(0, len(COMPANY_FIRST), n),
        second=rng.integers(0, len(COMPANY_SECOND), n),
        form=rng.integers(0, 1 << 30, n),
    )


def weighted(rng: np.random.Generator, weights: Sequence[int], count: int) -> Ints:
    edges = np.cumsum(np.array(weights, dtype=np.int64))
    return np.searchsorted(edges, rng.integers(0, edges[-1], count), side="right").astype(np.int64)


def _roles(setup: Setup, rng: np.random.Generator, company: Bools) -> Ints:
    """One role each; the rates are shares of all accounts, so `erased` takes more of the persons."""
    rates = setup.rates
    u = rng.random(setup.customers)
    edges = np.cumsum([FRESH_LEADS, rates["stale_lead"], rates["test_account"], rates["soft_deleted"]])
    role = np.select([u < edge for edge in edges], [FRESH_LEAD, STALE_LEAD, TEST, DELETED], NORMAL).astype(np.int64)
    erased = (role == NORMAL) & ~company & (rng.random(setup.customers) < rates["erased"] / 0.25)
    role[erased] = ERASED
    return role


def _families(rng: np.random.Generator, company: Bools) -> tuple[Ints, Ints]:
    """Parents (about 10 %) and payers (about 5 %). A parent always has the lower index, so there is no cycle."""
    n = len(company)
    parent = np.full(n, -1, dtype=np.int64)
    payer = np.full(n, -1, dtype=np.int64)
    companies = np.flatnonzero(company)
    heads = companies[::30]
    members = np.setdiff1d(companies, heads, assume_unique=True)
    children = members[rng.random(len(members)) < 0.136]
    place_of_head = rng.integers(0, 1 << 30, len(children)) % np.maximum(np.searchsorted(heads, children), 1)
    if len(heads) == 0 or len(children) == 0:
        return parent, payer
    parent[children] = heads[place_of_head]
    deep = np.flatnonzero(rng.random(len(children)) < 0.15)
    uncle = children[rng.integers(0, 1 << 30, len(deep)) % np.maximum(deep, 1)]
    deeper = children[deep]
    ok = uncle < deeper
    parent[deeper[ok]] = uncle[ok]
    paid = children[rng.random(len(children)) < 0.42]
    payer[paid] = parent[paid]
    others = members[rng.random(len(members)) < 0.012]
    outside = heads[rng.integers(0, len(heads), len(others))]
    free = (payer[others] < 0) & (parent[others] < 0)
    payer[others[free]] = outside[free]
    return parent, payer


def by_place(place: Ints, make: Callable[[Place, Ints], Column]) -> Column:
    """A column made country by country: `make` gets a country and the row numbers in it."""
    rows = [np.flatnonzero(place == p) for p in range(len(PLACES))]
    parts = [make(PLACES[p], idx).cast(pa.string()) for p, idx in enumerate(rows)]
    back = np.empty(len(place), dtype=np.int64)
    back[np.concatenate(rows)] = np.arange(len(place))
    return pa.concat_arrays(parts).take(pa.array(back))


def ascii_slug(text: str) -> str:
    """Lower-case letters only, for addresses."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode()
    return "".join(ch for ch in plain.lower() if ch.isalnum())


def given_names(place: Ints, index: Ints, slug: bool = False) -> Column:
    """Given names usual in each country."""
    return by_place(place, lambda p, rows: _named(p.given, index[rows], slug))


def family_names(place: Ints, index: Ints, slug: bool = False) -> Column:
    """Family names usual in each country."""
    return by_place(place, lambda p, rows: _named(p.family, index[rows], slug))


def _named(names: Sequence[str], index: Ints, slug: bool) -> Column:
    return col.pick([ascii_slug(name) for name in names] if slug else names, index % len(names))


def phones(place: Ints, number: Ints) -> Column:
    """Valid E.164 numbers."""
    return by_place(
        place,
        lambda p, rows: col.joined(
            col.constant(f"+{p.dial}{p.phones[0]}", len(rows)),
            col.digits(number[rows] % 10 ** p.phones[1], p.phones[1]),
        ),
    )


def account_ids(index: Ints) -> Column:
    """A-00000001 for index 0."""
    return col.joined(col.constant("A-", len(index)), col.digits(index + 1, 8))


def contact_ids(index: Ints) -> Column:
    """C-000000001 for index 0."""
    return col.joined(col.constant("C-", len(index)), col.digits(index + 1, 9))


def user_ids(index: Ints) -> Column:
    """U-0001 for index 0."""
    return col.joined(col.constant("U-", len(index)), col.digits(index + 1, 4))


def names(people: People) -> Column:
    """Name of a person or a company. Companies carry a number, so that two seldom share a name."""
    n = people.count
    persons = col.joined(
        given_names(people.place, people.given), col.constant(" ", n), family_names(people.place, people.family)
    )
    forms = by_place(people.place, lambda p, rows: col.pick(p.legal_forms, people.form[rows] % len(p.legal_forms)))
    space = col.constant(" ", n)
    companies = col.joined(
        col.pick(COMPANY_FIRST, people.first), space, col.pick(COMPANY_SECOND, people.second), space,
        col.text_of(10 + (np.arange(n) * 7919) % 99_989), space, forms,
    )  # fmt: skip
    return col.chosen(people.company, companies, persons)


def domains(people: People) -> Column:
    """One domain for each company; addresses under example.com belong to nobody."""
    n = people.count
    return col.joined(
        col.pick([ascii_slug(w) for w in COMPANY_FIRST], people.first), col.constant("-", n),
        col.pick([ascii_slug(w) for w in COMPANY_SECOND], people.second), col.text_of(np.arange(n) + 1),
        col.constant(".example.com", n),
    )  # fmt: skip


def emails(people: People) -> Column:
    """Unique by account."""
    n = people.count
    companies = col.joined(col.constant("info@", n), domains(people))
    persons = col.joined(
        given_names(people.place, people.given, slug=True), col.constant(".", n),
        family_names(people.place, people.family, slug=True), col.text_of(np.arange(n) + 1),
        col.constant("@mail.example.net", n),
    )  # fmt: skip
    return col.chosen(people.company, companies, persons)


def tax_numbers(people: People, seed: int) -> Column:
    """Tax numbers in standard form; unique, because 3**18 and 10**9 share no factor."""
    body = (np.arange(people.count, dtype=np.int64) * 387_420_489 + seed) % 1_000_000_000
    return by_place(
        people.place,
        lambda p, rows: col.joined(col.constant(p.tax_prefix, len(rows)), col.digits(body[rows], p.tax_digits)),
    )


def exempt(people: People) -> Bools:
    """Schools and authorities pay no tax on some contracts; the same answer for registration and contract."""
    return people.company & (people.first % len(INDUSTRIES) >= 5) & (people.second % 4 == 0)
