"""From a folder of reviewed files to a `Plan`: reading, typing, and every fault of every file at once.

Whether the files fit each other, the canonical model and the rules is `plan.check`. Nothing here reads the
environment or a source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.errors import Fault, Misconfigured, PlanFaults
from migration_assets.plan import models as m
from migration_assets.plan.billing_models import Billing, TaxRow
from migration_assets.plan.catalog_models import Catalog
from migration_assets.plan.csv_file import CsvRow, json_cell, read_csv
from migration_assets.plan.digest import plan_digest, plan_files
from migration_assets.plan.enrichment_models import Enrichment, EnrichmentRule
from migration_assets.plan.environment import names_in, resolve
from migration_assets.plan.frozen import is_name
from migration_assets.plan.identity_models import SurvivorDecision
from migration_assets.plan.place import line_of
from migration_assets.plan.plan_text import PlanFileError, read_text
from migration_assets.plan.wording import nearest, problems, shown
from migration_assets.plan.yaml_file import read_yaml

FEEDS = "mapping/feeds.csv"
SURVIVORS = "decisions/survivors.csv"
TOP_LEVEL = ("plan.yaml", "catalog.yaml", "cohorts.yaml", "target.yaml", "controls.csv", "geo.csv",
             "enrichment.yaml", "billing.yaml", "tax.csv")  # fmt: skip
# Fields that say where a row stands; they are no columns of its file.
_PLACE = ("file", "row")

T = TypeVar("T", bound=BaseModel)
Cells = Mapping[str, Any]

__all__ = ["FEEDS", "SURVIVORS", "TOP_LEVEL", "load_plan", "names_in", "resolve"]


def load_plan(folder: Path) -> m.Plan:
    """The plan of a folder.

    `${NAME}` stays as it is written; `resolve` replaces it when a source or the target is opened, so a plan can be
    read and checked without them. Raises PlanFaults with every fault of every file, Misconfigured without a folder.
    """
    if not folder.is_dir():
        raise Misconfigured(f"there is no plan folder {shown(folder.name)}", "name one with --plan plans/<name>")
    reader = _Reader(folder)
    parts = {
        "file": reader.yaml("plan.yaml", m.PlanFile),
        "catalog": reader.yaml("catalog.yaml", Catalog),
        "cohorts": reader.yaml("cohorts.yaml", m.Cohorts),
        "target": reader.yaml("target.yaml", m.TargetSchema),
        "feeds": reader.feeds(),
        "mapping": reader.mapping(),
        "codes": reader.codes(),
        "geo": reader.geo(),
        "controls": reader.controls(),
        "survivor_decisions": reader.survivor_decisions(),
        "enrichment": reader.enrichment(),
        "billing": reader.billing(),
        "tax": reader.tax(),
    }
    reader.strays()
    digest = reader.guard(lambda: plan_digest(folder))
    if reader.faults:
        raise PlanFaults(tuple(set(reader.faults)))
    return m.Plan.model_validate({**parts, "folder": folder, "digest": digest, "lines": reader.lines})


class _Reader:
    """Reads the files of one folder and collects what is wrong with them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults: list[Fault] = []
        self.lines: dict[str, dict[str, int]] = {}

    def guard(self, read: Callable[[], Any]) -> Any:
        """What `read` gives; None with its fault kept when it refuses."""
        try:
            return read()
        except PlanFileError as e:
            self.faults.append(e.fault)
            return None

    def yaml(self, name: str, model: type[T]) -> T | None:
        found = self.guard(lambda: read_yaml(name, read_text(self.folder, name)))
        if found is None:
            return None
        self.lines[name] = found.lines
        return self._model(name, model, found.data, found.lines)

    def feeds(self) -> tuple[m.Feed, ...]:
        made = self._rows(FEEDS, m.Feed, self._feed, optional=("leaves",))
        return tuple(sorted(made, key=lambda f: (f.feed, f.row)))

    def mapping(self) -> tuple[m.MappingRow, ...]:
        names = [f for f in self._files("mapping") if f != FEEDS]
        made = [r for f in names for r in self._rows(f, m.MappingRow, self._mapping_row)]
        return tuple(sorted(made, key=lambda r: (r.entity, r.feed, r.field, r.file, r.row)))

    def codes(self) -> dict[str, tuple[m.CodeRow, ...]]:
        return {Path(f).stem: self._code_list(f) for f in self._files("codes")}

    def geo(self) -> tuple[m.GeoRow, ...]:
        if not (self.folder / "geo.csv").exists():
            return ()
        made = self._rows("geo.csv", m.GeoRow, lambda f, r: {**r.cells, "row": r.line})
        return tuple(sorted(made, key=lambda r: (r.product, r.region, r.row)))

    def enrichment(self) -> tuple[EnrichmentRule, ...]:
        if not (self.folder / "enrichment.yaml").exists():
            return ()
        found = self.yaml("enrichment.yaml", Enrichment)
        return found.rules if found else ()

    def billing(self) -> Billing | None:
        return self.yaml("billing.yaml", Billing) if (self.folder / "billing.yaml").exists() else None

    def tax(self) -> tuple[TaxRow, ...]:
        if not (self.folder / "tax.csv").exists():
            return ()
        made = self._rows("tax.csv", TaxRow, lambda f, r: {**r.cells, "row": r.line})
        return tuple(sorted(made, key=lambda r: (r.country, r.valid_from, r.row)))

    def controls(self) -> tuple[m.Control, ...]:
        made = self._rows("controls.csv", m.Control, self._control, optional=("source_rounding", "codes"))
        return tuple(sorted(made, key=lambda c: (c.measure, c.row)))

    def survivor_decisions(self) -> tuple[SurvivorDecision, ...]:
        """Decisions of persons; a plan that leaves nothing to them has no such file."""
        for name in (f for f in self._files("decisions") if f != SURVIVORS):
            remedy = f"call it {SURVIVORS}"
            self.faults.append(Fault(name, 0, "", "is not a file of decisions: it would never be read", remedy))
        if not (self.folder / SURVIVORS).exists():
            return ()
        made = self._rows(SURVIVORS, SurvivorDecision, lambda f, r: {**r.cells, "row": r.line})
        return tuple(sorted(made, key=lambda d: (d.field, d.customer, d.row)))

    def strays(self) -> None:
        """Files that are read by nobody but look as if they were meant to be."""
        for name in plan_files(self.folder):
            known = [f for f in TOP_LEVEL if not (self.folder / f).exists()]
            remedy = nearest(name, known, "")
            if "/" not in name and name not in TOP_LEVEL and remedy:
                self.faults.append(Fault(name, 0, "", "is not a file of a plan", remedy))

    def _code_list(self, name: str) -> tuple[m.CodeRow, ...]:
        if not is_name(Path(name).stem):
            problem, remedy = "the file's name is not a name", "use a to z, 0 to 9 and _, a letter first"
            self.faults.append(Fault(name, 0, "", problem, remedy))
        made = self._rows(name, m.CodeRow, lambda f, r: {**r.cells, "row": r.line}, exact=("code",))
        return tuple(sorted(made, key=lambda c: (c.code, c.row)))

    def _feed(self, file: str, row: CsvRow) -> Cells:
        return {
            **row.cells,
            "where": self._json(file, row, "where", ()),
            "unpivot": _names(row.cells["unpivot"]),
            "leaves": _names(row.cells["leaves"]),
            "row": row.line,
        }

    def _mapping_row(self, file: str, row: CsvRow) -> Cells:
        if row.cells["entity"] != Path(file).stem:
            problem, remedy = "is not the entity this file is for", f"write {Path(file).stem}, or move the row"
            self.faults.append(Fault(file, row.line, "entity", problem, remedy))
        return {
            **row.cells,
            "columns": _names(row.cells["columns"]),
            "arguments": self._json(file, row, "arguments", {}),
            "file": file,
            "row": row.line,
        }

    def _control(self, file: str, row: CsvRow) -> Cells:
        where = {c: self._json(file, row, c, ()) for c in ("source_where", "target_where")}
        return {**row.cells, **where, "codes": self._json(file, row, "codes", {}), "row": row.line}

    def _json(self, file: str, row: CsvRow, column: str, blank: Any) -> Any:
        wanted: Any = {} if isinstance(blank, dict) else []
        value = self.guard(lambda: json_cell(file, row.line, column, row.cells[column], wanted))
        return wanted if value is None else value

    def _files(self, part: str) -> tuple[str, ...]:
        """CSV files directly in one folder of the plan; a mapping file is named for an entity."""
        below = (f for f in plan_files(self.folder) if Path(f).parent.as_posix() == part)
        names = tuple(f for f in below if f.lower().endswith(".csv"))
        for name in names:
            stem = Path(name).stem
            if part == "mapping" and name != FEEDS and stem not in ENTITIES:
                remedy = nearest(stem, ENTITIES, "name the file for an entity of the canonical model")
                self.faults.append(Fault(name, 0, "", "is not named for an entity", remedy))
        return names

    def _rows(
        self,
        name: str,
        model: type[T],
        data: Callable[[str, CsvRow], Cells],
        exact: Sequence[str] = (),
        optional: Sequence[str] = (),
    ) -> list[T]:
        text, columns = partial(read_text, self.folder, name), columns_of(model)
        found = self.guard(lambda: read_csv(name, text(), columns, exact=exact, optional=optional))
        if found is None:
            return []
        self.faults.extend(found.faults)
        made = (self._model(name, model, data(name, row), {"": row.line}) for row in found.rows)
        return [row for row in made if row is not None]

    def _model(self, name: str, model: type[T], data: Any, lines: Mapping[str, int]) -> T | None:
        try:
            return model.model_validate(data)
        except ValidationError as e:
            self.faults.extend(
                Fault(name, line_of(lines, path), ".".join(map(str, path)), problem, remedy)
                for path, problem, remedy in problems(e, data, model)
            )
            return None


def _names(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split("|")) if cell else ()


def columns_of(model: type[BaseModel]) -> tuple[str, ...]:
    """The header of the CSV file whose rows are this model."""
    return tuple(f for f in model.model_fields if f not in _PLACE)
