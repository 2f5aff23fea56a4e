"""A plan's YAML as plain data with line numbers: no tags, no aliases, no duplicate keys, no guessing of types.

Plain scalars are null, true, false, whole numbers, or text; everything else is the text as written. So the country
code NO stays NO, 00123 stays 00123, and 0.1 is exact text and never a float.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from migration_assets.plan.plan_text import refuse
from migration_assets.plan.wording import shown

MAX_DEPTH = 20
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}


@dataclass(frozen=True)
class YamlData:
    """`data` as plain dicts, lists and scalars; `lines` maps the dotted path of each entry to its 1-based line."""

    data: Any
    lines: dict[str, int]


def read_yaml(name: str, text: str) -> YamlData:
    """The one document of a YAML text. Raises PlanFileError with the line where it breaks a rule."""
    try:
        _refuse_tricks(name, text)
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as e:
        row = e.problem_mark.line + 1 if e.problem_mark else 0
        raise refuse(name, row, "", f"is not YAML: {e.problem}", "mend the line, or the one before it") from None
    except yaml.YAMLError:
        raise refuse(name, 0, "", "is not YAML", "write it as YAML") from None
    if not isinstance(node, yaml.MappingNode):
        raise refuse(name, 1, "", "does not begin with `name: value` entries", "write its entries at the left margin")
    lines: dict[str, int] = {}
    return YamlData(_plain(name, node, "", lines), lines)


def _refuse_tricks(name: str, text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.BaseLoader):
        row = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise refuse(name, row, "", "uses an anchor or alias", "write the value out where it is used")
        if getattr(event, "tag", None):
            raise refuse(name, row, "", "uses a YAML tag", "remove it; quotes make a value text")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise refuse(name, row, "", f"is nested deeper than {MAX_DEPTH} levels", "flatten it")


def _plain(name: str, node: yaml.Node, path: str, lines: dict[str, int]) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(name, node, path, lines)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(name, item, _below(path, i), lines) for i, item in enumerate(node.value)]
    return _scalar(node.value, plain=node.style is None) if isinstance(node, yaml.ScalarNode) else None


def _mapping(name: str, node: yaml.MappingNode, path: str, lines: dict[str, int]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for key, value in node.value:
        row = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise refuse(name, row, path, "has a key that is not plain text", "use a name as the key")
        if key.value in entries:
            raise refuse(name, row, path, f"{shown(key.value)} stands here twice", "keep one of them")
        below = _below(path, key.value)
        lines[below] = row
        entries[key.value] = _plain(name, value, below, lines)
    return entries


def _scalar(text: str, *, plain: bool) -> Any:
    if plain and text in _WORDS:
        return _WORDS[text]
    return int(text) if plain and _WHOLE.fullmatch(text) else text


def _below(path: str, step: str | int) -> str:
    return f"{path}.{step}" if path else str(step)
