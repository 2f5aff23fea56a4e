"""The command line itself: what is wrong with it is said in the form that was asked for."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from migration_assets.cli import main, run_tags
from migration_assets.domain.errors import BadInput


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--json", "--at-once", "0"], "0 is not in the range"),
        (["run", "--json", "--nope"], "No such option"),
        (["reconcile", "extra", "--json"], "unexpected extra argument"),
        (["nothing", "--json"], "No such command"),
        (["review", "unmerge", "crm.a:1", "--json"], "--reason"),
    ],
)
def test_a_wrong_command_line_is_json_where_json_was_asked_for(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    answer = json.loads(done.stdout)
    assert answer["ok"] is False and said in answer["error"] and "--help" in answer["remedy"]


def test_without_json_it_is_text() -> None:
    done = CliRunner().invoke(main, ["run", "--nope"])
    assert done.exit_code == 2 and done.stdout == "" and "No such option" in done.stderr


def test_help_is_help_all_the_same() -> None:
    done = CliRunner().invoke(main, ["run", "--json", "--help"])
    assert done.exit_code == 0 and "Take a new golden copy first" in done.stdout


@pytest.mark.parametrize("instant", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"])
def test_an_instant_that_utc_does_not_have_is_refused(instant: str) -> None:
    with pytest.raises(BadInput, match="outside the years"):
        run_tags(instant, new_snapshot=False, dry_run=False)
