"""Judging stored verdicts: may a cohort go on past an asset? Pure; the database is `database`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from migration_assets.control.records import AssetStatus, Basis, FailedCheck, Standing, Verdict, Waiver


def judged(
    cohort: str,
    asset: str,
    basis: Basis,
    verdicts: Sequence[Verdict],
    waivers: Sequence[Waiver],
    now: datetime | None,
) -> Standing:
    """The standing of an asset for a cohort on this basis. Without `now` no waiver counts.

    An asset without a verdict has not passed: silence is not consent.
    """
    if not verdicts:
        return Standing(False, (f"`{asset}` has not been checked for cohort `{cohort}`",))
    if others := of_another_basis(basis, verdicts):
        return Standing(False, (f"the verdict of `{asset}` is {others[0]}",))
    blocking = [v for v in verdicts if v.blocks]
    waived = {v.check for v in blocking if covered(v, waivers, now)}
    reasons = tuple(_reason(v, waivers) for v in blocking if v.check not in waived)
    return Standing(not reasons, reasons, tuple(sorted(waived)))


def covered(verdict: Verdict, waivers: Sequence[Waiver], now: datetime | None) -> bool:
    """Whether signed waivers cover a failed check: not expired, and for no less money than is at stake.

    What could not be evaluated cannot be signed for: nobody knows what it would have found.
    """
    if now is None or not verdict.evaluated:
        return False
    valid = [w for w in _of(verdict, waivers) if w.signed_at <= now < w.expires_at]
    signed = {currency: max(w.amount_minor for w in valid if w.currency == currency) for currency in _currencies(valid)}
    enough = all(abs(amount) <= signed.get(currency, -1) for currency, amount in verdict.amount_minor.items())
    return bool(valid) and enough


def status_of(
    cohort: str,
    asset: str,
    basis: Basis,
    verdicts: Sequence[Verdict],
    waivers: Sequence[Waiver],
    now: datetime | None,
) -> AssetStatus:
    """One line of a status table."""
    failing = tuple(
        FailedCheck(v.check, v.severity, v.evaluated, v.unexpected, v.detail, v.amount_minor, covered(v, waivers, now))
        for v in sorted(verdicts, key=lambda v: (not v.blocks, v.check))
        if not v.passed
    )
    return AssetStatus(
        cohort,
        asset,
        _state(cohort, asset, basis, verdicts, waivers, now),
        len(verdicts),
        max((v.rows_checked for v in verdicts), default=0),
        failing,
        max((v.at for v in verdicts), default=None),
        # One run gives all the verdicts of an asset for a cohort, in place of those before.
        next((v.run_id for v in verdicts), ""),
        next((v.snapshot for v in verdicts), ""),
        "; ".join(of_another_basis(basis, verdicts)),
    )


def _state(
    cohort: str,
    asset: str,
    basis: Basis,
    verdicts: Sequence[Verdict],
    waivers: Sequence[Waiver],
    now: datetime | None,
) -> Literal["passed", "failed", "waived", "never", "stale"]:
    if not verdicts:
        return "never"
    if of_another_basis(basis, verdicts):
        return "stale"
    standing = judged(cohort, asset, basis, verdicts, waivers, now)
    if not standing.passed:
        return "failed"
    return "waived" if standing.waived else "passed"


def of_another_basis(basis: Basis, verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """What verdicts of one asset and run are about that is another now, in words; empty where all is the same."""
    return tuple(dict.fromkeys(told for v in verdicts for told in _differences(basis, v)))


def _differences(basis: Basis, v: Verdict) -> Iterator[str]:
    if v.snapshot != basis.snapshot:
        yield f"of snapshot {v.snapshot}, not {basis.snapshot}"
    if v.plan_digest != basis.plan_digest:
        yield f"of another version of the plan ({v.plan_digest[:12]}, not {basis.plan_digest[:12]})"
    if v.as_of != basis.as_of:
        told = "none noted" if v.as_of is None else v.as_of.isoformat()
        yield f"for another instant T ({told}, not {basis.as_of.isoformat()})"
    if v.suite_digest != basis.suites.get(v.asset, ""):
        yield "by rules that have changed since"


def _reason(verdict: Verdict, waivers: Sequence[Waiver]) -> str:
    place = f"check `{verdict.check}` of `{verdict.asset}`"
    if not verdict.evaluated:
        return f"{place} could not be evaluated: {verdict.detail}"
    signed = _of(verdict, waivers)
    late = max((w.expires_at for w in signed), default=None)
    waiver = f"; what was signed for it does not cover it (expires {late.isoformat()})" if late else ""
    return f"critical {place} failed with {verdict.unexpected} rows: {verdict.detail}{waiver}"


def _of(verdict: Verdict, waivers: Sequence[Waiver]) -> list[Waiver]:
    key = (verdict.cohort, verdict.asset, verdict.check)
    return [w for w in waivers if (w.cohort, w.asset, w.check) == key]


def _currencies(waivers: Sequence[Waiver]) -> set[str]:
    return {w.currency for w in waivers}
