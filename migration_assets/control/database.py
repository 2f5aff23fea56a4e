"""Reads and writes the control database. Whether a verdict lets a cohort go on is judged in `standing`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from migration_assets.control.audit import FIRST, Entry, entry_hash, refuse_unstable, verified
from migration_assets.control.lock_numbers import Lock
from migration_assets.control.records import (
    AssetStatus,
    AuditState,
    Basis,
    Cohort,
    MigrationRecord,
    Standing,
    Verdict,
    Waiver,
)
from migration_assets.control.signature import reason_given
from migration_assets.control.standing import covered, judged, status_of
from migration_assets.control.tables import AUDIT_LOG, COHORT, MIGRATION_RECORD, VERDICT, WAIVER, WITHDRAWAL
from migration_assets.domain.errors import Misconfigured, StageRefused
from migration_assets.domain.patience import PATIENCE

# What a stage is told whose cohort another load has given rows to while it looked.
CHANGED_MEANWHILE = "was changed by another load or a rollback while it was looked at"


class ControlDatabase:
    """A client of one plan's control database; keeps no connection open between calls, so threads may share it."""

    def __init__(self, url: str) -> None:
        # A lock is held by a connection that says nothing for as long as a stage takes: its peer must not seem gone.
        self._engine = sa.create_engine(
            url, poolclass=NullPool, hide_parameters=True, connect_args=dict(PATIENCE.arguments)
        )

    # --- the migration record --------------------------------------------------------------------------------------

    def freeze_record(
        self,
        *,
        plan: str,
        snapshot: str,
        as_of: datetime,
        plan_digest: str,
        strategy: str,
        now: datetime,
        trial: bool = False,
    ) -> MigrationRecord:
        """Make this the current record of the plan; the same basis again keeps the record there is, unless that was
        a trial and this is not."""
        wanted = {
            "plan": plan,
            "snapshot": snapshot,
            "as_of": as_of,
            "plan_digest": plan_digest,
            "strategy": strategy,
        }
        t = MIGRATION_RECORD.c
        with self._begin() as connection:
            _lock(connection, Lock.RECORDS)
            present = _current_record(connection, plan)
            same = present is not None and all(getattr(present, k) == v for k, v in wanted.items())
            if present is not None and same and (trial or not present.trial):
                return present
            connection.execute(sa.update(MIGRATION_RECORD).where(t.plan == plan, t.current).values(current=False))
            connection.execute(sa.insert(MIGRATION_RECORD).values(**wanted, taken_at=now, current=True, trial=trial))
            made = _current_record(connection, plan)
        if made is None:
            raise AssertionError("a record just inserted has to be there")
        return made

    def current_record(self, plan: str) -> MigrationRecord | None:
        """The record cohort runs stand on, or None before the first `cohort_plan`."""
        with self._begin() as connection:
            return _current_record(connection, plan)

    def real_record(self, plan: str) -> MigrationRecord | None:
        """The last record that was not a trial: what loaded cohorts stand on."""
        t = MIGRATION_RECORD.c
        query = sa.select(*_RECORD_COLUMNS).where(t.plan == plan, ~t.trial).order_by(t.record_id.desc()).limit(1)
        with self._begin() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else MigrationRecord(**row)

    def set_cohorts(self, record: MigrationRecord, cohorts: Iterable[tuple[str, int, int, int, int]]) -> None:
        """Replace the record's cohorts: (name, wave, position, customers, rows) each."""
        rows = [
            {
                "record_id": record.record_id,
                "name": name,
                "wave": wave,
                "position": position,
                "ordinal": i,
                "customers": customers,
                "rows": rows,
            }
            for i, (name, wave, position, customers, rows) in enumerate(cohorts)
        ]
        with self._begin() as connection:
            _lock(connection, Lock.RECORDS)
            connection.execute(sa.delete(COHORT).where(COHORT.c.record_id == record.record_id))
            if rows:
                connection.execute(sa.insert(COHORT), rows)

    def cohorts(self, record: MigrationRecord) -> tuple[Cohort, ...]:
        """The record's cohorts by wave and position, then as they were given."""
        c = COHORT.c
        query = (
            sa.select(c.name, c.wave, c.position, c.customers, c.rows)
            .where(c.record_id == record.record_id)
            .order_by(c.wave, c.position, c.ordinal)
        )
        with self._begin() as connection:
            return tuple(Cohort(**row) for row in connection.execute(query).mappings())

    # --- verdicts --------------------------------------------------------------------------------------------------

    def save_verdicts(
        self, verdicts: Sequence[Verdict], *, current: bool = True, looked_since: int | None = None
    ) -> None:
        """Replace the current verdicts of their asset and cohort (all of one run), in one transaction; what was current
        stays as history. Without `current` they are history themselves, and what stands goes on standing.

        `looked_since`: the last withdrawal when the stage began to look. StageRefused when there was one of these
        verdicts since: they are about what was there before it.
        """
        v = VERDICT.c
        with self._begin() as connection:
            _lock(connection, Lock.VERDICTS)
            if looked_since is not None:
                _refuse_withdrawn(connection, verdicts, looked_since)
            for cohort, asset in {(one.cohort, one.asset) for one in verdicts} if current else ():
                connection.execute(
                    sa.update(VERDICT).where(v.cohort == cohort, v.asset == asset, v.current).values(current=False)
                )
            if verdicts:
                connection.execute(sa.insert(VERDICT), [as_row(one) | {"current": current} for one in verdicts])

    def holds_back(self, verdicts: Sequence[Verdict], now: datetime) -> bool:
        """Whether one of these verdicts, not stored yet, blocks and nobody has signed for it."""
        with self._begin() as connection:
            signed = _waivers(connection, sorted({v.cohort for v in verdicts}))
        return any(v.blocks and not covered(v, signed, now) for v in verdicts)

    def withdraw_verdicts(self, assets: Sequence[str], cohorts: Sequence[str] | None = None) -> int:
        """What these assets were found to be is no longer so, for these cohorts (or any), nor what is being found just
        now; it stays as history. Returns how many."""
        v = VERDICT.c
        told = [{"asset": a, "cohort": c} for a in assets for c in ([None] if cohorts is None else cohorts)]
        whose = sa.true() if cohorts is None else v.cohort.in_(cohorts)
        statement = sa.update(VERDICT).where(v.asset.in_(assets), v.current, whose).values(current=False)
        with self._begin() as connection:
            _lock(connection, Lock.VERDICTS)
            if told:
                connection.execute(sa.insert(WITHDRAWAL), told)
            return int(connection.execute(statement).rowcount)

    def last_withdrawal(self) -> int:
        """The number of the last one: whoever begins to look at something notes it (`save_verdicts`)."""
        with self._begin() as connection:
            return int(
                connection.execute(sa.select(sa.func.coalesce(sa.func.max(WITHDRAWAL.c.withdrawal_id), 0))).scalar_one()
            )

    def ever_checked(self, asset: str) -> frozenset[str]:
        """Cohorts for which an asset has ever had a verdict, whether or not it still stands."""
        query = sa.select(VERDICT.c.cohort).where(VERDICT.c.asset == asset).distinct()
        with self._begin() as connection:
            return frozenset(connection.execute(query).scalars())

    def verdicts(self, cohort: str, asset: str) -> tuple[Verdict, ...]:
        """The current verdicts of an asset for a cohort, by check."""
        with self._begin() as connection:
            return current_verdicts(connection, [cohort], [asset])

    def history(self, cohort: str, asset: str, check: str) -> tuple[Verdict, ...]:
        """Every verdict there ever was of one check for a cohort, oldest first."""
        v = VERDICT.c
        query = sa.select(VERDICT).where(v.cohort == cohort, v.asset == asset, v.check == check)
        with self._begin() as connection:
            rows = connection.execute(query.order_by(v.verdict_id)).mappings()
            return tuple(_as_verdict(row) for row in rows)

    def standing(self, cohort: str, asset: str, basis: Basis, now: datetime | None = None) -> Standing:
        """Whether the stored verdict lets the cohort go on past the asset. Without `now` no waiver counts."""
        with self._begin() as connection:
            verdicts = current_verdicts(connection, [cohort], [asset])
            return judged(cohort, asset, basis, verdicts, _waivers(connection, [cohort]), now)

    def require_passed(self, cohort: str, upstream: Sequence[str], basis: Basis, now: datetime | None = None) -> None:
        """Raise StageRefused with every reason unless all upstream assets have passed, or are signed for."""
        standings = [self.standing(cohort, asset, basis, now) for asset in upstream]
        reasons = [reason for s in standings for reason in s.reasons]
        if reasons:
            raise StageRefused(
                f"cohort `{cohort}` may not go on: {'; '.join(reasons)}",
                "mend the data or the plan and materialize what is upstream again, or have the check waived.",
            )

    def status(
        self, basis: Basis, cohorts: Sequence[str], assets: Sequence[str], now: datetime | None = None
    ) -> tuple[AssetStatus, ...]:
        """Where every asset stands for every cohort, in the order given; also those that never ran."""
        with self._begin() as connection:
            verdicts = current_verdicts(connection, cohorts, assets)
            waivers = _waivers(connection, cohorts)
        by_place: dict[tuple[str, str], list[Verdict]] = {}
        for v in verdicts:
            by_place.setdefault((v.cohort, v.asset), []).append(v)
        return tuple(status_of(c, a, basis, by_place.get((c, a), []), waivers, now) for c in cohorts for a in assets)

    # --- waivers ---------------------------------------------------------------------------------------------------

    def sign_waiver(self, waiver: Waiver) -> None:
        """Record a waiver and its entry in the audit log, together. BadInput without a proper reason (signature)."""
        waiver = replace(waiver, reason=reason_given(waiver.reason))
        detail = {
            "owner": waiver.owner,
            "reason": waiver.reason,
            "amount_minor": waiver.amount_minor,
            "currency": waiver.currency,
            "expires_at": waiver.expires_at.isoformat(),
        }
        subject = f"{waiver.cohort}/{waiver.asset}/{waiver.check}"
        with self._begin() as connection:
            connection.execute(sa.insert(WAIVER).values(**vars(waiver)))
            _append(connection, waiver.signed_at, waiver.signed_by, "waiver_signed", subject, detail)

    def waivers(self, cohort: str) -> tuple[Waiver, ...]:
        """All waivers of a cohort, expired ones too, oldest first."""
        with self._begin() as connection:
            return _waivers(connection, [cohort])

    # --- audit log -------------------------------------------------------------------------------------------------

    def audit(self, actor: str, action: str, subject: str, detail: Mapping[str, Any], *, now: datetime) -> str:
        """Append one entry and return its hash. `detail` is plain data without floats or personal values."""
        with self._begin() as connection:
            return _append(connection, now, actor, action, subject, detail)

    def audit_entries(self, after: int = 0, limit: int = 100) -> tuple[Entry, ...]:
        """Entries after a sequence number, in order."""
        query = sa.select(AUDIT_LOG).where(AUDIT_LOG.c.seq > after).order_by(AUDIT_LOG.c.seq).limit(limit)
        with self._begin() as connection:
            return tuple(Entry(**row) for row in connection.execute(query).mappings())

    def last_audit(self, action: str, subject: str) -> Entry | None:
        """The latest entry of this action on this subject, or None."""
        a = AUDIT_LOG.c
        query = sa.select(AUDIT_LOG).where(a.action == action, a.subject == subject).order_by(a.seq.desc()).limit(1)
        with self._begin() as connection:
            row = connection.execute(query).mappings().one_or_none()
            return None if row is None else Entry(**row)

    def has_audit(self, action: str, subject: str, detail: Mapping[str, Any]) -> bool:
        """Whether there is an entry of this action on this subject whose detail has all of this."""
        a = AUDIT_LOG.c
        query = sa.select(sa.exists().where(a.action == action, a.subject == subject, a.detail.contains(dict(detail))))
        with self._begin() as connection:
            return bool(connection.execute(query).scalar_one())

    def verify_audit_log(self, expected_head: tuple[int, str] | None = None) -> AuditState:
        """Recompute the whole chain. `expected_head` (sequence, hash), kept elsewhere, shows a log that was cut off."""
        query = sa.select(AUDIT_LOG).order_by(AUDIT_LOG.c.seq)
        with self._begin() as connection:
            connection.execution_options(yield_per=5_000)
            with connection.execute(query) as result:
                return verified((Entry(**row) for row in result.mappings()), expected_head)

    # --- locks -----------------------------------------------------------------------------------------------------

    @contextmanager
    def phase_lock(self, *, shared: bool, wait_seconds: int = 3600) -> Iterator[None]:
        """Hold the phase: cohort runs share it, a global run has it alone. StageRefused when the wait is too long."""
        take = sa.func.pg_advisory_lock_shared if shared else sa.func.pg_advisory_lock
        give = sa.func.pg_advisory_unlock_shared if shared else sa.func.pg_advisory_unlock
        with self._connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(sa.select(sa.func.set_config("lock_timeout", f"{wait_seconds}s", False)))
            try:
                connection.execute(sa.select(take(Lock.PHASE)))
            except sa.exc.OperationalError as error:
                raise StageRefused(
                    f"another {'global' if shared else 'cohort or global'} run holds the phase since {wait_seconds} s",
                    "wait for it to end, or stop it, and start this one again.",
                ) from error
            try:
                yield
            finally:
                connection.execute(sa.select(give(Lock.PHASE)))

    @contextmanager
    def cohort_lock(self, cohort: str) -> Iterator[None]:
        """Hold one cohort: a second run of it would write the files that the first is reading. StageRefused at once."""
        key = (Lock.COHORT, sa.func.hashtext(cohort))
        with self._connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            if not connection.execute(sa.select(sa.func.pg_try_advisory_lock(*key))).scalar_one():
                raise StageRefused(
                    f"another run is working on cohort `{cohort}`",
                    "wait for it to end (`cutover status`, or Runs in the UI), then start this one again.",
                )
            try:
                yield
            finally:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(*key)))

    def at_work(self, cohorts: Sequence[str]) -> frozenset[str]:
        """Those of the cohorts that a run holds now."""
        held = sa.text(
            "SELECT name FROM unnest(CAST(:names AS text[])) name WHERE EXISTS (SELECT FROM pg_locks "
            "WHERE locktype = 'advisory' AND classid = :kind AND objsubid = 2 AND granted "
            "AND objid::bigint = (hashtext(name)::bigint & 4294967295) "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
        )
        with self._begin() as connection:
            return frozenset(connection.execute(held, {"names": list(cohorts), "kind": Lock.COHORT}).scalars())

    @contextmanager
    def wave_lock(self, wave: int) -> Iterator[None]:
        """Hold what the cohorts of a wave add up together; waits for another one, which is done with it at once."""
        with self._begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(Lock.WAVE, wave)))
            yield

    @contextmanager
    def delta_lock(self) -> Iterator[None]:
        """One tick or rollback at a time, from its first look to the end of all it does. StageRefused at once."""
        with self._connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            if not connection.execute(sa.select(sa.func.pg_try_advisory_lock(Lock.DELTA))).scalar_one():
                raise StageRefused(
                    "a delta tick or a rollback is on its way", "wait for it to end, then start this one again."
                )
            try:
                yield
            finally:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(Lock.DELTA)))

    @contextmanager
    def _connect(self) -> Iterator[sa.Connection]:
        try:
            connection = self._engine.connect()
        except sa.exc.OperationalError as error:
            raise Misconfigured(
                "the control database cannot be reached", "start the server (`cutover demo` or `cutover run` does)."
            ) from error
        with connection:
            yield connection

    @contextmanager
    def begun(self, lock: int | None = None) -> Iterator[sa.Connection]:
        """A transaction, for what has a module of its own here; `lock` is an advisory lock that it holds."""
        with self._begin() as connection:
            if lock is not None:
                _lock(connection, lock)
            yield connection

    def begun_for_verdicts(self) -> AbstractContextManager[sa.Connection]:
        """A transaction that alone may replace verdicts."""
        return self.begun(Lock.VERDICTS)

    def audit_within(
        self,
        connection: sa.Connection,
        actor: str,
        action: str,
        subject: str,
        detail: Mapping[str, Any],
        *,
        now: datetime,
    ) -> str:
        """`audit`, as part of a transaction."""
        return _append(connection, now, actor, action, subject, detail)

    @contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        with self._connect() as connection, connection.begin():
            yield connection


def _lock(connection: sa.Connection, number: int) -> None:
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))


_RECORD_COLUMNS = [c for c in MIGRATION_RECORD.columns if c.name != "current"]


def _current_record(connection: sa.Connection, plan: str) -> MigrationRecord | None:
    t = MIGRATION_RECORD.c
    row = connection.execute(sa.select(*_RECORD_COLUMNS).where(t.plan == plan, t.current)).mappings().one_or_none()
    return None if row is None else MigrationRecord(**row)


def as_row(verdict: Verdict) -> dict[str, Any]:
    """A verdict as the columns of its table hold it, but for `current`."""
    row = {f.name: getattr(verdict, f.name) for f in fields(Verdict)}
    # Text keeps amounts exact: JSON readers turn large numbers into floats.
    amounts = {currency: str(amount) for currency, amount in verdict.amount_minor.items()}
    return row | {"sample_keys": list(verdict.sample_keys), "amount_minor": amounts}


def current_verdicts(connection: sa.Connection, cohorts: Sequence[str], assets: Sequence[str]) -> tuple[Verdict, ...]:
    """The current verdicts of these assets and cohorts, by cohort, asset and check."""
    v = VERDICT.c
    query = sa.select(VERDICT).where(v.cohort.in_(cohorts), v.asset.in_(assets), v.current)
    rows = connection.execute(query.order_by(v.cohort, v.asset, v.check)).mappings()
    return tuple(_as_verdict(row) for row in rows)


def _as_verdict(row: sa.RowMapping) -> Verdict:
    values = {k: v for k, v in row.items() if k not in ("verdict_id", "current")}
    values["sample_keys"] = tuple(row["sample_keys"])
    values["amount_minor"] = {currency: int(amount) for currency, amount in row["amount_minor"].items()}
    return Verdict(**values)


def _waivers(connection: sa.Connection, cohorts: Sequence[str]) -> tuple[Waiver, ...]:
    columns = [c for c in WAIVER.columns if c.name != "waiver_id"]
    query = sa.select(*columns).where(WAIVER.c.cohort.in_(cohorts)).order_by(WAIVER.c.waiver_id)
    return tuple(Waiver(**row) for row in connection.execute(query).mappings())


def _append(
    connection: sa.Connection, at: datetime, actor: str, action: str, subject: str, detail: Mapping[str, Any]
) -> str:
    """One more link of the chain; the lock keeps two writers from taking the same place."""
    plain = dict(detail)
    refuse_unstable([actor, action, subject, plain])
    _lock(connection, Lock.AUDIT)
    last = connection.execute(
        sa.select(AUDIT_LOG.c.seq, AUDIT_LOG.c.hash).order_by(AUDIT_LOG.c.seq.desc()).limit(1)
    ).one_or_none()
    seq, previous = (last.seq + 1, last.hash) if last else (1, FIRST)
    made = entry_hash(seq, at, actor, action, subject, plain, previous)
    connection.execute(
        sa.insert(AUDIT_LOG).values(
            seq=seq, at=at, actor=actor, action=action, subject=subject, detail=plain, previous_hash=previous, hash=made
        )
    )
    return made


def _refuse_withdrawn(connection: sa.Connection, verdicts: Sequence[Verdict], since: int) -> None:
    w = WITHDRAWAL.c
    for cohort, asset in sorted({(v.cohort, v.asset) for v in verdicts}):
        theirs = w.asset == asset, sa.or_(w.cohort.is_(None), w.cohort == cohort), w.withdrawal_id > since
        if connection.execute(sa.select(w.withdrawal_id).where(*theirs).limit(1)).first() is not None:
            raise StageRefused(f"cohort `{cohort}` {CHANGED_MEANWHILE}", "`cutover run --resume` looks at it again.")
