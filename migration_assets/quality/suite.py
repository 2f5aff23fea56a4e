"""A suite of checks, and reading one from YAML: safe, with every fault at once, each with its line and a remedy.

Evaluating it is `quality.run`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError, model_validator

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.errors import Fault, PlanFaults
from migration_assets.quality.rule import CheckName, Rule, RuleModel
from migration_assets.quality.rule_type import Table

# A suite is written by people; anything near this is not one.
_LARGEST_FILE = 1_000_000


class Again(RuleModel):
    """Checks of another suite of the same folder that are asked of this asset too: the same words, of its tables."""

    suite: CheckName
    checks: Annotated[tuple[CheckName, ...], Field(min_length=1)]


class Suite(RuleModel):
    """The checks of one asset, at least one. Check names are unique within it.

    `may_be_empty` are tables whose emptiness says nothing bad (lists of notes or differences). What is asked `again`
    stands before the suite's own `rules`.
    """

    asset: CheckName
    rules: tuple[Rule, ...] = ()
    may_be_empty: tuple[Table, ...] = ()
    again: Again | None = None

    @model_validator(mode="after")
    def _has_rules_of_different_names(self) -> Suite:
        if not self.rules and self.again is None:
            raise ValueError("there is no rule")
        names = [r.check for r in self.rules]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ValueError(f"check names are used twice: {', '.join(twice)}")
        return self

    def for_entities(self, names: Collection[str]) -> Suite:
        """The same suite without rules that read a canonical entity not in `names`; other tables stay.

        Name every entity whose rows the stage passes to `run_suite`, reference entities included.
        """
        absent = set(ENTITIES) - set(names)
        kept = tuple(r for r in self.rules if not absent & set(r.reads()))
        return self.model_copy(update={"rules": kept})

    def for_currencies(self, exponents: Mapping[str, int]) -> Suite:
        """The same suite under a plan that has these currencies of its own: what looks at currencies knows them."""
        if not exponents:
            return self
        return self.model_copy(update={"rules": tuple(r.for_currencies(exponents) for r in self.rules)})

    def joined(self, other: Suite) -> Suite:
        """The rules of both, ours first; ValueError when a check name stands in both."""
        return Suite(
            asset=self.asset,
            rules=(*self.rules, *other.rules),
            may_be_empty=tuple(dict.fromkeys((*self.may_be_empty, *other.may_be_empty))),
        )

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what is judged: two suites of one digest differ in nothing but their explanations."""
        rules = sorted(r.model_dump_json(exclude={"why"}, exclude_defaults=True) for r in self.rules)
        return hashlib.sha256("\n".join([*sorted(self.may_be_empty), *rules]).encode()).hexdigest()

    @property
    def tables(self) -> frozenset[str]:
        """Every table the rules read: what `run_suite` has to be given."""
        return frozenset(table for rule in self.rules for table in rule.reads())


def load_suite(path: Path) -> Suite:
    """The suite in a YAML file, with the rules that it asks again among its own.

    Keys of the file: those of Suite. Raises PlanFaults with all faults of the file, or with those of the suite that it
    asks again.
    """
    reader = _Reader(path)
    own = reader.suite()
    if own.again is None:
        return own
    taken = _taken(reader, path, own.asset, own.again)
    return reader.valid({"asset": own.asset, "rules": (*taken, *own.rules), "may_be_empty": own.may_be_empty})


def _taken(reader: _Reader, path: Path, asset: str, again: Again) -> tuple[Rule, ...]:
    """The rules of the other suite, in its order."""
    if again.suite == asset:
        reader.add(1, "again.suite", "is this suite itself", "name the suite whose checks are to be asked here too")
        reader.stop_on_faults()
    other = _Reader(path.with_name(f"{again.suite}.yaml")).suite()
    if other.again is not None:
        reader.add(1, "again.suite", f"{again.suite} asks checks again itself", "name the suite that has them")
    known = {r.check for r in other.rules}
    for check in (c for c in again.checks if c not in known):
        reader.add(1, "again.checks", f"{again.suite} has no check {check!r}", f"name checks of {again.suite}.yaml")
    reader.stop_on_faults()
    return tuple(r for r in other.rules if r.check in again.checks)


class _Reader:
    """Collects the faults of one file while it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.faults: list[Fault] = []
        self._lines: dict[str, list[int]] = {}

    def suite(self) -> Suite:
        """The file's own suite; PlanFaults with all its faults."""
        document = self.document()
        rules = [self.rule(item, line) for item, line in self.rules(document)]
        self.refuse_repeats()
        self.stop_on_faults()
        return self.valid(_without_lines({**document, "rules": tuple(r for r in rules if r)}))

    def valid(self, data: dict[str, Any]) -> Suite:
        """The suite that data says; PlanFaults where it says none."""
        try:
            return Suite.model_validate(data)
        except ValidationError as error:
            self.add_all(error, 1)
            raise PlanFaults(self.faults) from error

    def document(self) -> dict[str, Any]:
        """The file as plain data; `__line__` in each rule is where it begins."""
        loaded = self._parsed()
        if not isinstance(loaded, dict):
            self.add(1, "file", "is not a mapping", "begin with `asset:` and `rules:`")
            self.stop_on_faults()
        for key in sorted({str(k) for k in loaded} - {*Suite.model_fields, "__line__"}):
            self.add(1, key, "is not a key of a suite", "use asset, may_be_empty, rules and again")
        return {k: v for k, v in loaded.items() if k != "__line__"}

    def _parsed(self) -> Any:
        try:
            text = self.path.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            self.add(0, "file", f"cannot be read ({type(error).__name__})", "give a UTF-8 YAML file")
            raise PlanFaults(self.faults) from error
        if len(text) > _LARGEST_FILE:
            self.add(0, "file", "is too large for a suite", "split it; one suite per asset")
            self.stop_on_faults()
        try:
            return yaml.load(text, Loader=_StrictLoader)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 0
            self.add(line, "file", f"is not valid YAML: {error.problem}", "mend the syntax on that line")
            raise PlanFaults(self.faults) from error
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            self.add(0, "file", f"is not valid YAML ({type(error).__name__})", "give plain UTF-8 YAML")
            raise PlanFaults(self.faults) from error

    def rules(self, document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], int]]:
        """Each rule as data, with its line."""
        items = document.get("rules", [] if "again" in document else None)
        if not isinstance(items, list) or not (items or "again" in document):
            self.add(1, "rules", "is missing or not a list", "give at least one rule")
            return
        for item in items:
            if isinstance(item, dict):
                yield _without_lines(item), item["__line__"]
            else:
                self.add(1, "rules", "has an entry that is not a mapping", "write check, table, why, type, severity")

    def rule(self, item: dict[str, Any], line: int) -> Rule | None:
        """One rule, or None after noting its faults."""
        if isinstance(item.get("check"), str):
            self._lines.setdefault(item["check"], []).append(line)
        try:
            return Rule.model_validate(item)
        except ValidationError as error:
            self.add_all(error, line)
            return None

    def refuse_repeats(self) -> None:
        """A check name used twice: two checks would share one history."""
        for check, lines in self._lines.items():
            for line in lines[1:]:
                self.add(line, "check", f"{check!r} is used before, in line {lines[0]}", "give each check its own name")

    def add_all(self, error: ValidationError, line: int) -> None:
        for problem in error.errors(include_url=False, include_input=False):
            field = ".".join(str(p) for p in problem["loc"]) or "rule"
            self.add(line, field, problem["msg"], "docs/checks.md has every kind of check with its arguments")

    def add(self, line: int, field: str, problem: str, remedy: str) -> None:
        self.faults.append(Fault(self.path.name, line, field, problem, remedy))

    def stop_on_faults(self) -> None:
        if self.faults:
            raise PlanFaults(self.faults)


class _StrictLoader(yaml.SafeLoader):
    """Plain data only: no tags of Python, no aliases (they can grow without bound), no key twice; keeps lines."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases are not allowed", problem_mark=self.peek_event().start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"key {key.value!r} stands twice", problem_mark=key.start_mark)
            if isinstance(key.value, str):
                seen.add(key.value)
        return {**super().construct_mapping(node, deep=True), "__line__": node.start_mark.line + 1}


def _without_lines(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_lines(v) for k, v in value.items() if k != "__line__"}
    return [_without_lines(v) for v in value] if isinstance(value, list) else value
