"""Every error of ours, as one tree. A message says what is wrong and where; the remedy says what to do about it.

    CutoverError
    ├── BadInput                  exit 2: the user's files, configuration or data have to change
    │   ├── PlanFaults            every fault of a plan at once, each with file, row, field and remedy
    │   ├── SourceUnreadable      a source is not what the plan says it is
    │   ├── GoldenCopyAltered     a file of the golden copy differs from its manifest
    │   ├── Misconfigured         environment, server or folder not usable
    │   └── DiskRefused           a file could not be written: full, failing or closed to us
    ├── StageRefused              exit 1: what is upstream of the stage has not passed for this cohort
    ├── DeltaUnbalanced           exit 1: the changes that were found are not all that changed; nothing was kept
    └── TargetRefused             exit 1: the target would not take the rows; nothing was written

No message or remedy carries personal data: keys are surrogate (`crm.accounts#12` is row 12 of the golden copy).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class CutoverError(Exception):
    """Base of the tree; `remedy` is a sentence the reader can act on."""

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message}\n  -> {remedy}" if remedy else message)
        self.message = message
        self.remedy = remedy

    def to_json(self) -> dict[str, Any]:
        """What a command with `--json` says of it."""
        return {"error": self.message, "remedy": self.remedy}


class BadInput(CutoverError):
    """Files, configuration or data that have to change before anything can run."""

    exit_code = 2


@dataclass(frozen=True, order=True)
class Fault:
    """One thing wrong in a plan: where it stands, what is wrong, what to do.

    `row` is the 1-based line of the file (the header is line 1); 0 means the file as a whole.
    """

    file: str
    row: int
    field: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.row}" if self.row else self.file
        return f"{place} [{self.field}] {self.problem} -> {self.remedy}"


class PlanFaults(BadInput):
    """All faults of a plan, sorted by place. Each has its own remedy; `remedy` is about all of them."""

    def __init__(self, faults: Sequence[Fault], remedy: str = "") -> None:
        self.faults = tuple(sorted(faults))
        self.headline = f"{len(self.faults)} fault(s) in the plan"
        listed = "\n".join(f"  {f}" for f in self.faults)
        super().__init__(f"{self.headline}:\n{listed}", remedy)

    def to_json(self) -> dict[str, Any]:
        """Each fault as an object of its own; `line` is null where the file as a whole is meant."""
        faults = [
            {"file": f.file, "line": f.row or None, "field": f.field, "problem": f.problem, "remedy": f.remedy}
            for f in self.faults
        ]
        return {"error": self.headline, "remedy": self.remedy, "faults": faults}


class SourceUnreadable(BadInput):
    """A source table or file cannot be read as the plan declares it."""


class GoldenCopyAltered(BadInput):
    """A golden-copy file no longer has the digest its manifest records."""


class Misconfigured(BadInput):
    """An environment variable, server or folder is missing or unusable."""


class DiskRefused(BadInput):
    """A file could not be written; what was there before is as it was."""


class StageRefused(CutoverError):
    """A stage will not run because what is upstream of it has not passed."""


class DeltaUnbalanced(CutoverError):
    """Rows before, and the changes found, do not make the rows there are now."""


class TargetRefused(CutoverError):
    """The target refused the rows; the transaction was rolled back."""
