"""Answers of services as they are kept: one file for each cohort and rule of a snapshot, closed to other accounts.

An answer stands under a keyed digest of its question. Without the key, which is made once for each home and lies
beside the store and not in it, nobody can try all telephone numbers until one fits. Kept is what the last whole run of
a cohort asked about: an answer about somebody who was erased since, or has withdrawn consent, goes with that run,
because it does not ask about them. Answers of other snapshots, and of rules and cohorts that the plan no longer has,
are forgotten.
"""

from __future__ import annotations

import contextlib
import hmac
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from migration_assets.connectors.private_files import make_folder, secret_key, write_private
from migration_assets.domain.errors import Misconfigured

Answers = dict[str, str | None]


@dataclass(frozen=True)
class KeptAnswers:
    """What a cohort's run finds and leaves behind in `folder`, which holds a folder for each snapshot."""

    folder: Path
    snapshot: str
    cohort: str
    key_file: Path

    def digest(self, question: Any) -> str:
        """What an answer is kept under; `question` is plain JSON."""
        asked = json.dumps(question, ensure_ascii=True).encode()
        return hmac.new(self._key, asked, "sha256").hexdigest()

    @cached_property
    def _key(self) -> bytes:
        key = secret_key(self.key_file)
        if key is None:
            raise Misconfigured(
                f"{self.key_file} is not a key that can be read.",
                "Run as the account that owns it. If it is damaged, remove it: services are asked once more.",
            )
        return key

    def of_rule(self, rule: str) -> Answers:
        """What was answered about rows of any cohort: of a customer that changed cohort nobody asks again."""
        found: Answers = {}
        for file in sorted(self._place.glob(f"*.{rule}.json")):
            found |= _read(file)
        return found

    def keep(self, rule: str, used: Mapping[str, str | None], *, in_place_of_others: bool) -> None:
        """Keep what this run has used, beside what the cohort had or instead of it."""
        file = self._place / f"{self.cohort}.{rule}.json"
        before = _read(file)
        wanted = dict(used) if in_place_of_others else {**before, **used}
        if not wanted:
            file.unlink(missing_ok=True)
        elif wanted != before:
            make_folder(file.parent)
            write_private(file, json.dumps(wanted, sort_keys=True))

    def forget_others(self, rules: Collection[str], cohorts: Collection[str]) -> None:
        """Delete what is of another snapshot, or of a rule or cohort that is none of these."""
        for file in self.folder.glob("*/*.json"):
            cohort, rule, _ = file.name.split(".")
            if file.parent != self._place or rule not in rules or cohort not in cohorts:
                file.unlink(missing_ok=True)
        for empty in self._other_folders():
            with contextlib.suppress(OSError):
                empty.rmdir()

    def _other_folders(self) -> Iterator[Path]:
        return (f for f in self.folder.glob("*") if f != self._place)

    @property
    def _place(self) -> Path:
        return self.folder / self.snapshot


def _read(file: Path) -> Answers:
    """Nothing where there is no file, or where another cohort's run has just forgotten it."""
    try:
        found: Answers = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found
