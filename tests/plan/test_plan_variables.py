"""What a plan names as `${NAME}` is asked for wherever it may stand, by file and place."""

from __future__ import annotations

from pathlib import Path

from migration_assets.plan.check import variable_faults
from migration_assets.plan.enrichment_models import EnrichmentRule
from migration_assets.plan.load import load_plan
from migration_assets.plan.models import Plan, Target

PLANS = Path(__file__).parents[2] / "plans"
SERVICE = EnrichmentRule(
    rule="segment", entity="customer", field="name", enricher="service", reads=("email",),
    arguments={"url": "https://${HOST}/of/${HOST}", "token": "${TOKEN}", "answer": "${NO_PLACE_FOR_ONE}"},
    source="A service.", confidence=1, lawful_basis="contract", reason="Nobody else knows.",
)  # fmt: skip


def everywhere() -> Plan:
    """A plan whose source, target and service are all named by variables."""
    plan = load_plan(PLANS / "telco")
    file = plan.file.model_copy(update={"target": Target(url="postgresql://u:${PASSWORD}@${HOST}/x")})
    return plan.model_copy(update={"file": file, "enrichment": (SERVICE,)})


def places(**env: str) -> list[tuple[str, str, str]]:
    return [(f.file, f.field, f.problem.split()[3]) for f in variable_faults(everywhere(), env)]


def test_each_place_is_named_once_for_each_variable_it_asks_for() -> None:
    assert places() == [
        ("plan.yaml", "sources.telco.path", "TELCO_CSV"),
        ("plan.yaml", "target.url", "PASSWORD"),
        ("plan.yaml", "target.url", "HOST"),
        ("enrichment.yaml", "rules.0.arguments.url", "HOST"),
        ("enrichment.yaml", "rules.0.arguments.token", "TOKEN"),
    ]


def test_a_variable_that_is_set_is_no_fault_and_an_empty_one_is() -> None:
    assert places(TELCO_CSV="x", PASSWORD="x", HOST="x", TOKEN="x") == []
    assert places(TELCO_CSV="x", PASSWORD="", HOST="x", TOKEN="x") == [("plan.yaml", "target.url", "PASSWORD")]


def test_a_plan_without_variables_asks_for_none() -> None:
    assert variable_faults(load_plan(PLANS / "acme"), {}) == ()
