"""`cutover run --dry-run --against`: what it takes. What it does is in `preview`. Heavy imports stay inside."""

from __future__ import annotations

import json
import sys

import click

from migration_assets.session import Place, opened, progress
from migration_assets.terminal import err


def preview(place: Place, plan: str | None, against: str, cohorts: tuple[str, ...], *, as_json: bool) -> None:
    """Hold the plan against another state of it and say what it would do; exits 1 when a check would stop it."""
    from migration_assets.preview.report import print_preview
    from migration_assets.preview.whole import previewed
    from migration_assets.wiring.progress import Begun

    try:
        with opened(place.root, plan) as (workspace, _), progress(err, quiet=as_json) as (begin, _hear):
            found = previewed(workspace, against, cohorts, lambda what, at, of: begin(Begun(what, at, of)))
            exponents = workspace.plan.file.currency_exponents
    except KeyboardInterrupt:
        # No run: there is nothing that `--resume` could take up.
        err.print("interrupted; a preview leaves nothing behind. The same command begins anew.")
        sys.exit(130)
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
    else:
        print_preview(place.out, found, exponents)
    sys.exit(0 if found.ok else 1)
