"""How bad a finding is: a critical one blocks its cohort, the others are listed."""

from __future__ import annotations

from typing import Literal

Severity = Literal["critical", "warning", "info"]
