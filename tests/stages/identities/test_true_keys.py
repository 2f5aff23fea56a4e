"""A key that does not identify is told from one that does, by what the customers it ties together say besides."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from benchmarks.lookalikes import AS_OF, ROOT, legacy_company, numbered
from migration_assets.demo import DEFAULT_RATES, Legacy, generate
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.identity_models import Identity, IdentityKey, IdentityLink
from migration_assets.plan.load import load_plan
from migration_assets.stages.feeds import Mapping
from migration_assets.stages.identities import true_keys
from migration_assets.stages.identities.standing import standing_of
from migration_assets.stages.identities.true_keys import tried_keys

WORDS = ("Amber", "Birch", "Cobalt", "Dune", "Ember", "Fjord", "Garnet", "Harbour", "Indigo", "Juniper")
LINK = IdentityLink(name="account", table="erp.c", column="account", to_table="crm.a", reason="Declared.")


def key(*fields: str, **said: Any) -> IdentityKey:
    return IdentityKey(name="_".join(fields), entity="customer", fields=fields, reason="As agreed.", **said)


def company(n: int, name: str, tax_id: str | None, **more: Any) -> dict[str, Any]:
    given = {"kind": "company", "status": "active", "country": "DE", "name": name, "tax_id": tax_id}
    return {"customer_id": f"crm.a:{n:05}", **given, **more}


def person(n: int, given: str, family: str, born: date | None, **more: Any) -> dict[str, Any]:
    said = {"kind": "person", "status": "active", "given_name": given, "family_name": family, "birth_date": born}
    return {"customer_id": f"crm.a:{n:05}", "name": f"{given} {family}", "email": "one@x.example", **said, **more}


def name(n: int) -> str:
    """A name that is like no other."""
    return f"{WORDS[n // 100 % 10]} {WORDS[n // 10 % 10]} {WORDS[n % 10]} {n}"


@pytest.fixture
def tried(engine: Any, canonical: Any) -> Any:
    def found(keys: list[IdentityKey], customers: list[dict[str, Any]], registrations: Any = None, **more: Any) -> Any:
        identity = Identity(priority=("crm", "erp"), keys=tuple(keys), **more)
        rows = canonical("customer", *customers)
        erp = [i for i, c in enumerate(customers, start=1) if c["customer_id"].startswith("erp.c:")]
        raw = pa.table({"_row": pa.array(erp, pa.int64()), "account": pa.array(["1"] * len(erp), pa.string())})
        standing = standing_of(engine, identity, rows, lambda _: engine.table(raw))
        numbers = None if registrations is None else canonical("tax_registration", *registrations)
        return {r["rule"]: r for r in tried_keys(engine, identity, rows, standing, numbers).to_pylist()}

    return found


def twice(count: int, renamed: int) -> list[dict[str, Any]]:
    """So many companies that were entered twice under their tax number, and how many under another name meanwhile."""
    once = [company(n, name(n), f"DE{n:09}") for n in range(count)]
    again = [company(count + n, name(n + 500) if n < renamed else f"{name(n)} GmbH", f"DE{n:09}") for n in range(count)]
    return [*once, *again]


def test_a_true_key_survives_the_companies_that_changed_their_names(tried: Any) -> None:
    found = tried([key("kind", "tax_id")], twice(242, 81))["kind_tax_id"]
    assert (found["groups"], found["told_apart"]) == (242, 81)
    assert found["told_apart"] <= found["allowed"] == 121


def test_a_key_that_says_where_a_company_is_does_not_say_who(tried: Any) -> None:
    companies = [company(n, name(n), f"DE{n:09}", country=("DE", "FR", "GB")[n % 3]) for n in range(90)]
    found = tried([key("kind", "country"), key("kind", "tax_id")], companies)
    assert found["kind_country"] == {
        "rule": "kind_country", "groups": 3, "told_apart": 3, "customers": 87, "customers_apart": 87, "allowed": 1,
    }  # fmt: skip
    assert found["kind_tax_id"]["groups"] == 0, "nobody shares one"


def test_one_group_of_many_strangers_is_enough(tried: Any) -> None:
    found = tried([key("country")], [company(n, name(n), None) for n in range(40)])["country"]
    assert (found["groups"], found["told_apart"], found["allowed"], found["customers_apart"]) == (1, 1, 0, 39)


def test_a_few_strangers_are_no_habit(tried: Any) -> None:
    found = tried([key("tax_id")], twice(4, 4))["tax_id"]
    assert (found["told_apart"], found["allowed"]) == (4, 4)
    found = tried([key("tax_id")], twice(5, 5))["tax_id"]
    assert (found["told_apart"], found["allowed"]) == (5, 2)


def test_the_plan_says_how_many_may_be_told_apart(tried: Any) -> None:
    found = tried([key("tax_id", told_apart_at_most="0.9")], twice(20, 18))["tax_id"]
    assert (found["told_apart"], found["allowed"]) == (18, 18)
    with pytest.raises(ValueError, match="less than or equal to 1"):
        key("tax_id", told_apart_at_most="1.5")


def test_two_verified_tax_numbers_of_one_country_tell_apart_and_of_two_do_not(tried: Any) -> None:
    pair = [company(0, "Amber Works", None, email="a@x.example"), company(1, "Amber Works", None, email="a@x.example")]

    def registered(country: str, *, verified: bool = True) -> list[dict[str, Any]]:
        ends = (("0", "DE", "DE1"), ("1", country, "DE2"))
        return [
            {"tax_registration_id": f"erp.t:{n}", "customer_id": f"crm.a:0000{n}", "country": c, "tax_number": number,
             "verified": verified}
            for n, c, number in ends
        ]  # fmt: skip

    assert tried([key("email")], pair, registered("DE"))["email"]["told_apart"] == 1
    assert tried([key("email")], pair, registered("FR"))["email"]["told_apart"] == 0
    assert tried([key("email")], pair, registered("DE", verified=False))["email"]["told_apart"] == 0


@pytest.mark.parametrize(
    ("fields", "given", "born", "apart"),
    [
        (("email",), "Jane", date(1980, 5, 1), 0),
        (("email",), "Jane", date(1951, 11, 23), 1),
        (("email",), "Jane", date(1980, 1, 5), 0),
        (("email",), "Wilhelmina", date(1980, 5, 1), 1),
        (("email",), "Jayne", date(1980, 5, 1), 0),
        (("email",), "Wilhelmina", None, 1),
        (("email", "given_name"), "Jane", date(1951, 11, 23), 1),
    ],
)
def test_persons_are_told_apart_by_name_and_birth_date(
    tried: Any, fields: tuple[str, ...], given: str, born: date | None, apart: int
) -> None:
    pair = [person(0, "Jane", "Doe", date(1980, 5, 1)), person(1, given, "Doe", born)]
    found = tried([key(*fields)], pair)["_".join(fields)]
    assert (found["groups"], found["told_apart"]) == (1, apart)


def test_a_country_that_was_entered_otherwise_does_not_make_strangers(tried: Any) -> None:
    pair = [company(0, "Amber Works", None, email="a@x.example"), company(1, "Amber Works", None, email="a@x.example")]
    pair[1]["country"] = "FR"
    assert tried([key("email")], pair)["email"] | {"groups": 1, "told_apart": 0} == tried([key("email")], pair)["email"]


def test_where_the_key_is_all_that_is_known_nobody_is_counted(tried: Any) -> None:
    pair = [person(0, "Jane", "Doe", None), person(1, "Jane", "Doe", date(1980, 5, 1))]
    found = tried([key("email", "given_name")], pair)["email_given_name"]
    assert (found["groups"], found["customers"], found["allowed"]) == (0, 0, 0)
    assert tried([key("name")], pair)["name"]["groups"] == 0, "equal names have equal given names"


def test_what_links_tie_is_one_customer_and_speaks_as_one(tried: Any) -> None:
    rows = [
        company(1, "Amber Works", "DE1") | {"customer_id": "crm.a:1"},
        company(2, "Fjord Garnet", "DE1") | {"customer_id": "erp.c:7"},
    ]
    assert tried([key("tax_id")], rows, links=(LINK,))["tax_id"]["groups"] == 0


def test_the_erased_and_crowds_are_in_no_group(tried: Any) -> None:
    gone = [company(n, name(n), "DE1", status="erased" if n else "active") for n in range(8)]
    assert tried([key("tax_id")], gone)["tax_id"]["groups"] == 0
    crowd = [company(n, name(n), "DE1") for n in range(8)]
    assert tried([key("tax_id", shared_by_at_most=7)], crowd)["tax_id"]["groups"] == 0


def test_of_many_groups_some_are_tried_evenly(tried: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(true_keys, "_TRIED", 50)
    found = tried([key("tax_id")], twice(200, 100))["tax_id"]
    assert (found["groups"], found["told_apart"]) == (50, 25)


def test_of_a_large_group_some_are_tried(tried: Any) -> None:
    many = [company(n, name(n), "DE1") for n in range(150)]
    found = tried([key("tax_id", shared_by_at_most=1_000)], many)["tax_id"]
    assert (found["groups"], found["told_apart"], found["customers"]) == (1, 1, 100)


def test_a_plan_without_keys_has_nothing_to_try(tried: Any) -> None:
    assert tried([], twice(3, 0)) == {}


# --- the demo company ----------------------------------------------------------------------------------------------


def shares(legacy: Legacy, *more: IdentityKey) -> dict[str, dict[str, Any]]:
    plan = load_plan(ROOT / "plans" / "acme")
    identity = plan.file.identity.model_copy(update={"keys": (*plan.file.identity.keys, *more)})
    with DuckDBEngine(threads=2) as engine:
        raw = {name: engine.table(numbered(table, None)) for name, table in legacy.tables.items()}
        feeds = Mapping(engine, plan, raw.__getitem__, AS_OF)
        customers, numbers = (engine.cached(feeds.entity(n).rows) for n in ("customer", "tax_registration"))
        rows = standing_of(engine, identity, customers, raw.__getitem__)
        return {r["rule"]: r for r in tried_keys(engine, identity, customers, rows, numbers).to_pylist()}


@pytest.mark.parametrize("made", ["messy", "lookalikes"])
def test_acmes_keys_hold_and_companies_of_one_country_are_no_key(made: str) -> None:
    legacy = legacy_company(500) if made == "lookalikes" else generate(500, seed=7, as_of=AS_OF, messy=DEFAULT_RATES)
    found = shares(legacy, key("kind", "country"), key("given_name", "country"))
    assert found["company_by_tax_number"]["groups"] > 10
    assert all(found[k]["told_apart"] == 0 for k in ("company_by_tax_number", "person_by_email"))
    for false in ("kind_country", "given_name_country"):
        assert found[false]["told_apart"] > 0.8 * found[false]["groups"] > found[false]["allowed"]
