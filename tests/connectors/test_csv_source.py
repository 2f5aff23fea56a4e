"""CSV arrives exactly as written, or is refused with file, line and remedy."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migration_assets.connectors.opening import open_source
from migration_assets.domain.errors import SourceUnreadable

PERSONAL = "Ada.Secret@example.com"


def rows(folder: Path, read_from: str = "t.csv", key: str = "id", **options: Any) -> list[dict[str, Any]]:
    """All rows of a table below a folder, through golden-copy Parquet."""
    out = folder / "out.parquet"
    with open_source("csv", str(folder), options).snapshot() as snapshot:
        names = [column.name for column in snapshot.columns(read_from)]
        count = snapshot.export(read_from, names, [key], out, table="crm.t")
    found = pq.read_table(out).to_pylist()
    assert count == len(found)
    return found


def refusal(folder: Path, content: bytes | str, name: str = "t.csv", **options: Any) -> str:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(SourceUnreadable) as caught:
        rows(folder, name, **options)
    assert caught.value.remedy
    assert PERSONAL not in str(caught.value)
    return caught.value.message


@pytest.mark.parametrize(
    "value",
    [
        "00123",
        "NA",
        "N/A",
        "null",
        "NaN",
        "Infinity",
        "1234567890123.4567",
        "12345678901234567",
        "1e5",
        "TRUE",
        "03/04/2024",
        "2024-02-30",
        "0001-01-01",
        "9999-12-31",
        "1.234,56",
        "-0.00",
        "é",
        "e\u0301",
        "a\u200bb",
        "\u202eabc",
        "İ",
        "ı",
        "٣٤",
        "trailing ",
        " leading",
        "nbsp\u00a0",
        "line\nbreak",
        "carriage\r\nreturn",
        'a "quote"',
        "=1+1",
        "+1",
        "-1",
        "@x",
        "'; DROP TABLE t; --",
        "../../etc/passwd",
        "%2e%2e",
        "<script>alert(1)</script>",
        "[a](http://x)",
        "\x1b[31mred",
        "!!python/object",
        "\ufeff",
        "\u2028",
        "\x85",
        "\\N",
        "#comment",
        "x" * 500_000,
    ],
    ids=lambda v: ascii(v)[:24],
)
def test_value_arrives_exactly_as_written(tmp_path: Path, value: str) -> None:
    with (tmp_path / "t.csv").open("w", encoding="utf-8", newline="") as out:
        csv.writer(out, quoting=csv.QUOTE_ALL).writerows([["id", "value"], ["1", value]])
    assert rows(tmp_path) == [{"_row": 1, "id": "1", "value": value}]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=st.lists(
        st.tuples(*[st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))] * 3),
        max_size=6,
    )
)
def test_any_text_survives_and_missing_stays_apart_from_empty(
    tmp_path: Path, table: list[tuple[str | None, ...]]
) -> None:
    lines = ["id,a,b,c"]
    for number, values in enumerate(table):
        cells = ["" if v is None else '"' + v.replace('"', '""') + '"' for v in values]
        lines.append(",".join([f"{number:03d}", *cells]))
    (tmp_path / "t.csv").write_bytes("\r\n".join(lines).encode())
    found = [tuple(r[n] for n in "abc") for r in rows(tmp_path)]
    assert found == table


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_with_a_remedy(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(b"id,value\n" + data)
    try:
        rows(tmp_path)
    except SourceUnreadable as refused:
        assert refused.remedy


def test_quoted_empty_is_text_and_bare_empty_is_missing(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('id,a,b,c\n1,,"",\n2,"","a"",""b",""\n3,x"",,y\n')
    assert [(r["a"], r["b"], r["c"]) for r in rows(tmp_path)] == [
        (None, "", None),
        ("", 'a","b', ""),
        ('x""', None, "y"),
    ]


def test_declared_spellings_are_missing_where_they_stand_alone_and_bare(tmp_path: Path) -> None:
    content = 'id,NULL\n1,NULL\n2,"NULL"\n3,null\n4, NULL\n5,NULLS\n6,\n7,""\n8,\\N\n'
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbf" + content.encode())
    found = rows(tmp_path, delimiter=",", missing=["NULL", "\\N"])
    values = [row["NULL"] for row in found]
    assert values == [None, "NULL", "null", " NULL", "NULLS", None, "", None], "in the header it is a name"
    assert next(row["NULL"] for row in rows(tmp_path, delimiter=",")) == "NULL", "unless declared it is text"


def test_a_spelling_of_missing_in_a_record_with_quotes_around_others(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b'id,a,b,c\n1,NULL,"x, ""NULL"" y",NULL\n2,"NULL","a\nNULL",NULL\n')
    found = [(row["a"], row["b"], row["c"]) for row in rows(tmp_path, delimiter=",", missing=["NULL"])]
    assert found == [(None, 'x, "NULL" y', None), ("NULL", "a\nNULL", None)]


@pytest.mark.parametrize("missing", [[""], ['say "no"'], ["a\nb"], [0]])
def test_a_spelling_of_missing_that_could_never_be_met_is_refused(tmp_path: Path, missing: list[Any]) -> None:
    assert "missing" in refusal(tmp_path, "id\n1\n", missing=missing)


def test_escape_character_and_no_quotes(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('id,a,b\n1,"say \\"hi\\"",""\n2,\\,x,\n')
    assert [(r["a"], r["b"]) for r in rows(tmp_path, escape="\\")] == [('say "hi"', ""), (",x", None)]
    (tmp_path / "t.csv").write_text('id,a\n1,"x\n')
    assert rows(tmp_path, quote="", delimiter=",")[0]["a"] == '"x'


def test_one_column_table_keeps_blank_lines_as_missing(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('id\n1\n\n""\n')
    assert [r["id"] for r in rows(tmp_path)] == ["", "1", None]


def test_rows_are_ordered_bytewise_by_key_and_ties_keep_file_order(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,n\nb,1\n10,2\na,3\n9,4\nB,5\n,6\na,7\né,8\n")
    found = rows(tmp_path)
    assert [r["n"] for r in found] == ["2", "4", "5", "3", "7", "1", "8", "6"]
    assert [r["_row"] for r in found] == list(range(1, 9))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252", "latin-1"])
def test_encoding_is_detected_and_can_be_declared(tmp_path: Path, encoding: str) -> None:
    text = "id;name\n1;Müller, Straße 5, Zürich und die Größe der Häuser\n2;François Lefèvre, à côté de la forêt\n" * 3
    text = "id;name\n" + text.replace("id;name\n", "")
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    expected = text.splitlines()[1].split(";")[1]
    assert rows(tmp_path)[0]["name"] == expected
    assert rows(tmp_path, encoding=encoding)[0]["name"] == expected


def test_detection_is_reported(tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "t.csv").write_text("id|a\n1|x\n")
    with open_source("csv", str(tmp_path), report=said.append).snapshot() as snapshot:
        snapshot.columns("t.csv")
    assert said == ["t.csv: encoding utf-8 (valid throughout), delimiter '|'"]


def test_encoding_nobody_can_be_sure_of_is_asked_for(tmp_path: Path) -> None:
    text = "id;name\n1;Привет, как твои дела сегодня утром\n2;Москва и Санкт-Петербург\n" * 5
    assert "its encoding is not certain" in refusal(tmp_path, text.encode("cp1251"))
    assert "Москва и Санкт-Петербург" in {row["name"] for row in rows(tmp_path, encoding="cp1251")}


def test_wrongly_declared_encoding_is_refused_with_the_line(tmp_path: Path) -> None:
    latin = "id,name\n1,ok\n2,Müller\n".encode("latin-1")
    assert "t.csv, line 3: bytes that are not utf-8" in refusal(tmp_path, latin, encoding="utf-8")
    assert "all of it is valid UTF-8" in refusal(tmp_path, "id,name\n1,Müller\n", encoding="cp1252")
    assert "mark of utf-16" in refusal(tmp_path, "id,name\n1,a\n".encode("utf-16"), encoding="utf-8")
    assert "no encoding 'utf-99'" in refusal(tmp_path, "id\n1\n", encoding="utf-99")
    (tmp_path / "t.csv").write_text("id,name\n1,MÃ¼ller\n", encoding="utf-8")
    assert rows(tmp_path, encoding="latin-1", encoding_certain=True)[0]["name"] != "MÃ¼ller"


def test_undecodable_utf16_names_the_line(tmp_path: Path) -> None:
    data = "id,name\n1,a\n2,".encode("utf-16-be")
    message = refusal(tmp_path, b"\xfe\xff" + data + b"\xdc\x00\x00a", encoding="utf-16")
    assert "t.csv, line 3: bytes that are not utf-16" in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("\ufeff", "is empty"),
        ("\n\n", "no header"),
        (f"id,name,ID\n1,{PERSONAL},2\n", "line 1: columns 1 and 3 have the same name"),
        ("id,,x\n1,2,3\n", "line 1: column 2 has no name"),
        (f"id,name\n1,a\n2,{PERSONAL},x\n", "t.csv, line 3: 3 values, and the header has 2"),
        (f"id,name\n1,a\n{PERSONAL}\n", "t.csv, line 3: 1 values, and the header has 2"),
        ("id,name\n1,a\n\n2,b\n", "t.csv, line 3: 0 values"),
        (f'id,name\n1,"line\nbreak"\n2,"{PERSONAL}\n3,c\n', "t.csv, line 4: a quote that is never closed"),
        (f'id,name\n1,"{PERSONAL}" x\n', "line 2: not valid CSV"),
        ("id,name\n1,a\0b\n", "t.csv, line 2: there is a NUL"),
        ("id,name\n1," + "x" * 1_100_000 + "\n", "line 2"),
        ("id,name\n1," + "x" * 10_000_000 + "\n", "line 2"),
        ("id,name\n1," + "x" * 20_000_000 + "\n", "t.csv, line 2: longer than"),
    ],
    ids=[
        "empty",
        "mark only",
        "blank",
        "duplicate",
        "nameless",
        "long",
        "short",
        "blank line",
        "unclosed",
        "junk",
        "nul",
        "cell",
        "10 MB",
        "20 MB",
    ],
)
def test_broken_structure_is_refused_with_its_line(tmp_path: Path, content: str, said: str) -> None:
    assert said in refusal(tmp_path, content, delimiter=",")


def test_unclosed_quote_in_a_large_file_does_not_swallow_it(tmp_path: Path) -> None:
    content = 'id,name\n1,"open\n' + "2,some ordinary text here\n" * 100_000
    assert "t.csv, line 2" in refusal(tmp_path, content, delimiter=",")


def test_cell_limit_is_an_option(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,name\n1," + "ü" * 100)
    assert len(rows(tmp_path, max_cell_bytes=200)[0]["name"]) == 100
    with pytest.raises(SourceUnreadable, match="line 2, column name: a value of 200 bytes, over 199"):
        rows(tmp_path, max_cell_bytes=199)


def test_header_only_is_no_rows(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,name\n")
    assert rows(tmp_path) == []


def test_gzip_is_read_and_damage_and_bombs_are_refused(tmp_path: Path) -> None:
    whole = gzip.compress(b"id,name\n" + b"".join(b"%d,name %d\n" % (n, n * 7919) for n in range(5000)))
    (tmp_path / "t.csv.gz").write_bytes(whole)
    assert len(rows(tmp_path, "t.csv.gz")) == 5000
    assert "damaged or truncated" in refusal(tmp_path, whole[: len(whole) // 2], "t.csv.gz")
    assert "damaged or truncated" in refusal(tmp_path, b"id,name\n1,a\n", "t.csv.gz")
    bomb = io.BytesIO()
    with gzip.GzipFile(fileobj=bomb, mode="wb") as packed:
        packed.write(b"id,name\n" + b"1,a\n" * 1_000_000)
    assert "more than 100000 bytes" in refusal(tmp_path, bomb.getvalue(), "t.csv.gz", max_bytes=100_000)


def test_delimiters_are_told_apart_or_asked_for(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('id\tname\n1\t"a,b;c"\n')
    assert rows(tmp_path)[0]["name"] == "a,b;c"
    assert "delimiter is not certain" in refusal(tmp_path, "id,a;b\n1,2;3\n")


def test_unknown_option_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="delimeter"):
        open_source("csv", str(tmp_path), {"delimeter": ";"})
