"""The list of traps: every invariant has one, each names what the plan and the canonical model have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.canonical.model import PROVENANCE
from migration_assets.domain.errors import BadInput
from migration_assets.drill.changes import Alter, Copy, PlanChange, Remove, Statement, Words
from migration_assets.drill.trap import Trap
from migration_assets.drill.traps import TRAPS, WAITING
from migration_assets.drill.whole import chosen, drilled
from migration_assets.plan.load import load_plan

REPOSITORY = Path(__file__).resolve().parents[2]
ACME = load_plan(REPOSITORY / "plans" / "acme")
INVARIANTS = [f"I{n}" for n in range(1, 35)]


@pytest.mark.parametrize("invariant", INVARIANTS)
def test_every_invariant_has_a_trap(invariant: str) -> None:
    assert [t.id for t in TRAPS if t.invariant == invariant]


def test_every_place_has_traps_and_no_two_have_one_name() -> None:
    assert {t.place for t in TRAPS} == {"source", "catalog", "transformed", "loaded"}
    names = [t.id for t in TRAPS] + [w.id for w in WAITING]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"I([1-9]|[12]\d|3[0-4])-[a-z-]+", name) for name in names)


@pytest.mark.parametrize("trap", TRAPS, ids=lambda t: t.id)
def test_a_trap_names_what_there_is(trap: Trap) -> None:
    assert trap.changes
    for change in trap.changes:
        if isinstance(change, Words):
            text = (ACME.folder / change.file).read_text(encoding="utf-8")
            assert change.old in text and change.new != change.old
        elif isinstance(change, Statement):
            assert change.table in ACME.target.tables and f"app.{change.table} " in change.sql
        else:
            assert isinstance(change, Alter | Remove | Copy)
            known = set(ACME.source_tables) if trap.place == "source" else {*ENTITIES, "dispositions", "members"}
            assert change.table in known
            columns = set() if isinstance(change, Remove) else set(change.set)
            if change.table in ENTITIES:
                assert columns <= {f.name for f in (*ENTITIES[change.table].fields, *PROVENANCE)}


def test_a_trap_has_one_place() -> None:
    """What is planted in the plan, in rows and in the target is looked for in three ways."""
    kind = {
        "catalog": PlanChange,
        "loaded": Statement,
        "source": Alter | Remove | Copy,
        "transformed": Alter | Remove | Copy,
    }
    assert [t.id for t in TRAPS if not all(isinstance(c, kind[t.place]) for c in t.changes)] == []
    assert [t.id for t in TRAPS if bool(t.asset) != (t.place == "transformed")] == []


def test_a_trap_is_named_whole_or_by_its_invariant() -> None:
    assert {t.id for t in chosen(TRAPS, ["I4"])} == {t.id for t in TRAPS if t.invariant == "I4"}
    assert [t.id for t in chosen(TRAPS, ["I6-total"])] == ["I6-total"]
    assert chosen(TRAPS, []) == list(TRAPS) and chosen(TRAPS, ["I"]) == chosen(TRAPS, ["I99"]) == []


def test_a_name_that_no_trap_has_is_told_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no trap is called I99"):
        drilled(tmp_path, {}, seed=1, only=["I4", "I99"], mutants=0, step=lambda *_: None)
    assert list(tmp_path.iterdir()) == []
