"""One file of a plan as text: UTF-8, of a sane size, inside the plan's folder, with nothing hidden in it.

People review these files by eye and sign them, so characters that change what the eye sees are refused. What the
text means is `yaml_file` and `csv_file`.
"""

from __future__ import annotations

import re
from pathlib import Path

from migration_assets.domain.errors import Fault

LIMITS = {".yaml": 1_000_000, ".yml": 1_000_000, ".csv": 8_000_000}

# C0 and C1 controls but tab and line ends; marks that reorder what a reader sees ("Trojan Source", CVE-2021-42574).
_HIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069]")


class PlanFileError(Exception):
    """One file could not be read as what it should be; carries the fault. Never leaves this package."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def refuse(file: str, row: int, field: str, problem: str, remedy: str) -> PlanFileError:
    """The exception for one fault."""
    return PlanFileError(Fault(file, row, field, problem, remedy))


def read_text(folder: Path, name: str) -> str:
    """The text of the file `name` below `folder`, line ends as `\\n`, without a byte order mark.

    Raises PlanFileError when it is missing, leads out of the folder, is too large, or is not clean UTF-8.
    """
    path = folder / name
    if not path.is_file():
        raise refuse(name, 0, "", "is missing", f"add {name} to the plan's folder")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise refuse(name, 0, "", "is a link that leads out of the plan's folder", "put the file itself there")
    limit = LIMITS.get(path.suffix.lower(), min(LIMITS.values()))
    if path.stat().st_size > limit:
        raise refuse(name, 0, "", f"is larger than {limit:,} bytes", "a plan's file holds rules, not data: shorten it")
    return _clean(name, path.read_bytes())


def _clean(name: str, data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        row = data.count(b"\n", 0, e.start) + 1
        raise refuse(name, row, "", "is not UTF-8", "save the file as UTF-8 (Excel: CSV UTF-8)") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if hidden := _HIDDEN.search(text):
        row = text.count("\n", 0, hidden.start()) + 1
        problem = f"holds the hidden character U+{ord(hidden.group()):04X}"
        raise refuse(name, row, "", problem, "delete it; if the file is UTF-16, save it as UTF-8")
    return text
