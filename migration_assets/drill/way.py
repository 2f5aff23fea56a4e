"""The shortest way from a change to what could find it: the real stages, checks and comparisons, and none in vain.

What cannot have changed is not computed again: one entity is mapped alone, and only tables that hold something else
than on the clean copy are checked, loaded and compared. So whatever is found here, a whole run finds too. Where the
change makes rows come or go, the stages after it are run whole.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.errors import TargetRefused
from migration_assets.drill.clean import COHORT, FULL, Case
from migration_assets.drill.heard import Heard
from migration_assets.drill.narrow import narrowed
from migration_assets.drill.one_entity import differs, load_alone, load_reference, tables_of, transformed_alone
from migration_assets.drill.one_party import standardized_alone
from migration_assets.drill.steps import recheck, through
from migration_assets.plan.ownership import UNASSIGNED
from migration_assets.stages.shadow.balances.new_ledger import READ as LEDGER
from migration_assets.stages.shadow.read_back import READ
from migration_assets.stages.store import GLOBAL
from migration_assets.wiring.stage_names import TRANSFORMED
from migration_assets.wiring.workspace import Workspace

# What bills, access, balances and terms are made from, which parts of the catalog entitlements follow from, and who
# tells customers apart.
_BILLED = frozenset({*READ, *LEDGER, "seat_assignment"})
_GRANTING = frozenset({"plan", "product_feature", "feature", "geo_rule"})
_TELLING = frozenset({"customer", "address", "tax_registration"})
# Files of the plan that bills follow from without any row of ours.
_OF_BILLS = frozenset({"catalog.yaml", "tax.csv", "billing.yaml"})
_CATALOG = frozenset({"catalog.yaml", "geo.csv"})
# What later stages know of earlier ones beside the values: who is there, and what became of whom.
_HUNG_ON = (("customer", "customer_id, status"), ("contact", "contact_id"), ("fates", "*"))
_COHORT_STAGES = ("transformed_entitlements", "transformed_billing")
Found = str | None


@dataclass
class Way:
    """One case on its way. `changed` grows: entity -> asset of every canonical table that holds something else now;
    `noticed` grows: every table of any stage that does. `billed`: whether the next bills have to be made again,
    whatever has changed; `counted`: whether what became of the source's rows is told otherwise now; `filled`:
    whether the target has everything in it already."""

    case: Case
    heard: Heard
    noticed: set[str] = field(default_factory=set)
    changed: dict[str, str] = field(default_factory=dict)
    billed: bool = False
    counted: bool = False
    filled: bool = False

    # --- where it begins ------------------------------------------------------------------------------------------

    def plan(self, file: str, entities: Collection[str]) -> Found:
        """After a change of a file of the plan; `entities`: whose mapping it is, as far as that is known."""
        self.billed = file in _OF_BILLS
        if file == "plan.yaml":
            return self._parties(["customer"], always=True) or self.end()
        stages = {str(ENTITIES[e].stage) for e in entities}
        if (file in _CATALOG or "reference_data" in stages) and (found := self._reference()):
            return found
        return self._mapped(entities) or self.end()

    def source(self, table: str) -> Found:
        """After a change of the old system's rows."""
        home = self.case.workspace.plan.source_table(table).home
        self.billed = True
        if home is not None and ENTITIES[home].stage == "reference_data":
            return self._reference() or self.end()
        return self._mapped([home] if home else []) or self.end()

    def made(self, asset: str, tables: Collection[str], *, rows_moved: bool) -> Found:
        """After a change of what a stage has made, whose checks have been asked already."""
        self.changed |= {t: asset for t in tables if t in ENTITIES}
        self.counted = "dispositions" in tables
        if asset == "cohort_plan":
            return through(self.case, [("cleansed_customers", COHORT)], self.heard)
        if rows_moved and asset in ("cleansed_customers", "transformed_entitlements"):
            first = 0 if asset == "cleansed_customers" else 1
            for stage in _COHORT_STAGES[first:]:
                if found := self._stage(stage):
                    return found
        return self.end()

    # --- stages ---------------------------------------------------------------------------------------------------

    def _mapped(self, entities: Collection[str]) -> Found:
        parties = [e for e in sorted(entities) if ENTITIES[e].stage == "cleansed_customers"]
        if parties and (found := self._parties(parties)):
            return found
        for stage in _COHORT_STAGES:
            for entity in (e for e in sorted(entities) if ENTITIES[e].stage == stage):
                if found := self._entity(stage, entity):
                    return found
        return None

    def _entity(self, stage: str, entity: str) -> Found:
        touched = transformed_alone(self.case, stage, entity)
        if touched is None:
            return self._stage(stage) or (
                self._stage("transformed_billing") if stage != "transformed_billing" else None
            )
        self.changed |= {e: stage for e in touched if e in ENTITIES}
        self.noticed |= touched
        self.counted |= "dispositions" in touched
        return recheck(self.case, stage, COHORT, set(touched), self.heard) if touched else None

    def _stage(self, stage: str) -> Found:
        """A stage of the cohort as a whole."""
        found = through(self.case, [(stage, COHORT)], self.heard)
        self._notice(stage, COHORT)
        return found

    def _reference(self) -> Found:
        """Reference data is loaded by its own stage, where everything stands already; entitlements follow from it."""
        self.case.target(FULL)
        if found := through(self.case, [("reference_data", GLOBAL)], self.heard, fresh=False):
            return found
        self._notice("reference_data", GLOBAL)
        return self._stage("transformed_entitlements") if self.changed.keys() & _GRANTING else None

    def _parties(self, entities: Collection[str], *, always: bool = False) -> Found:
        """Parties, who is who, cohorts, and the cohort's customers. `always`: also when no party looks different, since
        the rules for who is who may have changed."""
        touched = {e for e in entities if standardized_alone(self.case, e)}
        self.noticed |= touched
        if not touched and not always:
            return None
        if touched and (found := recheck(self.case, "standardized_parties", GLOBAL, {*touched, "notes"}, self.heard)):
            return found
        who = [("customer_identities", GLOBAL)] if always or touched & _TELLING else []
        steps = [*who, ("cohort_plan", GLOBAL), ("cleansed_customers", COHORT)]
        if found := through(self.case, steps, self.heard):
            return found
        self._notice("cleansed_customers", COHORT)
        # Whoever went over to those who are nobody's is looked at there.
        if self._nobodys() and (found := through(self.case, [("cleansed_customers", UNASSIGNED)], self.heard)):
            return found
        if any(differs(self.case, "cleansed_customers", COHORT, t, c) for t, c in _HUNG_ON):
            return self._stage(_COHORT_STAGES[0]) or self._stage(_COHORT_STAGES[1])
        return None

    def _nobodys(self) -> bool:
        """Whether other raw rows belong to no cohort now."""
        folder = self.case.workspace.store.folder("cohort_plan", UNASSIGNED)
        return any(differs(self.case, "cohort_plan", UNASSIGNED, f.stem) for f in sorted(folder.glob("*.parquet")))

    def _notice(self, asset: str, partition: str) -> None:
        folder = self.case.workspace.store.folder(asset, partition)
        others = {f.stem for f in folder.glob("*.parquet") if differs(self.case, asset, partition, f.stem)}
        self.changed |= {e: asset for e in sorted(others) if e in ENTITIES}
        self.noticed |= others

    # --- where it ends --------------------------------------------------------------------------------------------

    def end(self) -> Found:
        """What has changed is loaded and read back: row by row, and finance's totals; between both, the next bills of
        both sides. What the catalog says is held against totals first, since bills cost four times as much."""
        try:
            return self._listed() or self._bills() or self._arrived()
        except TargetRefused as refused:
            return f"loaded_target/refuses: {type(refused).__name__}"

    def _bills(self) -> Found:
        asked = self.billed or bool(self.changed.keys() & _BILLED)
        return self._stage("shadow_billing") if asked else None

    def _listed(self) -> Found:
        """Of rates, users, companies of ours and the catalog finance may have totals."""
        entities = [e for e, asset in self.changed.items() if asset == "reference_data"]
        plan = self.case.workspace.plan
        self.filled = bool(tables_of(plan, entities) & {c.target for c in plan.controls})
        if not self.filled:
            return None
        self.case.target(FULL)
        load_reference(self.case, entities)
        return self._read_back(self._narrow(entities), UNASSIGNED)

    def _arrived(self) -> Found:
        loaded = {e: asset for e, asset in self.changed.items() if asset in TRANSFORMED}
        if not loaded and not self.counted:
            return None
        if not self.filled:
            self.case.target(FULL)
        narrow = self._narrow(loaded or {"customer"})
        if loaded:
            load_alone(self.case, loaded)
            # Its warnings are about rows that this load took away, and a first load takes none.
            deaf = Heard(self.case.clean.judged)
            if found := recheck(narrow, "loaded_target", COHORT, {"loaded"}, deaf):
                return found
        return self._read_back(narrow, COHORT)

    def _narrow(self, entities: Collection[str]) -> Case:
        plan = self.case.workspace.plan
        narrow = narrowed(plan, tables_of(plan, entities))
        return replace(self.case, workspace=Workspace(narrow, self.case.workspace.environment))

    def _read_back(self, narrow: Case, whose: str) -> Found:
        return through(narrow, [("reconciliation", whose)], self.heard, fresh=False)
