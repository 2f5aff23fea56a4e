"""What every model of a plan is: frozen, and with names that are safe wherever they are used.

Only the words that several files of a plan have in common; what a file says is in the modules of models.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,47}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Column = Annotated[str, Field(min_length=1)]
Sentence = Annotated[str, Field(min_length=1)]


def is_name(text: str) -> bool:
    """Whether a text can be a name: it is safe in file names, SQL identifiers and addresses as it stands."""
    return re.fullmatch(NAME_PATTERN[1:-1], text) is not None


def _in_words(text: str) -> str:
    if len(text) < 8 or not re.search(r"[^\W\d_]{2}", text):
        raise PydanticCustomError("no_reason", "is no reason")
    return text


# Why somebody decided so: words, and no mere mark.
Why = Annotated[str, AfterValidator(_in_words)]


def _not_the_programs(name: str) -> str:
    if name in ("dagster", "control"):
        raise ValueError("is where the program keeps its own state; give the database another name")
    return name


# A database on the plan's own server, `<plan>_<name>`.
OwnDatabase = Annotated[Name, AfterValidator(_not_the_programs)]


def _a_day(value: object) -> object:
    # A bare number, and digits in quotes, would be taken for seconds since 1970.
    if isinstance(value, date) or (isinstance(value, str) and _is_day(value)):
        return value
    raise ValueError("must be a day such as 2026-01-31")


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) is not None


def _an_instant(value: object) -> object:
    # 20260101 would be a day in August 1970.
    if isinstance(value, datetime) or (isinstance(value, str) and re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value)):
        return value
    raise ValueError("must be an instant with its offset, such as 2026-01-01T00:00:00Z")


def _a_number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


def _true_or_false(cell: object) -> object:
    if isinstance(cell, bool):
        return cell
    if cell not in ("true", "false"):
        raise ValueError("must be true or false")
    return cell == "true"


Day = Annotated[date, BeforeValidator(_a_day)]
Instant = Annotated[AwareDatetime, BeforeValidator(_an_instant)]
# A number with decimals, which YAML gives as text.
Number = Annotated[float, BeforeValidator(_a_number)]
# A cell of a CSV that says yes or no; in YAML that is StrictBool.
CellFlag = Annotated[bool, BeforeValidator(_true_or_false)]


class Model(BaseModel):
    """Frozen, and refuses what it does not know. Nothing is taken for what it is not: whole numbers and true or false
    are StrictInt and StrictBool, since pydantic would make 1 of true and true of "yes"."""

    model_config = ConfigDict(frozen=True, extra="forbid")
