"""Rows of a customer answer the same, laid side by side or grouped."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from migration_assets.stages.cleanse.members import FEW, Group, SideBySide, members_of

SEED = 20261126


@pytest.fixture
def families(engine):
    """200 customers of two or three rows with few different values, and what is known of their rows."""
    drawn, rows, placed = random.Random(SEED), [], []
    for n in range(200):
        size = drawn.choice([2, 3])
        for rank in range(size):
            key = f"crm.a:{n}/{rank}"
            rows.append({"customer_id": key, "t": drawn.choice([None, "a", "b", "c"]), "n": drawn.choice([None, 1, 2])})
            place = {"customer_id": key, "identity_id": f"crm.a:{n}/0", "_rank": rank, "_members": size}
            placed.append(place | {"order": drawn.randrange(9) * 10 + rank})
    return engine.table(pa.Table.from_pylist(rows)), engine.table(pa.Table.from_pylist(placed))


def present(name):
    return lambda r: r[name].notnull()


def lowest_ones(members):
    """How many rows have the lowest number of their customer: needs what is known of all beside each."""
    lowest = {"lowest": members.lowest(lambda r: r["n"])}
    beside = members.beside(lowest, lambda r: {"has": r["n"].notnull() & (r["n"] == r["lowest"])})
    return beside.one({"answer": beside.count(lambda r: r["has"])})


QUESTIONS = {
    "first by rank": lambda m: m.first(lambda r: r["t"], present("t")),
    "first by an order": lambda m: m.first(lambda r: r["t"], present("n"), lambda r: r["order"]),
    "lowest": lambda m: m.lowest(lambda r: r["n"]),
    "highest": lambda m: m.highest(lambda r: r["n"]),
    "rows with a value": lambda m: m.count(present("t")),
    "sum": lambda m: m.total(lambda r: r["n"].cast("decimal(38, 0)"), lambda r: present("t")(r) & present("n")(r)),
    "different values": lambda m: m.different(lambda r: r["t"]),
}


def answers(engine, table):
    return {r["identity_id"]: r["answer"] for r in engine.arrow(table).to_pylist()}


def both_ways(engine, families):
    rows, placed = families
    (few,) = members_of(engine, rows, placed)
    assert isinstance(few, SideBySide)
    return few, Group(rows.inner_join(placed, "customer_id"))


@pytest.mark.parametrize("question", QUESTIONS)
def test_rows_side_by_side_answer_as_a_group_does(engine, families, question) -> None:
    one, two = (answers(engine, m.one({"answer": QUESTIONS[question](m)})) for m in both_ways(engine, families))
    assert one == two, f"seed {SEED}"
    assert len(one) == 200 and len(set(one.values())) > 2


def test_rows_know_what_is_true_of_their_customer(engine, families) -> None:
    one, two = (answers(engine, lowest_ones(m)) for m in both_ways(engine, families))
    assert one == two, f"seed {SEED}"
    assert set(one.values()) == {0, 1, 2, 3}


def test_keys_stand_in_the_order_of_rank(engine, families) -> None:
    one, two = (answers(engine, m.one({"answer": m.listed("customer_id")})) for m in both_ways(engine, families))
    assert {k: [key for key in keys if key] for k, keys in one.items()} == two
    assert two["crm.a:0/0"][:2] == ["crm.a:0/0", "crm.a:0/1"]


def test_customers_of_more_rows_are_a_group_and_those_of_one_row_are_nowhere(engine) -> None:
    sizes = {"a": 1, "b": 2, "c": FEW, "d": FEW + 1}
    placed = [
        {"customer_id": f"{name}{rank}", "identity_id": f"{name}0", "_rank": rank, "_members": size}
        for name, size in sizes.items()
        for rank in range(size)
    ]
    rows = engine.table(pa.Table.from_pylist([{"customer_id": p["customer_id"], "t": "x"} for p in placed]))
    found = [
        answers(engine, m.one({"answer": m.count(present("t"))}))
        for m in members_of(engine, rows, engine.table(pa.Table.from_pylist(placed)))
    ]
    assert found == [{"b0": 2, "c0": FEW}, {"d0": FEW + 1}]
