"""`cutover delta`: one tick. Heavy imports stay inside the function."""

from __future__ import annotations

import json
import sys

import click

from migration_assets.session import Place, actor, at_once_option, json_option, opened, plan_option, side_by_side
from migration_assets.terminal import err


@click.command()
@plan_option
@click.option(
    "--thorough",
    is_flag=True,
    help="Read every table whole and compare it, whatever the sources say of changes: a check of the quick look.",
)
@at_once_option
@json_option
@click.pass_obj
def delta(place: Place, plan: str | None, thorough: bool, at_once: int, as_json: bool) -> None:
    """Bring over what changed in the sources since the last golden copy, and run only what that touches."""
    from migration_assets.wiring.delta import run_tick
    from migration_assets.wiring.delta_views import print_tick

    with opened(place.root, plan) as (workspace, runner):
        with side_by_side(runner, at_once, (), err, quiet=as_json, at_need=True) as (beside, begin):
            result = run_tick(beside, actor(), thorough=thorough, report=begin)
        if as_json:
            click.echo(json.dumps(result.to_json(workspace.plan.name), indent=2))
        else:
            print_tick(place.out, result)
    sys.exit(0 if result.ok else 1)
