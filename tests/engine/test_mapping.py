"""A feed: every source row becomes a row or is rejected with a reason, and whatever happened is noted."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_world import AS_OF, frame, mapped

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.canonical.model import PROVENANCE
from migration_assets.domain.errors import BadInput
from migration_assets.domain.predicates import Predicate
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.engine.mapping import NOTE_COLUMNS, FeedSpec, FieldRule, MappedFeed, map_feed, source_id

ARROW = {
    "integer": pa.int64(),
    "money": pa.int64(),
    "decimal": pa.decimal128(28, 8),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "instant": pa.timestamp("us", tz="UTC"),
}


def rows(engine: DuckDBEngine, result: MappedFeed) -> list[dict[str, Any]]:
    return engine.arrow(result.rows.order_by("source_row", "source_id")).to_pylist()


def notes(engine: DuckDBEngine, result: MappedFeed, *columns: str) -> list[tuple[Any, ...]]:
    found = engine.arrow(result.notes.order_by("source_row", "source_id", "field")).to_pylist()
    return [tuple(n[c] for c in columns) for n in found]


@pytest.mark.parametrize("name", ["customer", "invoice", "subscription_item", "entitlement_override"])
def test_rows_have_every_field_in_its_physical_type(engine: DuckDBEngine, name: str) -> None:
    entity = ENTITIES[name]
    spec = FeedSpec("f", name, "crm", "t", ("id",), ())
    result = map_feed(engine, spec, engine.table(frame(c=["x"])), AS_OF)
    fields = (*entity.fields, *PROVENANCE)
    wanted = pa.schema([(f.name, ARROW.get(f.type, pa.string())) for f in fields])
    assert engine.arrow(result.rows).schema == wanted
    notes_schema = pa.schema([(n, pa.int64() if t == "int64" else pa.string()) for n, t in NOTE_COLUMNS.items()])
    assert engine.arrow(result.notes).schema == notes_schema


def test_a_row_says_where_it_came_from(engine: DuckDBEngine) -> None:
    source = frame(a=["x"], b=["y/z"], changed=["2024-01-02 03:04:05"])
    [row] = rows(engine, mapped(engine, source, [], key=("a", "b"), updated_at="changed"))
    assert row["customer_id"] == "crm.accounts:x/y/z"
    assert {f.name: row[f.name] for f in PROVENANCE} == {
        "source_system": "crm",
        "source_table": "accounts",
        "source_id": "x/y/z",
        "source_row": 1,
        "source_updated_at": dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
    }
    assert row["birth_date"] is None


def test_ids_are_written_plainly(engine: DuckDBEngine) -> None:
    source = engine.table(pa.table({"i": pa.array([12345678901234567], pa.int64()), "t": ["00123"]}))
    table = source.select(id=source_id(source, ["i", "t"]))
    assert engine.arrow(table)["id"].to_pylist() == ["12345678901234567/00123"]


def test_a_required_field_rejects_the_row_and_another_sets_the_value_aside(engine: DuckDBEngine) -> None:
    source = frame(status=["A", "Q", None], mail=["bad", "a@b.com", "x@y.com"])
    result = mapped(
        engine,
        source,
        [FieldRule("status", "lookup", ("status",), {"list": "l"}), FieldRule("email", "email", ("mail",))],
        codes={"l": {"A": "active"}},
    )
    assert [(r["source_row"], r["status"], r["email"]) for r in rows(engine, result)] == [(1, "active", None)]
    assert notes(engine, result, "source_row", "field", "rule", "action", "reason", "old_value", "new_value") == [
        (1, "email", "email", "set_aside", "not_an_email", "bad", None),
        (2, "status", "lookup", "rejected", "unknown_code", "Q", None),
        (3, "status", "lookup", "rejected", "required_missing", None, None),
    ]


def test_on_error_reject_and_set_aside(engine: DuckDBEngine) -> None:
    source = frame(mail=["bad", "a@b.com", None])
    strict = mapped(engine, source, [FieldRule("email", "email", ("mail",), {}, "reject")])
    assert [r["source_row"] for r in rows(engine, strict)] == [2, 3]
    assert notes(engine, strict, "source_row", "action", "reason") == [(1, "rejected", "not_an_email")]
    # A required field without a value has no row, whatever is to be done on errors.
    kind = mapped(engine, source, [FieldRule("kind", "copy", ("mail",), {}, "set_aside")])
    assert rows(engine, kind) == []
    assert notes(engine, kind, "source_row", "action", "reason", "old_value") == [
        (1, "rejected", "unknown_code", "bad"),
        (2, "rejected", "unknown_code", "a@b.com"),
        (3, "rejected", "required_missing", None),
    ]


def test_what_was_cleaned_or_defaulted_is_noted_and_nothing_else(engine: DuckDBEngine) -> None:
    source = frame(name=["JOHN DOE", "Jane Roe", "\u200b"], site=["HTTP://WWW.A.COM", "b.com", None])
    result = mapped(
        engine,
        source,
        [
            FieldRule("name", "text", ("name",)),
            FieldRule("website", "website", ("site",)),
            FieldRule("segment", "default", ("site",), {"value": "none", "if": []}),
            FieldRule("given_name", "person_name", ("name",), {"part": "given"}),
        ],
    )
    assert notes(engine, result, "source_row", "field", "action", "reason", "old_value", "new_value") == [
        (1, "website", "cleaned", "changed", "HTTP://WWW.A.COM", "a.com"),
        (3, "name", "rejected", "required_missing", "\u200b", None),
        (3, "segment", "defaulted", "blank", None, "none"),
    ]
    assert [(r["given_name"], r["segment"]) for r in rows(engine, result)] == [
        ("John", "HTTP://WWW.A.COM"),
        ("Jane", "b.com"),
    ]


def test_a_default_stands_in_only_where_it_may(engine: DuckDBEngine) -> None:
    source = frame(country=[None, None, "DE"], kind=["a", "b", "b"])
    rule = FieldRule(
        "country", "default", ("country",), {"value": "US", "if": [{"field": "kind", "op": "eq", "value": "a"}]}
    )
    result = mapped(engine, source, [rule])
    assert [r["country"] for r in rows(engine, result)] == ["US", None, "DE"]
    assert notes(engine, result, "source_row", "action", "reason") == [
        (1, "defaulted", "blank"),
        (2, "set_aside", "blank_not_allowed"),
    ]


def test_a_row_without_its_key_is_rejected(engine: DuckDBEngine) -> None:
    source = frame(a=["1", None, " ", "4"], b=["x", "y", "z", None])
    result = mapped(engine, source, [], key=("a", "b"))
    assert [r["source_id"] for r in rows(engine, result)] == ["1/x"]
    assert notes(engine, result, "source_row", "source_id", "field", "rule", "reason") == [
        (2, "/y", "customer_id", "key", "key_missing"),
        (3, " /z", "customer_id", "key", "key_missing"),
        (4, "4/", "customer_id", "key", "key_missing"),
    ]


def test_a_consent_whose_contact_cannot_be_read_is_rejected_and_never_the_customers(engine: DuckDBEngine) -> None:
    source = frame(who=["1", "1", "1"], place=["7", None, None], number=["8", "8", None])
    said = {"purpose": "marketing", "channel": "email", "decision": "granted", "decided_at": "2026-01-01T00:00:00Z"}
    rules = [
        FieldRule("customer_id", "reference", ("who",), {"table": "crm.a"}),
        FieldRule("contact_id", "reference", ("place", "number"), {"table": "crm.k"}),
        *(FieldRule(name, "constant", (), {"value": value}) for name, value in said.items()),
    ]
    spec = FeedSpec("f", "consent", "crm", "accounts", ("id",), tuple(rules))
    result = map_feed(engine, spec, engine.table(source), AS_OF)
    assert [(r["source_row"], r["contact_id"]) for r in rows(engine, result)] == [(1, "crm.k:7/8"), (3, None)]
    assert notes(engine, result, "source_row", "field", "action", "reason") == [
        (2, "contact_id", "rejected", "incomplete_key")
    ]


def test_an_entry_that_could_not_be_read_is_rejected_with_its_text(engine: DuckDBEngine) -> None:
    source = frame(entry=["A 1", "lost", "B 2"], fits=pa.array([True, False, None]), name=["A", None, None])
    result = mapped(engine, source, [FieldRule("name", "copy", ("name",))], entries=True)
    assert [r["source_row"] for r in rows(engine, result)] == [1]
    assert notes(engine, result, "source_row", "field", "action", "reason", "old_value") == [
        (2, "customer_id", "rejected", "entry_unreadable", "lost"),
        (3, "customer_id", "rejected", "entry_unreadable", "B 2"),
    ]


def test_rows_that_where_leaves_out_are_nobodys_business(engine: DuckDBEngine) -> None:
    source = frame(kind=["a", "b", None])
    result = mapped(engine, source, [], where=(Predicate(field="kind", op="eq", value="a"),))
    assert [r["source_row"] for r in rows(engine, result)] == [1]
    assert notes(engine, result, "source_row") == []


def unpivoted(engine: DuckDBEngine) -> MappedFeed:
    source = frame(phone=["Yes", "No", "Yes"], tv=["No internet service", "Yes", "???"])
    rules = [
        FieldRule("subscription_id", "reference", ("id",), {"table": "crm.accounts"}),
        FieldRule("product_code", "lookup", ("_name", "_value"), {"list": "items"}),
        FieldRule("kind", "constant", (), {"value": "add_on"}),
        FieldRule("quantity", "constant", (), {"value": 1}),
        FieldRule("currency", "constant", (), {"value": "USD"}),
    ]
    codes = {"items": {"phone=Yes": "phone", "phone=No": "-", "tv=Yes": "tv", "tv=No internet service": "-"}}
    spec = FeedSpec(
        "f", "subscription_item", "crm", "accounts", ("id",), tuple(rules), unpivot=("phone", "tv"), codes=codes
    )
    return map_feed(engine, spec, engine.table(source), AS_OF)


def test_columns_become_rows_and_a_dash_makes_none(engine: DuckDBEngine) -> None:
    result = unpivoted(engine)
    assert [(r["item_id"], r["subscription_id"], r["product_code"]) for r in rows(engine, result)] == [
        ("crm.accounts:1/phone", "crm.accounts:1", "phone"),
        ("crm.accounts:2/tv", "crm.accounts:2", "tv"),
        ("crm.accounts:3/phone", "crm.accounts:3", "phone"),
    ]
    assert notes(engine, result, "source_id", "action", "reason", "old_value") == [
        ("3/tv", "rejected", "unknown_code", "tv=???")
    ]


def test_the_same_input_gives_the_same_rows(engine: DuckDBEngine) -> None:
    assert rows(engine, unpivoted(engine)) == rows(engine, unpivoted(engine))


RULES = [
    FieldRule("name", "person_name", ("a",)),
    FieldRule("status", "lookup", ("b",), {"list": "l"}),
    FieldRule("phone", "phone", ("a", "b"), {"default_country": "DE"}),
    FieldRule("credit_limit_minor", "money", ("a",), {"unit": "major", "currency": "EUR"}, "reject"),
    FieldRule("birth_date", "date", ("a",)),
    FieldRule("created_at", "timestamp", ("b",), {"zone": "Europe/Berlin"}),
    FieldRule("language", "language", ("b",), {"when": [{"field": "a", "op": "not_null"}]}),
]
CELL = st.none() | st.sampled_from(["", " ", "1", "1.50", "A", "2024-01-01", "DE", "+4930123456"]) | st.text(max_size=6)


@settings(deadline=None, max_examples=10)
@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=30))
def test_every_row_is_made_or_rejected_and_never_both(
    engine: DuckDBEngine, cells: list[tuple[str | None, str | None, str | None]]
) -> None:
    a, b, key = (list(c) for c in zip(*cells, strict=True))
    result = mapped(engine, frame(a=a, b=b, k=key), RULES, key=("k",), codes={"l": {"A": "active", "1": "churned"}})
    made = [r["source_row"] for r in rows(engine, result)]
    rejected = {row for row, action in notes(engine, result, "source_row", "action") if action == "rejected"}
    assert len(made) == len(set(made))
    assert set(made) | rejected == set(range(1, len(cells) + 1))
    assert not set(made) & rejected


def test_a_key_that_comes_twice_stays_two_rows(engine: DuckDBEngine) -> None:
    """Which of them is right is a question for people, and for the checks of the golden copy."""
    result = mapped(engine, frame(k=["1", "1"]), [FieldRule("segment", "text", ("k",))], key=("k",))
    assert [r["source_row"] for r in rows(engine, result)] == [1, 2]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (FieldRule("email", "email", ("nope",)), "crm.accounts has no column 'nope'"),
        (FieldRule("email", "mail", ("c",)), "there is no rule 'mail'"),
        (FieldRule("email", "email", ()), r"takes 1 column\(s\), not 0"),
        (FieldRule("email", "email", ("c",), {"dns": True}), "dns: Extra inputs are not permitted"),
        (FieldRule("customer_id", "copy", ("c",)), "is the entity's key"),
        (FieldRule("email", "copy", ("c",), {"when": [{"field": "x", "op": "is_null"}]}), "there is no such column"),
    ],
)
def test_a_feed_that_cannot_be_meant_is_bad_input(engine: DuckDBEngine, rule: FieldRule, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        mapped(engine, frame(c=["x"]), [rule])


def test_a_required_field_nobody_maps_rejects_every_row(engine: DuckDBEngine) -> None:
    spec = FeedSpec(
        "f", "user_role", "crm", "t", ("id",), (FieldRule("user_id", "reference", ("id",), {"table": "a.b"}),)
    )
    result = map_feed(engine, spec, engine.table(frame(c=["x"])), AS_OF)
    assert rows(engine, result) == []
    assert notes(engine, result, "field", "rule", "reason") == [("role_id", "", "required_missing")]


def test_an_empty_table_gives_empty_results(engine: DuckDBEngine) -> None:
    empty = frame(a=["x"], b=["x"]).slice(0, 0)
    result = mapped(engine, empty, RULES, codes={"l": {}})
    assert rows(engine, result) == []
    assert notes(engine, result, "field") == []


def test_as_of_needs_a_zone(engine: DuckDBEngine) -> None:
    spec = FeedSpec("f", "role", "c", "t", ("id",), ())
    with pytest.raises(ValueError, match="time zone"):
        map_feed(engine, spec, engine.table(frame(c=["x"])), AS_OF.replace(tzinfo=None))
