"""`standardized_parties` and `customer_identities`: all parties in standard form, and who is who. Global."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pyarrow as pa

from migration_assets.connectors.private_files import write_private
from migration_assets.control import KinMemory, ReviewQueue
from migration_assets.engine.mapping import MappedFeed
from migration_assets.stages.feeds import Mapping
from migration_assets.stages.identities.evidence import evidence_of
from migration_assets.stages.identities.facts import facts_of
from migration_assets.stages.identities.kits import COMPANY, PERSON
from migration_assets.stages.identities.likely import likely_pairs
from migration_assets.stages.identities.likeness import Scored, model_text
from migration_assets.stages.identities.loaded import ids_in_target, rows_of_ids
from migration_assets.stages.identities.past import Past
from migration_assets.stages.identities.queued import ranked
from migration_assets.stages.identities.resolve import Resolved, resolve_identities
from migration_assets.stages.identities.stakes import Groups, as_if_parted, by_pair, staked
from migration_assets.stages.identities.standing import Standing
from migration_assets.stages.identities.true_keys import tried_keys
from migration_assets.wiring.call import StageCall
from migration_assets.wiring.identity_views import identities_shown
from migration_assets.wiring.lineage import entity_schema, mapping_lineage
from migration_assets.wiring.metadata import markdown_table, row_counts
from migration_assets.wiring.stage import StageOutput, StageSpec
from migration_assets.wiring.workspace import Workspace

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.connectors.postgres_target import PostgresTarget
    from migration_assets.plan.identity_models import Matching


_TABLES = ("identities", "doubts", "ties", "evidence", "stakes", "crowds", "keys")


def specs(workspace: Workspace) -> list[StageSpec]:
    plan = workspace.plan
    parties = plan.entities_of("cleansed_customers")
    return [
        StageSpec(
            name="standardized_parties",
            group="prepare",
            description="Names, phones, e-mails, addresses and dates of all parties in standard form, cleaned once.",
            kinds=frozenset({"duckdb", "parquet"}),
            compute=_standardize,
            suite=workspace.suites["standardized_parties"],
            deps=[dg.AssetKey("golden_copy")],
            gates=["golden_copy"],
            by_cohort=False,
            static_metadata={**entity_schema(parties), **mapping_lineage(plan, parties)},
        ),
        StageSpec(
            name="customer_identities",
            group="prepare",
            description="Which customer rows, over all systems, are surely the same customer.",
            kinds=frozenset({"duckdb", "parquet"}),
            compute=_identify,
            suite=workspace.suites["customer_identities"],
            deps=[dg.AssetKey("standardized_parties")],
            gates=["standardized_parties"],
            by_cohort=False,
        ),
    ]


def _standardize(call: StageCall) -> StageOutput:
    feeds = Mapping(call.engine, call.plan, call.golden(), call.as_of)
    names = call.plan.entities_of("cleansed_customers")
    mapped: dict[str, MappedFeed] = {}
    for name in names:
        call.say(f"standardizing {name}")
        mapped[name] = feeds.entity(name)
    tables = {n: call.file("standardized_parties", n) for n in (*names, "notes")}
    written = {
        n: call.engine.write(m.rows, tables[n], order_by=["source_table", "source_row"]) for n, m in mapped.items()
    }
    notes = call.engine.union(m.notes for m in mapped.values())
    written["notes"] = call.engine.write(
        notes, tables["notes"], order_by=["entity", "source_table", "source_row", "field"]
    )
    metadata = {**row_counts(written, partitioned=False), **_changes(call, tables)}
    return StageOutput(tables, metadata, may_be_empty=call.may_be_empty(tables))


def _changes(call: StageCall, tables: dict) -> dict[str, object]:
    notes = call.engine.read(tables["notes"])
    counted = notes.group_by(["entity", "field", "rule", "action"]).aggregate(values=notes.count())
    rows = call.engine.arrow(counted.order_by(["entity", "field", "rule", "action"])).to_pylist()
    listed = [(f"{r['entity']}.{r['field']}", r["rule"], r["action"], r["values"]) for r in rows]
    return {"values touched, by rule": markdown_table(("field", "rule", "action", "values"), listed)}


def _identify(call: StageCall) -> StageOutput:
    customers, identity = call.rows("standardized_parties", "customer"), call.plan.file.identity
    feeds = Mapping(call.engine, call.plan, call.golden(), call.as_of)
    queue = ReviewQueue(call.workspace.control, call.plan.name)
    memory = KinMemory(call.workspace.control, call.plan.name)
    likeness = _Likeness(call, customers, identity.matching) if identity.matching else None
    found = _resolved(call, feeds, customers, likeness, queue, memory)
    alike = likeness.scored if likeness else {}
    tables = {t: call.file("customer_identities", t) for t in _TABLES}
    rows = call.engine.write(found.identities, tables["identities"], order_by=["customer_id"])
    for name, made in (("doubts", found.doubts), ("ties", found.ties), ("crowds", found.crowds)):
        call.engine.write(made, tables[name])
    keys = tried_keys(call.engine, identity, customers, found.rows, _party(call, "tax_registration"))
    call.engine.write(call.engine.table(keys), tables["keys"])
    waiting = call.engine.arrow(call.engine.read(tables["doubts"])).to_pylist()
    _write_reasons(call, feeds, waiting, tables, alike)
    shown = {n: call.engine.read(f) for n, f in tables.items()} | {"customer": customers}
    metadata = {
        **row_counts({"identities": rows}, partitioned=False),
        **identities_shown(call.engine, shown, plan=call.plan.name, snapshot=call.snapshot),
        **_models(call, alike),
    }

    def publish() -> dict[str, object]:
        if not call.is_dry_run:
            stakes = by_pair(call.engine.arrow(call.engine.read(tables["stakes"])))
            now = datetime.now(UTC)
            queue.put(ranked(feeds, waiting, stakes), call.snapshot, now)
            memory.keep(found.kin, kept=found.kept, snapshot=call.snapshot, now=now)
        return {"review queue": f"{len(queue.cases())} open: `cutover review list`"}

    # Nobody may be in doubt, nobody merged, and nothing at stake.
    may_be_empty = set(tables) - {"identities"}
    tables["customer"] = call.file("standardized_parties", "customer")
    return StageOutput(tables, metadata, may_be_empty=may_be_empty, publish=publish)


def _resolved(
    call: StageCall,
    feeds: Mapping,
    customers: ir.Table,
    likeness: _Likeness | None,
    queue: ReviewQueue,
    memory: KinMemory,
) -> Resolved:
    """Who is who, by what the plan, the target, persons and earlier runs say."""
    registrations, identity = _party(call, "tax_registration"), call.plan.file.identity
    return resolve_identities(
        call.engine,
        identity,
        customers,
        call.golden(),
        ask=lambda asked: facts_of(feeds, registrations, asked, partial(ids_in_target, _target(call))),
        alike=likeness.pairs if likeness else None,
        merge_at=identity.matching.merge_at if identity.matching else 1.0,
        answers=queue.decisions(),
        reopened=queue.reopened(),
        past=Past(memory.known(), partial(_sharing_ids, call)),
    )


def _target(call: StageCall) -> PostgresTarget:
    # Who is who comes before the target's schema in the graph: the first run may find no database there.
    call.workspace.make_target_database()
    return call.workspace.target


def _sharing_ids(call: StageCall, customer_ids: Iterable[str]) -> dict[str, str]:
    """All rows that stand in the target under an id of one of these: key -> id."""
    return rows_of_ids(_target(call), ids_in_target(_target(call), customer_ids).values())


def _party(call: StageCall, entity: str) -> ir.Table | None:
    fed = entity in call.plan.entities_of("cleansed_customers")
    return call.rows("standardized_parties", entity) if fed else None


class _Likeness:
    """Finds likely pairs when it is asked, and keeps what found them for the run's account."""

    def __init__(self, call: StageCall, customers: ir.Table, matching: Matching) -> None:
        self._call, self._customers, self._matching = call, customers, matching
        self.scored: dict[str, Scored] = {}

    def pairs(self, rows: Standing) -> pa.Table:
        """likeness.PAIRS among the rows."""
        call = self._call
        found = likely_pairs(
            call.engine,
            self._customers,
            _party(call, "address"),
            rows,
            floor=self._matching.review_from,
            spill_to=call.engine.spill_to,
            say=call.say,
        )
        self.scored = dict(found.scored)
        return found.pairs


def _write_reasons(
    call: StageCall, feeds: Mapping, waiting: list[dict], tables: dict[str, Path], alike: dict[str, Scored]
) -> None:
    """What spoke for the pairs that are merged or in doubt, and what is at stake in those in doubt."""
    doubted = [(r["a"], r["b"]) for r in waiting]
    tied = call.engine.read(tables["ties"])
    merged = call.engine.arrow(tied.filter(tied["kind"] != "link").select("a", "b")).to_pylist() if alike else []
    pairs = [*doubted, *((r["a"], r["b"]) for r in merged)]
    evidence = evidence_of((s.pairs for s in alike.values()), pairs)
    call.engine.write(call.engine.table(evidence), tables["evidence"])
    call.say(f"reading what is at stake in {len(doubted):,} pairs")
    erased = {(r["a"], r["b"]) for r in waiting if r["reason"] == "erased"}
    groups = _groups(call, doubted, erased, tables)
    call.engine.write(call.engine.table(staked(feeds, doubted, groups, erased)), tables["stakes"])


def _groups(
    call: StageCall, doubted: list[tuple[str, str]], erased: set[tuple[str, str]], tables: dict[str, Path]
) -> Groups:
    """Who is one customer with those in doubt, but for what a person is asked about."""
    engine, everybody, tied = call.engine, call.engine.read(tables["identities"]), call.engine.read(tables["ties"])
    ends = engine.table(pa.table({"customer_id": pa.array(sorted({k for pair in doubted for k in pair}), pa.string())}))
    theirs = everybody.semi_join(everybody.semi_join(ends, "customer_id"), "identity_id")
    members = engine.arrow(theirs.select("customer_id", "identity_id")).to_pylist()
    ties = engine.arrow(tied.semi_join(theirs, [("a", "customer_id")]).select("a", "b")).to_pylist()
    rows = [(r["customer_id"], r["identity_id"]) for r in members]
    return Groups.of(as_if_parted(rows, [(r["a"], r["b"]) for r in ties], erased), call.plan.file.identity.priority)


def _models(call: StageCall, alike: dict[str, Scored]) -> dict[str, object]:
    """Where the models lie that held the pairs for alike: chances by field and level, no value of anybody."""
    folder = call.workspace.store.folder("customer_identities", call.partition)
    found: dict[str, object] = {}
    for kit in (PERSON.name, COMPANY.name):
        file = folder / f"model_{kit}.json"
        file.unlink(missing_ok=True)
        if kit in alike and alike[kit].model:
            write_private(file, model_text(alike[kit].model))
            found[f"model of a {kit}"] = dg.MetadataValue.path(str(file))
    return found
