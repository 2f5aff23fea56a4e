"""Who is who among the demo company's customers: what was planted, kind by kind, and what was made of it.

Needs no server and no data: the demo company is made in memory, and mapped, matched and decided by its own plan.
usage: python -m benchmarks.lookalikes [customers]
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from benchmarks.end_to_end import ROOT
from migration_assets.demo import DEFAULT_RATES, Legacy, generate, lookalikes
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.load import load_plan
from migration_assets.stages.feeds import Mapping
from migration_assets.stages.identities.facts import facts_of
from migration_assets.stages.identities.likely import likely_pairs
from migration_assets.stages.identities.resolve import resolve_identities

AS_OF = datetime(2026, 6, 30, 12, tzinfo=UTC)
# Copies that a key of the plan finds, and those that only likeness can.
EXACT = ("duplicate_account", "duplicate_erp_customer")
DUPLICATES = (*EXACT, *lookalikes.DUPLICATES)
KINDS = (*DUPLICATES, *lookalikes.STRANGERS, lookalikes.BOTH_BILLED)
# More of them than usual, so that a share of them says something.
RATES = {
    **DEFAULT_RATES,
    **dict.fromkeys((*lookalikes.DUPLICATES, *lookalikes.STRANGERS, lookalikes.BOTH_BILLED), 0.06),
}


def legacy_company(customers: int, seed: int = 11) -> Legacy:
    """The demo company with all its dirt and many lookalikes."""
    return generate(customers, seed=seed, as_of=AS_OF, messy=RATES)


@dataclass(frozen=True)
class Verdicts:
    """`identity`: customer key -> founder; `asked`: pairs of founders that wait for a person."""

    identity: dict[str, str]
    asked: frozenset[tuple[str, str]]
    originals: dict[str, dict[str, str]]

    def pairs(self, kind: str) -> list[tuple[str, str]]:
        """Founders of what was planted and of what it was made from, where both reached the new system."""
        keys = [(_key(a), _key(b)) for a, b in self.originals[kind].items()]
        return [(self.identity[a], self.identity[b]) for a, b in keys if a in self.identity and b in self.identity]

    def is_asked(self, pair: tuple[str, str]) -> bool:
        return pair in self.asked or pair[::-1] in self.asked

    def merged_wrongly(self) -> set[str]:
        """CRM accounts that were entered once and share an identity with another such account."""
        planted = {_key(k) for kind in DUPLICATES for k in self.originals[kind]}
        once = [key for key in self.identity if key.startswith("crm.accounts:") and key not in planted]
        holders = Counter(self.identity[key] for key in once)
        return {key for key in once if holders[self.identity[key]] > 1}


def _key(planted: str) -> str:
    table, _, number = planted.partition("/")
    return f"{table}:{number}"


def verdicts(legacy: Legacy, *, threads: int = 2, shuffled: int | None = None) -> Verdicts:
    """Map, match and decide as Acme's plan has it; `shuffled`: with the rows of every table in another order."""
    plan = load_plan(ROOT / "plans" / "acme")
    identity, matching = plan.file.identity, plan.file.identity.matching
    assert matching is not None, "Acme's plan asks for likeness"
    with DuckDBEngine(threads=threads) as engine:
        raw = {name: engine.table(numbered(table, shuffled)) for name, table in legacy.tables.items()}
        feeds = Mapping(engine, plan, raw.__getitem__, AS_OF)
        customers, addresses, numbers = (feeds.entity(n).rows for n in ("customer", "address", "tax_registration"))
        found = resolve_identities(
            engine,
            identity,
            customers,
            raw.__getitem__,
            ask=lambda asked: facts_of(feeds, numbers, asked),
            alike=lambda rows: likely_pairs(engine, customers, addresses, rows, floor=matching.review_from).pairs,
            merge_at=matching.merge_at,
        )
        rows = engine.arrow(found.identities.select("customer_id", "identity_id")).to_pylist()
        founder = {r["customer_id"]: r["identity_id"] for r in rows}
        doubts = engine.arrow(found.doubts).to_pylist()
    asked = frozenset((founder[r["a"]], founder[r["b"]]) for r in doubts)
    return Verdicts(founder, asked, legacy.truth["originals"])


def numbered(table: pa.Table, shuffled: int | None) -> pa.Table:
    """The table as a golden copy has it, with `_row`."""
    plain = pa.table(dict(_plain(table))).append_column("_row", pa.array(np.arange(1, table.num_rows + 1)))
    return plain if shuffled is None else plain.take(np.random.default_rng(shuffled).permutation(table.num_rows))


def _plain(table: pa.Table) -> Iterator[tuple[str, pa.ChunkedArray]]:
    for name in table.column_names:
        column = table[name]
        yield name, column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def main(customers: int) -> int:
    """Print each kind, and precision and recall over all duplicates."""
    found = verdicts(legacy_company(customers))
    sys.stdout.write(f"{len(found.identity):,} customer rows are {len(set(found.identity.values())):,} customers\n")
    sys.stdout.write(f"{'planted':24} {'pairs':>6} {'merged':>7} {'asked':>6} {'apart':>6}\n")
    right = merged = total = 0
    for kind in KINDS:
        pairs = found.pairs(kind)
        one, asked = sum(a == b for a, b in pairs), sum(a != b and found.is_asked((a, b)) for a, b in pairs)
        sys.stdout.write(f"{kind:24} {len(pairs):6} {one:7} {asked:6} {len(pairs) - one - asked:6}\n")
        if kind in DUPLICATES:
            right, merged, total = right + one, merged + one + asked, total + len(pairs)
    wrong = len(found.merged_wrongly())
    sys.stdout.write(
        f"duplicates: precision of what was merged {right / max(right + wrong, 1):.4f}, recall {right / total:.4f}, "
        f"with those put to a person {merged / total:.4f}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:] or ["4000"])))
