"""JSON lines: numbers as written, nested values as JSON, and what JSON readers mend in silence refused."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from migration_assets.connectors.opening import open_source
from migration_assets.domain.errors import SourceUnreadable


def rows(folder: Path, content: str | bytes, name: str = "t.jsonl", **options: Any) -> list[dict[str, Any]]:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with open_source("jsonl", str(folder), options).snapshot() as snapshot:
        names = [column.name for column in snapshot.columns(name)]
        snapshot.export(name, names, ["id"], folder / "o.parquet", table="crm.t")
    return pq.read_table(folder / "o.parquet").to_pylist()


@pytest.mark.parametrize(
    ("written", "arrives"),
    [
        ("12345678901234567", "12345678901234567"), ("1e5", "1e5"), ("1.10", "1.10"),
        ("-0.00", "-0.00"), ("0.1", "0.1"),
        ("true", "true"), ("false", "false"), ("null", None), ('""', ""), ('"NA"', "NA"), ('"00123"', "00123"),
        ('{"a": 1.50, "b": ["x", null, 1e5, {"é": "\\"q\\""}]}', '{"a":1.50,"b":["x",null,1e5,{"é":"\\"q\\""}]}'),
        ("[]", "[]"), ('"\\u00e9"', "é"), ('"\\ud83d\\ude00"', "😀"), ('"line\\nbreak"', "line\nbreak"),
    ],
)  # fmt: skip
def test_value_arrives_as_written(tmp_path: Path, written: str, arrives: str | None) -> None:
    assert rows(tmp_path, f'{{"id": "1", "v": {written}}}\n')[0]["v"] == arrives


def test_columns_are_the_union_in_order_of_appearance(tmp_path: Path) -> None:
    found = rows(tmp_path, '{"id": 2, "b": 1}\n\n{"a": "x", "id": 1}\n')
    assert found == [{"_row": 1, "id": "1", "b": None, "a": "x"}, {"_row": 2, "id": "2", "b": "1", "a": None}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ('{"id": 1}\n{"id": 2,\n', "t.jsonl, line 2: not valid JSON"),
        ('[{"id": 1}]\n', "line 1: not an object"),
        ('{"id": 1, "id": 2}\n', "line 1: a member is given twice"),
        ('{"id": 1, "v": {"a": 1, "a": 2}}\n', "line 1: a member is given twice"),
        ('{"id": NaN}\n', "line 1: NaN is not a JSON number"),
        ('{"id": -Infinity}\n', "line 1: -Infinity is not"),
        ('{"id": "\\ud800"}\n', "line 1: a text holds a lone surrogate"),
        ('{"id": "1", "v": [{"\\udc00": 1}]}\n', "line 1: a text holds a lone surrogate"),
        ('{"id": "\\u0000"}\n', "line 1: a text holds a NUL"),
        ('{"id": "a\0"}\n', "line 1: there is a NUL"),
        ('{"id": ' + "[" * 100_000 + "}\n", "line 1: nested too deeply"),
        ('{"id": 1, "ID": 2}\n', "have the same name"),
        (b'{"id": "M\xfcller"}\n', "line 1: bytes that are not utf-8"),
        ('{"id": 1, "v": "' + "x" * 2_000_000 + '"}\n', "line 1, column v: a value of 2000000 bytes"),
    ],
    ids=range(15),
)
def test_what_readers_mend_in_silence_is_refused(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(SourceUnreadable) as caught:
        rows(tmp_path, content)
    assert said in caught.value.message
    assert caught.value.remedy


def test_marks_declared_encodings_and_gzip_are_read(tmp_path: Path) -> None:
    text = '{"id": "é"}\n'
    assert rows(tmp_path, text.encode("utf-8-sig"))[0]["id"] == "é"
    assert rows(tmp_path, text.encode("utf-16"))[0]["id"] == "é"
    assert rows(tmp_path, text.encode("latin-1"), encoding="latin-1")[0]["id"] == "é"
    assert rows(tmp_path, gzip.compress(text.encode()), "t.jsonl.gz")[0]["id"] == "é"
