"""Where the source rows lie from which rows of the target were made. Pure Ibis: no connection, no file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import ibis

from migration_assets.stages.load.schema import CROSSWALK_KEY

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

# Gives for `system.table` the source id and the cohort of every row that the source has now, in any cohort; None for
# a table that the plan does not read.
Whereabouts = Callable[[str], "ir.Table | None"]

SOURCE = CROSSWALK_KEY[1:]
_ORIGINS = ibis.schema(dict.fromkeys((*SOURCE, "found"), "string"))


def origins(engine: DuckDBEngine, rows: ir.Table, whereabouts: Whereabouts) -> ir.Table:
    """For recorded rows (SOURCE and the `cohort` they are recorded for) the cohort in which the row they were made from
    lies now: SOURCE and `found`, one row each; rows whose origin is gone are left out.

    A row that was derived from another has that one's id, `/` and more; the longest id that fits is the origin. Where
    an id is there twice, a row stays where it was.
    """
    wanted = engine.cached(rows.select(*SOURCE, "cohort").distinct())
    tables = engine.arrow(wanted.select("source_system", "source_table").distinct()).to_pylist()
    parts = []
    for system, table in sorted((t["source_system"], t["source_table"]) for t in tables):
        there = whereabouts(f"{system}.{table}")
        if there is not None:
            mine = wanted.filter((wanted["source_system"] == system) & (wanted["source_table"] == table))
            parts.append(_origins(mine, there))
    if not parts:
        return engine.table(_ORIGINS.to_pyarrow().empty_table())
    return engine.cached(engine.union(parts).cast(_ORIGINS))


def _origins(wanted: ir.Table, there: ir.Table) -> ir.Table:
    parts = wanted["source_id"].split("/")
    upto = ibis.range(1, parts.length() + 1).map(lambda n: parts[:n].join("/"))
    tried = wanted.mutate(_origin=upto.unnest())
    fits = tried.inner_join(there.select(_there="source_id", found="cohort"), [("_origin", "_there")])
    best = ibis.row_number().over(
        ibis.window(
            group_by=list(SOURCE),
            order_by=[ibis.desc(fits["_origin"].length()), fits["found"] != fits["cohort"], fits["found"]],
        )
    )
    return fits.mutate(_best=best).filter(ibis._["_best"] == 0).select(*SOURCE, "found")
