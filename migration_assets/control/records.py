"""What the control database holds, as frozen values. No SQL here, and no clock: every instant is passed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from migration_assets.domain.findings import Severity


@dataclass(frozen=True)
class Basis:
    """What a verdict is about: a snapshot of the source, a version of the plan, the instant T, and the rules judged by.

    `suites`: digest of the rules of each asset.
    """

    snapshot: str
    plan_digest: str
    as_of: datetime
    suites: Mapping[str, str] = field(default_factory=dict)


class Outcome(Protocol):
    """What a check reports; `quality.results.CheckResult` has this shape."""

    @property
    def check(self) -> str: ...

    @property
    def severity(self) -> Severity: ...

    @property
    def passed(self) -> bool: ...

    @property
    def evaluated(self) -> bool: ...

    @property
    def rows_checked(self) -> int: ...

    @property
    def unexpected(self) -> int: ...

    @property
    def sample_keys(self) -> tuple[str, ...]: ...

    @property
    def detail(self) -> str: ...

    @property
    def amount_minor(self) -> Mapping[str, int]: ...


@dataclass(frozen=True)
class MigrationRecord:
    """What a migration stands on: snapshot, instant T and plan version, frozen by `cohort_plan`. `trial`: by a dry run,
    so that nothing stands on it."""

    record_id: int
    plan: str
    snapshot: str
    as_of: datetime
    plan_digest: str
    strategy: str
    taken_at: datetime
    trial: bool = False


@dataclass(frozen=True)
class Cohort:
    """One cohort of a record: `customers` are customer rows, `rows` source rows."""

    name: str
    wave: int
    position: int
    customers: int
    rows: int


@dataclass(frozen=True)
class Verdict:
    """The stored result of one check of one asset, for one cohort and basis (None: stored before it was noted)."""

    cohort: str
    asset: str
    snapshot: str
    plan_digest: str
    as_of: datetime | None
    suite_digest: str | None
    check: str
    severity: Severity
    passed: bool
    evaluated: bool
    rows_checked: int
    unexpected: int
    sample_keys: tuple[str, ...]
    detail: str
    amount_minor: Mapping[str, int]
    run_id: str
    at: datetime

    @property
    def blocks(self) -> bool:
        """Whether what is downstream has to wait."""
        return not self.passed and (self.severity == "critical" or not self.evaluated)


def verdicts_of(
    cohort: str, asset: str, basis: Basis, results: Sequence[Outcome], run_id: str, at: datetime
) -> tuple[Verdict, ...]:
    """What a run's checks of one asset found, as verdicts about this basis."""
    return tuple(
        Verdict(
            cohort,
            asset,
            basis.snapshot,
            basis.plan_digest,
            basis.as_of,
            basis.suites.get(asset, ""),
            r.check,
            r.severity,
            r.passed,
            r.evaluated,
            r.rows_checked,
            r.unexpected,
            r.sample_keys,
            r.detail,
            r.amount_minor,
            run_id,
            at,
        )
        for r in results
    )


@dataclass(frozen=True)
class Waiver:
    """Somebody signed for one failed check of one cohort, up to an amount, until an instant (Z8)."""

    cohort: str
    asset: str
    check: str
    owner: str
    reason: str
    amount_minor: int
    currency: str
    expires_at: datetime
    signed_at: datetime
    signed_by: str


@dataclass(frozen=True)
class Standing:
    """Whether an asset's verdict lets a cohort go on; `reasons` say why not, `waived` which checks are signed for."""

    passed: bool
    reasons: tuple[str, ...] = ()
    waived: tuple[str, ...] = ()


@dataclass(frozen=True)
class FailedCheck:
    """A check that did not pass, for status tables."""

    check: str
    severity: Severity
    evaluated: bool
    unexpected: int
    detail: str
    amount_minor: Mapping[str, int]
    waived: bool


@dataclass(frozen=True)
class AssetStatus:
    """Where one asset stands for one cohort. `stale`: its verdict is of another basis than the one now, and `changed`
    says what is another. `run_id`: the Dagster run that gave it, `snapshot`: what it is about; empty where there is
    none."""

    cohort: str
    asset: str
    state: Literal["passed", "failed", "waived", "never", "stale"]
    checks: int
    rows_checked: int
    failing: tuple[FailedCheck, ...]
    at: datetime | None
    run_id: str = ""
    snapshot: str = ""
    changed: str = ""


@dataclass(frozen=True)
class AuditState:
    """Whether the audit log is whole: how many entries, its last hash, and the first place where it is broken."""

    entries: int
    head: str
    intact: bool
    broken_at: int | None = None
    problem: str = ""
