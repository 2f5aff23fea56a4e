"""Code lists: exact, loud about what they do not know, and clear about what missing means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rule_world import cleaner, frame, outcomes

from migration_assets.domain.errors import BadInput
from migration_assets.engine.duckdb import DuckDBEngine

LIST = {"A": "active", "I": "-", "x=y": "both", "x=": "left"}


def test_codes_are_translated_and_unknown_ones_told(engine: DuckDBEngine) -> None:
    source = frame(c=["A", " A ", "I", "a", None, "", "'; DROP TABLE x;--"])
    assert outcomes(engine, "lookup", "text", source, ["c"], list="l", codes={"l": LIST}) == [
        ("active", None),
        ("active", None),
        (None, None),
        (None, "unknown_code"),
        (None, None),
        (None, None),
        (None, "unknown_code"),
    ]


def test_a_list_may_say_what_missing_means(engine: DuckDBEngine) -> None:
    source = frame(c=["A", None, " "])
    found = outcomes(engine, "lookup", "text", source, ["c"], list="l", codes={"l": LIST | {"": "none"}})
    assert [v for v, _ in found] == ["active", "none", "none"]


def test_several_columns_are_one_code(engine: DuckDBEngine) -> None:
    source = frame(a=["x", "x", None, "x"], b=["y", None, None, "z"])
    assert outcomes(engine, "lookup", "text", source, ["a", "b"], list="l", codes={"l": LIST}) == [
        ("both", None),
        ("left", None),
        (None, None),
        (None, "unknown_code"),
    ]


def test_targets_are_fitted_to_the_field(engine: DuckDBEngine) -> None:
    codes = {"l": {"Y": "true", "N": "false", "?": "perhaps"}}
    found = outcomes(engine, "lookup", "boolean", frame(c=["Y", "N", "?"]), ["c"], list="l", codes=codes)
    assert found == [(True, None), (False, None), (None, "not_a_boolean")]


@given(st.dictionaries(st.text(min_size=1), st.text(min_size=1)), st.text())
def test_a_code_is_its_target_or_unknown(targets: dict[str, str], code: str) -> None:
    value, error = cleaner("lookup", {"list": "l"}, {"l": targets}).clean((code,))
    if code.strip():
        target = targets.get(code, targets.get(code.strip()))
        wanted = (None, "unknown_code") if target is None else (None, "-") if target == "-" else (target, None)
        assert (value, error) == wanted


def test_a_list_the_plan_does_not_have_is_bad_input(engine: DuckDBEngine) -> None:
    with pytest.raises(BadInput, match=r"add codes/nope\.csv"):
        outcomes(engine, "lookup", "text", frame(c=["A"]), ["c"], list="nope")
