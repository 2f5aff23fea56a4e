"""Rules of a suite as Dagster asset checks, and their results as Dagster and the control database want them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from migration_assets.quality.results import CheckResult
    from migration_assets.quality.rule import Rule
    from migration_assets.quality.suite import Suite


def check_specs(asset: str, suite: Suite, partitions: dg.PartitionsDefinition | None) -> list[dg.AssetCheckSpec]:
    """One check for each rule; critical ones block what is downstream of their cohort."""
    with warnings.catch_warnings():
        # Partitions of a check are announced as a preview; without them the history stores no cohort.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [_spec(asset, rule, partitions) for rule in suite.rules]


def _spec(asset: str, rule: Rule, partitions: dg.PartitionsDefinition | None) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name=rule.check,
        asset=asset,
        description=f"{rule.why} ({rule.table}, {rule.severity})",
        blocking=rule.severity == "critical",
        partitions_def=partitions,
    )


def check_results(results: Iterable[CheckResult]) -> list[dg.AssetCheckResult]:
    """What the rules saw, with counts, surrogate keys and money at stake; never personal data."""
    return [
        dg.AssetCheckResult(
            check_name=r.check,
            passed=r.passed,
            severity=_severity(r),
            description=r.detail,
            metadata={
                "rows checked": r.rows_checked,
                "unexpected": r.unexpected,
                "table": r.table,
                **({"rows (first ten)": dg.MetadataValue.json(list(r.sample_keys))} if r.sample_keys else {}),
                **({"at stake (minor units)": dg.MetadataValue.json(dict(r.amount_minor))} if r.amount_minor else {}),
            },
        )
        for r in results
    ]


def _severity(result: CheckResult) -> dg.AssetCheckSeverity:
    critical = result.severity == "critical" or not result.evaluated
    return dg.AssetCheckSeverity.ERROR if critical else dg.AssetCheckSeverity.WARN
