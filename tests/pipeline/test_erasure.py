"""A duplicate of somebody who is erased, as far as the target: its values go, its money stays, a person decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from world import World, add_plan, asked, filled_with, make_root, opened

from migration_assets.control import Case
from migration_assets.demo import generate
from migration_assets.demo.world import DEFAULT_RATES
from migration_assets.wiring.results import Summary
from migration_assets.wiring.review import queue_of

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

COHORTS = """cohorts:
  - {name: base, wave: 1, buckets: 1, description: Everybody.}
"""
RUNNING = "subscription_running_customer_not_erased"


@dataclass(frozen=True)
class Pair:
    """A copy, the account that it repeats, and the id that both have in the target."""

    copy: str
    original: str
    target_id: str


@dataclass(frozen=True)
class Seen:
    """One run, what the target has of the two customers after it, and the cases about erasures that wait."""

    run: Summary
    quiet: dict[str, Any]
    running: dict[str, Any]
    cases: dict[tuple[str, str], Case]


def key(account: str) -> str:
    return f"crm.accounts:{account}"


def held(world: World, target_id: str) -> dict[str, Any]:
    """What the target has of a customer."""
    ((name, status, email, phone, tax_id),) = world.target(
        f"select name, status, email, phone, tax_id from app.accounts where account_id = '{target_id}'"
    )
    counted = {
        table: world.target(f"select count(*) from app.{table} where account_id = '{target_id}'")[0][0]
        for table in ("contacts", "addresses", "subscriptions")
    }
    invoiced = world.target(f"select count(*), sum(total_minor) from app.invoices where account_id = '{target_id}'")
    values = [v for v in (email, phone, tax_id) if v is not None]
    return {"name": name, "status": status, "values": len(values), "invoiced": invoiced, **counted}


def pairs(world: World, planted: dict[str, str]) -> Iterator[tuple[Pair, int]]:
    """Planted copies that were merged with their originals and have invoices, and how many of their contracts run."""
    for copy, original in sorted(planted.items()):
        ids = world.target(
            "select distinct target_id from cutover.crosswalk where entity = 'customer' and source_table = 'accounts' "
            f"and source_id in ('{copy}', '{original}')"
        )
        if len(ids) == 1 and held(world, ids[0][0])["invoiced"][0][0]:
            running = world.target(
                f"select count(*) from app.subscriptions where account_id = '{ids[0][0]}' "
                "and status in ('trialing', 'active', 'past_due', 'paused')"
            )
            yield Pair(copy, original, str(ids[0][0])), running[0][0]


def seen(world: World, run: Summary, quiet: Pair, running: Pair) -> Seen:
    cases = {(c.a, c.b): c for c in queue_of(world.workspace).cases() if c.reason == "erased"}
    return Seen(run, held(world, quiet.target_id), held(world, running.target_id), cases)


@pytest.fixture(scope="module")
def history(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Seen], Pair, Pair]]:
    """Four runs. Before the second the copy of a customer without running contracts is erased; before the third that
    copy leaves the CRM, and the copy of one with a running contract is erased; before the fourth a person parts both.
    """
    legacy = generate(100, seed=7, messy={**dict.fromkeys(DEFAULT_RATES, 0.0), "duplicate_account": 0.2})
    originals = legacy.truth["originals"]["duplicate_account"]
    planted = {copy.partition("/")[2]: original.partition("/")[2] for copy, original in originals.items()}
    root = make_root(tmp_path_factory.mktemp("erasure"))
    add_plan(root, "acme", "erasure", COHORTS)

    with opened(root, "erasure", server, before=filled_with(legacy)) as world:
        crm = world.workspace.environment.database("legacy_crm")

        def erase(account: str) -> None:
            asked(
                crm,
                "update crm.accounts set status = 'Erased', name = '[erased]', given_name = null, family_name = null, "
                "birth_date = null, email = null, phone = null, website = null, tax_id = null, erased_at = now(), "
                f"updated_at = now() where account_id = '{account}'",
            )

        first = world.migrate()
        found = list(pairs(world, planted))
        quiet = next(pair for pair, contracts in found if not contracts)
        running = next(pair for pair, contracts in found if contracts)
        told = [seen(world, first, quiet, running)]
        erase(quiet.copy)
        told.append(seen(world, world.migrate(new_snapshot="true"), quiet, running))
        asked(crm, f"delete from crm.accounts where account_id = '{quiet.copy}'")
        erase(running.copy)
        told.append(seen(world, world.migrate(new_snapshot="true"), quiet, running))
        queue, now = queue_of(world.workspace), datetime.now(UTC)
        for case in told[-1].cases.values():
            queue.decide(case.case_id, "apart", by="kim", reason="Two customers, she says.", now=now)
        told.append(seen(world, world.migrate(), quiet, running))
        yield told, quiet, running


def ends(pair: Pair) -> tuple[str, str]:
    a, b = sorted((key(pair.copy), key(pair.original)))
    return a, b


def test_the_duplicate_of_an_erased_row_loses_its_values_and_not_its_money(history) -> None:
    (before, after, *_), quiet, _ = history
    assert before.run.ok and before.cases == {}
    assert before.quiet["name"] != "(erased)" and before.quiet["values"] and before.quiet["contacts"]
    assert after.run.ok, after.run.cohorts
    wanted = {"name": "(erased)", "status": "erased", "values": 0, "contacts": 0, "addresses": 0}
    assert after.quiet == {**before.quiet, **wanted}, "contracts and invoices are as they were"
    assert list(after.cases) == [ends(quiet)]
    assert after.running == before.running, "nobody else is touched"


def test_a_contract_that_runs_stops_the_load_and_the_question_outlives_the_erased_row(history) -> None:
    (before, after, stopped, _), quiet, running = history
    (phase,) = [p for name, p in stopped.run.cohorts.items() if name != "unassigned"]
    assert not phase.ok and RUNNING in str(phase.failed_checks)
    assert set(stopped.cases) == {ends(quiet), ends(running)}
    assert stopped.cases[ends(quiet)].rule == "remembered" and stopped.cases[ends(running)].stakes
    assert (stopped.quiet, stopped.running) == (after.quiet, before.running)


def test_whom_a_person_parts_has_its_values_again_under_the_same_id(history) -> None:
    (before, *_, last), _, _ = history
    assert last.run.ok, last.run.cohorts
    assert last.cases == {}
    assert (last.quiet["name"], last.quiet["status"]) == (before.quiet["name"], before.quiet["status"])
    assert last.running["subscriptions"] == before.running["subscriptions"]
    assert last.quiet["invoiced"] == before.quiet["invoiced"] and last.running["invoiced"] == before.running["invoiced"]
    assert last.quiet["contacts"] and last.quiet["addresses"]
