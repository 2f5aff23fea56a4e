"""Every error that a value can end in is explained, and the reference says which rule gives it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import migration_assets
from migration_assets.domain.canonical.model import FieldType
from migration_assets.engine.rules import REGISTRY
from migration_assets.engine.rules.errors import ERRORS, OF_RULE, OF_TYPE, REMARKS

PACKAGE = Path(migration_assets.__path__[0])
# What domain.money refuses and no text that a rule can read as a number ever is.
UNREACHABLE = {"not_finite"}
GIVEN = (
    r'error="(\w+)"',
    r'ifelse\("(\w+)", ibis.null',
    r'(?:return|else) "(\w+)"',
    r'(?:MoneyError|CalendarError)\("(\w+)"',
    r', "(\w+)"\)',
)
IN_CODE = ("engine/fitting.py", "engine/rules/*.py", "domain/money.py", "domain/calendar.py")


def in_code() -> Iterator[str]:
    """Everything in the code that looks as if it gave an error of a known shape."""
    for pattern in IN_CODE:
        for path in PACKAGE.glob(pattern):
            if path.name not in ("registry.py", "arguments.py", "errors.py"):
                text = path.read_text(encoding="utf-8")
                yield from (found for given in GIVEN for found in re.findall(given, text) if "_" in found)


def test_every_error_of_the_code_is_explained_and_no_other() -> None:
    code = set(in_code()) - UNREACHABLE
    assert set(ERRORS) - code == set()
    named = r"^(not|no|unknown|local|out|unit|currency|incomplete|finer|has|blank|phone|state)_"
    assert {c for c in code - set(ERRORS) if re.match(named, c)} == set()


def test_every_error_belongs_to_a_rule_or_a_type() -> None:
    told = [*OF_RULE.values(), *OF_TYPE.values()]
    assert {error for errors in told for error in errors} == set(ERRORS)
    assert set(OF_RULE) <= set(REGISTRY) and set(OF_TYPE) <= set(get_args(FieldType))


def test_every_remark_is_explained_and_no_other() -> None:
    modules = (PACKAGE / "engine" / "rules").glob("*.py")
    told = {r for path in modules for r in re.findall(r'Remark\("(\w+)"', path.read_text(encoding="utf-8"))}
    assert told == set(REMARKS)
