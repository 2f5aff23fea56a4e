"""What checks say of a case that they did not say of the clean copy."""

from __future__ import annotations

from collections.abc import Mapping

from migration_assets.wiring.bench import Judged


class Heard:
    """Listens to one case. `warnings`: checks, as `asset/check`, that failed without blocking."""

    def __init__(self, clean: Mapping[tuple[str, str], Judged]) -> None:
        self._clean = clean
        self.warnings: list[str] = []

    def first(self, judged: Judged, partition: str) -> str | None:
        """The first check that blocks and did not on the clean copy, as `asset/check`."""
        before = self._clean.get((judged.asset, partition))
        failed = {r.check for r in before.results if not r.passed} if before is not None else set[str]()
        blocking = set(before.blocking) if before is not None else set[str]()
        for result in judged.results:
            if result.blocks and result.check not in blocking:
                return f"{judged.asset}/{result.check}"
        self.warnings += [f"{judged.asset}/{r.check}" for r in judged.results if not r.passed and r.check not in failed]
        return None
