"""The commands `cutover freeze ...`: what each takes. What it does is in `wiring.freeze`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from migration_assets.session import Place, actor, json_option, opened, plan_option


@click.group()
def freeze() -> None:
    """Keep the old systems from being written to while the last customers move."""


@freeze.command()
@plan_option
@click.option("--system", default=None, help="Only this system of the plan.")
@click.option("--writer", default=None, help="Account the old application writes by, where rights are taken away.")
@click.option("--undo", is_flag=True, help="The script that ends the freeze.")
@click.option("--to", type=click.Path(path_type=Path, file_okay=False), default=None, help="Folder for the scripts.")
@json_option
@click.pass_obj
def script(
    place: Place, plan: str | None, system: str | None, writer: str | None, undo: bool, to: Path | None, as_json: bool
) -> None:
    """Scripts by which tables the plan reads refuse every write, for the owners of the old databases to run."""
    from migration_assets.wiring.freeze import freeze_scripts

    with opened(place.root, plan) as (workspace, _):
        found = freeze_scripts(workspace, system=system, writer=writer, undo=undo)
    written = {} if to is None else {s.system: _written(to, s.system, s.sql, undo=undo) for s in found if s.sql}
    if as_json:
        told = [vars(s) | {"file": str(written.get(s.system, ""))} for s in found]
        click.echo(json.dumps({"ok": True, "scripts": told}, indent=2))
        return
    for each in found:
        if each.told:
            click.echo(f"-- {each.system} {each.told}")
        elif each.system in written:
            click.echo(f"wrote {written[each.system]}: {len(each.tables)} tables of {each.system}")
        else:
            click.echo(f"-- {each.system}\n{each.sql}")


@freeze.command()
@plan_option
@click.option("--thorough", is_flag=True, help="Read every table whole, also where a source can tell without.")
@json_option
@click.pass_obj
def check(place: Place, plan: str | None, thorough: bool, as_json: bool) -> None:
    """Whether anything was written to the old systems since the copy that the cohorts stand on; exit code 1 if so."""
    from migration_assets.wiring.delta_views import print_freeze_check
    from migration_assets.wiring.freeze import check_freeze

    with opened(place.root, plan) as (workspace, _):
        found = check_freeze(workspace, actor(), lambda line: click.echo(line, err=True), thorough=thorough)
    if as_json:
        click.echo(json.dumps(found.to_json(workspace.plan.name), indent=2))
    else:
        print_freeze_check(place.out, found)
    sys.exit(0 if found.ok else 1)


def _written(folder: Path, system: str, sql: str, *, undo: bool) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{'thaw' if undo else 'freeze'}_{system}.sql"
    file.write_text(sql, encoding="utf-8")
    return file
