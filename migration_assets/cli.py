"""The command `cutover`. Every command prints a readable table, or JSON alone on stdout with `--json`.

Exit codes: 0 all is well, 1 findings or a refused stage, 2 bad input or configuration. Heavy imports stay inside the
commands, so that `--help` and `check` answer at once.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from migration_assets.delta_command import delta
from migration_assets.drill_commands import drill
from migration_assets.explain_commands import certificate, explain
from migration_assets.freeze_commands import freeze
from migration_assets.preview_command import preview
from migration_assets.report_commands import rejected
from migration_assets.review_commands import review
from migration_assets.rollback_command import rollback
from migration_assets.session import (
    Place,
    actor,
    at_once_option,
    json_option,
    opened,
    plan_option,
    progress,
    side_by_side,
)
from migration_assets.terminal import Commands, err, out, plain
from migration_assets.wiring.tags import ACTOR, AS_OF, DRY_RUN, NEW_SNAPSHOT

if TYPE_CHECKING:
    from migration_assets.wiring.execute import Runner
    from migration_assets.wiring.results import Summary

# Not resolved: a root whose package is a link is a root of its own.
ROOT = Path(__file__).absolute().parent.parent


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cutover")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Move customers, billing and entitlements, and prove that nobody lost access or paid a cent differently."""
    ctx.obj = Place(ROOT, out)


@main.command()
@plan_option
@click.option(
    "--without-variables",
    is_flag=True,
    help="Do not ask whether what the plan names as ${NAME} is set here, nor look into its files, as where plans are "
    "only reviewed.",
)
@json_option
def check(plan: str | None, without_variables: bool, as_json: bool) -> None:
    """Validate plan, mapping, catalog, expectations, named variables and headers of files, without touching data."""
    from migration_assets.wiring.checked import checked
    from migration_assets.wiring.environment import known_plan

    name = known_plan(ROOT, plan or "acme")
    loaded, known, rules = checked(ROOT, name, os.environ, here=not without_variables)
    summary = {
        "ok": True,
        "plan": loaded.name,
        "digest": loaded.digest,
        "source_tables": len(loaded.source_tables),
        "mapping_rows": len(loaded.mapping),
        "rules": rules,
        "source_columns": known.to_json(),
    }
    if as_json:
        click.echo(json.dumps(summary, indent=2))
        return
    out.print(
        f"[green]plan {loaded.name} holds[/]: {len(loaded.source_tables)} source tables, {len(loaded.mapping)} mapping "
        f"rows, {rules} rules. Digest {loaded.digest[:16]}."
    )
    out.print(plain(known.sentence()))


@main.command()
@plan_option
@click.option("--cohort", "cohorts", multiple=True, help="Only this cohort (may be given several times).")
@click.option(
    "--as-of",
    default=None,
    help="The instant T, ISO 8601 with an offset. Default: the one frozen already for this snapshot, unless the plan "
    "was changed since and fixes another; else the plan's, or the snapshot's.",
)
@click.option("--new-snapshot", is_flag=True, help="Take a new golden copy first.")
@click.option("--dry-run", is_flag=True, help="Compute and check everything, write nothing to the target's tables.")
@click.option(
    "--against",
    default=None,
    metavar="REV-OR-DIR",
    help="With --dry-run: what the plan does to entitlements and bills that another state of it does not, in money; "
    "a revision of the repository, or a folder.",
)
@click.option("--resume", is_flag=True, help="Only cohorts of which some stage does not stand yet.")
@at_once_option
@json_option
@click.pass_obj
def run(
    place: Place,
    plan: str | None,
    cohorts: tuple[str, ...],
    as_of: str | None,
    new_snapshot: bool,
    dry_run: bool,
    against: str | None,
    resume: bool,
    at_once: int,
    as_json: bool,
) -> None:
    """The migration: global phase, then cohorts."""
    from migration_assets.wiring import views

    if against is not None:
        if not dry_run or new_snapshot or as_of or resume:
            raise click.UsageError(
                "--against goes with --dry-run, and with no other option but --plan, --cohort and --json."
            )
        preview(place, plan, against, cohorts, as_json=as_json)
    tags = run_tags(as_of, new_snapshot, dry_run)
    with opened(ROOT, plan) as (workspace, runner):
        summary = _migrate(runner, cohorts, tags, resume, at_once, quiet=as_json)
        ending = views.ending_of(workspace, runner.instance, summary)
        if as_json:
            click.echo(json.dumps(summary.to_json(workspace.plan.name) | ending, indent=2))
        else:
            views.print_summary(out, summary)
            views.print_kpis(out, ending["kpis"])
            views.print_back_test(out, ending["back_test"])
            views.print_failed_hint(out, ending["kpis"]["overall"], stopped=not summary.ok)
            views.print_silent(out, ending["controls_silent"])
    sys.exit(summary.exit_code or (0 if ending["ok"] else 1))


def run_tags(as_of: str | None, new_snapshot: bool, dry_run: bool) -> dict[str, str]:
    """What the run's tags tell the stages."""
    from datetime import UTC, datetime

    from migration_assets.domain.errors import BadInput

    tags = {}
    if as_of is not None:
        try:
            instant = datetime.fromisoformat(as_of)
        except ValueError:
            instant = None
        if instant is None or instant.tzinfo is None:
            raise BadInput("--as-of is not an instant with an offset", "Write it like 2026-06-30T12:00:00+00:00.")
        try:
            instant.astimezone(UTC)
        except OverflowError:
            raise BadInput(
                "--as-of lies outside the years 1 to 9999 in UTC", "Write it like 2026-06-30T12:00:00+00:00."
            ) from None
        tags[AS_OF] = instant.isoformat()
    if new_snapshot:
        tags[NEW_SNAPSHOT] = "true"
    if dry_run:
        tags[DRY_RUN] = "true"
    return tags


@main.command()
@plan_option
@click.option("--cohort", "cohorts", multiple=True, help="Only this cohort (may be given several times).")
@click.option(
    "--repair",
    is_flag=True,
    help="Load the rows that differ once more, by the ordinary load, and compare again. What others made of money, and "
    "rows that nobody migrated, stay.",
)
@at_once_option
@json_option
def reconcile(plan: str | None, cohorts: tuple[str, ...], repair: bool, at_once: int, as_json: bool) -> None:
    """Compare source and target again, now."""
    from migration_assets.wiring.repair import repaired
    from migration_assets.wiring.views import print_reconciliation, reconciliation_of

    with opened(ROOT, plan) as (workspace, runner):
        with side_by_side(runner, at_once, cohorts, err, quiet=as_json) as (beside, begin):
            results = beside.reconcile(cohorts, begin)
            report = repaired(beside, results, {ACTOR: actor()}, begin) if repair else None
        report = reconciliation_of(workspace, results) if report is None else report
        if as_json:
            click.echo(json.dumps(report, indent=2))
        else:
            print_reconciliation(out, report)
    sys.exit(0 if report["ok"] else 1)


@main.command()
@plan_option
@json_option
def status(plan: str | None, as_json: bool) -> None:
    """Cohorts and where each of them stands."""
    from migration_assets.wiring.status import status_of
    from migration_assets.wiring.status_views import print_status

    with opened(ROOT, plan) as (workspace, runner):
        found = status_of(workspace, runner.instance)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        print_status(out, found)
    sys.exit(0 if found["ok"] else 1)


@main.command()
@click.option("--customers", type=click.IntRange(min=20), default=2000, show_default=True, help="How many customers.")
@click.option("--seed", type=int, default=7, show_default=True, help="Same seed, same rows.")
@click.option("--clean", is_flag=True, help="No planted defects.")
@click.option("--replace", is_flag=True, help="On a server of your own: replace the databases of an earlier demo.")
@at_once_option
def demo(customers: int, seed: int, clean: bool, replace: bool, at_once: int) -> None:
    """Set up the embedded database, make up Acme's legacy systems, migrate every cohort, reconcile."""
    from migration_assets.wiring import views
    from migration_assets.wiring.demo import make_legacy_systems, refuse_to_replace
    from migration_assets.wiring.progress import Begun

    with opened(ROOT, "acme") as (workspace, runner):
        if not replace:
            refuse_to_replace(workspace)
        with progress(err, quiet=False) as (begin, _):
            make_legacy_systems(
                workspace, customers=customers, seed=seed, messy=not clean, report=lambda m: begin(Begun(m))
            )
        summary = _migrate(runner, (), {NEW_SNAPSHOT: "true"}, False, at_once, quiet=False)
        views.print_summary(out, summary)
        ok = summary.ok
        if summary.cohorts:
            ending = views.ending_of(workspace, runner.instance, summary)
            views.print_kpis(out, ending["kpis"])
            views.print_back_test(out, ending["back_test"])
            views.print_failed_hint(out, ending["kpis"]["overall"], stopped=not summary.ok)
            report = views.reconciliation_of(workspace, summary.cohorts)
            views.print_reconciliation(out, report)
            ok = ok and report["ok"]
        views.print_next_steps(out, workspace)
    sys.exit(0 if ok else 1)


@main.command()
@plan_option
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Folder to write to. Default: the plan's reports.",
)
@click.option("--reference", is_flag=True, help="Instead: what any plan may say, as docs/ of the project has it.")
def document(plan: str | None, folder: Path | None, reference: bool) -> None:
    """Mapping specification, field comparison and data dictionary as markdown, from the files the code runs on."""
    from migration_assets.plan.reference import reference_pages
    from migration_assets.wiring.documents import documents
    from migration_assets.wiring.environment import known_plan, reports_folder
    from migration_assets.wiring.source_columns import load_against_source

    if reference:
        _write_pages(folder or ROOT / "docs", reference_pages())
        return
    name = known_plan(ROOT, plan or "acme")
    loaded, known = load_against_source(ROOT, name, os.environ)
    pages = {f"{name}-{page}": text for page, text in documents(loaded, known).items()}
    _write_pages(folder or reports_folder(ROOT, name, os.environ), pages)
    if known.unknown:
        err.print(plain(f"{len(known.unknown)} tables have no known columns yet: {known.remedy}."))


def _write_pages(folder: Path, pages: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        path = folder / f"{name}.md"
        path.write_text(text, encoding="utf-8")
        out.print(plain(f"wrote {path}"))


@main.command()
@plan_option
@click.option("--port", type=click.IntRange(1024, 65535), default=3000, show_default=True, help="Where to listen.")
@click.option("--read-only", is_flag=True, help="For auditors: lineage and history, no changes.")
def ui(plan: str | None, port: int, read_only: bool) -> None:
    """Dagster's webserver and daemon on 127.0.0.1, until interrupted."""
    from migration_assets.wiring.processes import serve

    with opened(ROOT, plan, load=False):
        sys.exit(serve(ROOT, port=port, read_only=read_only, say=err.print))


@main.command()
def stop() -> None:
    """Stop the embedded PostgreSQL server; the next command starts it again."""
    from migration_assets.wiring.environment import embedded_server

    server = embedded_server(ROOT, dict(os.environ))
    if server is None:
        out.print("The server is your own (CUTOVER_DATABASE_URL): Cutover leaves it alone.")
        return
    server.stop()
    out.print("The embedded server is stopped.")


@main.command()
@plan_option
@click.argument("name")
@click.argument("query")
@click.option("--write", is_flag=True, help="Allow changes (default: read-only). Either way it is logged.")
@json_option
def sql(plan: str | None, name: str, query: str, write: bool, as_json: bool) -> None:
    """Run SQL against a database the plan names: legacy_crm, legacy_erp, target, control."""
    from migration_assets.wiring.sql import run_sql
    from migration_assets.wiring.views import print_rows

    with opened(ROOT, plan) as (workspace, _):
        result = run_sql(workspace, name, query, write=write, actor=actor())
    if as_json:
        click.echo(json.dumps(result, indent=2, default=str))
    else:
        print_rows(out, result)


main.add_command(delta)
main.add_command(review)
main.add_command(rejected)
main.add_command(explain)
main.add_command(certificate)
main.add_command(drill)
main.add_command(rollback)
main.add_command(freeze)


def _migrate(
    runner: Runner, cohorts: tuple[str, ...], tags: dict[str, str], resume: bool, at_once: int, *, quiet: bool
) -> Summary:
    with side_by_side(runner, at_once, cohorts, err, quiet=quiet) as (beside, begin):
        return beside.migrate(cohorts=cohorts, tags={**tags, ACTOR: actor()}, resume=resume, report=begin)


if __name__ == "__main__":
    main()
