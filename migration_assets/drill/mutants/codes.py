"""Every row of every code list: translated into something else, or not at all."""

from __future__ import annotations

from collections.abc import Iterator

from migration_assets.drill.changes import WholeFile
from migration_assets.drill.mutants.csv_text import replaced, rows_of, text_of, without
from migration_assets.drill.mutants.mutant import Mutant
from migration_assets.plan.models import Plan


def code_mutants(plan: Plan) -> Iterator[Mutant]:
    """Mutants of every file of codes/."""
    for file in sorted((plan.folder / "codes").glob("*.csv")):
        rows, name = rows_of(file), f"codes/{file.name}"
        whose = frozenset(r.entity for r in plan.mapping if r.arguments.get("list") == file.stem)
        targets = list(dict.fromkeys(r["target"] for r in rows))
        for at, row in enumerate(rows):
            header = list(row)
            where = f"{name}:{row['code']}"
            yield Mutant(f"{where}:drop", "codes", WholeFile(name, text_of(without(rows, at), header)), whose)
            if len(targets) > 1:
                other = targets[(targets.index(row["target"]) + 1) % len(targets)]
                changed = text_of(replaced(rows, at, target=other), header)
                yield Mutant(f"{where}:other_target", "codes", WholeFile(name, changed), whose)
