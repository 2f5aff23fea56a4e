"""The README names every command and option, and the reference in docs/ says what the program itself reads."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from migration_assets.cli import main
from migration_assets.engine.rules import REGISTRY
from migration_assets.plan.reference import reference_pages
from migration_assets.quality.rules import RULE_TYPES

REPOSITORY = Path(__file__).resolve().parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `cutover (?P<command>\w+)(?P<rest>[^`]*)` \| (?P<does>.+) \|$", re.MULTILINE)


def test_every_command_is_in_the_readme_and_no_other() -> None:
    assert {row["command"] for row in ROW.finditer(README)} == set(main.commands)


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_option_of_a_command_is_in_its_row(name: str) -> None:
    (row,) = [r for r in ROW.finditer(README) if r["command"] == name]
    options = {o for c in _all_of(main.commands[name]) for p in c.params if isinstance(p, click.Option) for o in p.opts}
    everywhere = {"--plan", "--json"}
    assert options - everywhere == set(re.findall(r"--[a-z-]+", row["rest"])) - everywhere


def _all_of(command: click.Command) -> list[click.Command]:
    """The command, and those below it."""
    return [command, *(command.commands.values() if isinstance(command, click.Group) else ())]


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_says_what_it_does(name: str) -> None:
    for command in _all_of(main.commands[name]):
        options = [p for p in command.params if isinstance(p, click.Option)]
        assert command.help and all(p.help for p in options if p.name != "as_json")


@pytest.mark.parametrize("name", sorted(reference_pages()))
def test_the_reference_is_up_to_date(name: str) -> None:
    written = (REPOSITORY / "docs" / f"{name}.md").read_text(encoding="utf-8")
    assert written == reference_pages()[name], "run `.venv/bin/cutover document --reference --to docs`"


def test_the_reference_has_every_rule_and_every_kind_of_check() -> None:
    pages = reference_pages()
    assert [n for n in REGISTRY if f"\n## {n}\n" not in pages["rules"]] == []
    assert [n for n in RULE_TYPES if f"\n## {n}\n" not in pages["checks"]] == []


def test_pages_that_remedies_name_are_there() -> None:
    package = REPOSITORY / "migration_assets"
    named = {n for p in package.rglob("*.py") for n in re.findall(r"docs/\w+\.md", p.read_text(encoding="utf-8"))}
    assert {"docs/plan.md", "docs/rules.md", "docs/checks.md"} <= named
    assert [n for n in sorted(named) if not (REPOSITORY / n).exists()] == []
