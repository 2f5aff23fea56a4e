"""Files of a rollback: for their owner alone, and with everything somebody has to act on."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from migration_assets.domain.after_rollback import Document, Usage, statement
from migration_assets.stages.rollback.obstacles import Foreign
from migration_assets.stages.rollback.take_back import RollbackOrder
from migration_assets.wiring.rollback_files import write_changed, write_statement

AT = datetime(2026, 7, 1, tzinfo=UTC)


def test_rows_that_others_changed_are_listed_for_their_owner_alone(tmp_path: Path) -> None:
    rows = [Foreign("accounts", "id-1", "crm.accounts:1", "changed by somebody else"), Foreign("plans", "a,b", "", "x")]
    path = write_changed(tmp_path / "reports", ("pilot", "base"), rows)
    assert path.name == "rollback-pilot-base-changed.csv"
    assert path.stat().st_mode & 0o077 == 0
    assert path.read_text(encoding="utf-8").splitlines() == [
        "table,key,source_row,what", "accounts,id-1,crm.accounts:1,changed by somebody else", 'plans,"a,b",,x',
    ]  # fmt: skip


def test_the_statement_says_what_to_credit_to_carry_back_and_to_live_with(tmp_path: Path) -> None:
    since = statement(
        [Document("crm.accounts:1", "invoice", "open", "EUR", 11_900)],
        [Usage("crm.accounts:1", "erp.contracts:1", "calls", Decimal("100.50"), AT)],
        {"notes": 2},
    )
    path = write_statement(tmp_path, RollbackOrder(("pilot",), "anna", AT), since)
    text = path.read_text(encoding="utf-8")
    assert path.stat().st_mode & 0o077 == 0
    assert "| crm.accounts:1 | EUR | 1 | 11900 | 0 | 11900 | 0 | 0 | 0 |" in text
    assert "| crm.accounts:1 | erp.contracts:1 | calls | 1 | 100.5 | 2026-07-01" in text
    assert "- 2 rows of notes were made by the new system" in text


def test_a_statement_without_usage_says_so(tmp_path: Path) -> None:
    since = statement([Document("crm.accounts:1", "refund", "settled", "EUR", 5)], [], {})
    text = write_statement(tmp_path, RollbackOrder(("pilot",), "anna", AT), since).read_text(encoding="utf-8")
    assert "old system's counters.\n\nNone." in text
