"""`cutover drill`: what it takes. What it does is in `drill`. Heavy imports stay inside the command."""

from __future__ import annotations

import json
import os
import sys

import click

from migration_assets.session import Place, json_option, progress


class _HowMany(click.ParamType):
    """A number, or `all`."""

    name = "N|all"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        if value == "all" or value is None:
            return None
        if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()):
            return int(value)
        return self.fail(f"{value!r} is neither a number nor `all`", param, ctx)


@click.command()
@click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Same seed, same company, same rows."
)
@click.option(
    "--only", multiple=True, help="Only this trap, or those that begin so, such as I4 (may be given several times)."
)
@click.option(
    "--mutants", type=_HowMany(), default="100", show_default=True, help="How many mechanical mutants, or all."
)
@click.option("--without-mutants", is_flag=True, help="Only the traps.")
@json_option
@click.pass_obj
def drill(
    place: Place, seed: int, only: tuple[str, ...], mutants: int | None, without_mutants: bool, as_json: bool
) -> None:
    """Plant every known fault, one at a time, into a clean copy of Acme, and report which check finds it."""
    from rich.console import Console

    from migration_assets.drill.report import print_drill
    from migration_assets.drill.whole import drilled
    from migration_assets.wiring.progress import Begun

    with progress(Console(stderr=True, highlight=False, emoji=False), quiet=as_json) as (begin, _):
        found = drilled(
            place.root,
            os.environ,
            seed=seed,
            only=only,
            mutants=0 if without_mutants else mutants,
            step=lambda what, at, of: begin(Begun(what, at, of)),
        )
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
    else:
        print_drill(place.out, found)
    sys.exit(0 if found.ok else 1)
