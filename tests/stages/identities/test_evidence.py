"""A verdict can be told field by field, in words, and without a value of anybody."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from migration_assets.stages.identities.evidence import EVIDENCE, PRIOR, evidence_of, in_words, told
from migration_assets.stages.identities.kits import PERSON
from migration_assets.stages.identities.likeness import model_text, scored

NAMES = ("Ada", "Bea", "Cleo", "Dora", "Eve", "Fay", "Gil", "Hal", "Ida", "Jo")


def people() -> pa.Table:
    """Fifty people, every second one twice; copies lack the phone, and every fourth has another postal code."""
    rows = []
    for n in range(50):
        row = {
            "unique_id": f"crm.a:{n:02}", "given_name": f"{NAMES[n % 10]}{n % 7}", "family_name": f"Quill{n * 37 % 50}",
            "birth_date": f"19{50 + n % 45}-0{1 + n % 9}-{10 + n % 18}", "phone": f"+49301234{n:03}",
            "postal_code": f"{10000 + 7 * n}",
        }  # fmt: skip
        rows.append(row)
        if n % 2:
            moved = {"postal_code": f"{90000 - n}"} if n % 4 == 1 else {}
            rows.append({**row, **moved, "unique_id": f"erp.c:{n:02}", "phone": None})
    return pa.Table.from_pylist(rows)


@pytest.fixture(scope="module")
def found() -> pa.Table:
    return scored(people(), PERSON, floor=0.5, seed=1).pairs


def test_each_field_says_how_it_compares_and_the_weights_add_up(found: pa.Table) -> None:
    pair = ("erp.c:01", "crm.a:01")
    rows = {r["field"]: r for r in evidence_of([found], [pair]).to_pylist()}
    assert {(r["a"], r["b"]) for r in rows.values()} == {("crm.a:01", "erp.c:01")}
    assert {f: r["level"] for f, r in rows.items()} == {
        "given_name": "same", "family_name": "same", "birth_date": "same", "postal_code": "differs", PRIOR: "",
    }  # fmt: skip
    (whole,) = [r["weight"] for r in found.to_pylist() if (r["a"], r["b"]) == ("crm.a:01", "erp.c:01")]
    assert sum(r["weight"] for r in rows.values()) == pytest.approx(whole)


def test_only_the_pairs_asked_for_are_kept_and_no_value_of_theirs(found: pa.Table) -> None:
    kept = evidence_of([found, found.slice(0, 0)], [("crm.a:03", "erp.c:03"), ("crm.a:00", "crm.a:02")])
    assert kept.schema == EVIDENCE and set(kept["a"].to_pylist()) == {"crm.a:03"}
    assert not _values() & {str(v) for column in ("field", "level") for v in kept[column].to_pylist()}
    assert evidence_of([], [("x", "y")]).num_rows == 0


def test_the_model_that_is_kept_holds_no_value_and_is_the_same_each_time() -> None:
    one, two = (model_text(scored(people(), PERSON, floor=0.5, seed=1).model) for _ in range(2))
    assert one == two
    # Digits of a chance may look like anything; a value would be a text.
    kept = {v for v in _leaves(json.loads(one)) if isinstance(v, str)}
    assert len(kept) > 50 and not [v for v in _values() if any(v in text for text in kept)]


def _values() -> set[str]:
    table = people()
    return {v for c in table.column_names for v in table[c].to_pylist() if v}


def _leaves(tree: object) -> list[object]:
    if isinstance(tree, dict):
        return [x for key, value in tree.items() for x in (key, *_leaves(value))]
    return [x for part in tree for x in _leaves(part)] if isinstance(tree, list) else [tree]


@pytest.mark.parametrize(
    ("field", "level", "weight", "words"),
    [
        ("birth_date", "same", 14.36, "same birth date: speaks 21,000 to 1 for one customer"),
        ("postal_code", "differs", -3.0, "postal code differs: speaks 8 to 1 against"),
        ("family_name", "alike", 2.5, "family name alike: speaks 5.7 to 1 for one customer"),
        ("city", "same", 0.3, "same city: says next to nothing"),
        (PRIOR, "", -10.0, "before looking: 1 pair in 1,000 is one customer"),
    ],
)
def test_weights_in_words(field: str, level: str, weight: float, words: str) -> None:
    assert in_words(field, level, weight) == words


def test_the_weightiest_field_is_told_first_and_the_start_last() -> None:
    rows = [{"field": f, "level": "same", "weight": w} for f, w in ((PRIOR, -20.0), ("city", 1.0), ("email", -8.0))]
    assert [r["field"] for r in told(rows)] == ["email", "city", PRIOR]
