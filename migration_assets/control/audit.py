"""The hash chain of the audit log: each entry's hash covers its content and the hash before it. Pure.

Changing, removing or inserting an entry breaks the chain from there on. Cutting off the end does not: compare with a
head (sequence and hash) that was kept elsewhere, such as in an evidence package.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from migration_assets.control.records import AuditState

FIRST = "0" * 64


@dataclass(frozen=True)
class Entry:
    """One line of the log: who did what to which record, when. `detail` holds counts and keys, no personal data."""

    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: Any
    previous_hash: str
    hash: str


def entry_hash(seq: int, at: datetime, actor: str, action: str, subject: str, detail: Any, previous: str) -> str:
    """SHA-256 over the entry in one fixed text form."""
    content = [seq, at.astimezone(UTC).isoformat(timespec="microseconds"), actor, action, subject, detail, previous]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def refuse_unstable(detail: Any) -> None:
    """ValueError for what would not come back from the database exactly as it went in."""
    if isinstance(detail, float):
        raise ValueError("audit details hold no floats: write an amount in minor units, a share as text")
    if isinstance(detail, str) and "\x00" in detail:
        raise ValueError("audit details hold no NUL characters")
    if isinstance(detail, dict):
        if not all(isinstance(k, str) for k in detail):
            raise ValueError("audit details are keyed by text")
        for part in (*detail.keys(), *detail.values()):
            refuse_unstable(part)
    elif isinstance(detail, (list, tuple)):
        for part in detail:
            refuse_unstable(part)
    elif detail is not None and not isinstance(detail, (str, int, bool)):
        raise ValueError(f"audit details hold plain data, not {type(detail).__name__}")


def verified(entries: Iterable[Entry], expected_head: tuple[int, str] | None = None) -> AuditState:
    """Whether the entries, in order, form an unbroken chain that contains the head kept elsewhere."""
    previous, seq, met = FIRST, 0, expected_head is None
    for entry in entries:
        problem = _problem(entry, seq + 1, previous)
        if problem:
            return AuditState(seq, previous, False, seq + 1, problem)
        previous, seq = entry.hash, entry.seq
        met = met or (seq, previous) == expected_head
    if not met:
        return AuditState(seq, previous, False, seq, "the log does not contain the head that was kept elsewhere")
    return AuditState(seq, previous, True)


def _problem(entry: Entry, seq: int, previous: str) -> str:
    if entry.seq != seq:
        return f"entry {seq} is missing"
    if entry.previous_hash != previous:
        return "the entry does not follow the one before it"
    content = entry_hash(entry.seq, entry.at, entry.actor, entry.action, entry.subject, entry.detail, previous)
    return "" if entry.hash == content else "the entry was changed after it was written"
