"""The README names what there is: every command and every option of it that a user can type."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from migration_assets.cli import main

README = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `cutover (?P<command>\w+)(?P<rest>[^`]*)` \| (?P<does>.+) \|$", re.MULTILINE)


def test_every_command_is_in_the_readme_and_no_other() -> None:
    assert {row["command"] for row in ROW.finditer(README)} == set(main.commands)


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_option_of_a_command_is_in_its_row(name: str) -> None:
    (row,) = [r for r in ROW.finditer(README) if r["command"] == name]
    options = {o for p in main.commands[name].params if isinstance(p, click.Option) for o in p.opts}
    everywhere = {"--plan", "--json"}
    assert options - everywhere == set(re.findall(r"--[a-z-]+", row["rest"])) - everywhere


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_says_what_it_does(name: str) -> None:
    command = main.commands[name]
    assert command.help and all(p.help for p in command.params if isinstance(p, click.Option) and p.name != "as_json")
