"""Marks: what a later look at each table of a snapshot needs to tell whether the source has changed since.

They are no part of a golden copy: without them the next look reads everything. How a mark is made is the connectors'
work; here it is text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from migration_assets.connectors.private_files import make_folder, write_private


def write_marks(file: Path, manifest_digest: str, plan_digest: str, marks: Mapping[str, str]) -> None:
    """Keep the marks (by `system.table`) of the snapshot whose manifest has this digest, in place of earlier ones.

    They tell of the source as this plan reads it.
    """
    make_folder(file.parent)
    held = {"manifest": manifest_digest, "plan": plan_digest, "marks": dict(marks)}
    write_private(file, json.dumps(held, indent=1) + "\n")


def read_marks(file: Path, manifest_digest: str, plan_digest: str) -> dict[str, str]:
    """The marks that were kept for this very manifest and plan; none where there are none, or a file is damaged."""
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
        known = (held["manifest"], held["plan"]) == (manifest_digest, plan_digest)
        marks = {str(name): str(mark) for name, mark in held["marks"].items()}
    except (FileNotFoundError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, AttributeError):
        return {}
    return marks if known else {}
