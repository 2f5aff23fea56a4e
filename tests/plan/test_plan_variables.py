"""What a plan names as `${NAME}` is asked for wherever it may stand, by file and place."""

from __future__ import annotations

from pathlib import Path

import pytest

from migration_assets.plan.check import variable_faults

PLANS = Path(__file__).parents[2] / "plans"
PLAN = """name: small
# ${IN_A_COMMENT} is asked by nobody.
sources:
  telco:
    path: ${TELCO_CSV}
    description: ${NO_PLACE_FOR_ONE}
target:
  url: postgresql://u:${PASSWORD}@${HOST}/x
"""
SERVICE = """rules:
  - rule: segment
    arguments:
      url: https://${HOST}/of/${HOST}
      token: ${TOKEN}
      answer: ${NO_PLACE_FOR_ONE}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A plan whose source, target and service are all named by variables, and which holds in no other way."""
    (tmp_path / "plan.yaml").write_text(PLAN, encoding="utf-8")
    (tmp_path / "enrichment.yaml").write_text(SERVICE, encoding="utf-8")
    return tmp_path


def places(folder: Path, **env: str) -> list[tuple[str, str, str]]:
    return [(f.file, f.field, f.problem.split()[3]) for f in variable_faults(folder, env)]


def test_each_place_is_named_once_for_each_variable_it_asks_for(folder: Path) -> None:
    assert places(folder) == [
        ("plan.yaml", "sources.telco.path", "TELCO_CSV"),
        ("plan.yaml", "target.url", "PASSWORD"),
        ("plan.yaml", "target.url", "HOST"),
        ("enrichment.yaml", "rules.0.arguments.url", "HOST"),
        ("enrichment.yaml", "rules.0.arguments.token", "TOKEN"),
    ]

    assert [f.row for f in variable_faults(folder, {})] == [5, 8, 8, 4, 5]


def test_a_variable_that_is_set_is_no_fault_and_an_empty_one_is(folder: Path) -> None:
    assert places(folder, TELCO_CSV="x", PASSWORD="x", HOST="x", TOKEN="x") == []
    assert places(folder, TELCO_CSV="x", PASSWORD="", HOST="x", TOKEN="x") == [("plan.yaml", "target.url", "PASSWORD")]


@pytest.mark.parametrize("text", ["sources: [${A}]\ntarget: ${B}\n", "sources: {a: ${A}}\nrules: x\n", "- ${A}\n", "{"])
def test_what_is_no_plan_at_all_is_asked_nothing(folder: Path, text: str) -> None:
    for name in ("plan.yaml", "enrichment.yaml"):
        (folder / name).write_text(text, encoding="utf-8")
    assert variable_faults(folder, {}) == ()


def test_a_plan_without_variables_asks_for_none() -> None:
    assert variable_faults(PLANS / "acme", {}) == ()
