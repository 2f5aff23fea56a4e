"""What a check found. Nothing here runs a check, and nothing here may hold a value of a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from migration_assets.domain.findings import Severity


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one rule over one set of tables.

    `evaluated` is False when the rule could not be run; it has then not passed, and `detail` says why. `sample_keys`
    are at most ten surrogates `table#row`. `amount_minor` is the money in the rows at fault, by currency.
    `seconds` is the rule's share of its table's batch plus its own counting.
    """

    check: str
    table: str
    severity: Severity
    passed: bool
    evaluated: bool
    rows_checked: int
    unexpected: int
    sample_keys: tuple[str, ...]
    detail: str
    amount_minor: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def blocks(self) -> bool:
        """Whether what is downstream has to wait: a critical rule failed, or any rule could not be evaluated."""
        return not self.passed and (self.severity == "critical" or not self.evaluated)
