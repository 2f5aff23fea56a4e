"""The house rules that a machine can hold: who imports whom, and where Dagster and floats may appear."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "migration_assets"
MODULES = sorted(p for p in PACKAGE.rglob("*.py"))

# Each room and the rooms whose modules it may import, beside its own.
MAY_IMPORT = {
    "domain": set(),
    "engine": {"domain"},
    "connectors": {"domain", "engine"},
    "quality": {"domain"},
    "control": {"domain"},
    "demo": {"domain", "connectors"},
    "plan": {"domain", "engine", "quality"},
    "stages": {"domain", "engine", "connectors", "quality", "control", "plan"},
    "sync": {"domain", "engine", "connectors", "quality", "control", "plan"},
    "wiring": {"domain", "engine", "connectors", "quality", "control", "plan", "stages", "sync", "demo"},
    # What tries everything out stands above everything; see what it plants, below.
    "drill": {
        "domain",
        "engine",
        "connectors",
        "quality",
        "control",
        "plan",
        "stages",
        "demo",
        "wiring",
        "definitions",
    },
}
MAY_IMPORT["preview"] = MAY_IMPORT["drill"] - {"demo"}
# Dagster's skin of a stage may use the wiring; the pure modules beside it may not.
SKIN = "assets.py"


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Modules a file imports, and whether it does so at import time (not in a function or for types only)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = set(tree.body)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node in top
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node in top


def room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else "root"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    if room(path) == "root":
        return
    allowed = MAY_IMPORT[room(path)] | {room(path)}
    if path.name == SKIN:
        allowed |= {"wiring"}
    for module, _ in imports(path):
        if module.startswith("migration_assets."):
            used = module.split(".")[1]
            assert used in allowed, f"{path.relative_to(PACKAGE)} imports {module}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_skin_knows_dagster(path: Path) -> None:
    if path.name == SKIN or room(path) == "wiring" or path in (PACKAGE / "definitions.py", PACKAGE / "cli.py"):
        return
    assert not [m for m, _ in imports(path) if m == "dagster" or m.startswith("dagster.")]


@pytest.mark.parametrize("path", sorted((PACKAGE / "domain").rglob("*.py")), ids=lambda p: p.name)
def test_domain_holds_no_float_clock_file_or_network(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    constants = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)}
    assert "float" not in names
    assert not [c for c in constants if isinstance(c, float)]
    assert not {m for m, _ in imports(path)} & {"time", "requests", "socket", "os", "pathlib", "sqlalchemy", "urllib"}
    calls = {n.func.attr for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)}
    assert not calls & {"now", "utcnow", "today"}
    assert "open" not in names


@pytest.mark.parametrize(("rule_set", "other"), [("legacy", "target"), ("target", "legacy")])
def test_a_rule_set_shares_only_money_calendar_and_words_with_the_other(rule_set: str, other: str) -> None:
    """Two that agree because one wrote both prove nothing."""
    shared = {f"migration_assets.domain.{m}" for m in ("money", "calendar", "bill", "access")}
    for path in sorted((PACKAGE / "domain" / rule_set).glob("*.py")):
        ours = {
            m for m in _reached(f"migration_assets.domain.{rule_set}.{path.stem}") if m.startswith("migration_assets")
        }
        assert not [m for m in ours if m.startswith(f"migration_assets.domain.{other}")]
        assert {m for m in ours if not m.startswith(f"migration_assets.domain.{rule_set}")} <= shared


def test_the_words_both_rule_sets_answer_in_hold_no_rule() -> None:
    for words in ("bill", "access"):
        strangers = _reached(f"migration_assets.domain.{words}") - {f"migration_assets.domain.{words}"}
        assert {m for m in strangers if m.startswith("migration_assets")} <= {"migration_assets.domain.calendar"}


def test_wiring_does_not_import_a_stages_skin() -> None:
    for path in sorted((PACKAGE / "wiring").rglob("*.py")):
        assert not [m for m, _ in imports(path) if m.startswith("migration_assets.stages.") and m.endswith(".assets")]


def test_only_the_check_of_a_plan_knows_its_checks() -> None:
    """What a plan says is read without them; who wants to know whether it holds asks `plan.check`."""
    checks = "migration_assets.plan.checks"
    knowing = [p for p in MODULES if any(m.startswith(checks) for m, _ in imports(p)) and p.parent.name != "checks"]
    assert knowing == [PACKAGE / "plan" / "check.py"]


_PLANTED = (*sorted((PACKAGE / "drill" / "traps").glob("*.py")), *sorted((PACKAGE / "drill" / "mutants").glob("*.py")),
            *(PACKAGE / "drill" / f"{m}.py" for m in ("changes", "trap", "planting")))  # fmt: skip


@pytest.mark.parametrize("path", _PLANTED, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_what_the_drill_plants_knows_nothing_of_what_should_find_it(path: Path) -> None:
    """A trap made from a check proves nothing of it."""
    module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    ours = {m for m in _reached(module) if m.startswith("migration_assets.")}
    looking = ("stages", "quality", "wiring", "control", "engine")
    direct = {m for m, _ in imports(path) if m.startswith("migration_assets.")}
    assert not [m for m in direct if m.split(".")[1] in looking]
    assert not [m for m in ours if m.split(".")[1] == "stages"]


def test_nobody_knows_of_the_drill_but_its_command() -> None:
    knowing = [p for p in MODULES if any(m.startswith("migration_assets.drill.") for m, _ in imports(p))]
    assert [p.name for p in knowing if room(p) != "drill"] == ["drill_commands.py"]


def test_nothing_is_called_utils() -> None:
    assert not [p for p in MODULES if p.stem in {"utils", "helpers", "common", "misc"}]


def _reached(module: str) -> set[str]:
    """The module and all of ours that it imports, however far away."""
    seen: set[str] = set()
    todo = [module]
    while todo:
        name = todo.pop()
        path = PACKAGE.parent / (name.replace(".", "/") + ".py")
        if name not in seen and path.exists():
            todo += [m for m, _ in imports(path) if m.startswith("migration_assets.")]
        seen.add(name)
    return seen


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("legacy.access", {"access", "calendar", "money", "legacy.terms"}),
        ("target.access", {"money"}),
        ("access_differences", {"money"}),
        ("spans", set[str]()),
    ],
)
def test_access_at_scale_knows_neither_the_other_side_nor_the_readable_rules(module: str, words: set[str]) -> None:
    """Two that agree because one asks the other prove nothing. What is shared is the form both answer in, the
    words for what cannot be told, and of the domain what the engine rounds by, when a local day begins, and the words
    that records are told in."""
    shadow, domain = "migration_assets.stages.shadow", "migration_assets.domain"
    known = _reached(f"{shadow}.{module}")
    side = f"{shadow}.{module.split('.')[0]}"
    assert {m for m in known if m.startswith(shadow) and not m.startswith(side)} <= {
        f"{shadow}.spans",
        f"{shadow}.reasons",
    }
    assert {m for m in known if m.startswith(domain)} <= {f"{domain}.{word}" for word in words}


def test_controls_know_neither_mapping_nor_other_stages() -> None:
    """Control totals must not share a mistake with what they control."""
    forbidden = ("migration_assets.engine.mapping", "migration_assets.engine.rules", "migration_assets.stages.")
    strangers = [m for m in _reached("migration_assets.stages.reconcile.controls") if m.startswith(forbidden)]
    assert not [m for m in strangers if not m.startswith("migration_assets.stages.reconcile")]


@pytest.mark.parametrize("module", ["sides", "rows", "membership", "balance", "spot_check"])
def test_the_reading_side_does_not_know_how_rows_are_written(module: str) -> None:
    """What compares the target must not shape or load rows by the code that did it. Both know `load/schema.py`, the
    declaration of the target's columns."""
    writing = {
        f"migration_assets.stages.load.{m}"
        for m in ("shape", "plan", "apply", "guarded", "handover", "bearers", "refusal")
    }
    assert not _reached(f"migration_assets.stages.reconcile.{module}") & writing


@pytest.mark.parametrize(("side", "other"), [("old", "target"), ("new", "legacy")])
def test_a_ledger_knows_nothing_of_how_the_other_side_is_told(side: str, other: str) -> None:
    """What both share is the form they answer in, the one sum (I24), and the units of a currency."""
    shadow = "migration_assets.stages.shadow"
    known = _reached(f"{shadow}.balances.{side}_ledger")
    strangers = (f"{shadow}.{other}", f"migration_assets.domain.{other}", "migration_assets.engine.mapping")
    own = {m for m in known if m.startswith(strangers) and m != "migration_assets.domain.legacy.terms"}
    assert not own
    assert not {m for m in known if m.startswith(f"{shadow}.balances.")} - {
        f"{shadow}.balances.{side}_ledger",
        f"{shadow}.balances.{side}_discounts",
        f"{shadow}.balances.ledger",
    }
