"""The first tables: migration record, cohorts, verdicts, waivers, audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _create_records()
    _create_verdicts()
    _create_waivers()
    _create_audit_log()


def downgrade() -> None:
    op.execute("drop trigger audit_log_append_only on audit_log")
    op.execute("drop function refuse_audit_change()")
    for table in ("audit_log", "waiver", "verdict", "cohort", "migration_record"):
        op.drop_table(table)


def _create_records() -> None:
    op.create_table(
        "migration_record",
        sa.Column("record_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        *(_text(n) for n in ("plan", "snapshot")),
        sa.Column("as_of", INSTANT, nullable=False),
        *(_text(n) for n in ("plan_digest", "strategy")),
        sa.Column("taken_at", INSTANT, nullable=False),
        sa.Column("current", sa.Boolean, nullable=False),
    )
    op.create_index(
        "migration_record_current", "migration_record", ["plan"], unique=True, postgresql_where=sa.text("current")
    )
    op.create_table(
        "cohort",
        sa.Column("record_id", sa.BigInteger, sa.ForeignKey("migration_record.record_id"), primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        *(sa.Column(n, sa.Integer, nullable=False) for n in ("wave", "position", "ordinal")),
        *(sa.Column(n, sa.BigInteger, nullable=False) for n in ("customers", "rows")),
    )


def _create_verdicts() -> None:
    op.create_table(
        "verdict",
        sa.Column("verdict_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        *(_text(n) for n in ("cohort", "asset", "snapshot", "plan_digest", "check", "severity")),
        *(sa.Column(n, sa.Boolean, nullable=False) for n in ("passed", "evaluated")),
        *(sa.Column(n, sa.BigInteger, nullable=False) for n in ("rows_checked", "unexpected")),
        sa.Column("sample_keys", JSONB, nullable=False),
        _text("detail"),
        sa.Column("amount_minor", JSONB, nullable=False),
        _text("run_id"),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("current", sa.Boolean, nullable=False),
        sa.CheckConstraint("severity in ('critical', 'warning', 'info')", name="verdict_severity"),
        sa.CheckConstraint("evaluated or not passed", name="verdict_unevaluated_has_not_passed"),
    )
    key = ["cohort", "asset", "check"]
    op.create_index("verdict_current", "verdict", key, unique=True, postgresql_where=sa.text("current"))
    op.create_index("verdict_history", "verdict", [*key, "at"])


def _create_waivers() -> None:
    op.create_table(
        "waiver",
        sa.Column("waiver_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        *(_text(n) for n in ("cohort", "asset", "check", "owner", "reason")),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        _text("currency"),
        *(sa.Column(n, INSTANT, nullable=False) for n in ("expires_at", "signed_at")),
        _text("signed_by"),
        sa.CheckConstraint("expires_at > signed_at", name="waiver_expires_after_signature"),
        sa.CheckConstraint("amount_minor >= 0", name="waiver_amount_not_negative"),
        sa.CheckConstraint("length(trim(reason)) > 0 and length(trim(owner)) > 0", name="waiver_has_owner_and_reason"),
    )
    op.create_index("waiver_of_check", "waiver", ["cohort", "asset", "check"])


def _create_audit_log() -> None:
    op.create_table(
        "audit_log",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", INSTANT, nullable=False),
        *(_text(n) for n in ("actor", "action", "subject")),
        sa.Column("detail", JSONB, nullable=False),
        *(_text(n) for n in ("previous_hash", "hash")),
    )
    op.execute(
        "create function refuse_audit_change() returns trigger language plpgsql as "
        "$$ begin raise exception 'the audit log is append-only'; end $$"
    )
    op.execute(
        "create trigger audit_log_append_only before update or delete or truncate on audit_log "
        "for each statement execute function refuse_audit_change()"
    )


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)
