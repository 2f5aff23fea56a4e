"""Values that no source has, all the way to the target and back: told, kept, and gone when their rule goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest
from stub_service import Stub, answer, stub_service
from telco_rows import telco_rows, write_telco
from world import World, add_plan, change, make_root, opened

from migration_assets.wiring.results import Summary

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

COHORTS = """cohorts:
  - {name: pilot, wave: 0, where: [{field: status, op: eq, value: active}], limit: 10, description: First.}
  - {name: base, wave: 1, buckets: 1, description: Everybody else.}
"""
RULES = """rules:
  - rule: website_of_register
    entity: customer
    field: website
    enricher: service
    reads: [customer_number]
    arguments: {url: "${REGISTER_URL}/v1", sends: [number], answer: /site, attempts: 1, per_second: 1000}
    source: a register
    confidence: 0.6
    lawful_basis: contract
    reason: The portal greets customers by it.
  - rule: segment_of_status
    entity: customer
    field: segment
    enricher: code_list
    reads: [status]
    arguments: {list: told_segment}
    source: marketing
    confidence: 1
    lawful_basis: legitimate_interest
    reason: Those who left are won back otherwise.
"""
UNKNOWN = "1001-TESTS"


@dataclass(frozen=True)
class Told:
    """The migration with both rules, the service as it was left, and the second run, without a service."""

    world: World
    stub: Stub
    first: Summary
    second: Summary


@pytest.fixture(scope="module")
def told(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    root = make_root(tmp_path_factory.mktemp("told"))
    folder = add_plan(root, "telco", "told", COHORTS)
    (folder / "enrichment.yaml").write_text(RULES, encoding="utf-8")
    (folder / "codes" / "told_segment.csv").write_text("code,target,reason\nchurned,win-back,As agreed.\n", "utf-8")
    last = "      created_at: created_at\n"
    change(folder / "target.yaml", f"{last}    unique: [[account_number]]",
           f"{last}      website: website\n      segment: segment\n    unique: [[account_number]]")  # fmt: skip
    rows = write_telco(tmp_path_factory.mktemp("told_rows") / "customers.csv", telco_rows())
    with stub_service(site) as stub:
        given = {"TELCO_CSV": str(rows), "REGISTER_URL": stub.url}
        with opened(root, "told", server, given) as world:
            first = world.migrate()
            asked = len(stub.questions)
            second = world.migrate("pilot", "base_01")
            assert len(stub.questions) == asked, "answers are kept for the snapshot"
            yield Told(world, stub, first, second)


def site(question: Any) -> Any:
    return (
        answer(404) if question["number"] == UNKNOWN else answer(200, {"site": f"{question['number']}.example".lower()})
    )


def columns(world: World) -> dict[str, tuple[str | None, str | None, str]]:
    found = world.target("select account_number, website, segment, status from telecom.accounts")
    return {number: (website, segment, status) for number, website, segment, status in found}


def recorded(world: World, table: str) -> list[dict[str, Any]]:
    files = sorted(world.workspace.store.root.glob(f"cleansed_customers/*/{table}.parquet"))
    assert len(files) == 3
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def test_what_rules_tell_arrives_and_each_value_is_recorded(told: Told) -> None:
    assert told.first.ok, told.first.to_json("told")
    found = columns(told.world)
    assert len(found) == 60 and UNKNOWN in found
    assert {n: w for n, (w, _, _) in found.items()} == {
        n: None if n == UNKNOWN else f"{n}.example".lower() for n in found
    }
    assert all(segment == ("win-back" if status == "churned" else None) for _, segment, status in found.values())
    churned = sum(status == "churned" for _, _, status in found.values())
    values = recorded(told.world, "enrichments")
    assert churned > 0 and len(values) == 59 + churned
    websites = {(v["source"], v["confidence"], v["lawful_basis"]) for v in values if v["field"] == "website"}
    assert websites == {("a register", 0.6, "contract")}
    assert {v["as_of"] for v in values} == {told.world.workspace.record().as_of}


def test_the_service_was_asked_once_for_each_and_told_nothing_else(told: Told) -> None:
    assert sorted(q["number"] for q in told.stub.questions) == sorted(columns(told.world))
    assert all(set(q) == {"number"} for q in told.stub.questions)


def test_another_run_writes_nothing(told: Told) -> None:
    assert told.second.ok and told.second.rows_written == 0
    assert sum(r["kept"] for r in recorded(told.world, "enrichment_rules")) == 60


def test_people_see_counts_by_rule_and_no_value(told: Told) -> None:
    event = told.world.instance.get_latest_materialization_event(dg.AssetKey("cleansed_customers"))
    assert event and event.asset_materialization
    metadata = event.asset_materialization.metadata
    assert {"values added", "values added, by rule", "questions to services", "service answers 4xx"} <= set(metadata)
    shown = str({name: entry.value for name, entry in metadata.items()})
    assert "website_of_register" in shown and "a register" in shown and ".example" not in shown


def test_values_go_with_their_rule_from_the_target_too(told: Told) -> None:
    folder = told.world.workspace.environment.plan_folder
    _, _, second = RULES.partition("  - rule: segment_of_status")
    (folder / "enrichment.yaml").write_text("rules:\n  - rule: segment_of_status" + second, encoding="utf-8")
    change(folder / "target.yaml", "    unique: [[account_number]]",
           "    left_empty: {website: The register is no longer asked.}\n    unique: [[account_number]]")  # fmt: skip
    before = columns(told.world)
    without = told.world.reopened()
    done = without.migrate()
    assert done.ok, done.to_json("told")
    assert columns(without) == {n: (None, segment, status) for n, (_, segment, status) in before.items()}
    assert done.rows_written == 59, "every row that lost its value, and no other"
    assert {v["rule"] for v in recorded(without, "enrichments")} == {"segment_of_status"}
    assert list(Path(without.workspace.store.root).rglob("enrichment_answers/*/*.json")) == []
