"""What a drill says: as JSON, and as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from migration_assets.drill.trap import Trap, Waits

if TYPE_CHECKING:
    from rich.console import Console

    from migration_assets.drill.run import Outcome


# Of how many mutants tried a share can be asked, and which; below that a single one weighs too much.
ENOUGH, ASKED_PERCENT = 100, 95


@dataclass(frozen=True)
class MutantOutcome:
    """What became of one mechanical mutant. `reason` is there for one that survived: why nothing minded. `equivalent`:
    nothing of this company changes by it, so that there is nothing to find."""

    outcome: Outcome
    reason: str = ""
    equivalent: bool = False

    @property
    def caught(self) -> bool:
        return self.outcome.ending == "caught"


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
        """Every trap was caught, nothing else made noise, every mutant could be planted, and enough of them were caught
        if many were tried."""
        traps_ok = all(o.ending == "caught" for _, o in self.traps)
        return not self.alarms and traps_ok and not unplanted(self.mutants) and self.mutants_ok

    @property
    def mutants_ok(self) -> bool:
        """Whether 95 % of the mutants that change something were caught; nothing is asked of fewer than 100 tried."""
        there = _Count.of(self.mutants)
        return there.total < ENOUGH or 100 * there.caught >= ASKED_PERCENT * there.asked

    def to_json(self) -> dict[str, Any]:
        """The shape that `cutover drill --json` promises."""
        return {
            "ok": self.ok,
            "seed": self.seed,
            "traps": [_trap_json(trap, outcome) for trap, outcome in self.traps],
            "mutants": {
                "there_are": self.there_are,
                **_Count.of(self.mutants).to_json(),
                "percent": _Count.of(self.mutants).percent,
                "by_place": _by_place(self.mutants),
                "survivors": [_mutant_json(m) for m in survivors(self.mutants)],
                "equivalents": [_mutant_json(m) for m in self.mutants if m.equivalent],
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
        "severity": outcome.severity,
        "seconds": outcome.seconds,
        **({"detail": outcome.detail} if outcome.detail else {}),
    }


def survivors(mutants: Sequence[MutantOutcome]) -> list[MutantOutcome]:
    """Mutants that change something, and that nothing found."""
    return [m for m in mutants if not m.caught and not m.equivalent]


def unplanted(mutants: Sequence[MutantOutcome]) -> list[MutantOutcome]:
    """Mutants that were made for a plan which does not have their place: the drill's own fault, however few."""
    return [m for m in mutants if m.outcome.ending == "not_planted" and not m.equivalent]


@dataclass(frozen=True)
class _Count:
    """How many mutants were tried, how many of these are equivalent, and how many were caught."""

    total: int
    equivalent: int
    caught: int

    @classmethod
    def of(cls, mutants: Sequence[MutantOutcome]) -> _Count:
        return cls(len(mutants), sum(m.equivalent for m in mutants), sum(m.caught for m in mutants))

    @property
    def asked(self) -> int:
        """Those that could be caught."""
        return self.total - self.equivalent

    @property
    def percent(self) -> str | None:
        """Caught of those that could be, rounded down to a tenth of a percent; None where there are none."""
        if not self.asked:
            return None
        tenths = 1000 * self.caught // self.asked
        return f"{tenths // 10}.{tenths % 10}"

    def to_json(self) -> dict[str, int]:
        return {"total": self.total, "equivalent": self.equivalent, "caught": self.caught}


def _mutant_json(mutant: MutantOutcome) -> dict[str, Any]:
    found = mutant.outcome
    return {"id": found.id, "place": found.place, "ending": found.ending, "reason": mutant.reason or found.detail}


def _by_place(mutants: Sequence[MutantOutcome]) -> dict[str, dict[str, int]]:
    places = dict.fromkeys(m.outcome.place for m in mutants)
    return {p: _Count.of([m for m in mutants if m.outcome.place == p]).to_json() for p in places}


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
            by = escape(outcome.caught_by or outcome.detail) + (" (warns)" if outcome.severity == "warning" else "")
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
    if lives := survivors(drill.mutants):
        table = Table("mutant", "place", "", "why nothing minded", title="Mutants that were not caught")
        for m in lives:
            table.add_row(
                escape(m.outcome.id), m.outcome.place, _SHOWN[m.outcome.ending], escape(m.reason or m.outcome.detail)
            )
        out.print(table)
    there = _Count.of(drill.mutants)
    share = f", {there.percent} %" if there.percent else ""
    for m in unplanted(drill.mutants):
        out.print(f"[bold red]the drill's own fault[/]: {escape(m.outcome.id)} was never planted: {escape(m.reason)}")
    enough = "" if drill.mutants_ok else f" [bold red]{ASKED_PERCENT} % are asked.[/]"
    out.print(
        f"Mutants: {there.caught} of {there.asked} were caught{share}; by {there.equivalent} more nothing of this "
        f"company changes. {there.total} of {drill.there_are} were tried.{enough}"
    )
