"""Records of one party are found alike, strangers are not, and the same rows always give the same answer."""

from __future__ import annotations

import copy
import random
from datetime import date, timedelta

import pyarrow as pa
import pytest

from migration_assets.stages.identities.kits import COMPANY, PERSON, Kit, field_of
from migration_assets.stages.identities.likeness import KEY, LARGEST_BLOCK, scored, tempered

GIVEN = "anna bruno clara david emil frida georg hanna ivan julia karl lena max nora otto paula quirin rosa sven tina"
FAMILY = "adler becker conrad dietz ebert fuchs gruber haas imhof jansen keller lang maier nagel opitz pohl quast roth"
STREETS = "lindenweg hauptstrasse am markt bergstrasse gartenweg schulstrasse kirchgasse ringstrasse"


def people(count: int = 240, seed: int = 3) -> pa.Table:
    """Each third person stands twice, the second time with a slip in the name or the street, under key `<n>b`."""
    rng, rows = random.Random(seed), []
    for n in range(count):
        born = date(1940, 1, 1) + timedelta(days=rng.randrange(20_000))
        row = {
            KEY: f"{n:04d}",
            "given_name": rng.choice(GIVEN.split()),
            "family_name": rng.choice(FAMILY.split()),
            "birth_date": born.isoformat(),
            "email": None,
            "street": rng.choice(STREETS.split()),
            "house_number": str(rng.randrange(1, 90)),
            "city": rng.choice(["bonn", "trier", "mainz", "worms"]),
            "postal_code": str(rng.randrange(50_000, 60_000)),
        }
        rows.append(row)
        if n % 3 == 0:
            slip = rng.choice(["given_name", "family_name", "street"])
            rows.append({**row, KEY: f"{n:04d}b", slip: row[slip][:-1] + "x"})
    rng.shuffle(rows)
    return pa.Table.from_pylist(rows)


def found(records: pa.Table, kit: Kit = PERSON, threads: int = 2) -> dict[tuple[str, str], float]:
    pairs = scored(records, kit, floor=0.5, seed=1, threads=threads).pairs
    return {(r["a"], r["b"]): round(r["probability"], 9) for r in pairs.to_pylist()}


def test_every_second_record_of_a_person_is_found_and_no_stranger() -> None:
    sure = {pair for pair, probability in found(people()).items() if probability >= 0.99}
    assert sure == {(f"{n:04d}", f"{n:04d}b") for n in range(0, 240, 3)}


def test_order_and_threads_change_nothing() -> None:
    records = people()
    turned = records.take(pa.array(reversed(range(records.num_rows))))
    assert found(records) == found(turned) == found(records, threads=1)


def test_the_weight_of_a_pair_is_the_sum_of_its_fields_and_what_was_expected() -> None:
    pairs = scored(people(), PERSON, floor=0.5, seed=1).pairs
    fields = [c for c in pairs.column_names if c.startswith("weight_")]
    assert "weight_birth_date" in fields and "weight_email" not in fields, "a field without a value is left out"
    rest = {round(r["weight"] - sum(r[f] for f in fields), 6) for r in pairs.to_pylist()}
    assert len(rest) == 1, "what is left is how rare a pair of one person is among all pairs"


def test_the_model_comes_along() -> None:
    model = scored(people(), PERSON, floor=0.5, seed=1).model
    names = {c["output_column_name"] for c in model["comparisons"]}
    assert {"given_name", "birth_date"} <= names and "email" not in names


@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_records_have_no_pairs(rows: int) -> None:
    nothing = scored(people().slice(0, rows), PERSON, floor=0.5, seed=1)
    assert nothing.pairs.num_rows == 0 and nothing.model == {}
    assert nothing.pairs.column_names[:4] == ["a", "b", "probability", "weight"]


def test_records_without_anything_to_compare_have_no_pairs() -> None:
    empty = pa.table({KEY: ["1", "2"], "given_name": pa.array([None, None], pa.string())})
    assert scored(empty, PERSON, floor=0.5, seed=1).pairs.num_rows == 0


@pytest.mark.parametrize("kit", [PERSON, COMPANY], ids=lambda kit: kit.name)
def test_a_kit_names_only_fields_it_compares(kit: Kit) -> None:
    rules = (*kit.blocks, *kit.lessons, *kit.sure)
    assert {field_of(part) for rule in rules for part in rule} <= set(kit.fields)
    taught = [set(kit.fields) - {field_of(p) for p in lesson} for lesson in kit.lessons]
    assert set().union(*taught) == set(kit.fields), "each field is learned from pairs that agree on others"


def test_a_kit_without_a_field_loses_what_names_it() -> None:
    own = PERSON.within(frozenset({"given_name", "family_name", "birth_date"}))
    assert set(own.fields) == {"given_name", "family_name", "birth_date"}
    assert ("birth_date",) in own.blocks and ("email",) not in own.blocks
    assert own.sure == (("given_name", "family_name", "birth_date"),)


def test_exact_copies_teach_nothing_certain_and_strangers_stay_apart() -> None:
    """Half of the records are there twice to the letter, and everybody lives in one city: nothing to learn from."""
    names = [
        f"{a}{b}" for a in ("maple", "cedar", "iris", "onyx") for b in (" foods", " paper", " labs", " bau", " tea")
    ]
    rows = [
        {
            "unique_id": f"{i:02}{copy}", "trading_name": name, "city": "austin", "country": "US",
            "tax_id": f"{i * 7919:09}", "email": f"info@{name.replace(' ', '')}.example",
        }
        for i, name in enumerate(names)
        for copy in ("a", "b")[: 2 - i % 2]
    ]  # fmt: skip
    found = scored(pa.Table.from_pylist(rows), COMPANY, floor=0.5, seed=1).pairs
    sure = {(r["a"], r["b"]) for r in found.to_pylist() if r["probability"] >= 0.99}
    assert sure == {(f"{i:02}a", f"{i:02}b") for i in range(0, len(names), 2)}


def test_what_was_learned_is_tempered_by_what_is_usual() -> None:
    levels = [
        {"is_null_level": True},
        {"m_probability": 1.0, "u_probability": 0.01},
        {"u_probability": 0.09},
        {"m_probability": 0.0, "u_probability": 0.9},
    ]
    untaught = [{"u_probability": 0.5}, {"u_probability": 0.5}]
    given = [
        {"output_column_name": "birth_date", "comparison_levels": levels},
        {"output_column_name": "city", "comparison_levels": copy.deepcopy(levels)},
        {"output_column_name": "state", "comparison_levels": untaught},
    ]
    model = tempered({"comparisons": given}, frozenset({"birth_date"}))
    kept, may_change, unknown = (
        [(x.get("m_probability"), x.get("u_probability")) for x in c["comparison_levels"]] for c in model["comparisons"]
    )
    assert kept[0] == (None, None)
    assert [m for m, _ in kept[1:]] == pytest.approx([0.99, 0.005, 0.005])
    assert [u for _, u in kept[1:]] == [0.01, 0.09, 0.9]
    assert [m for m, _ in may_change[1:]] == pytest.approx([0.875, 0.0625, 0.0625]), "people move"
    assert [m for m, _ in unknown] == pytest.approx([0.75, 0.25])


def test_less_alike_never_says_more() -> None:
    levels = [{"m_probability": 0.3, "u_probability": 0.2}, {"m_probability": 0.7, "u_probability": 0.01}]
    given = {"comparisons": [{"output_column_name": "city", "comparison_levels": levels}]}
    (made,) = tempered(given, frozenset())["comparisons"]
    exact, near = (level["m_probability"] / level["u_probability"] for level in made["comparison_levels"])
    assert near < exact and near == pytest.approx(exact, rel=0.01)


def test_what_random_pairs_never_show_is_rare_and_not_impossible() -> None:
    levels = [{"m_probability": 1.0}, {"m_probability": 0.0, "u_probability": 1.0}]
    (made,) = tempered({"comparisons": [{"output_column_name": "city", "comparison_levels": levels}]}, frozenset())[
        "comparisons"
    ]
    assert [level["u_probability"] for level in made["comparison_levels"]] == [1e-7, 1.0]


def test_a_number_that_too_many_share_is_no_proof_that_twins_are_one() -> None:
    rng, crowd = random.Random(7), []
    for n in range(LARGEST_BLOCK + 20):
        name = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=8))
        home = {"street": f"{name} street", "postal_code": f"{n:05}", "city": f"{name}ton", "tax_id": "12345678"}
        born = (date(1940, 1, 1) + timedelta(days=rng.randrange(20_000))).isoformat()
        row = {KEY: f"{n:03}", "given_name": f"{name[::-1]}", "family_name": name, "birth_date": born, **home}
        crowd += [row] + ([{**row, KEY: f"{n:03}b", "given_name": f"x{n}"}] if n < 10 else [])
    made = scored(pa.Table.from_pylist(crowd), PERSON, floor=0.5, seed=1)
    assert made.crowded["tax_id"] == LARGEST_BLOCK + 30
    found = {(r["a"], r["b"]): r for r in made.pairs.to_pylist()}
    assert found.keys() <= {(f"{n:03}", f"{n:03}b") for n in range(10)}
    assert found and all(r["told_apart"] for r in found.values())
    few = scored(pa.Table.from_pylist(crowd[:20]), PERSON, floor=0.5, seed=1)
    assert few.crowded == {} and not any(r["told_apart"] for r in few.pairs.to_pylist())


def test_a_value_that_too_many_share_leads_nobody_to_anybody() -> None:
    rng = random.Random(4)
    crowd = [
        {
            KEY: f"{n:03}",
            "given_name": "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=8)),
            "family_name": "smith",
            "birth_date": (date(1940, 1, 1) + timedelta(days=rng.randrange(20_000))).isoformat(),
            "city": "bonn",
        }
        for n in range(LARGEST_BLOCK + 20)
    ]
    twice = [{**row, KEY: f"{row[KEY]}b"} for row in crowd[:10]]
    made = scored(pa.Table.from_pylist([*crowd, *twice]), PERSON, floor=0.5, seed=1)
    assert made.crowded == {"city family_name": LARGEST_BLOCK + 30}
    found = [(r["a"], r["b"]) for r in made.pairs.to_pylist()]
    assert sorted(found) == [(f"{n:03}", f"{n:03}b") for n in range(10)], "other values lead to those that are one"
