"""One entity of the parties in standard form, with all others as they were."""

from __future__ import annotations

from migration_assets.drill.clean import Case
from migration_assets.drill.one_entity import differs
from migration_assets.stages.feeds import Mapping
from migration_assets.stages.store import GLOBAL

_ASSET = "standardized_parties"


def standardized_alone(case: Case, entity: str) -> bool:
    """Map one entity of all customers. Whether its rows, or the notes on them, are others now."""
    with case.workspace.engine() as engine:
        call = case.bench.call(engine, GLOBAL)
        mapped = Mapping(engine, call.plan, call.golden(), call.as_of).entity(entity)
        before = call.rows(_ASSET, "notes")
        others = before.filter(before["entity"] != entity)
        notes = engine.cached(engine.union([others, mapped.notes.cast(others.schema())]))
        engine.write(mapped.rows, call.file(_ASSET, entity), order_by=["source_table", "source_row"])
        order = ["entity", "source_table", "source_row", "field"]
        engine.write(notes, call.file(_ASSET, "notes"), order_by=order)
    return differs(case, _ASSET, GLOBAL, entity) or differs(case, _ASSET, GLOBAL, "notes")
