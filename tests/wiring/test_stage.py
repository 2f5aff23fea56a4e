"""What a stage tells of an error that nobody planned for."""

from __future__ import annotations

from pathlib import Path

from dagster import DagsterExecutionInterruptedError

from migration_assets.wiring.stage import interruption, unexpected


def raised() -> Exception:
    try:
        raise ValueError("duplicate key (email)=(ada@example.org)")
    except ValueError as error:
        return error


def test_an_unplanned_error_is_told_by_type_and_its_text_is_the_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "errors" / "run.txt"
    told = unexpected(raised(), file)
    assert "ValueError" in told and str(file) in told and "ada@example.org" not in told
    assert "ada@example.org" in file.read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o077 == 0 and file.parent.stat().st_mode & 0o077 == 0


def test_an_engine_that_is_interrupted_is_no_defect() -> None:
    try:
        try:
            raise DagsterExecutionInterruptedError
        except DagsterExecutionInterruptedError as stopped:
            raise RuntimeError("Query interrupted") from stopped
    except RuntimeError as e:
        assert isinstance(interruption(e), DagsterExecutionInterruptedError)
    assert interruption(RuntimeError("Query interrupted")) is None
