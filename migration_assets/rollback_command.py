"""The command `cutover rollback`: what it takes. What it does is in `wiring.rollback`. Heavy imports stay inside."""

from __future__ import annotations

import json

import click

from migration_assets.session import Place, actor, json_option, opened, plan_option


@click.command()
@plan_option
@click.option(
    "--cohort", "cohorts", multiple=True, required=True, help="Which; several are taken back together, all or none."
)
@click.option(
    "--rehearse",
    is_flag=True,
    help="Do it in copies of the target's schemas, which are dropped, and keep in the audit log how long it took.",
)
@click.option("--dry-run", is_flag=True, help="Do it and prove it in the target itself, then leave all as it is.")
@json_option
@click.pass_obj
def rollback(
    place: Place, plan: str | None, cohorts: tuple[str, ...], rehearse: bool, dry_run: bool, as_json: bool
) -> None:
    """Take a cohort back out of the target: rows that its loads inserted go, rows that they changed or removed come
    back as they were, and it is proven before it counts. Refused where other cohorts stand on it, or somebody else
    changed rows since (unless plan.yaml says to keep these)."""
    from migration_assets.wiring.rollback import take_back, try_out
    from migration_assets.wiring.rollback_views import print_rollback

    if rehearse and dry_run:
        raise click.UsageError("--rehearse and --dry-run are two ways to try it: give one of them.")
    with opened(place.root, plan) as (workspace, runner):
        if rehearse:
            found = try_out(workspace, cohorts, actor())
        else:
            found = take_back(workspace, runner.instance, cohorts, actor(), dry_run=dry_run)
    if as_json:
        click.echo(json.dumps({"ok": True} | found, indent=2))
    else:
        print_rollback(place.out, found)
