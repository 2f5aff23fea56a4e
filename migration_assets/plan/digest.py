"""One digest for everything a plan says: verdicts, approvals and evidence are for exactly this plan.

What people do not mean to change does not count: line ends, a byte order mark, the order of rows in a CSV and how its
cells are quoted. Anything else does, the suites of `expectations/` included.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from migration_assets.plan.csv_file import records_of
from migration_assets.plan.plan_text import read_text

SUFFIXES = (".yaml", ".yml", ".csv")


def plan_files(folder: Path) -> tuple[str, ...]:
    """Names of all rule files below the folder, with `/`, sorted; hidden files and folders are left out."""
    found = (p.relative_to(folder) for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    return tuple(sorted(p.as_posix() for p in found if not any(part.startswith(".") for part in p.parts)))


def plan_digest(folder: Path) -> str:
    """SHA-256, hex, over all files by name and content. Raises PlanFileError where a file is not readable."""
    total = hashlib.sha256()
    for name in plan_files(folder):
        content = hashlib.sha256(_content(folder, name).encode()).hexdigest()
        total.update(f"{name}\0{content}\n".encode())
    return total.hexdigest()


def _content(folder: Path, name: str) -> str:
    text = read_text(folder, name)
    if not name.lower().endswith(".csv"):
        return text
    header, *rows = [cells for _, cells in records_of(name, text)] or [[]]
    return json.dumps([header, sorted(rows)], ensure_ascii=False)
