"""The control database on a real server: records, verdicts that hold, waivers that expire, a log that tells."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy.pool import NullPool

from migration_assets.control import (
    CHANGED_MEANWHILE,
    Basis,
    ControlDatabase,
    MigrationRecord,
    ReviewQueue,
    Waiver,
    migrate,
    verdicts_of,
)
from migration_assets.control import migrations as control_migrations
from migration_assets.control.tables import METADATA
from migration_assets.domain.errors import BadInput, Misconfigured, StageRefused
from migration_assets.quality.results import CheckResult

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=7)


@pytest.fixture
def control(database: str) -> Iterator[ControlDatabase]:
    migrate(database)
    yield ControlDatabase(database)


def freeze(control: ControlDatabase, snapshot: str = "S1", digest: str = "d1", plan: str = "acme") -> MigrationRecord:
    return control.freeze_record(
        plan=plan, snapshot=snapshot, as_of=NOW, plan_digest=digest, strategy="phased", now=NOW
    )


def basis(record: MigrationRecord, **changed: Any) -> Basis:
    given = {"suites": {"cleansed": "rules-1"}, **changed}
    return replace(Basis(record.snapshot, record.plan_digest, record.as_of), **given)


def result(check: str = "keys_unique", *, passed: bool = True, **fields: Any) -> CheckResult:
    usual = {
        "table": "customer",
        "severity": "critical",
        "evaluated": True,
        "rows_checked": 10,
        "unexpected": 0 if passed else 3,
        "sample_keys": () if passed else ("crm.accounts#1",),
        "detail": "Looked at 10 rows." if passed else "3 rows of `customer` share their key.",
    }
    return CheckResult(check, passed=passed, **{**usual, **fields})


def save(
    control: ControlDatabase,
    record: MigrationRecord,
    *results: CheckResult,
    cohort: str = "pilot",
    asset: str = "cleansed",
) -> None:
    control.save_verdicts(verdicts_of(cohort, asset, basis(record), results, "run-1", NOW))


def waiver(**fields: Any) -> Waiver:
    usual = {
        "cohort": "pilot",
        "asset": "cleansed",
        "check": "keys_unique",
        "owner": "finance",
        "reason": "Known duplicates, merged by hand next week.",
        "amount_minor": 0,
        "currency": "EUR",
        "expires_at": LATER,
        "signed_at": NOW,
        "signed_by": "controller",
    }
    return Waiver(**{**usual, **fields})


def run_sql(url: str, *statements: str) -> None:
    engine = sa.create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


# --- the tables ---


def test_migrating_again_and_at_the_same_time_changes_nothing(database: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(migrate, [database] * 3))
    freeze(ControlDatabase(database))
    migrate(database)
    assert ControlDatabase(database).current_record("acme") is not None


def test_the_migrations_make_exactly_the_tables_the_program_uses(database: str) -> None:
    migrate(database)
    engine = sa.create_engine(database, poolclass=NullPool)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_what_one_person_had_decided_stays_in_force_when_the_tables_learn_of_a_second(database: str) -> None:
    migrate(database)
    config = Config()
    config.set_main_option("script_location", str(Path(control_migrations.__file__).parent))
    engine = sa.create_engine(database, poolclass=NullPool)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0004")
        connection.execute(
            sa.text(
                "INSERT INTO review_decision (plan, a, b, answer, reason, decided_by, decided_at, current) "
                "VALUES ('acme', 'crm.a:1', 'crm.a:2', 'same', 'Told so.', 'kim', now(), true)"
            )
        )
    migrate(database)
    assert ReviewQueue(ControlDatabase(database), "acme").decisions() == {("crm.a:1", "crm.a:2"): True}


def test_a_server_that_is_not_there_is_named_with_a_remedy() -> None:
    with pytest.raises(Misconfigured, match="cannot be reached") as caught:
        ControlDatabase("postgresql+psycopg://nobody:secret@127.0.0.1:1/none").current_record("acme")
    assert "secret" not in str(caught.value)


# --- the migration record ---


def test_freezing_the_same_basis_again_keeps_the_record(control: ControlDatabase) -> None:
    first = freeze(control)
    again = control.freeze_record(plan="acme", snapshot="S1", as_of=NOW, plan_digest="d1", strategy="phased", now=LATER)
    assert again == first
    assert control.current_record("acme") == first


def test_a_new_snapshot_makes_a_new_current_record_and_plans_do_not_see_each_other(control: ControlDatabase) -> None:
    freeze(control)
    other = freeze(control, plan="telco")
    second = freeze(control, "S2")
    assert control.current_record("acme") == second
    assert control.current_record("telco") == other
    assert control.current_record("nothing") is None


def test_nothing_stands_on_a_trial_and_a_real_run_takes_its_place(control: ControlDatabase) -> None:
    basis = {"plan": "acme", "snapshot": "S1", "plan_digest": "d1", "strategy": "phased", "now": LATER}
    tried = control.freeze_record(**basis, as_of=LATER, trial=True)
    assert tried.trial and control.current_record("acme") == tried and control.real_record("acme") is None
    first = control.freeze_record(**basis, as_of=NOW)
    assert not first.trial and control.current_record("acme") == control.real_record("acme") == first
    assert control.freeze_record(**basis, as_of=NOW, trial=True) == first, "a trial on what stands changes nothing"
    changed = basis | {"plan_digest": "d2"}
    again = control.freeze_record(**changed, as_of=NOW, trial=True)
    assert control.current_record("acme") == again and control.real_record("acme") == first
    assert control.freeze_record(**changed, as_of=NOW) == control.real_record("acme") != again


def test_freezing_at_the_same_time_leaves_one_current_record(control: ControlDatabase) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: freeze(control), range(4)))
    assert len({r.record_id for r in made}) == 1


def test_cohorts_come_back_by_wave_and_position(control: ControlDatabase) -> None:
    record = freeze(control)
    control.set_cohorts(
        record, [("wave2", 2, 0, 5, 50), ("b", 1, 1, 3, 30), ("pilot", 0, 0, 1, 10), ("a", 1, 1, 2, 20)]
    )
    assert [c.name for c in control.cohorts(record)] == ["pilot", "b", "a", "wave2"]
    control.set_cohorts(record, [("pilot", 0, 0, 1, 10)])
    assert [(c.name, c.customers, c.rows) for c in control.cohorts(record)] == [("pilot", 1, 10)]


# --- verdicts ---


def test_what_never_ran_has_not_passed(control: ControlDatabase) -> None:
    record = freeze(control)
    with pytest.raises(StageRefused, match="`cleansed` has not been checked for cohort `pilot`"):
        control.require_passed("pilot", ["cleansed"], basis(record))
    save(control, record)
    assert not control.standing("pilot", "cleansed", basis(record)).passed


def test_a_passed_verdict_lets_its_own_cohort_go_on(control: ControlDatabase) -> None:
    record = freeze(control)
    save(control, record, result(), result("emails", passed=False, severity="warning"))
    control.require_passed("pilot", ["cleansed"], basis(record))
    assert not control.standing("wave1", "cleansed", basis(record)).passed
    assert not control.standing("pilot", "loaded", basis(record)).passed


def test_a_failed_critical_check_refuses_with_its_rows(control: ControlDatabase) -> None:
    record = freeze(control)
    save(control, record, result(passed=False))
    save(control, record, asset="billing")
    with pytest.raises(StageRefused) as caught:
        control.require_passed("pilot", ["cleansed", "billing"], basis(record))
    assert "`keys_unique`" in caught.value.message and "3 rows" in caught.value.message
    assert "`billing` has not been checked" in caught.value.message


def test_a_check_that_could_not_be_evaluated_refuses_whatever_its_severity(control: ControlDatabase) -> None:
    record = freeze(control)
    save(control, record, result(passed=False, evaluated=False, severity="info"))
    assert "could not be evaluated" in control.standing("pilot", "cleansed", basis(record)).reasons[0]


def test_a_verdict_that_is_history_only_replaces_nothing(control: ControlDatabase) -> None:
    record = freeze(control)
    save(control, record, result())
    failed = verdicts_of("pilot", "cleansed", basis(record), [result(passed=False)], "run-2", LATER)
    control.save_verdicts(failed, current=False)
    assert control.standing("pilot", "cleansed", basis(record)).passed
    assert [v.run_id for v in control.history("pilot", "cleansed", "keys_unique")] == ["run-1", "run-2"]


@pytest.mark.parametrize("cohorts", [["pilot"], ["north", "pilot"], None])
def test_what_was_looked_at_before_a_withdrawal_is_not_stored_after_it(
    control: ControlDatabase, cohorts: list[str] | None
) -> None:
    """Another load gave the cohort rows while it was compared: nobody has compared those."""
    record = freeze(control)
    found = verdicts_of("pilot", "reconciliation", basis(record), [result()], "run-2", NOW)
    began = control.last_withdrawal()
    control.withdraw_verdicts(("reconciliation",), cohorts)
    with pytest.raises(StageRefused, match=CHANGED_MEANWHILE):
        control.save_verdicts(found, looked_since=began)
    assert not control.standing("pilot", "reconciliation", basis(record)).passed
    control.save_verdicts(found, looked_since=control.last_withdrawal())
    assert control.standing("pilot", "reconciliation", basis(record)).passed


def test_a_withdrawal_of_others_is_no_reason_to_look_again(control: ControlDatabase) -> None:
    record = freeze(control)
    began = control.last_withdrawal()
    control.withdraw_verdicts(("reconciliation",), ["north"])
    control.withdraw_verdicts(("loaded_target",), ["pilot"])
    found = verdicts_of("pilot", "reconciliation", basis(record), [result()], "run-2", NOW)
    control.save_verdicts(found, looked_since=began)
    assert control.standing("pilot", "reconciliation", basis(record)).passed


def test_what_blocks_holds_back_until_somebody_signs(control: ControlDatabase) -> None:
    record = freeze(control)
    failed = verdicts_of("pilot", "cleansed", basis(record), [result(passed=False)], "run-1", NOW)
    assert control.holds_back(failed, NOW)
    assert not control.holds_back(verdicts_of("pilot", "cleansed", basis(record), [result()], "run-1", NOW), NOW)
    control.sign_waiver(waiver())
    assert not control.holds_back(failed, NOW)
    unknown = [result(passed=False, evaluated=False, severity="info")]
    assert control.holds_back(verdicts_of("pilot", "cleansed", basis(record), unknown, "run-1", NOW), NOW)


def test_a_verdict_for_another_instant_or_by_other_rules_does_not_count(control: ControlDatabase) -> None:
    record = freeze(control)
    save(control, record, result())
    assert control.standing("pilot", "cleansed", basis(record)).passed
    assert control.standing("pilot", "cleansed", basis(record, suites={"cleansed": "rules-1", "billing": "x"})).passed
    later = control.standing("pilot", "cleansed", basis(record, as_of=LATER))
    assert "another instant" in later.reasons[0]
    judged = control.standing("pilot", "cleansed", basis(record, suites={"cleansed": "rules-2"}))
    assert judged.reasons == ("the verdict of `cleansed` is by rules that have changed since",)


def test_what_is_stale_says_all_that_has_changed(control: ControlDatabase) -> None:
    record = freeze(control)
    save(control, record, result())

    def changed(of: MigrationRecord, **other: Any) -> str:
        return control.status(basis(of, **other), ["pilot"], ["cleansed"])[0].changed

    assert changed(record) == ""
    assert changed(record, suites={"cleansed": "rules-2"}) == "by rules that have changed since"
    later = freeze(control, "S2")
    assert changed(later) == "of snapshot S1, not S2"
    assert changed(later, as_of=LATER).startswith("of snapshot S1, not S2; for another instant T (")


def test_a_verdict_of_another_snapshot_or_plan_version_does_not_count(control: ControlDatabase) -> None:
    first = freeze(control)
    save(control, first, result())
    assert "snapshot S1, not S2" in control.standing("pilot", "cleansed", basis(freeze(control, "S2"))).reasons[0]
    assert (
        "another version of the plan"
        in control.standing("pilot", "cleansed", basis(freeze(control, "S1", "d2"))).reasons[0]
    )


def test_new_verdicts_replace_the_current_ones_and_history_is_kept(control: ControlDatabase) -> None:
    record = freeze(control)
    money = {"EUR": 2**62, "JPY": -5}
    save(control, record, result(passed=False, amount_minor=money), result("gone"))
    save(control, record, result())
    assert [v.check for v in control.verdicts("pilot", "cleansed")] == ["keys_unique"]
    before, after = control.history("pilot", "cleansed", "keys_unique")
    assert (before.passed, after.passed) == (False, True)
    assert before.amount_minor == money
    assert before.sample_keys == ("crm.accounts#1",)
    assert (before.run_id, before.at) == ("run-1", NOW)


def test_saving_is_whole_or_not_at_all(control: ControlDatabase) -> None:
    record = freeze(control)
    save(control, record, result())
    with pytest.raises(sa.exc.IntegrityError):
        save(control, record, result("other"), result("other"))
    assert [v.check for v in control.verdicts("pilot", "cleansed")] == ["keys_unique"]


def test_saving_from_several_threads_leaves_one_current_set(control: ControlDatabase) -> None:
    record = freeze(control)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: save(control, record, result(), result("b")), range(8)))
    assert len(control.verdicts("pilot", "cleansed")) == 2
    assert len(control.history("pilot", "cleansed", "b")) == 8


# --- waivers ---


@pytest.mark.parametrize(
    ("signed", "now", "passes"),
    [
        (waiver(), NOW, True),
        (waiver(), LATER - timedelta(microseconds=1), True),
        (waiver(), LATER, False),
        (waiver(), NOW - timedelta(seconds=1), False),
        (waiver(), None, False),
        (waiver(cohort="wave1"), NOW, False),
        (waiver(asset="loaded"), NOW, False),
        (waiver(check="other"), NOW, False),
    ],
)
def test_a_waiver_covers_its_check_until_it_expires(
    control: ControlDatabase, signed: Waiver, now: datetime | None, passes: bool
) -> None:
    record = freeze(control)
    save(control, record, result(passed=False))
    control.sign_waiver(signed)
    standing = control.standing("pilot", "cleansed", basis(record), now)
    assert standing.passed is passes
    assert standing.waived == (("keys_unique",) if passes else ())


@pytest.mark.parametrize(
    ("amount", "currency", "passes"), [(500, "EUR", True), (499, "EUR", False), (500, "USD", False)]
)
def test_a_waiver_covers_no_more_money_than_was_signed_for(
    control: ControlDatabase, amount: int, currency: str, passes: bool
) -> None:
    record = freeze(control)
    save(control, record, result(passed=False, amount_minor={"EUR": -500}))
    control.sign_waiver(waiver(amount_minor=amount, currency=currency))
    assert control.standing("pilot", "cleansed", basis(record), NOW).passed is passes


def test_what_could_not_be_evaluated_cannot_be_waived(control: ControlDatabase) -> None:
    record = freeze(control)
    save(control, record, result(passed=False, evaluated=False))
    control.sign_waiver(waiver())
    assert not control.standing("pilot", "cleansed", basis(record), NOW).passed


@pytest.mark.parametrize("bad", [{"owner": ""}, {"amount_minor": -1}, {"expires_at": NOW}])
def test_a_waiver_needs_owner_amount_and_expiry(control: ControlDatabase, bad: dict[str, Any]) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        control.sign_waiver(waiver(**bad))
    assert control.waivers("pilot") == ()
    assert control.verify_audit_log().entries == 0


@pytest.mark.parametrize("reason", ["  ", "a\x00", "\udcff", "x" * 1_001])
def test_a_waiver_needs_a_proper_reason(control: ControlDatabase, reason: str) -> None:
    with pytest.raises(BadInput, match="reason"):
        control.sign_waiver(waiver(reason=reason))
    assert control.waivers("pilot") == () and control.verify_audit_log().entries == 0


def test_a_waiver_is_in_the_audit_log(control: ControlDatabase) -> None:
    control.sign_waiver(waiver())
    (entry,) = control.audit_entries()
    assert (entry.actor, entry.action, entry.subject) == ("controller", "waiver_signed", "pilot/cleansed/keys_unique")
    assert control.waivers("pilot") == (waiver(),)


# --- status ---


def test_status_tells_apart_passed_failed_waived_never_and_stale(control: ControlDatabase) -> None:
    record = freeze(control)
    save(control, record, result(), result("mail", passed=False, severity="warning"))
    save(control, record, result(passed=False), asset="billing")
    save(control, record, result(passed=False), cohort="wave1")
    control.sign_waiver(waiver(cohort="wave1"))
    save(control, replace(record, snapshot="S0"), result(), cohort="wave1", asset="billing")
    lines = control.status(basis(record), ["pilot", "wave1"], ["cleansed", "billing", "loaded"], NOW)
    assert [(s.cohort, s.asset, s.state) for s in lines] == [
        ("pilot", "cleansed", "passed"),
        ("pilot", "billing", "failed"),
        ("pilot", "loaded", "never"),
        ("wave1", "cleansed", "waived"),
        ("wave1", "billing", "stale"),
        ("wave1", "loaded", "never"),
    ]
    assert [(f.check, f.severity, f.unexpected) for f in lines[0].failing] == [("mail", "warning", 3)]
    assert (lines[0].checks, lines[0].rows_checked, lines[0].at) == (2, 10, NOW)
    assert lines[3].failing[0].waived


# --- audit log ---


def fill(control: ControlDatabase, n: int) -> None:
    for i in range(n):
        control.audit("cutover", "loaded", f"cohort-{i}", {"rows": i, "parts": ["ü", None, True]}, now=NOW)


def test_an_untouched_log_is_intact_and_tells_its_head(control: ControlDatabase) -> None:
    assert control.verify_audit_log().intact
    fill(control, 5)
    state = control.verify_audit_log()
    assert (state.intact, state.entries, state.head) == (True, 5, control.audit_entries()[-1].hash)
    assert [e.subject for e in control.audit_entries(after=3)] == ["cohort-3", "cohort-4"]


@pytest.mark.parametrize("change", ["update audit_log set actor = 'me'", "delete from audit_log", "truncate audit_log"])
def test_the_log_refuses_to_be_changed(control: ControlDatabase, database: str, change: str) -> None:
    fill(control, 1)
    with pytest.raises(sa.exc.DatabaseError, match="append-only"):
        run_sql(database, change)


@pytest.mark.parametrize(
    ("change", "broken_at"),
    [
        ("update audit_log set actor = 'me' where seq = 3", 3),
        ("update audit_log set detail = '{\"rows\": 99}' where seq = 2", 2),
        ("update audit_log set at = at + interval '1 microsecond' where seq = 4", 4),
        ("delete from audit_log where seq = 3", 3),
        ("update audit_log set seq = 99 where seq = 5", 5),
        ("update audit_log set hash = previous_hash where seq = 1", 1),
    ],
)
def test_tampering_by_somebody_with_every_right_shows(
    control: ControlDatabase, database: str, change: str, broken_at: int
) -> None:
    fill(control, 5)
    run_sql(database, "alter table audit_log disable trigger audit_log_append_only", change)
    state = control.verify_audit_log()
    assert (state.intact, state.broken_at) == (False, broken_at)
    assert state.problem


def test_a_log_that_was_cut_off_shows_against_a_head_kept_elsewhere(control: ControlDatabase, database: str) -> None:
    fill(control, 3)
    head = (3, control.verify_audit_log().head)
    fill(control, 2)
    assert control.verify_audit_log(head).intact
    run_sql(
        database,
        "alter table audit_log disable trigger audit_log_append_only",
        "delete from audit_log where seq >= 3",
    )
    assert control.verify_audit_log().intact
    assert not control.verify_audit_log(head).intact


def test_writers_at_the_same_time_make_one_chain(control: ControlDatabase) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: fill(control, 3), range(4)))
    state = control.verify_audit_log()
    assert (state.intact, state.entries) == (True, 12)


@pytest.mark.parametrize("detail", [{"share": 0.5}, {"x": object()}, {1: "x"}, {"x": "a\x00b"}])
def test_details_that_would_not_come_back_the_same_are_refused(control: ControlDatabase, detail: Any) -> None:
    with pytest.raises(ValueError, match="audit details"):
        control.audit("cutover", "loaded", "pilot", detail, now=NOW)


# --- the phase lock ---


def test_cohort_runs_share_the_phase_and_a_global_run_has_it_alone(control: ControlDatabase) -> None:
    def refused(*, shared: bool) -> bool:
        try:
            with control.phase_lock(shared=shared, wait_seconds=1):
                return False
        except StageRefused:
            return True

    with control.phase_lock(shared=True):
        assert not refused(shared=True)
        assert refused(shared=False)
    with control.phase_lock(shared=False):
        assert refused(shared=True)
        assert refused(shared=False)
    assert not refused(shared=False)


def test_a_second_run_of_a_cohort_is_refused_at_once_and_another_cohort_is_not(control: ControlDatabase) -> None:
    with control.cohort_lock("north"):
        with control.cohort_lock("south"):
            pass
        with (
            pytest.raises(StageRefused, match="another run is working on cohort"),
            control.cohort_lock("north"),
        ):
            pass
    with pytest.raises(ZeroDivisionError), control.cohort_lock("north"):
        raise ZeroDivisionError
    with control.cohort_lock("north"):
        pass


def test_a_waiting_run_goes_on_when_the_phase_is_free(control: ControlDatabase) -> None:
    order: list[str] = []
    held = threading.Event()

    def global_run() -> None:
        held.wait(10)
        with control.phase_lock(shared=False):
            order.append("global")

    thread = threading.Thread(target=global_run)
    thread.start()
    with control.phase_lock(shared=True):
        held.set()
        order.append("cohort")
    thread.join(20)
    assert order == ["cohort", "global"]


def test_the_phase_is_free_again_after_an_error(control: ControlDatabase) -> None:
    with pytest.raises(ZeroDivisionError), control.phase_lock(shared=False):
        raise ZeroDivisionError
    with control.phase_lock(shared=False, wait_seconds=1):
        pass


def test_the_last_entry_of_an_action_on_a_subject_is_found(control: ControlDatabase) -> None:
    control.audit("cutover", "taken", "a", {"n": 1}, now=NOW)
    control.audit("cutover", "taken", "a", {"n": 2}, now=NOW)
    control.audit("cutover", "taken", "b", {"n": 3}, now=NOW)
    found = control.last_audit("taken", "a")
    assert found is not None
    assert found.detail == {"n": 2}
    assert control.last_audit("taken", "c") is None
