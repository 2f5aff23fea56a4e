"""Whether the variables that a plan names as `${NAME}` are set on this machine: the one check that looks beyond the
files, and so the one that is only made where somebody asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from migration_assets.domain.errors import Fault
from migration_assets.plan.checks.view import PLAN, PlanView
from migration_assets.plan.environment import names_in
from migration_assets.plan.models import Plan

_ENRICHMENT = "enrichment.yaml"
# Arguments of an enricher that may name variables (engine.enrichers.arguments).
_OF_SERVICES = ("url", "token")


def unset_variables(view: PlanView, env: Mapping[str, str]) -> Iterator[Fault]:
    """A fault for each place of the plan that names a variable which is not set, or empty."""
    for file, path, text in _places(view.plan):
        for name in dict.fromkeys(names_in(text)):
            if not env.get(name):
                problem = f"the environment variable {name} is not set"
                yield view.fault(file, path, problem, f"set {name}, for instance in .env")


def _places(plan: Plan) -> Iterator[tuple[str, tuple[str | int, ...], str]]:
    """Each text that may name variables, with its file and the path to it."""
    for system, source in plan.file.sources.items():
        for key, text in (("url", source.url), ("path", source.path)):
            if text is not None:
                yield PLAN, ("sources", system, key), text
    if plan.file.target.url is not None:
        yield PLAN, ("target", "url"), plan.file.target.url
    for i, rule in enumerate(plan.enrichment):
        for key in _OF_SERVICES:
            if isinstance(text := rule.arguments.get(key), str):
                yield _ENRICHMENT, ("rules", i, "arguments", key), text
