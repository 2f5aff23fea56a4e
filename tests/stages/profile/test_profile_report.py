"""What a reader sees, and what nobody may see."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.profile.measure import profile_tables
from migration_assets.stages.profile.model import Profile, ProfiledTable, Reference
from migration_assets.stages.profile.quality import MEASURES
from migration_assets.stages.profile.report import LABELS, Heading, html_report, markdown_summary, scores

SHARED = Path(__file__).parents[4] / "shared" / "data"
HEADING = Heading("Acme", "pilot", "20240601T000000Z-abc123", "2024-06-01")
EVIL = [
    "<script>alert(1)</script>",
    "[click](http://evil.example)",
    "\x1b[31mred",
    "\u202etxt.exe",
    '"><img src=x onerror=1>',
]


@pytest.fixture
def engine() -> Iterator[DuckDBEngine]:
    with DuckDBEngine() as made:
        yield made


def table(folder: Path, name: str, columns: dict[str, object], **more: object) -> ProfiledTable:
    path = folder / f"{len(list(folder.iterdir()))}.parquet"
    rows = len(next(iter(columns.values())))  # type: ignore[arg-type]
    pq.write_table(pa.table({"_row": pa.array(range(1, rows + 1), pa.int64()), **columns}), path)
    return ProfiledTable(name, path, ("id",), **more)  # type: ignore[arg-type]


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def everything(profile: Profile) -> str:
    rows = [t.to_pylist() for t in (profile.tables, profile.columns, profile.relationships, profile.findings)]
    return repr(rows) + html_report(profile, HEADING) + markdown_summary(profile)


def test_strangers_write_names_and_values(engine: DuckDBEngine, tmp_path: Path) -> None:
    columns = {
        "id": [1, 2, 3, 4, 5],
        "v": EVIL,
        **{e: ["x", None, "x", "x", "x"] for e in EVIL},
        "&gt;[a](http://b)": [None] * 5,
    }
    profile = profile_tables(engine, [table(tmp_path, f"crm.{EVIL[0]}", columns, description=EVIL[4], home=EVIL[1])])
    html, markdown = html_report(profile, Heading(*EVIL[:4])), markdown_summary(profile)
    tags = _Page(html).tags
    assert not {t for t, _ in tags} & {"script", "img", "iframe", "object", "link", "form"}
    assert all(not k.startswith("on") for _, attributes in tags for k in attributes)
    assert all((a.get("href") or "#").startswith("#") and "src" not in a for _, a in tags)
    assert "\x1b" not in html + markdown and "\u202e" not in html + markdown
    assert "<script" not in markdown and re.search(r"(?<!\\)[\[\]<@`]|&(?!lt;|gt;|amp;)", markdown) is None
    assert "&lt;script&gt;" in html


def test_the_page_needs_nothing_from_elsewhere(engine: DuckDBEngine, tmp_path: Path) -> None:
    html = html_report(profile_tables(engine, [table(tmp_path, "crm.a", {"id": [1]})]), HEADING)
    assert not re.search(r"(?:src|href)\s*=\s*[\"'](?!#)|url\(|@import|http", html.replace("http-equiv", ""))
    assert "default-src 'none'" in html
    targets = {a["id"] for _, a in _Page(html).tags if "id" in a}
    assert {(a["href"] or "")[1:] for t, a in _Page(html).tags if t == "a"} <= targets


def test_personal_values_are_nowhere(engine: DuckDBEngine, tmp_path: Path) -> None:
    planted = {
        "name": ["Quentin Zzyzx", "Quentin Zzyzx", "quentin zzyzx", " Xavierax "],
        "born": pa.array([date(1871, 3, 17)] * 3 + [date(2971, 3, 17)]),
        "salary": [777123, 777123, -777123, 888456],
        "mail": ["planted@secret.example", "planted@secret.example", "Other@secret.example", "third@secret.example"],
        "note": ["call planted@secret.example", "call planted@secret.example", "ok", "ok"],
    }
    personal = frozenset({"name", "born", "salary"})
    made = table(tmp_path, "crm.people", {"id": [1, 2, 3, 4], **planted}, personal=personal)
    profile = profile_tables(engine, [made], as_of=datetime(2024, 6, 1, tzinfo=UTC))
    shown = everything(profile)
    for secret in (
        "Quentin",
        "quentin",
        "zzyzx",
        "Xavierax",
        "1871",
        "2971",
        "777123",
        "888456",
        "planted",
        "secret",
        "Other@",
    ):
        assert secret not in shown
    masked = {c["column"]: c["masked"] for c in profile.columns.to_pylist()}
    assert masked == {"id": False, "name": True, "born": True, "salary": True, "mail": True, "note": False}
    patterns = next(c["patterns"] for c in profile.columns.to_pylist() if c["column"] == "name")
    assert patterns[0] == {"value": "Aa Aa", "rows": 2}
    assert {f["measure"] for f in profile.findings.to_pylist()} >= {"case_variant", "future_date", "surrounding_space"}


def test_scores_are_the_share_of_cells_without_a_finding(engine: DuckDBEngine, tmp_path: Path) -> None:
    tables = [
        table(tmp_path, "crm.a", {"id": [1, 2, 3, 4], "v": ["x", None, None, "x"]}),
        table(tmp_path, "crm.b", {"id": pa.array([], pa.int64())}),
    ]
    made = scores(profile_tables(engine, tables))
    assert made["crm.a"] == {"completeness": 0.75, "validity": 1.0, "consistency": 1.0, "accuracy": 1.0}
    assert set(made["crm.b"].values()) == {None}


def test_nearly_all_is_not_all(engine: DuckDBEngine, tmp_path: Path) -> None:
    values = ["x"] * 30_000
    values[7] = ""
    markdown = markdown_summary(
        profile_tables(engine, [table(tmp_path, "crm.a", {"id": list(range(30_000)), "v": values})])
    )
    assert "over 99.99 %" in markdown and "under 0.01 %" in markdown


def test_tables_that_point_at_each_other_are_drawn(engine: DuckDBEngine, tmp_path: Path) -> None:
    a = table(tmp_path, "crm.a", {"id": [1, 2], "b": [1, 9], "boss": [1, 1]})
    b = table(tmp_path, "crm.b", {"id": [1, 2], "a": [1, 2]})
    a = ProfiledTable(
        "crm.a", a.path, ("id",), (Reference("b", "crm.b", "id", b.path), Reference("boss", "crm.a", "id", a.path))
    )
    b = ProfiledTable("crm.b", b.path, ("id",), (Reference("a", "crm.a", "id", a.path),))
    html = html_report(profile_tables(engine, [a, b]), HEADING)
    assert html.count('<g class="box">') == 2
    assert html.count('class="line broken"') == 1 and html.count('class="line whole"') == 1


def test_every_measure_has_words() -> None:
    assert LABELS.keys() == MEASURES.keys()


@pytest.mark.skipif(
    not SHARED.exists() and "TELCO_CSV" not in os.environ, reason="needs the telco data set (TELCO_CSV)"
)
def test_telco(engine: DuckDBEngine, tmp_path: Path) -> None:
    csv = os.environ.get("TELCO_CSV", str(SHARED / "telco" / "Telco-Customer-Churn.csv"))
    path = tmp_path / "telco.parquet"
    with duckdb.connect() as connection:
        rows = f"SELECT row_number() OVER () AS _row, * FROM read_csv('{csv}', all_varchar = true)"
        connection.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet)")
    profile = profile_tables(engine, [ProfiledTable("crm.telco", path, ("customerID",))])
    columns = {c["column"]: c for c in profile.columns.to_pylist()}
    assert (columns["MonthlyCharges"]["rows"], columns["MonthlyCharges"]["sum"]) == (7043, "456116.6")
    assert (columns["TotalCharges"]["blanks"], columns["SeniorCitizen"]["content_type"]) == (11, "boolean")
    assert columns["customerID"]["patterns"] == [{"value": "9999-AAAAA", "rows": 7043}]
    (blank,) = [f for f in profile.findings.to_pylist() if f["measure"] == "blank"]
    assert (blank["column"], blank["rows"]) == ("TotalCharges", 11)
