"""How a fault speaks: pydantic's errors as plain sentences, and values shown short and harmless.

What is wrong is said without the machinery behind it; values of long or secret fields are never repeated in full.
"""

from __future__ import annotations

import difflib
import re
import types
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from migration_assets.engine.enrichers.arguments import NoArguments
from migration_assets.engine.rules.arguments import Arguments

SHOWN = 60

Path = tuple[str | int, ...]

# Control and format characters (ANSI escapes, direction marks), separators that break lines, lone surrogates.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def shown(value: object) -> str:
    """A value for a message: one line, invisible characters escaped, cut at 60 characters, in quotes."""
    text = str(value)
    cut = text[:SHOWN] + ("…" if len(text) > SHOWN else "")
    return f"'{escaped(cut)}'"


def escaped(text: str) -> str:
    """The text with every invisible or reordering character written out."""
    return "".join(map(_escaped, text))


def _escaped(char: str) -> str:
    if unicodedata.category(char) not in _HIDDEN:
        return char
    return f"\\x{ord(char):02x}" if ord(char) < 0x100 else f"\\u{ord(char):04x}"


def nearest(name: str, known: Iterable[str], else_say: str) -> str:
    """A remedy for an unknown name: the nearest known one, or what to say when none is near."""
    close = likely_meant(name, known)
    return f"did you mean {shown(close)}?" if close is not None else else_say


def likely_meant(name: str, known: Iterable[str]) -> str | None:
    """The known name that an unknown one is a slip of, if there is one near."""
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.7)
    return close[0] if close else None


def listing(names: Iterable[str], most: int = 12) -> str:
    """Names in a sentence, in order, the rest counted."""
    ordered = sorted(set(names))
    text = ", ".join(ordered[:most])
    return f"{text} and {len(ordered) - most} more" if len(ordered) > most else text


def problems(error: ValidationError, data: object, model: type[BaseModel]) -> Iterator[tuple[Path, str, str]]:
    """Each thing a model refused, once, as (path into the data, problem, remedy)."""
    told: set[Path] = set()
    for detail in error.errors(include_url=False, include_context=True, include_input=True):
        path = _path(detail["loc"], data)
        if path in told:  # a union refuses once for each of its members
            continue
        told.add(path)
        yield path, *_sentence(detail, path, model)


def _leads_on(data: Any, step: str | int) -> bool:
    if isinstance(data, Mapping):
        return step in data
    return isinstance(data, list | tuple) and isinstance(step, int) and step < len(data)


def _path(loc: Sequence[str | int], data: Any) -> Path:
    """The part of pydantic's location that leads through the data; names of union members do not."""
    steps: list[str | int] = []
    for index, step in enumerate(loc):
        if step == "[key]":
            continue
        if _leads_on(data, step):
            data = data[step]
        elif index == len(loc) - 1 and isinstance(data, Mapping):
            data = None  # a missing key: it belongs to the path although it is not there
        else:
            continue
        steps.append(step)
    return tuple(steps)


def _sentence(detail: ErrorDetails, path: Path, model: type[BaseModel]) -> tuple[str, str]:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        known = _known_keys(model, path[:-1])
        remedy = f"remove it; known are {listing(known)}" if known else "remove it"
        return f"{shown(path[-1])} is not known here", nearest(str(path[-1]), known, remedy)
    if kind in _FIXED:
        return _FIXED[kind]
    if kind in _COUNTED:
        return _COUNTED[kind].format(**context), "change the value"
    if kind in ("literal_error", "enum"):
        return _not_among(detail["input"], str(context["expected"]))
    if kind == "string_pattern_mismatch":
        return _pattern(str(context["pattern"]), detail["input"])
    if kind == "value_error":
        return str(context["error"]), f"see {_page(model)} for what belongs here"
    return detail["msg"].replace("Input should be", "must be"), "correct the value"


def _not_among(value: object, expected: str) -> tuple[str, str]:
    """`expected`: what is allowed as pydantic writes it, such as `'a', 'b' or 'c'`."""
    allowed = re.findall(r"'([^']*)'", expected)
    return f"{shown(value)} is not allowed", nearest(
        str(value), allowed, f"write one of {expected.replace(' or ', ', ')}"
    )


def _page(model: type[BaseModel]) -> str:
    """Where a model's keys are explained (`plan.reference` makes the pages)."""
    if issubclass(model, NoArguments):
        return "docs/enrichers.md"
    return "docs/rules.md" if issubclass(model, Arguments) else "docs/plan.md"


_FIXED = {
    "missing": ("is missing", "add it"),
    "string_type": ("must be text", "put the value in quotes"),
    "int_type": ("must be a whole number", "write digits only"),
    "int_parsing": ("must be a whole number", "write digits only"),
    "int_from_float": ("must be a whole number", "write digits only"),
    "bool_type": ("must be true or false", "write true or false"),
    "bool_parsing": ("must be true or false", "write true or false"),
    "uuid_type": ("must be a UUID", "make one with `python -c 'import uuid; print(uuid.uuid4())'` and keep it"),
    "uuid_parsing": ("must be a UUID", "make one with `python -c 'import uuid; print(uuid.uuid4())'` and keep it"),
    "timezone_aware": ("has no offset from UTC", "write an instant such as 2026-01-01T00:00:00Z"),
    "datetime_parsing": ("is not an instant", "write an instant such as 2026-01-01T00:00:00Z"),
    "datetime_from_date_parsing": ("is not an instant", "write an instant such as 2026-01-01T00:00:00Z"),
    "datetime_type": ("is not an instant", "write an instant such as 2026-01-01T00:00:00Z"),
    "dict_type": ("must be a block of `name: value` entries", "indent the entries below it"),
    "model_type": ("must be a block of `name: value` entries", "indent the entries below it"),
    "model_attributes_type": ("must be a block of `name: value` entries", "indent the entries below it"),
    "tuple_type": ("must be a list", "write it as [a, b]"),
    "list_type": ("must be a list", "write it as [a, b]"),
    "no_reason": ("is no reason", "write the reason in words, at least 8 characters: who comes after you will ask why"),
    "string_unicode": ("holds text that is not valid Unicode", "write it as UTF-8"),
}
_COUNTED = {
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "needs at least {min_length}",
    "too_long": "may have at most {max_length}",
    "string_too_short": "must have at least {min_length} character(s)",
    "string_too_long": "may have at most {max_length} character(s)",
}


def _pattern(pattern: str, value: object) -> tuple[str, str]:
    if pattern.startswith("^[a-z]"):
        return f"{shown(value)} is not a name", "use a to z, 0 to 9 and _, a letter first, at most 48 characters"
    return f"{shown(value)} has not the form that is wanted", "write a plain number such as 12.50, in quotes"


def _known_keys(model: type[BaseModel], path: Path) -> tuple[str, ...]:
    """The keys a model allows at a path; empty where the annotation does not say."""
    annotation: Any = model
    for step in path:
        annotation = _inner(annotation, step)
    annotation = _models_in(annotation)
    return tuple(annotation.model_fields) if annotation else ()


def _inner(annotation: Any, step: str | int) -> Any:
    model = _models_in(annotation)
    if model is not None:
        field = model.model_fields.get(str(step))
        return field.annotation if field else None
    bare = _without_none(annotation)
    arguments = get_args(bare)
    if get_origin(bare) is dict:
        return arguments[1]
    return arguments[0] if arguments else None


def _models_in(annotation: Any) -> type[BaseModel] | None:
    bare = _without_none(annotation)
    return bare if isinstance(bare, type) and issubclass(bare, BaseModel) else None


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) is Annotated:
        return _without_none(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return next((a for a in get_args(annotation) if a is not type(None)), None)
    return annotation
