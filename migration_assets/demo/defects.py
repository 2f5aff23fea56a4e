"""Plants known defects into clean tables and remembers each: what kind, where, and what stood there before.

The workbench is `bench`; which texts are made dirty is in `dirt`, what breaks the structure in `damage`, who looks like
somebody else in `lookalikes`. Rows of one column never get two defects, so that the truth stays exact. A kind with a
rate above 0 gets at least one row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from migration_assets.demo import damage, dirt, lookalikes
from migration_assets.demo.bench import Bench
from migration_assets.demo.people import DELETED, ERASED, STALE_LEAD, TEST, People, account_ids
from migration_assets.demo.world import Setup


@dataclass(frozen=True)
class Planted:
    """`keys`: kind -> ['crm.accounts/A-00000001', ...]. `originals`: kind -> key -> what it was, or was copied from."""

    keys: dict[str, list[str]]
    originals: dict[str, dict[str, Any]]


def plant(setup: Setup, people: People, tables: dict[str, pa.Table]) -> tuple[dict[str, pa.Table], Planted]:
    """New tables with every kind of defect at its rate, and the record of them."""
    bench = Bench(setup, people, dict(tables))
    _note_roles(bench)
    damage.break_parties(bench)
    dirt.spoil_texts(bench)
    damage.break_contracts(bench)
    damage.break_billing(bench)
    damage.duplicate(bench)
    lookalikes.plant(bench)
    found = {kind: bench.keys.get(kind, []) for kind in setup.rates}
    return bench.tables, Planted(found, bench.originals)


def _note_roles(bench: Bench) -> None:
    """Leads, tests, deleted and erased accounts were made so from the start."""
    kinds = (("stale_lead", STALE_LEAD), ("test_account", TEST), ("soft_deleted", DELETED), ("erased", ERASED))
    for kind, role in kinds:
        ids = account_ids(np.flatnonzero(bench.people.role == role)).to_pylist()
        bench.keys[kind] = [f"crm.accounts/{account}" for account in ids]
