"""What every model of a plan is: frozen, and with names that are safe wherever they are used.

Only the words that several files of a plan have in common; what a file says is in the modules of models.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,47}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Column = Annotated[str, Field(min_length=1)]
Sentence = Annotated[str, Field(min_length=1)]


def is_name(text: str) -> bool:
    """Whether a text can be a name: it is safe in file names, SQL identifiers and addresses as it stands."""
    return re.fullmatch(NAME_PATTERN[1:-1], text) is not None


def _not_the_programs(name: str) -> str:
    if name in ("dagster", "control"):
        raise ValueError("is where the program keeps its own state; give the database another name")
    return name


# A database on the plan's own server, `<plan>_<name>`.
OwnDatabase = Annotated[Name, AfterValidator(_not_the_programs)]


def _written_out(value: object) -> object:
    # A bare number would be taken for seconds since 1970: 20260601 is a day in August 1970.
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value) and _is_day(value):
        return value
    if type(value) is date:
        return value
    raise PydanticCustomError("not_a_day", "is not a day")


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


# A calendar day, written as 2026-01-31 and in no other way.
Day = Annotated[date, BeforeValidator(_written_out)]


class Model(BaseModel):
    """Frozen, and refuses what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")
