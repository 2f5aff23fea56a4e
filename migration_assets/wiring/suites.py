"""Which rules check which asset: the shared suites, the plan's own, and those that follow from its declarations."""

from __future__ import annotations

from pathlib import Path

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.errors import Fault, PlanFaults
from migration_assets.engine.entries import ENTRY, FITS, POSITION
from migration_assets.plan.entries import whose_text
from migration_assets.plan.models import Plan
from migration_assets.quality.generated import EntriesDeclaration, SourceDeclaration, generated_suite
from migration_assets.quality.suite import Suite, load_suite
from migration_assets.wiring.stage_names import COHORT_STAGES, GLOBAL_STAGES


def suite_of(root: Path, plan: Plan, asset: str) -> Suite:
    """Rules of `expectations/<asset>.yaml` for what this plan feeds, then those of the plan's own folder."""
    shared = load_suite(root / "expectations" / f"{asset}.yaml").for_entities(fed_entities(plan))
    if asset == "golden_copy":
        shared = shared.joined(generated_suite(asset, [_declared(plan, t) for t in plan.source_tables]))
    own = plan.folder / "expectations" / f"{asset}.yaml"
    whole = shared.joined(load_suite(own)) if own.exists() else shared
    return whole.for_currencies(plan.file.currency_exponents)


def _declared(plan: Plan, table: str) -> SourceDeclaration:
    """What the plan says of a source table; references to tables with a composite key cannot be checked by one."""
    declared = plan.source_table(table)
    references = {
        column: (to, plan.source_table(to).key[0])
        for column, to in declared.references.items()
        if len(plan.source_table(to).key) == 1
    }
    return SourceDeclaration(table, declared.key, references, declared.may_be_empty, _entries(plan, table))


def _entries(plan: Plan, table: str) -> EntriesDeclaration | None:
    declared = plan.source_table(table)
    if (split := declared.split) is None:
        return None
    holder = whose_text(table, declared)
    return EntriesDeclaration(
        table=holder,
        text=split.column,
        separator=split.separator,
        keys=plan.source_table(holder).key,
        entry=ENTRY,
        position=POSITION,
        newest_first=split.newest_first,
        fits=FITS if split.pattern is not None else None,
    )


def fed_entities(plan: Plan) -> frozenset[str]:
    """Entities that have rows under this plan: fed by a source, from the catalog, or derived."""
    fed = {f.entity for f in plan.feeds}
    catalog = {n for n, e in ENTITIES.items() if e.origin == "catalog"}
    derived = {"entitlement"} if fed & {"subscription_item", "entitlement_override"} else set()
    return frozenset(fed | catalog | derived)


def _strange_files(folder: Path) -> list[Fault]:
    assets = sorted((*GLOBAL_STAGES, *COHORT_STAGES))
    remedy = f"call it <asset>.yaml; the assets are {', '.join(assets)}"
    strange = [
        path
        for path in folder.glob("[!.]*")
        if path.suffix == ".yml" or (path.suffix == ".yaml" and path.stem not in assets)
    ]
    return [Fault(str(p), 0, "name", "no asset reads this file", remedy) for p in strange]


def check_suites(root: Path, plan: Plan) -> int:
    """Load every suite of the plan and return how many rules there are; PlanFaults with the faults of all that do not
    hold, and with every file that is named like no asset: its rules would never be asked."""
    folders = (root / "expectations", plan.folder / "expectations")
    faults, rules = [fault for folder in folders for fault in _strange_files(folder)], 0
    for asset in (*GLOBAL_STAGES, *COHORT_STAGES):
        try:
            rules += len(suite_of(root, plan, asset).rules)
        except PlanFaults as found:
            faults += found.faults
    if faults:
        raise PlanFaults(faults)
    return rules
