"""A finding: one thing a check saw, with where, what was expected, what stood there, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["critical", "warning", "info"]


@dataclass(frozen=True)
class Finding:
    """Key is surrogate (`crm.accounts#12` or a target id); expected and actual hold no personal data.

    `amount_minor` is the money at stake in minor units of `currency`, when there is any.
    """

    rule: str
    key: str
    expected: str
    actual: str
    severity: Severity
    remedy: str
    amount_minor: int | None = None
    currency: str | None = None
