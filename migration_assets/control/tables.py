"""The control database's tables, as the program reads and writes them. What made them is in `migrations`."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

METADATA = sa.MetaData()
INSTANT = sa.DateTime(timezone=True)

# One frozen basis of a migration; at most one is current for a plan.
MIGRATION_RECORD = sa.Table(
    "migration_record",
    METADATA,
    sa.Column("record_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("snapshot", sa.Text, nullable=False),
    sa.Column("as_of", INSTANT, nullable=False),
    sa.Column("plan_digest", sa.Text, nullable=False),
    sa.Column("strategy", sa.Text, nullable=False),
    sa.Column("taken_at", INSTANT, nullable=False),
    sa.Column("current", sa.Boolean, nullable=False),
    sa.Column("trial", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index("migration_record_current", "plan", unique=True, postgresql_where=sa.text("current")),
)

# One cohort of a record. Key: record_id, name.
COHORT = sa.Table(
    "cohort",
    METADATA,
    sa.Column("record_id", sa.BigInteger, sa.ForeignKey("migration_record.record_id"), primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("wave", sa.Integer, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Column("customers", sa.BigInteger, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
)

# One result of one check; those that were replaced stay as history with current = false.
VERDICT = sa.Table(
    "verdict",
    METADATA,
    sa.Column("verdict_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("cohort", sa.Text, nullable=False),
    sa.Column("asset", sa.Text, nullable=False),
    sa.Column("snapshot", sa.Text, nullable=False),
    sa.Column("plan_digest", sa.Text, nullable=False),
    sa.Column("as_of", INSTANT),
    sa.Column("suite_digest", sa.Text),
    sa.Column("check", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("passed", sa.Boolean, nullable=False),
    sa.Column("evaluated", sa.Boolean, nullable=False),
    sa.Column("rows_checked", sa.BigInteger, nullable=False),
    sa.Column("unexpected", sa.BigInteger, nullable=False),
    sa.Column("sample_keys", JSONB, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("amount_minor", JSONB, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("at", INSTANT, nullable=False),
    sa.Column("current", sa.Boolean, nullable=False),
    sa.Index("verdict_current", "cohort", "asset", "check", unique=True, postgresql_where=sa.text("current")),
    sa.Index("verdict_history", "cohort", "asset", "check", "at"),
    sa.CheckConstraint("severity in ('critical', 'warning', 'info')", name="verdict_severity"),
    sa.CheckConstraint("evaluated or not passed", name="verdict_unevaluated_has_not_passed"),
)

# Without a cohort it is of every cohort.
WITHDRAWAL = sa.Table(
    "withdrawal",
    METADATA,
    sa.Column("withdrawal_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("asset", sa.Text, nullable=False),
    sa.Column("cohort", sa.Text),
    sa.Column("at", INSTANT, nullable=False, server_default=sa.func.now()),
)

# One signature under one failed check.
WAIVER = sa.Table(
    "waiver",
    METADATA,
    sa.Column("waiver_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("cohort", sa.Text, nullable=False),
    sa.Column("asset", sa.Text, nullable=False),
    sa.Column("check", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("amount_minor", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("expires_at", INSTANT, nullable=False),
    sa.Column("signed_at", INSTANT, nullable=False),
    sa.Column("signed_by", sa.Text, nullable=False),
    sa.Index("waiver_of_check", "cohort", "asset", "check"),
    sa.CheckConstraint("expires_at > signed_at", name="waiver_expires_after_signature"),
    sa.CheckConstraint("amount_minor >= 0", name="waiver_amount_not_negative"),
    sa.CheckConstraint("length(trim(reason)) > 0 and length(trim(owner)) > 0", name="waiver_has_owner_and_reason"),
)

# Append-only (a trigger refuses change); the hashes show what was changed all the same.
AUDIT_LOG = sa.Table(
    "audit_log",
    METADATA,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", INSTANT, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("detail", JSONB, nullable=False),
    sa.Column("previous_hash", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
)

# One pair of customers that a machine may not merge by itself; `open`: the last run still found it. Key: plan, a, b
# (canonical customer keys, a < b). `stakes`: currency -> minor units, as text; `rank` puts cases in order.
REVIEW_CASE = sa.Table(
    "review_case",
    METADATA,
    sa.Column("case_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("a", sa.Text, nullable=False),
    sa.Column("b", sa.Text, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("probability", sa.Double, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("snapshot", sa.Text, nullable=False),
    sa.Column("first_seen", INSTANT, nullable=False),
    sa.Column("last_seen", INSTANT, nullable=False),
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Column("stakes", JSONB, nullable=False, server_default=sa.text("'{}'")),
    sa.Column("rank", sa.Numeric, nullable=False, server_default=sa.text("0")),
    sa.UniqueConstraint("plan", "a", "b", name="review_case_of_pair"),
    sa.CheckConstraint("a < b", name="review_case_in_order"),
)

# One answer about one pair; those that were replaced stay as history. `open`: taken back. Not `effective`: it waits for
# a second person, who is `seconded_by` once it is. At most one of each kind is current for a pair.
REVIEW_DECISION = sa.Table(
    "review_decision",
    METADATA,
    sa.Column("decision_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("a", sa.Text, nullable=False),
    sa.Column("b", sa.Text, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("decided_by", sa.Text, nullable=False),
    sa.Column("decided_at", INSTANT, nullable=False),
    sa.Column("current", sa.Boolean, nullable=False),
    sa.Column("effective", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("seconded_by", sa.Text),
    sa.Index(
        "review_decision_current", "plan", "a", "b", "effective", unique=True, postgresql_where=sa.text("current")
    ),
    sa.CheckConstraint("effective or seconded_by is null", name="review_decision_by_two"),
    sa.CheckConstraint("seconded_by <> decided_by", name="review_decision_two_differ"),
    sa.CheckConstraint("a < b", name="review_decision_in_order"),
    sa.CheckConstraint("answer in ('same', 'apart', 'open')", name="review_decision_answer"),
    sa.CheckConstraint("length(trim(reason)) > 0", name="review_decision_has_reason"),
)

# Two customer rows that stood together, and the snapshot in which that was seen last (kin.Kin). Key: all but the last
# two columns.
CUSTOMER_KIN = sa.Table(
    "customer_kin",
    METADATA,
    sa.Column("plan", sa.Text, primary_key=True),
    sa.Column("customer_id", sa.Text, primary_key=True),
    sa.Column("kin_id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("snapshot", sa.Text, nullable=False),
    sa.Column("noted_at", INSTANT, nullable=False),
    sa.CheckConstraint("kind in ('link', 'group', 'erased', 'asked', 'held')", name="customer_kin_kind"),
    sa.CheckConstraint("customer_id <> kin_id", name="customer_kin_differ"),
)


# One column of one row of the target that somebody else changed since it was loaded, and that a load has left; `open`:
# the last load of its cohort still found it. Key: all columns from plan to found. `expected` and `found` are keyed
# digests of both values, so that an answer is about these two and no others. `asked`: a person has to decide.
TARGET_CONFLICT = sa.Table(
    "target_conflict",
    METADATA,
    sa.Column("conflict_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("table_name", sa.Text, nullable=False),
    sa.Column("target_id", sa.Text, nullable=False),
    sa.Column("column_name", sa.Text, nullable=False),
    sa.Column("expected", sa.Text, nullable=False),
    sa.Column("found", sa.Text, nullable=False),
    sa.Column("cohort", sa.Text, nullable=False),
    sa.Column("snapshot", sa.Text, nullable=False),
    sa.Column("currency", sa.Text),
    sa.Column("amount_minor", sa.BigInteger),
    sa.Column("first_seen", INSTANT, nullable=False),
    sa.Column("last_seen", INSTANT, nullable=False),
    sa.Column("asked", sa.Boolean, nullable=False),
    sa.Column("open", sa.Boolean, nullable=False),
    sa.UniqueConstraint(
        "plan", "table_name", "target_id", "column_name", "expected", "found", name="target_conflict_of_values"
    ),
)

# One answer about one conflict; as REVIEW_DECISION is about a pair.
CONFLICT_DECISION = sa.Table(
    "conflict_decision",
    METADATA,
    sa.Column("decision_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("conflict_id", sa.BigInteger, sa.ForeignKey("target_conflict.conflict_id"), nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("decided_by", sa.Text, nullable=False),
    sa.Column("decided_at", INSTANT, nullable=False),
    sa.Column("current", sa.Boolean, nullable=False),
    sa.Column("effective", sa.Boolean, nullable=False),
    sa.Column("seconded_by", sa.Text),
    sa.Index("conflict_decision_current", "conflict_id", "effective", unique=True, postgresql_where=sa.text("current")),
    sa.CheckConstraint("effective or seconded_by is null", name="conflict_decision_by_two"),
    sa.CheckConstraint("seconded_by <> decided_by", name="conflict_decision_two_differ"),
    sa.CheckConstraint("answer in ('source', 'target', 'open')", name="conflict_decision_answer"),
    sa.CheckConstraint("length(trim(reason)) > 0", name="conflict_decision_has_reason"),
)

# One look at the sources and what came of it. `seen_at`: the state that was looked at; `lag_seconds`: from the look
# before to the end of this one, which is the longest that a change can have waited. `detail`: names of cohorts.
DELTA_TICK = sa.Table(
    "delta_tick",
    METADATA,
    sa.Column("tick_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("thorough", sa.Boolean, nullable=False),
    sa.Column("snapshot_before", sa.Text, nullable=False),
    sa.Column("snapshot_after", sa.Text),
    sa.Column("seen_at", INSTANT, nullable=False),
    sa.Column("ended_at", INSTANT),
    sa.Column("lag_seconds", sa.BigInteger),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("detail", JSONB, nullable=False, server_default=sa.text("'{}'")),
    sa.Index("delta_tick_of_plan", "plan", "tick_id"),
    sa.CheckConstraint("state in ('running', 'quiet', 'done', 'failed')", name="delta_tick_state"),
    sa.CheckConstraint("(state = 'running') = (ended_at is null)", name="delta_tick_ended"),
)

# What a tick found of one table that changed. Key: tick_id, table.
DELTA_TABLE = sa.Table(
    "delta_table",
    METADATA,
    sa.Column("tick_id", sa.BigInteger, sa.ForeignKey("delta_tick.tick_id"), primary_key=True),
    sa.Column("table", sa.Text, primary_key=True),
    sa.Column("rows_before", sa.BigInteger, nullable=False),
    sa.Column("rows_after", sa.BigInteger, nullable=False),
    sa.Column("inserted", sa.BigInteger, nullable=False),
    sa.Column("updated", sa.BigInteger, nullable=False),
    sa.Column("deleted", sa.BigInteger, nullable=False),
    sa.Column("late_inserted", sa.BigInteger, nullable=False),
    sa.Column("late_updated", sa.BigInteger, nullable=False),
    sa.CheckConstraint("rows_before + inserted + late_inserted - deleted = rows_after", name="delta_table_balances"),
)
