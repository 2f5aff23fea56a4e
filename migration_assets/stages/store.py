"""Where every stage keeps its rows: names of folders and files, and nothing else.

`<asset>/<partition>/<table>.parquet`; the partition of a global asset is `_all`. The golden copy lies apart, by
snapshot, and `golden_copy/current` names the snapshot that runs read until a new one is asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from migration_assets.domain.errors import BadInput

GLOBAL = "_all"
_PARTITION = re.compile(r"^[a-z_][a-z0-9_]{0,63}$")


@dataclass(frozen=True)
class Store:
    """Paths below one plan's store folder. Names come from the plan, but a partition key may come from anywhere."""

    root: Path

    def file(self, asset: str, partition: str, table: str) -> Path:
        """Parquet file of one table of one partition of an asset."""
        return self.folder(asset, partition) / f"{table}.parquet"

    def folder(self, asset: str, partition: str) -> Path:
        """Folder of one partition; BadInput for a key that could leave the store."""
        if not _PARTITION.fullmatch(partition):
            raise BadInput(
                "a cohort name is not a plain name", "Use the names that `cutover status` lists: a-z, 0-9 and _."
            )
        return self.root / asset / partition

    def golden(self, snapshot: str) -> Path:
        """Folder of one snapshot of the golden copy."""
        return self.root / "golden_copy" / snapshot

    def marks(self, snapshot: str) -> Path:
        """File of what a later look at the sources needs to tell what has changed since this snapshot."""
        return self.root / "marks" / f"{snapshot}.json"

    @property
    def enrichment_answers(self) -> Path:
        """Folder of what services answered, with one folder for each snapshot whose rows it is about."""
        return self.root / "enrichment_answers"

    def golden_file(self, snapshot: str, table: str) -> Path:
        """Golden-copy file of `system.table`."""
        return self.golden(snapshot) / f"{table}.parquet"

    def current_snapshot(self) -> str | None:
        """Snapshot that runs read, or None before the first golden copy."""
        pointer = self.root / "golden_copy" / "current"
        return pointer.read_text(encoding="ascii").strip() if pointer.exists() else None

    def make_current(self, snapshot: str) -> None:
        """Let runs read this snapshot from now on."""
        pointer = self.root / "golden_copy" / "current"
        part = pointer.with_name(".current.part")
        part.write_text(snapshot, encoding="ascii")
        part.replace(pointer)
