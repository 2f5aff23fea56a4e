"""Commands that tell what the last run left behind: what each takes. What they tell is in `wiring`.

Heavy imports stay inside the commands.
"""

from __future__ import annotations

import json

import click

from migration_assets.session import Place, json_option, limit_option, opened, plan_option


@click.command()
@plan_option
@click.option("--cohort", default=None, help="Only this cohort.")
@click.option("--reason", default=None, help="Only rows left out for this reason, such as `orphan`.")
@click.option("--rows", is_flag=True, help="Also the rows themselves, by their key in the source.")
@limit_option("rows")
@json_option
@click.pass_obj
def rejected(
    place: Place, plan: str | None, cohort: str | None, reason: str | None, rows: bool, limit: int, as_json: bool
) -> None:
    """Which source rows were rejected, or excluded by a rule of the plan: by table and reason, and what helps."""
    from migration_assets.wiring.rejected import rejected_of
    from migration_assets.wiring.rejected_views import print_rejected

    with opened(place.root, plan) as (workspace, _):
        found = rejected_of(workspace, cohort=cohort, reason=reason, rows=rows, limit=limit)
    if as_json:
        click.echo(json.dumps({"ok": True} | found, indent=2))
    else:
        print_rejected(place.out, found)
