"""The commands `cutover explain` and `cutover certificate ...`: what each takes. What they do is in `wiring`.

Both are about single persons: they answer on the terminal or in files, and nothing of it is metadata. Heavy imports
stay inside the commands.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from migration_assets.session import Place, actor, json_option, opened, plan_option


def _loaded_option(command: Callable[..., Any]) -> Callable[..., Any]:
    says = "Tell the target's side from the rows that it holds now, not from those that would be loaded."
    return click.option("--loaded", is_flag=True, help=says)(command)


@click.command()
@plan_option
@click.argument("customer")
@_loaded_option
@click.option(
    "--to",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="Write a page to this HTML file instead; only you can read it.",
)
@json_option
@click.pass_obj
def explain(place: Place, plan: str | None, customer: str, loaded: bool, file: Path | None, as_json: bool) -> None:
    """One customer, before and after: who they are made of, the next bills and what may be done on both sides, why they
    differ and who signed, what the target holds; that you looked is logged. CUSTOMER is the key of any of its rows
    (`crm.accounts:12`), a row as the UI shows it (`crm.accounts#206`), or its id in the target."""
    from migration_assets.wiring.explain import explained
    from migration_assets.wiring.explain_views import print_explained

    with opened(place.root, plan) as (workspace, _):
        found = explained(workspace, customer, actor(), loaded=loaded)
    if file is not None:
        from migration_assets.connectors.private_files import write_private
        from migration_assets.wiring.explain_page import explained_page

        write_private(file, explained_page(found))
        found = {**found, "file": str(file)}
    if as_json:
        click.echo(json.dumps({"ok": True} | found, indent=2))
    elif file is None:
        print_explained(place.out, found)
    else:
        place.out.print(f"wrote {file}: it holds personal data, and only you can read it", markup=False)


@click.group()
def certificate() -> None:
    """Certificates of a cohort's next bills, one for each customer: every cent of difference with its cause and who
    signed for it."""


@certificate.command("build")
@plan_option
@click.option("--cohort", required=True, help="Whose.")
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="A new folder to write them to; only you can read it.",
)
@_loaded_option
@json_option
@click.pass_obj
def certificate_build(place: Place, plan: str | None, cohort: str, folder: Path, loaded: bool, as_json: bool) -> None:
    """Write a page and its data for each customer, and summary.csv with a digest of each."""
    from migration_assets.wiring.certificates import build
    from migration_assets.wiring.explain_views import print_built

    with opened(place.root, plan) as (workspace, _):
        made = build(workspace, cohort, folder, actor(), loaded=loaded)
    if as_json:
        click.echo(json.dumps({"ok": True} | made, indent=2))
    else:
        print_built(place.out, made)


@certificate.command("verify")
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
@click.pass_obj
def certificate_verify(place: Place, folder: Path, as_json: bool) -> None:
    """Whether certificates are as they were built; needs no database. Exits 1 with what was changed."""
    from migration_assets.wiring.certificates import verify
    from migration_assets.wiring.explain_views import print_verified

    found = verify(folder)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        print_verified(place.out, found)
    sys.exit(0 if found["ok"] else 1)
