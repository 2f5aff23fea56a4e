"""The stage as a whole, on a real control database: what it leaves behind of its verdicts, and in the queue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import dagster as dg
import pyarrow as pa
import pytest
from plan_in_code import constants_of, feed_of, field_of, plan_of, raw_rows, table_of

from migration_assets.connectors.databases import drop_database
from migration_assets.control import ControlDatabase, Kin, KinMemory, ReviewQueue, migrate
from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.canonical.model import PROVENANCE
from migration_assets.engine.schema import schema_of
from migration_assets.plan.identity_models import Identity, IdentityKey, Matching
from migration_assets.quality.run import run_suite
from migration_assets.quality.suite import load_suite
from migration_assets.stages.identities import assets
from migration_assets.stages.load.catalog import apply_schema
from migration_assets.stages.load.schema import desired_schema
from migration_assets.stages.store import GLOBAL
from migration_assets.wiring.call import StageCall
from migration_assets.wiring.environment import Environment
from migration_assets.wiring.stage import StageOutput
from migration_assets.wiring.tags import DRY_RUN
from migration_assets.wiring.workspace import Workspace

AS_OF = datetime(2026, 6, 30, tzinfo=UTC)
TABLES = {
    "crm.a": table_of("customer", "self"),
    "erp.bills": table_of("invoice", "account", account="crm.a"),
}
CUSTOMER, BILL = feed_of("customer", "customer", "crm.a"), feed_of("bill", "invoice", "erp.bills")
FIELDS = [
    field_of(BILL, "customer_id", "account", "reference", table="crm.a"),
    field_of(BILL, "total_minor", "minor", "integer"),
    *constants_of(
        BILL, number="R", currency="EUR", status="paid", subtotal_minor=0, tax_minor=0, issued_on="2026-02-01"
    ),
]
KEY = IdentityKey(name="mailbox", entity="customer", fields=("email",), reason="Same mailbox.")
NAMES = ("Ada", "Bea", "Cleo", "Dora", "Eve", "Fay", "Gil", "Hal", "Ida", "Jo")


def people() -> list[dict[str, Any]]:
    """Sixty people, every second one twice; every fourth of the copies has moved and has a typing slip."""
    rows = []
    for n in range(60):
        row = {
            "customer_id": f"crm.a:{n:02}", "kind": "person", "given_name": f"{NAMES[n % 10]}{n % 7}",
            "family_name": f"Quill{n * 37 % 60}", "birth_date": date(1950 + n % 45, 1 + n % 9, 10 + n % 18),
            "phone": f"+49301234{n:03}", "status": "active", "email": f"mail{n}@x.example",
        }  # fmt: skip
        rows.append(row)
        if n % 2:
            slip = {"family_name": f"Quilt{n * 37 % 60}", "phone": None} if n % 4 == 1 else {}
            rows.append({**row, **slip, "customer_id": f"crm.a:{n:02}x", "email": None})
    return rows


@pytest.fixture
def call(server: str, database: str, tmp_path: Path) -> Iterator[StageCall]:
    """What the stage is given; customers 03 and 03x were both billed."""
    migrate(database)
    plan = plan_of(TABLES, feeds=[CUSTOMER, BILL], mapping=FIELDS)
    identity = Identity(priority=("crm",), keys=(KEY,), matching=Matching())
    file = plan.file.model_copy(update={"as_of": AS_OF, "identity": identity})
    environment = Environment(tmp_path, "coded", tmp_path / "home", server)
    workspace = Workspace(plan.model_copy(update={"file": file}), environment)
    workspace.__dict__["control"] = ControlDatabase(database)
    nothing: Any = None
    with workspace.engine() as engine:
        call = StageCall(workspace, engine, GLOBAL, {}, lambda _: None, "run", nothing)
        standardize(call, people())
        accounts = raw_rows(engine, *({"id": r["customer_id"][6:]} for r in people()))
        bills = [{"id": "1", "account": "03", "minor": "100"}, {"id": "2", "account": "03x", "minor": "7"}]
        engine.write(accounts, workspace.store.golden_file("S1", "crm.a"))
        engine.write(raw_rows(engine, *bills), workspace.store.golden_file("S1", "erp.bills"))
        workspace.store.make_current("S1")
        yield call
    drop_database(server, "coded_target")


@pytest.fixture
def done(call: StageCall) -> tuple[StageCall, StageOutput]:
    """The stage after it ran."""
    return call, assets._identify(call)


def standardize(call: StageCall, customers: list[dict[str, Any]]) -> None:
    schema = schema_of((*ENTITIES["customer"].fields, *PROVENANCE)).to_pyarrow()
    rows = [
        {**row, "source_system": "crm", "source_table": "a", "source_id": row["customer_id"][6:], "source_row": n}
        for n, row in enumerate(customers, start=1)
    ]
    parties = call.workspace.store.file("standardized_parties", GLOBAL, "customer")
    call.engine.write(call.engine.table(pa.Table.from_pylist(rows, schema=schema)), parties)


def rows_of(call: StageCall, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = call.engine.arrow(call.rows("customer_identities", table)).to_pylist()
    return found


def test_the_stage_keeps_why_it_merged_and_why_it_asks(done: tuple[StageCall, StageOutput]) -> None:
    call, output = done
    output.publish()
    doubts, ties = rows_of(call, "doubts"), rows_of(call, "ties")
    assert len(ties) >= 10 and {t["kind"] for t in ties} == {"likeness"}
    explained = {(e["a"], e["b"]) for e in rows_of(call, "evidence")}
    assert explained == {(r["a"], r["b"]) for r in (*doubts, *ties)}
    (payers,) = [d for d in doubts if d["reason"] == "two_payers"]
    assert (payers["a"], payers["b"]) == ("crm.a:03", "crm.a:03x")
    assert [(s["currency"], s["stake_minor"]) for s in rows_of(call, "stakes")] == [("EUR", 7)]
    first, *_ = ReviewQueue(call.workspace.control, "coded").cases()
    assert (first.a, first.b, dict(first.stakes), str(first.rank)) == ("crm.a:03", "crm.a:03x", {"EUR": 7}, "0.07")


def test_the_model_lies_beside_the_rows_and_neither_it_nor_the_metadata_names_anybody(
    done: tuple[StageCall, StageOutput],
) -> None:
    _, output = done
    (path,) = [v for k, v in output.metadata.items() if k.startswith("model of")]
    assert isinstance(path, dg.PathMetadataValue)
    file = Path(str(path.value))
    assert file.name == "model_person.json" and file.stat().st_mode & 0o777 == 0o600
    model = file.read_text(encoding="utf-8")
    assert "comparisons" in json.loads(model)
    shown = [str(v.value) for v in output.metadata.values() if isinstance(v, dg.MarkdownMetadataValue)]
    drawn = [unquote(text.partition("svg+xml,")[2]) for text in shown if "svg+xml," in text]
    assert len(drawn) == 2, "how many rows customers have, and what speaks for a pair"
    told = model + repr(output.metadata) + "".join(drawn)
    values = {str(v) for row in people() for k, v in row.items() if v and k not in ("kind", "status")}
    assert len(values) > 200 and not [v for v in values if v in told]


def load(call: StageCall, target_id: str, *source_ids: str) -> None:
    """The target's record, as if these rows had been loaded as one customer."""
    call.workspace.make_target_database()
    apply_schema(call.workspace.target, desired_schema(call.plan))
    with call.workspace.target.transaction() as connection:
        for n, source_id in enumerate(source_ids):
            connection.execute(
                "INSERT INTO cutover.crosswalk "
                "VALUES ('customer', 'crm', 'a', %s, %s, %s, %s, 'x', 'c', 'S0', 1, now())",
                (source_id, target_id, "merged" if n else "loaded", not n),
            )


def run(call: StageCall, customers: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    """Customer -> identity and fate after one more run; its cases are in the queue."""
    standardize(call, customers)
    assets._identify(call).publish()
    return {r["customer_id"]: (r["identity_id"], r["fate"]) for r in rows_of(call, "identities")}


def test_who_was_loaded_as_one_customer_with_an_erased_row_waits_without_its_values(call: StageCall) -> None:
    whole = people()
    one, copy = "crm.a:03", "crm.a:03x"
    blank = {"customer_id": one, "kind": "person", "status": "erased"}
    later = [r if r["customer_id"] != one else blank for r in whole]
    assert run(call, later)[copy] == (copy, ""), "nothing ties them before they were loaded"
    load(call, "00000000-0000-4000-8000-000000000003", "03", "03x")
    queue = ReviewQueue(call.workspace.control, "coded")
    for customers in (later, [r for r in whole if r["customer_id"] != one]):
        found = run(call, customers)
        assert {found[key] for key in (one, copy) if key in found} == {(one if one in found else copy, "erased")}
        (case,) = [c for c in queue.cases() if c.reason == "erased"]
        assert (case.a, case.b, dict(case.stakes)) == (one, copy, {"EUR": 7}), "the copy's own invoice is at stake"
    queue.decide(case.case_id, "apart", by="kim", reason="Two people.", now=AS_OF)
    assert run(call, customers)[copy] == (copy, "") and not [c for c in queue.cases() if c.reason == "erased"]


def test_a_trial_run_leaves_nothing_to_remember(call: StageCall) -> None:
    erased = [{**r, "status": "erased"} if r["customer_id"] == "crm.a:03" else r for r in people()]
    load(call, "00000000-0000-4000-8000-000000000003", "03", "03x")
    trial = replace(call, tags={DRY_RUN: "true"})
    run(trial, erased)
    memory = KinMemory(call.workspace.control, "coded")
    assert memory.known() == ()
    run(call, erased)
    assert memory.known() == (Kin("crm.a:03", "crm.a:03x", "asked"),)


def test_a_made_up_value_is_told_by_counts_and_surrogates(call: StageCall) -> None:
    crowd = [
        {"customer_id": f"crm.a:z{n:03}", "kind": "person", "status": "active", "email": "none@x.example"}
        for n in range(120)
    ]
    standardize(call, [*people(), *crowd])
    output = assets._identify(call)
    output.publish()
    told = rows_of(call, "crowds")
    assert (len(told), {(r["rule"], r["crowd"], r["records"]) for r in told}) == (120, {("mailbox", "crm.a:z000", 120)})
    assert not {r["customer_id"] for r in told} & {t[end] for t in rows_of(call, "ties") for end in ("a", "b")}
    counts = output.metadata["rows with a value that too many share"]
    assert getattr(counts, "value", counts) == 120
    table = str(output.metadata["keys that do not count for them"])
    assert "mailbox" in table and "120" in table and "none@x" not in repr(output.metadata)
    suite = load_suite(Path(__file__).parents[3] / "expectations/customer_identities.yaml")
    (warned,) = [
        r for r in run_suite(suite, output.tables, may_be_empty=output.may_be_empty)
        if r.check == "no_value_shared_by_too_many"
    ]  # fmt: skip
    assert (warned.passed, warned.severity, warned.unexpected) == (False, "warning", 120)
    assert warned.sample_keys and all(key.startswith("crm.a#") for key in warned.sample_keys)
    assert "none@x" not in warned.detail


def test_a_key_that_ties_strangers_stops_the_stage_and_is_named_with_its_share(call: StageCall) -> None:
    strangers = [
        {
            "customer_id": f"crm.a:s{n}{end}",
            "kind": "person",
            "status": "active",
            "given_name": given,
            "family_name": "Oberholzer",
            "email": f"desk{n}@x.example",
        }
        for n in range(6)
        for end, given in enumerate(("Wilhelmina", "Tadeusz"))
    ]
    standardize(call, [*people(), *strangers])
    output = assets._identify(call)
    assert "mailbox" in str(output.metadata["whether keys identify"])
    suite = load_suite(Path(__file__).parents[3] / "expectations/customer_identities.yaml")
    found = {r.check: r for r in run_suite(suite, output.tables, may_be_empty=output.may_be_empty)}
    (told,) = rows_of(call, "keys")
    blocked = found["keys_identify"]
    assert blocked.blocks and blocked.sample_keys == ("keys#mailbox",) and blocked.rows_checked == told["customers"]
    assert f"mailbox: {told['told_apart']} of {told['groups']} (" in blocked.detail and told["told_apart"] >= 6
    assert not any(word in blocked.detail for word in ("Wilhelmina", "Oberholzer", "desk"))
    assert not found["keys_seldom_err"].passed and not found["keys_seldom_err"].blocks
