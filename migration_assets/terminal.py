"""What commands print to, and how an error of ours, or somebody's Ctrl-C, ends one: message, remedy and exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console

from migration_assets.domain.errors import CutoverError

# A pipe has no width of its own; 80 columns would cut tables that a terminal shows whole.
PIPE_WIDTH = 150


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    # Values are shown as they are: `:smile:` is not a picture here.
    return Console(stderr=stderr, highlight=False, emoji=False, width=None if stream.isatty() else PIPE_WIDTH)


out, err = _console(stderr=False), _console(stderr=True)


# Commands that leave a run behind, which can be taken up.
_RUNS = ("run", "demo")


def _after(command: str | None) -> str:
    """What is so after Ctrl-C, and how to go on."""
    if command in _RUNS:
        return "what was not finished has been undone. `cutover run --resume` goes on from here."
    return f"what was not finished has been undone. `cutover {command}` begins anew."


class Commands(click.Group):
    """Turns an error of ours into its message and exit code; with `--json`, into one JSON object on stdout."""

    def main(self, args: Sequence[str] | None = None, standalone_mode: bool = True, **extra: Any) -> Any:  # type: ignore[override]
        """Also where the command line itself is wrong."""
        if not standalone_mode or "--json" not in (sys.argv if args is None else args):
            return super().main(args, standalone_mode=standalone_mode, **extra)
        try:
            sys.exit(super().main(args, standalone_mode=False, **extra))
        except click.ClickException as e:
            command = getattr(getattr(e, "ctx", None), "command_path", "cutover")
            click.echo(json.dumps({"ok": False, "error": e.format_message(), "remedy": f"See `{command} --help`."}))
            sys.exit(e.exit_code)
        except click.Abort:
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            err.print(f"interrupted; {_after(ctx.invoked_subcommand)}")
            ctx.exit(130)
        except CutoverError as e:
            if "--json" in sys.argv:
                click.echo(json.dumps({"ok": False} | e.to_json(), indent=2))
            else:
                err.print(f"[bold red]error:[/] {plain(e.message)}")
                if e.remedy:
                    err.print(f"[bold]remedy:[/] {plain(e.remedy)}")
            ctx.exit(e.exit_code)
        except Exception as e:
            if not _server_went_away(e):
                raise
            err.print(
                f"[bold red]error:[/] the database server went away ({type(e).__name__}); nothing half-done is visible"
            )
            err.print("[bold]remedy:[/] run again with `cutover run --resume`: it starts the server and goes on")
            ctx.exit(1)


def _server_went_away(error: Exception) -> bool:
    """Whether a driver lost its connection; its text, which may quote rows, is for nobody."""
    driver = type(error).__module__.partition(".")[0]
    return driver in ("psycopg", "psycopg2", "sqlalchemy") and type(error).__name__ in (
        "OperationalError",
        "InterfaceError",
        "AdminShutdown",
        "CrashShutdown",
    )


def plain(text: str) -> str:
    """Text whose brackets are no markup."""
    from rich.markup import escape

    return escape(text)
