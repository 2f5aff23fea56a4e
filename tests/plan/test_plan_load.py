"""Reading a plan: what is accepted, what is refused with file and line, and that no order of rows matters."""

from __future__ import annotations

import csv
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_folder import CUSTOMERS, FEEDS, SUBSCRIPTIONS, as_text, load, load_faults, pick, valid, write

from migration_assets.domain.errors import Misconfigured
from migration_assets.plan.environment import names_in, resolve
from migration_assets.plan.load import load_plan

Files = dict[str, Any]
PLAN = as_text("plan.yaml", valid()["plan.yaml"])
COHORT = "{name: pilot, wave: 0, customers: ['1']}"


def cohorts_text(rule: str) -> str:
    return f"cohorts:\n  - {rule}\n"


def test_a_valid_plan_is_read_with_its_lines(tmp_path: Path) -> None:
    plan = load(tmp_path, valid())
    assert (plan.name, len(plan.feeds), len(plan.mapping)) == ("small", 3, 16)
    assert plan.source_table("crm.subs").references == {"account_id": "crm.accounts"}
    line = plan.lines["plan.yaml"]["sources.crm.tables.subs"]
    assert (tmp_path / "plan.yaml").read_text().splitlines()[line - 1].strip() == "subs:"


def replaced(name: str, content: Any) -> Callable[[Files], None]:
    return lambda f: f.update({name: content})


def cell(name: str, by: dict[str, str], **changes: str) -> Callable[[Files], None]:
    return lambda f: pick(f, name, **by).update(changes)


COUNTRY = {"field": "country"}


def with_a_cell_past_pythons_own_limit(files: Files) -> None:
    # The limit is the process's, and a source with larger cells may have raised it before this test.
    csv.field_size_limit(131_072)
    files["geo.csv"] = f"product,region,allowed,reason\n*,*,true,{'x' * 200_000}\n"


# (id, bend, file, line or 0, field, words of problem or remedy)
REFUSED: list[tuple[str, Callable[[Files], None], str, int, str, str]] = [
    # whole files
    ("missing_file", replaced("target.yaml", None), "target.yaml", 0, "", "is missing"),
    ("missing_feeds", replaced(FEEDS, None), FEEDS, 0, "", "is missing"),
    ("utf16", replaced("controls.csv", "measure,kind\n".encode("utf-16")), "controls.csv", 1, "", "is not UTF-8"),
    ("utf16_without_mark", replaced("controls.csv", "measure\n".encode("utf-16-le")), "controls.csv", 1, "", "U+0000"),
    (
        "latin1",
        replaced("geo.csv", "product,region,allowed,reason\n*,*,true,Café\n".encode("latin-1")),
        "geo.csv",
        2,
        "",
        "is not UTF-8",
    ),
    ("nul", replaced("geo.csv", "product,region,allowed,reason\n*,*,true,a\0b\n"), "geo.csv", 2, "", "U+0000"),
    (
        "direction_mark",
        replaced("geo.csv", "product,region,allowed,reason\n*,*,true,\u202eabc\n"),
        "geo.csv",
        2,
        "",
        "U+202E",
    ),
    (
        "escape_sequence",
        replaced("geo.csv", "product,region,allowed,reason\n*,*,true,\x1b[31m\n"),
        "geo.csv",
        2,
        "",
        "U+001B",
    ),
    (
        "huge_file",
        replaced("codes/plans.csv", "code,target,reason\n" + "x" * 10_000_000 + ",a,\n"),
        "codes/plans.csv",
        0,
        "",
        "is larger than",
    ),
    ("huge_yaml", replaced("catalog.yaml", "# " + "x" * 2_000_000), "catalog.yaml", 0, "", "is larger than"),
    (
        "near_name",
        lambda f: f.update({"geo.csv": None, "geos.csv": "a\n"}),
        "geos.csv",
        0,
        "",
        "did you mean 'geo.csv'?",
    ),
    (
        "mapping_of_no_entity",
        replaced("mapping/custmer.csv", "x\n"),
        "mapping/custmer.csv",
        0,
        "",
        "did you mean 'cust",
    ),
    ("list_name", replaced("codes/Plans 2.csv", []), "codes/Plans 2.csv", 0, "", "is not a name"),
    # YAML
    (
        "yaml_tag",
        replaced("cohorts.yaml", "cohorts: !!python/object/apply:os.system ['true']\n"),
        "cohorts.yaml",
        1,
        "",
        "uses a YAML tag",
    ),
    ("yaml_own_tag", replaced("cohorts.yaml", "cohorts: !x [1]\n"), "cohorts.yaml", 1, "", "uses a YAML tag"),
    (
        "alias_bomb",
        replaced("cohorts.yaml", "a: &a [x, x]\nb: &b [*a, *a]\ncohorts: [*b, *b]\n"),
        "cohorts.yaml",
        1,
        "",
        "anchor or alias",
    ),
    (
        "merge_key",
        replaced("cohorts.yaml", cohorts_text("{<<: {wave: 0}, name: a, buckets: 1}")),
        "cohorts.yaml",
        2,
        "cohorts.0.<<",
        "'<<' is not known",
    ),
    (
        "duplicate_key",
        replaced("cohorts.yaml", cohorts_text("{name: a, wave: 0, wave: 1, buckets: 1}")),
        "cohorts.yaml",
        2,
        "cohorts.0",
        "'wave' stands here twice",
    ),
    ("broken_yaml", replaced("cohorts.yaml", "cohorts: [\n"), "cohorts.yaml", 2, "", "is not YAML"),
    (
        "two_documents",
        replaced("cohorts.yaml", "cohorts: []\n---\ncohorts: []\n"),
        "cohorts.yaml",
        0,
        "",
        "is not YAML",
    ),
    ("yaml_list", replaced("cohorts.yaml", "- a\n"), "cohorts.yaml", 1, "", "does not begin with"),
    ("yaml_empty", replaced("cohorts.yaml", ""), "cohorts.yaml", 1, "", "does not begin with"),
    ("deep_yaml", replaced("cohorts.yaml", "cohorts: " + "[" * 5000), "cohorts.yaml", 1, "", "nested deeper"),
    (
        "unknown_key",
        replaced("plan.yaml", PLAN + "strategie: phased\n"),
        "plan.yaml",
        PLAN.count("\n") + 1,
        "strategie",
        "did you mean 'strategy'?",
    ),
    ("missing_key", replaced("plan.yaml", PLAN.replace("owner: revops\n", "")), "plan.yaml", 1, "owner", "is missing"),
    (
        "plan_name",
        replaced("plan.yaml", PLAN.replace("name: small", "name: ../../etc")),
        "plan.yaml",
        1,
        "name",
        "'../../etc' is not a name",
    ),
    (
        "plan_name_encoded",
        replaced("plan.yaml", PLAN.replace("name: small", "name: '%2e%2e'")),
        "plan.yaml",
        1,
        "name",
        "is not a name",
    ),
    (
        "uuid",
        replaced("plan.yaml", PLAN.replace("uuid: 5b7a9a52", "uuid: zz")),
        "plan.yaml",
        2,
        "uuid",
        "must be a UUID",
    ),
    (
        "no_offset",
        replaced("plan.yaml", PLAN + "as_of: 2026-01-01T00:00:00\n"),
        "plan.yaml",
        PLAN.count("\n") + 1,
        "as_of",
        "no offset",
    ),
    (
        "as_of_digits",
        replaced("plan.yaml", PLAN + 'as_of: "20260101"\n'),
        "plan.yaml",
        PLAN.count("\n") + 1,
        "as_of",
        "an instant with its offset",
    ),
    (
        "rehearsal_yes",
        replaced("plan.yaml", PLAN + 'rehearsal: "yes"\n'),
        "plan.yaml",
        PLAN.count("\n") + 1,
        "rehearsal",
        "write true or false",
    ),
    (
        "as_of_number",
        replaced("plan.yaml", PLAN + "as_of: 20260101\n"),
        "plan.yaml",
        PLAN.count("\n") + 1,
        "as_of",
        "an instant with its offset",
    ),
    (
        "own_state",
        lambda f: f["plan.yaml"]["target"].update(database="control"),
        "plan.yaml",
        0,
        "target.database",
        "keeps its own state",
    ),
    (
        "two_places",
        lambda f: f["plan.yaml"]["target"].update(url="x://"),
        "plan.yaml",
        0,
        "target",
        "exactly one of database and url",
    ),
    (
        "sql_by_path",
        lambda f: f["plan.yaml"]["sources"]["crm"].update(path="x"),
        "plan.yaml",
        0,
        "sources.crm",
        "of kind sql is named by",
    ),
    (
        "csv_by_url",
        lambda f: f["plan.yaml"]["sources"]["crm"].update(kind="csv"),
        "plan.yaml",
        0,
        "sources.crm",
        "of kind csv is named by path alone",
    ),
    (
        "cohort_name",
        replaced("cohorts.yaml", cohorts_text(COHORT.replace("pilot", "../x"))),
        "cohorts.yaml",
        2,
        "cohorts.0.name",
        "'../x' is not a name",
    ),
    (
        "cohort_absolute",
        replaced("cohorts.yaml", cohorts_text(COHORT.replace("pilot", "/etc"))),
        "cohorts.yaml",
        2,
        "cohorts.0.name",
        "is not a name",
    ),
    (
        "cohort_two_selectors",
        replaced("cohorts.yaml", cohorts_text("{name: a, wave: 0, buckets: 1, customers: ['1']}")),
        "cohorts.yaml",
        2,
        "cohorts.0",
        "exactly one of customers, where and buckets",
    ),
    (
        "cohort_no_selector",
        replaced("cohorts.yaml", cohorts_text("{name: a, wave: 0}")),
        "cohorts.yaml",
        2,
        "cohorts.0",
        "exactly one of",
    ),
    (
        "number_as_text",
        replaced("cohorts.yaml", cohorts_text("{name: a, wave: 0, customers: [00123, 17]}")),
        "cohorts.yaml",
        2,
        "cohorts.0.customers.1",
        "must be text",
    ),
    (
        "negative",
        replaced("cohorts.yaml", cohorts_text("{name: a, wave: -1, buckets: 1}")),
        "cohorts.yaml",
        2,
        "cohorts.0.wave",
        "at least 0",
    ),
    (
        "too_late",
        replaced("cohorts.yaml", cohorts_text("{name: a, wave: 99999999999, buckets: 1}")),
        "cohorts.yaml",
        2,
        "cohorts.0.wave",
        "at most 10000",
    ),
    (
        "predicate_op",
        replaced("cohorts.yaml", cohorts_text("{name: a, wave: 0, where: [{field: kind, op: like}]}")),
        "cohorts.yaml",
        2,
        "cohorts.0.where.0.op",
        "'like' is not allowed",
    ),
    (
        "predicate_value",
        replaced("cohorts.yaml", cohorts_text("{name: a, wave: 0, where: [{field: kind, op: in}]}")),
        "cohorts.yaml",
        2,
        "cohorts.0.where.0",
        "in takes a list",
    ),
    # CSV
    (
        "unclosed_quote",
        replaced("geo.csv", 'product,region,allowed,reason\n*,*,true,"open\n'),
        "geo.csv",
        2,
        "",
        "never closed",
    ),
    (
        "stray_quote",
        replaced("geo.csv", 'product,region,allowed,reason\n*,*,true,"a"b\n'),
        "geo.csv",
        2,
        "",
        "wrong place",
    ),
    ("ragged", replaced("geo.csv", "product,region,allowed,reason\n*,*,true\n"), "geo.csv", 2, "", "has 3 cells"),
    (
        "duplicate_header",
        replaced("geo.csv", "product,region,allowed,reason,region\n"),
        "geo.csv",
        1,
        "region",
        "2 times",
    ),
    (
        "missing_header",
        replaced("geo.csv", "product,region,allowed\n"),
        "geo.csv",
        1,
        "reason",
        "missing in the header",
    ),
    (
        "unknown_header",
        replaced("geo.csv", "product,region,allowed,reason,regions\n"),
        "geo.csv",
        1,
        "regions",
        "did you mean 'region'?",
    ),
    (
        "place_is_no_column",
        replaced("geo.csv", "product,region,allowed,reason,row\n"),
        "geo.csv",
        1,
        "row",
        "not a column",
    ),
    ("empty_csv", replaced("geo.csv", ""), "geo.csv", 1, "", "is empty"),
    (
        "long_cell",
        replaced("geo.csv", f"product,region,allowed,reason\n*,*,true,{'x' * 40_000}\n"),
        "geo.csv",
        2,
        "reason",
        "longer than",
    ),
    (
        "longer_cell",
        with_a_cell_past_pythons_own_limit,
        "geo.csv",
        2,
        "",
        "too long",
    ),
    ("not_json", cell(CUSTOMERS, COUNTRY, arguments="{'a': 1}"), CUSTOMERS, 5, "arguments", "is not JSON"),
    ("json_list", cell(CUSTOMERS, COUNTRY, arguments="[1]"), CUSTOMERS, 5, "arguments", "must be an object"),
    ("json_object", cell(FEEDS, {"feed": "subs"}, where="{}"), FEEDS, 3, "where", "must be a list"),
    ("json_twice", cell(CUSTOMERS, COUNTRY, arguments='{"a": 1, "a": 2}'), CUSTOMERS, 5, "arguments", "one key twice"),
    ("json_nan", cell(CUSTOMERS, COUNTRY, arguments='{"a": NaN}'), CUSTOMERS, 5, "arguments", "NaN is not a number"),
    ("json_deep", cell(CUSTOMERS, COUNTRY, arguments="[" * 30_000), CUSTOMERS, 5, "arguments", "is not JSON"),
    (
        "json_digits",
        cell(CUSTOMERS, COUNTRY, arguments=f'{{"a": {"9" * 9000}}}'),
        CUSTOMERS,
        5,
        "arguments",
        "not JSON",
    ),
    ("json_surrogate", cell(CUSTOMERS, COUNTRY, arguments='{"a": "\\ud800"}'), CUSTOMERS, 5, "arguments", "surrogate"),
    ("status", cell(CUSTOMERS, COUNTRY, status="MAYBE"), CUSTOMERS, 5, "status", "write one of 'ASSUMED', 'CONFIRMED'"),
    ("no_reason", cell(CUSTOMERS, COUNTRY, reason=" "), CUSTOMERS, 5, "reason", "at least 1 character"),
    (
        "empty_column",
        cell(SUBSCRIPTIONS, {"field": "plan_code"}, columns="plan||x"),
        SUBSCRIPTIONS,
        3,
        "columns.1",
        "at least 1",
    ),
    ("other_entity", cell(CUSTOMERS, COUNTRY, entity="contact"), CUSTOMERS, 5, "entity", "not the entity this file"),
    ("allowed", cell("geo.csv", {"region": "CU"}, allowed="maybe"), "geo.csv", 3, "allowed", "true or false"),
    ("feed_name", cell(FEEDS, {"feed": "subs"}, feed="Subs!"), FEEDS, 3, "feed", "is not a name"),
    ("empty_target", cell("codes/plans.csv", {"code": "B"}, target=""), "codes/plans.csv", 2, "target", "at least 1"),
]


@pytest.mark.parametrize(
    ("bend", "file", "line", "field", "words"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_a_bad_file_is_refused_with_its_place(
    tmp_path: Path, bend: Callable[[Files], None], file: str, line: int, field: str, words: str
) -> None:
    files = valid()
    bend(files)
    found = load_faults(tmp_path, files)
    here = [f for f in found if f.file == file and f.field == field and words in f"{f.problem} -> {f.remedy}"]
    assert here, "\n".join(map(str, found)) or "no fault at all"
    assert here[0].row == line or not line
    assert here[0].remedy
    said = str(here[0]).lower()
    assert len(said) < 600
    assert not [word for word in ("pydantic", "input", "validation", "traceback", "loc=") if word in said]


def test_faults_of_all_files_come_at_once(tmp_path: Path) -> None:
    files = valid()
    files["cohorts.yaml"] = "cohorts: 1\n"
    files["geo.csv"] = "product\n"
    pick(files, CUSTOMERS, field="country")["status"] = "MAYBE"
    assert {f.file for f in load_faults(tmp_path, files)} == {"cohorts.yaml", "geo.csv", CUSTOMERS}


def test_a_long_or_hostile_value_is_shown_short_and_escaped(tmp_path: Path) -> None:
    files = valid()
    pick(files, CUSTOMERS, field="country")["status"] = "\u200b<script>" + "A" * 5000
    (found,) = load_faults(tmp_path, files)
    assert "\\u200b<script>AAAA" in found.problem
    assert len(found.problem) < 120


def test_a_byte_order_mark_and_other_line_ends_change_nothing(tmp_path: Path) -> None:
    plain = load(tmp_path / "plain", valid())
    marked = {n: b"\xef\xbb\xbf" + as_text(n, c).replace("\n", "\r\n").encode() for n, c in valid().items()}
    saved_elsewhere = load(tmp_path / "marked", marked)
    assert saved_elsewhere.digest == plain.digest
    assert saved_elsewhere.mapping == plain.mapping


def test_blank_rows_are_passed_over(tmp_path: Path) -> None:
    files = valid()
    files["geo.csv"] = "product,region,allowed,reason\n\n,,,\n*,*,true,All.\n"
    (rule,) = load(tmp_path, files).geo
    assert (rule.row, rule.allowed) == (4, True)


def test_geo_is_optional(tmp_path: Path) -> None:
    files = valid()
    files["geo.csv"] = None
    assert load(tmp_path, files).geo == ()


def test_rounding_of_a_control_is_the_one_column_that_may_be_left_out(tmp_path: Path) -> None:
    whole = load(tmp_path / "a", valid())
    files = valid()
    for control in files["controls.csv"]:
        del control["source_rounding"]
    assert load(tmp_path / "b", files).controls == whole.controls
    assert {c.source_rounding for c in whole.controls} == {""}


def test_codes_are_kept_exactly_and_other_cells_trimmed(tmp_path: Path) -> None:
    files = valid()
    files["codes/plans.csv"] = "code,target,reason\n B , basic_month , x \n"
    (code,) = load(tmp_path, files).codes["plans"]
    assert (code.code, code.target, code.reason) == (" B ", "basic_month", "x")


def test_yaml_guesses_no_types(tmp_path: Path) -> None:
    files = valid()
    files["cohorts.yaml"] = "cohorts:\n  - {name: a, wave: 0, customers: [NO, 00123, 1e5, 12:30, 2026-01-01, 1.10]}\n"
    assert load(tmp_path, files).cohorts.cohorts[0].customers == ("NO", "00123", "1e5", "12:30", "2026-01-01", "1.10")


def test_numbers_of_arguments_stay_exact(tmp_path: Path) -> None:
    files = valid()
    pick(files, CUSTOMERS, field="country")["arguments"] = '{"factor": 1.10}'
    (row,) = (r for r in load(tmp_path, files).mapping if r.field == "country")
    assert row.arguments == {"factor": "1.10"}


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "plan", valid())
    (tmp_path / "outside.csv").write_text("code,target,reason\nB,basic_month,\n")
    (folder / "codes/plans.csv").unlink()
    (folder / "codes/plans.csv").symlink_to(tmp_path / "outside.csv")
    assert [f.problem for f in load_faults(folder, {})] == ["is a link that leads out of the plan's folder"]


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no plan folder 'none'"):
        load_plan(tmp_path / "none")


@settings(max_examples=25, deadline=None)
@given(st.integers(min_value=0))
def test_sorting_a_csv_changes_nothing(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    folder = tmp_path_factory.mktemp("plan")
    files = valid()
    plain = load(folder / "plain", files)
    for rows in files.values():
        if isinstance(rows, list):
            random.Random(seed).shuffle(rows)
    shuffled = load(folder / "shuffled", files)
    shutil.rmtree(folder)
    assert shuffled.digest == plain.digest
    where = {"row": True}
    apart = {"feeds": {"__all__": where}, "mapping": {"__all__": where}, "geo": {"__all__": where},
             "controls": {"__all__": where}, "folder": True, "codes": True, "lines": True}  # fmt: skip
    assert shuffled.model_dump(exclude=apart) == plain.model_dump(exclude=apart)
    assert {n: [(c.code, c.target) for c in rows] for n, rows in shuffled.codes.items()} == {
        n: [(c.code, c.target) for c in rows] for n, rows in plain.codes.items()
    }


def test_the_digest_stands_for_the_content_and_not_the_place(tmp_path: Path) -> None:
    assert load(tmp_path / "a", valid()).digest == load(tmp_path / "b", valid()).digest


@pytest.mark.parametrize(
    "change",
    [
        lambda f: pick(f, CUSTOMERS, field="country").update(reason="Another."),
        lambda f: f["plan.yaml"].update(title="Other"),
        lambda f: f.update({"expectations/crm.yaml": "checks: []\n"}),
        lambda f: f["codes/plans.csv"].append({"code": "C", "target": "basic_month", "reason": ""}),
        lambda f: f.update({"codes/more.csv": f["codes/plans.csv"]}),
    ],
)
def test_any_change_of_a_rule_changes_the_digest(tmp_path: Path, change: Callable[[Files], None]) -> None:
    files = valid()
    change(files)
    assert load(tmp_path / "b", files).digest != load(tmp_path / "a", valid()).digest


def test_notes_beside_the_rules_do_not_change_the_digest(tmp_path: Path) -> None:
    files = valid() | {"README.md": "Read me.", ".cache/x.yaml": "a: 1\n"}
    assert load(tmp_path / "b", files).digest == load(tmp_path / "a", valid()).digest


def test_variables_are_replaced_once_and_named_when_missing() -> None:
    assert resolve("a ${X} b ${Y_1}", {"X": "${Y_1}", "Y_1": "y"}) == "a ${Y_1} b y"
    assert names_in("a ${X} b ${Y_1}") == ("X", "Y_1")
    for env in ({}, {"CRM_URL": ""}):
        with pytest.raises(Misconfigured, match="CRM_URL is not set") as e:
            resolve("postgresql://${CRM_URL}", env)
        assert e.value.exit_code == 2
    with pytest.raises(Misconfigured, match="not a name in capitals"):
        resolve("${crm}", {"crm": "x"})


def test_loading_needs_no_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CRM_URL", raising=False)
    assert load(tmp_path, valid()).file.sources["crm"].url == "${CRM_URL}"
