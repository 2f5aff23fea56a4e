"""What a drill says: as JSON, and as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from migration_assets.drill.trap import Trap, Waits

if TYPE_CHECKING:
    from rich.console import Console

    from migration_assets.drill.run import Outcome


@dataclass(frozen=True)
class MutantOutcome:
    """What became of one mechanical mutant. `reason` is there for one that survived: why nothing minded."""

    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True)
class Drill:
    """One whole drill. `alarms`: checks that block on the clean copy, as `asset/check`; `there_are`: how many mutants
    could be made, of which `mutants` were tried."""

    seed: int
    alarms: tuple[str, ...]
    traps: tuple[tuple[Trap, Outcome], ...]
    waiting: tuple[Waits, ...]
    mutants: tuple[MutantOutcome, ...] = ()
    there_are: int = 0
    seconds: float = field(default=0.0, compare=False)

    @property
    def ok(self) -> bool:
        """Every trap was caught, and nothing else made noise. Mutants that survive are told, with the reason."""
        return not self.alarms and all(o.ending == "caught" for _, o in self.traps)

    def to_json(self) -> dict[str, Any]:
        """The shape that `cutover drill --json` promises."""
        caught = sum(m.outcome.ending == "caught" for m in self.mutants)
        return {
            "ok": self.ok,
            "seed": self.seed,
            "traps": [_trap_json(trap, outcome) for trap, outcome in self.traps],
            "mutants": {
                "there_are": self.there_are,
                "total": len(self.mutants),
                "caught": caught,
                "by_place": _by_place(self.mutants),
                "survivors": [_survivor_json(m) for m in self.mutants if m.outcome.ending != "caught"],
            },
            "false_alarms": len(self.alarms),
            "alarms": list(self.alarms),
            "waits_for": [{"id": w.id, "what": w.what, "waits_for": w.waits_for} for w in self.waiting],
            "seconds": self.seconds,
        }


def _trap_json(trap: Trap, outcome: Outcome) -> dict[str, Any]:
    return {
        "id": trap.id,
        "invariant": trap.invariant,
        "place": trap.place,
        "what": trap.what,
        "ending": outcome.ending,
        "caught_by": outcome.caught_by,
        "seconds": outcome.seconds,
        **({"detail": outcome.detail} if outcome.detail else {}),
    }


def _survivor_json(mutant: MutantOutcome) -> dict[str, Any]:
    found = mutant.outcome
    return {"id": found.id, "place": found.place, "ending": found.ending, "reason": mutant.reason or found.detail}


def _by_place(mutants: Sequence[MutantOutcome]) -> dict[str, dict[str, int]]:
    places = dict.fromkeys(m.outcome.place for m in mutants)
    return {
        place: {
            "total": sum(m.outcome.place == place for m in mutants),
            "caught": sum(m.outcome.place == place and m.outcome.ending == "caught" for m in mutants),
        }
        for place in places
    }


_SHOWN: Mapping[str, str] = {
    "caught": "[green]caught[/]",
    "survived": "[bold red]not caught[/]",
    "crashed": "[bold red]crashed[/]",
    "not_planted": "[bold red]not planted[/]",
}


def print_drill(out: Console, drill: Drill) -> None:
    """Traps, mutants and what waits, for people."""
    from rich.markup import escape
    from rich.table import Table

    if drill.traps:
        table = Table("trap", "place", "what was done", "", "by", "s", title="Traps, each alone in a clean copy")
        for trap, outcome in drill.traps:
            by = escape(outcome.caught_by or outcome.detail)
            table.add_row(trap.id, trap.place, trap.what, _SHOWN[outcome.ending], by, f"{outcome.seconds:.1f}")
        out.print(table)
    _print_mutants(out, drill)
    for waits in drill.waiting:
        out.print(f"waits for {waits.waits_for}: {waits.id}: {waits.what}")
    for alarm in drill.alarms:
        out.print(f"[bold red]false alarm[/] on the clean copy: {escape(alarm)}")
    caught = sum(o.ending == "caught" for _, o in drill.traps)
    verdict = "[green]passed[/]" if drill.ok else "[bold red]failed[/]"
    out.print(
        f"The drill has {verdict}: {caught} of {len(drill.traps)} traps caught, {len(drill.alarms)} false alarms, "
        f"seed {drill.seed}, {drill.seconds:.0f} s."
    )


def _print_mutants(out: Console, drill: Drill) -> None:
    from rich.markup import escape
    from rich.table import Table

    if not drill.mutants:
        return
    survivors = [m for m in drill.mutants if m.outcome.ending != "caught"]
    if survivors:
        table = Table("mutant", "place", "", "why nothing minded", title="Mutants that were not caught")
        for m in survivors:
            table.add_row(
                escape(m.outcome.id), m.outcome.place, _SHOWN[m.outcome.ending], escape(m.reason or m.outcome.detail)
            )
        out.print(table)
    total, caught = len(drill.mutants), len(drill.mutants) - len(survivors)
    out.print(f"Mutants: {caught} of {total} tried were caught ({drill.there_are} there are).")
