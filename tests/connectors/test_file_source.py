"""Which files a table is read from, and that nothing outside the folder ever is."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from migration_assets.connectors.file_source import find_files
from migration_assets.connectors.opening import open_source
from migration_assets.domain.errors import SourceUnreadable


@pytest.mark.parametrize(
    "read_from",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "a/../../x.csv",
        "..",
        "C:\\x.csv",
        "\\\\host\\x.csv",
        "..\\x.csv",
        "",
        "a\0.csv",
        "../*.csv",
    ],
)
def test_paths_that_leave_the_folder_are_refused(tmp_path: Path, read_from: str) -> None:
    with pytest.raises(SourceUnreadable, match="does not stay below"):
        find_files(tmp_path, read_from)


@pytest.mark.parametrize("read_from", ["none.csv", "%2e%2e/x.csv", "*.csv", "sub/none.csv"])
def test_missing_files_are_said_so(tmp_path: Path, read_from: str) -> None:
    with pytest.raises(SourceUnreadable, match="there is no file"):
        find_files(tmp_path, read_from)


def test_links_may_stay_inside_and_never_lead_out(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "outside.csv").write_text("id\n1\n")
    (folder / "real.csv").write_text("id\n1\n")
    (folder / "inner.csv").symlink_to(folder / "real.csv")
    (folder / "outer.csv").symlink_to(tmp_path / "outside.csv")
    (folder / "linked").symlink_to(tmp_path)
    assert [f.name for f in find_files(folder, "inner.csv")] == ["inner.csv"]
    for leads_out in ("outer.csv", "linked/outside.csv", "*.csv"):
        with pytest.raises(SourceUnreadable, match="leads out"):
            find_files(folder, leads_out)


def test_folder_that_is_itself_a_link_is_fine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "t.csv").write_text("id\n1\n")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert [f.name for f in find_files(tmp_path / "link", "t.csv")] == ["t.csv"]


def test_source_that_is_one_file(tmp_path: Path) -> None:
    path = tmp_path / "only.csv"
    path.write_text("id\n1\n")
    assert [f.path for f in find_files(path, ".")] == [path]
    assert [f.path for f in find_files(path, "only.csv")] == [path]
    assert find_files(path, ".#Sheet")[0].part == "Sheet"
    with pytest.raises(SourceUnreadable, match=r"only\.csv"):
        find_files(path, "other.csv")


def test_name_with_pattern_letters_or_a_hash_is_a_name_when_it_exists(tmp_path: Path) -> None:
    for name in ("a[1].csv", "b#2.csv"):
        (tmp_path / name).write_text("id\n1\n")
        assert [f.name for f in find_files(tmp_path, name)] == [name]


def test_pattern_reads_all_files_in_name_order_whatever_the_column_order(tmp_path: Path) -> None:
    (tmp_path / "p_2.csv").write_text("name,id\nb,x\n")
    (tmp_path / "p_1.csv").write_text("id,name\nx,a\n")
    with open_source("csv", str(tmp_path), {"delimiter": ","}).snapshot() as snapshot:
        assert snapshot.export("p_*.csv", ["id", "name"], ["id"], tmp_path / "o.parquet") == 2
    assert [r["name"] for r in pq.read_table(tmp_path / "o.parquet").to_pylist()] == ["a", "b"]
    (tmp_path / "p_3.csv").write_text("id,title\nx,a\n")
    with (
        open_source("csv", str(tmp_path)).snapshot() as snapshot,
        pytest.raises(SourceUnreadable, match=r"p_3\.csv has"),
    ):
        snapshot.columns("p_*.csv")


def test_file_that_changes_within_a_snapshot_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,name\n1,a\n")
    with open_source("csv", str(tmp_path)).snapshot() as snapshot:
        snapshot.columns("t.csv")
        path.write_text("id,name\n1,a\n2,b\n")
        with pytest.raises(SourceUnreadable, match="changed while it was read"):
            snapshot.export("t.csv", ["id"], ["id"], tmp_path / "o.parquet")


def test_missing_folder_is_said_so(tmp_path: Path) -> None:
    missing = open_source("csv", str(tmp_path / "none"))
    with pytest.raises(SourceUnreadable, match="there is no folder"), missing.snapshot():
        pass


def test_nothing_is_left_beside_the_golden_copy(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "in" / "t.csv").write_text("id,name\n2,a\n1,b\n")
    with open_source("csv", str(tmp_path / "in")).snapshot() as snapshot:
        snapshot.export("t.csv", ["id", "name"], ["id"], tmp_path / "out" / "o.parquet")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["o.parquet"]


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,name\n" + "".join(f"{n},name {n % 7}\n" for n in range(3000)))
    written = []
    for turn in range(2):
        out = tmp_path / f"{turn}.parquet"
        with open_source("csv", str(tmp_path)).snapshot() as snapshot:
            snapshot.export("t.csv", ["id", "name"], ["id"], out)
        written.append(out.read_bytes())
    assert written[0] == written[1]
