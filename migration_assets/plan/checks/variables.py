"""Whether the variables that a plan names as `${NAME}` are set on this machine: the one check that looks beyond the
files, and so the one that is only made where somebody asks for it.

It reads the files by itself: what is not set is to be told also where the plan does not hold otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from migration_assets.domain.errors import Fault
from migration_assets.plan.checks.view import PLAN
from migration_assets.plan.environment import names_in
from migration_assets.plan.place import line_of
from migration_assets.plan.plan_text import PlanFileError, read_text
from migration_assets.plan.yaml_file import read_yaml

_ENRICHMENT = "enrichment.yaml"
# Arguments of an enricher that may name variables (engine.enrichers.arguments).
_OF_SERVICES = ("url", "token")
_Path = tuple[str | int, ...]


def unset_variables(folder: Path, env: Mapping[str, str]) -> Iterator[Fault]:
    """A fault for each place of the plan that names a variable which is not set, or empty. A file that cannot be read
    is somebody else's fault to tell."""
    for file, places in ((PLAN, _of_plan), (_ENRICHMENT, _of_enrichment)):
        try:
            found = read_yaml(file, read_text(folder, file))
        except PlanFileError:
            continue
        for path, text in places(found.data):
            for name in dict.fromkeys(names_in(text)) if isinstance(text, str) else ():
                if not env.get(name):
                    problem, remedy = f"the environment variable {name} is not set", f"set {name}, for instance in .env"
                    yield Fault(file, line_of(found.lines, path), ".".join(map(str, path)), problem, remedy)


def _of_plan(data: Any) -> Iterator[tuple[_Path, Any]]:
    """Each text of plan.yaml that may name variables, with the path to it."""
    for system, source in _entries(_entries(data).get("sources")).items():
        for key in ("url", "path"):
            yield ("sources", system, key), _entries(source).get(key)
    yield ("target", "url"), _entries(_entries(data).get("target")).get("url")


def _of_enrichment(data: Any) -> Iterator[tuple[_Path, Any]]:
    rules = _entries(data).get("rules")
    for i, rule in enumerate(rules if isinstance(rules, list) else ()):
        for key in _OF_SERVICES:
            yield ("rules", i, "arguments", key), _entries(_entries(rule).get("arguments")).get(key)


def _entries(node: Any) -> Mapping[str, Any]:
    """Nothing where no entries are, as in a plan that does not hold."""
    return node if isinstance(node, dict) else {}
