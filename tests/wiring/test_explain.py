"""Who a customer is, where a plan says nothing of bills: on a real control database, after a run."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from review_world import NAMES, NOW, account, put_table
from rich.console import Console

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.canonical.model import PROVENANCE
from migration_assets.domain.errors import BadInput, StageRefused
from migration_assets.engine.schema import schema_of
from migration_assets.wiring import certificates
from migration_assets.wiring.explain import explained
from migration_assets.wiring.explain_page import explained_page
from migration_assets.wiring.explain_views import print_explained
from migration_assets.wiring.workspace import Workspace

MEMBERS = pa.schema(dict.fromkeys(("customer_id", "identity_id", "family_id", "cohort"), pa.string()))


@pytest.fixture
def workspace(made: Callable[..., Workspace]) -> Workspace:
    """Customers 5, 6 and 7 are one; all are in the cohort `pilot`, which has been cleansed."""
    ran = made()
    ran.__dict__["suites"] = {}
    ran.control.freeze_record(
        plan="coded", snapshot="S1", as_of=NOW, plan_digest=ran.plan.digest, strategy="waves", now=NOW
    )
    members = [{"customer_id": account(n), "identity_id": account(n), "cohort": "pilot"} for n in NAMES]
    put_table(ran, "cohort_plan", "members", members, MEMBERS)
    with ran.engine() as engine:
        schema = schema_of((*ENTITIES["customer"].fields, *PROVENANCE)).to_pyarrow()
        row = {"customer_id": account(5), "name": "Cyrus", "status": "active", "source_system": "crm"}
        rows = engine.table(pa.Table.from_pylist([row], schema=schema))
        engine.write(rows, ran.store.file("cleansed_customers", "pilot", "customer"))
    return ran


def shown(found: dict[str, Any]) -> str:
    out = Console(file=io.StringIO(), width=150, highlight=False)
    print_explained(out, found)
    text: str = out.file.getvalue()  # type: ignore[attr-defined]
    return text


@pytest.mark.parametrize("name", [account(7), "crm.a#17", "crm.a#15@S1"])
def test_a_customer_is_named_by_any_row_and_told_with_all_of_them_and_why_they_are_one(
    workspace: Workspace, name: str
) -> None:
    found = explained(workspace, name, "ann")
    assert found["customer"] == {
        "key": account(5),
        "row": "crm.a#15",
        "name": "Cyrus",
        "status": "active",
        "members": [{"key": account(n), "row": f"crm.a#{10 + n}"} for n in (5, 6, 7)],
    }
    assert [(t["kind"], t["rule"]) for t in found["ties"]] == [("key", "mailbox"), ("link", "account")]
    assert found["cohort"] == "pilot" and {s["state"] for s in found["stages"]} == {"never"}
    assert found["target"] == {"rows": [], "tables": [], "loads": []}


def test_a_plan_without_billing_says_so_and_has_no_page(workspace: Workspace) -> None:
    found = explained(workspace, account(5), "ann")
    assert found["account"] is None and "no billing.yaml" in found["why_no_account"]
    text = shown(found)
    assert "Cyrus" in text and "no billing.yaml" in text and "Nothing of this customer is in the target" in text
    with pytest.raises(StageRefused, match="no account to write"):
        explained_page(found)


def test_that_somebody_looked_is_in_the_audit_log_without_who_it_was_about(workspace: Workspace) -> None:
    explained(workspace, account(5), "ann")
    entry = workspace.control.last_audit("customer_explained", "crm.a#15")
    assert entry is not None and entry.actor == "ann" and entry.detail == {"cohort": "pilot"}


def test_a_plan_that_is_being_mended_still_says_who_somebody_is(workspace: Workspace) -> None:
    workspace.control.freeze_record(
        plan="coded", snapshot="S1", as_of=NOW, plan_digest="older", strategy="waves", now=NOW
    )
    found = explained(workspace, account(6), "ann")
    assert found["customer"]["key"] == account(5) and found["stages"] == []


def test_who_is_not_known_is_refused(workspace: Workspace) -> None:
    with pytest.raises(BadInput, match="knows no such customer"):
        explained(workspace, "crm.a:99", "ann")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("6", "Did you mean crm.a:6?"), ("404", "Give the key of a row"), ("crm.a:404", "Give the key of a row")],
)
def test_a_number_read_off_a_screen_is_answered_with_the_key_it_is_part_of(
    workspace: Workspace, name: str, remedy: str
) -> None:
    assert account(6) == "crm.a:6"
    with pytest.raises(BadInput, match="knows no such customer") as refused:
        explained(workspace, name, "ann")
    assert refused.value.remedy.startswith(remedy)


def test_certificates_are_refused_for_a_cohort_that_there_is_not_and_without_billing(
    workspace: Workspace, tmp_path: Any
) -> None:
    record = workspace.record()
    workspace.control.set_cohorts(record, [("pilot", 0, 0, 7, 7)])
    with pytest.raises(BadInput, match="no cohort 'pilott'"):
        certificates.build(workspace, "pilott", tmp_path / "new", "ann")
    with pytest.raises(BadInput, match="has no billing"):
        certificates.build(workspace, "pilot", tmp_path / "new", "ann")
    assert not (tmp_path / "new").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(BadInput, match="not empty"):
        certificates.build(workspace, "pilot", tmp_path / "full", "ann")


def test_only_a_folder_can_be_verified(tmp_path: Any) -> None:
    with pytest.raises(BadInput, match="no such folder"):
        certificates.verify(tmp_path / "none")
    assert certificates.verify(tmp_path) == {
        "ok": False, "folder": str(tmp_path), "certificates": 0, "faults": ["summary.csv is missing"],
        "list_digest": None,
    }  # fmt: skip
