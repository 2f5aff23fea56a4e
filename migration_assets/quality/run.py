"""Evaluates a suite over Parquet files: Great Expectations on a private in-memory DuckDB, our own counting beside it.

Three promises of every result: it says how many rows it looked at, and none is a failure unless the table may be empty;
it names surrogates, never data; it says how much money is at stake. A rule that could not be evaluated has failed.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
import time
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migration_assets.quality import sql
from migration_assets.quality.faults import Faults, count_faults, numbered
from migration_assets.quality.results import CheckResult
from migration_assets.quality.rule import Rule
from migration_assets.quality.rule_type import Scope
from migration_assets.quality.suite import Suite

if TYPE_CHECKING:
    from migration_assets.quality.great import Connection

Tables = Mapping[str, Path | Sequence[Path]]

_IMPORTING = threading.Lock()
_BATCH = "\x00batch\x00"


def run_suite(
    suite: Suite,
    tables: Tables,
    *,
    may_be_empty: Collection[str] = (),
    partition: str = "",
    spill_to: Path | None = None,
    memory_limit: str = "512MB",
    threads: int = 2,
) -> tuple[CheckResult, ...]:
    """Evaluate every rule of a suite; one result per rule, in the suite's order.

    `tables`: Parquet file or files of each table by the name the rules use. `may_be_empty`: tables whose emptiness the
    plan allows, beside those the suite names. `partition`: whose rows they are, for rules that leave some out.
    `spill_to`: an empty folder of the caller's own (default: a temporary one). Safe to call from several threads.
    """
    allowed = {*suite.may_be_empty, *may_be_empty}
    with _opened(tables, spill_to, memory_limit, threads) as board:
        prepared = [
            _result(rule, True, 0, Faults(0), f"Not asked of `{partition}`.", 0.0)
            if partition in rule.not_for
            else _prepared(board, rule, allowed)
            for rule in suite.rules
        ]
        waiting = [p for p in prepared if isinstance(p, _Waiting)]
        found = {r.check: r for r in _evaluated(board, waiting)}
    return tuple(p if isinstance(p, CheckResult) else found[p.rule.check] for p in prepared)


@dataclass(frozen=True)
class _Board:
    """The tables of one call as views of one private database."""

    connection: Connection
    views: Mapping[str, str]
    types: Mapping[str, Mapping[str, str]]
    counts: Mapping[str, int]

    def scope(self, table: str, main: str) -> Scope:
        return Scope(table=table, main=main, relations=self.views, types=self.types)


@dataclass(frozen=True)
class _Waiting:
    """A rule that can be asked: its tables and columns are there, and there are rows to look at."""

    rule: Rule
    rows: int


@contextmanager
def _opened(tables: Tables, spill_to: Path | None, memory_limit: str, threads: int) -> Iterator[_Board]:
    great = _great()
    folder = tempfile.TemporaryDirectory(prefix="cutover-checks-") if spill_to is None else nullcontext(str(spill_to))
    with folder as spill:
        connection = great.Connection()
        try:
            for setting, value in (
                ("memory_limit", sql.literal(memory_limit)),
                ("threads", str(int(threads))),
                ("temp_directory", sql.literal(spill)),
                ("TimeZone", "'UTC'"),
                ("enable_progress_bar", "false"),
            ):
                connection.execute(f"set {setting} = {value}")
            yield _board(connection, tables)
        finally:
            connection.close()


def _board(connection: Connection, tables: Tables) -> _Board:
    views: dict[str, str] = {}
    for number, (table, files) in enumerate(sorted(tables.items())):
        paths = [files] if isinstance(files, Path) else list(files)
        if paths and all(p.is_file() for p in paths):
            listed = ", ".join(sql.literal(str(p)) for p in paths)
            views[table] = f"t{number}"
            connection.execute(f"create view t{number} as select * from read_parquet([{listed}], union_by_name = true)")
    types = {t: {str(r[0]): str(r[1]) for r in connection.execute(f"describe {v}")} for t, v in views.items()}
    counts = {t: int(connection.execute(f"select count(*) from {v}")[0][0]) for t, v in views.items()}
    return _Board(connection, views, types, counts)


def _prepared(board: _Board, rule: Rule, allowed: Collection[str]) -> CheckResult | _Waiting:
    """The rule, ready to be asked, or its result when there is nothing to ask."""
    missing = _missing(board, rule)
    if missing:
        return _not_evaluated(rule, missing)
    # The name of a source table has a dot of its own.
    watched = rule.looked_at.partition(".")[0] if rule.looked_at else rule.table
    rows = _rows_looked_at(board, rule)
    if rows:
        return _Waiting(rule, rows)
    if watched in allowed and board.counts[rule.table]:
        # Nothing had to be looked at, and yet there are rows that may be at fault.
        return _Waiting(rule, board.counts[rule.table])
    if watched in allowed:
        return _result(rule, True, 0, Faults(0), f"Looked at no rows; `{watched}` may be empty.", 0.0)
    return _result(rule, False, 0, Faults(0), f"Looked at no rows in `{watched}`, so nothing was shown.", 0.0)


def _rows_looked_at(board: _Board, rule: Rule) -> int:
    table, _, column = (rule.looked_at or rule.table).partition(".") if rule.looked_at else (rule.table, "", "")
    if not column:
        return board.counts[table]
    rows = board.connection.execute(f"select coalesce(sum({sql.name(column)}), 0) from {board.views[table]}")
    return int(rows[0][0])


def _missing(board: _Board, rule: Rule) -> str:
    """Tables and columns the rule needs and does not find, as one sentence; empty when all are there."""
    lacking = []
    for table, columns in rule.reads().items():
        if table not in board.views:
            lacking.append(f"table `{table}` is not there")
        else:
            lacking += [f"`{table}` has no column `{c}`" for c in columns if c not in board.types[table]]
    return f"Could not be evaluated: {'; '.join(lacking)}." if lacking else ""


def _evaluated(board: _Board, waiting: Sequence[_Waiting]) -> Iterator[CheckResult]:
    """Results of rules, table by table: first only yes or no, then detail for what failed."""
    by_table = sorted(waiting, key=lambda w: w.rule.table)
    for table, group in groupby(by_table, key=lambda w: w.rule.table):
        yield from _evaluated_table(board, table, list(group))


def _evaluated_table(board: _Board, table: str, group: Sequence[_Waiting]) -> Iterator[CheckResult]:
    great = _great()
    started = time.perf_counter()
    batch = board.connection.batch(board.views[table])
    rules = {w.rule.check: _expectation(board, w.rule) for w in group}
    answers = great.validate(batch, list(rules.values()), "BOOLEAN_ONLY")
    # Only rules about the table as a whole need GX's own detail: rows at fault are counted by us, all of them.
    whole = {w.rule.check for w in group if w.rule.built.whole_table}
    failed = [c for c, a in answers.items() if c in whole and not a.success and not _exception(a)]
    details = great.validate(batch, [rules[c] for c in failed], "SUMMARY") if failed else {}
    share = (time.perf_counter() - started) / len(group)
    for w in group:
        answer = details.get(w.rule.check) or answers.get(w.rule.check)
        yield _judged(board, w, answer, share)


def _expectation(board: _Board, rule: Rule) -> Any:
    built = rule.built
    if built.expectation is not None:
        arguments = built.arguments()  # type: ignore[attr-defined] # only core rules name an expectation
        return _great().expectation(built.expectation, arguments, rule.check, rule.severity)
    query = built.defects(board.scope(rule.table, _BATCH))
    arguments = {"unexpected_rows_query": _as_template(query or "")}
    return _great().expectation("ExpectNoRows", arguments, rule.check, rule.severity)


def _as_template(query: str) -> str:
    """SQL as GX wants it: braces are its placeholders, and SQLAlchemy reads `:word` as a parameter."""
    escaped = query.replace("{", "{{").replace("}", "}}").replace(":", "\\:")
    return f"select 1 from ({escaped.replace(_BATCH, '(select * from {batch})')}) faults"


def _judged(board: _Board, waiting: _Waiting, answer: Any, share: float) -> CheckResult:
    rule = waiting.rule
    if answer is None:
        return _not_evaluated(rule, "Could not be evaluated: Great Expectations gave no result.")
    cause = _exception(answer)
    if cause:
        return _not_evaluated(rule, f"Could not be evaluated: {cause}.", waiting.rows)
    if answer.success:
        return _result(rule, True, waiting.rows, Faults(0), f"Looked at {waiting.rows} rows.", share)
    import duckdb

    started = time.perf_counter()
    try:
        faults = _faults(board, rule, answer)
    except duckdb.Error as error:  # a rule we cannot count has not been evaluated; the message would quote values
        return _not_evaluated(rule, f"Could not be evaluated: {type(error).__name__}.", waiting.rows)
    return _result(rule, False, waiting.rows, faults, _sentence(rule, faults), share + time.perf_counter() - started)


def _faults(board: _Board, rule: Rule, answer: Any) -> Faults:
    """Our own full count, or GX's observed number for a rule about the table as a whole."""
    main = numbered(board.views[rule.table], board.types[rule.table])
    counted = count_faults(board.connection.execute, rule, board.scope(rule.table, main))
    if counted is not None:
        return counted
    observed = answer.result.get("observed_value")
    return Faults(1, explained=f"observed {observed}" if isinstance(observed, int) else "")


def _sentence(rule: Rule, faults: Faults) -> str:
    more = f" ({faults.explained})" if faults.explained else ""
    return f"{faults.count} at fault in `{rule.table}`: rows that {rule.built.says()}{more}."


def _exception(answer: Any) -> str:
    """The kind of error a rule met, or nothing. Both shapes of `exception_info`; messages are kept out, they quote
    values."""
    info = answer.exception_info or {}
    shapes = [info] if "raised_exception" in info else list(info.values())
    raised = [i for i in shapes if isinstance(i, Mapping) and i.get("raised_exception")]
    if not raised:
        return ""
    told = " ".join(str(i.get("exception_message")) + " " + str(i.get("exception_traceback")) for i in raised)
    kinds = re.findall(r"\b([A-Z]\w*(?:Error|Exception))\b", told)
    return next((k for k in kinds if k not in ("MetricResolutionError", "ExecutionError")), "error in the expectation")


def _not_evaluated(rule: Rule, detail: str, rows: int = 0) -> CheckResult:
    return CheckResult(rule.check, rule.table, rule.severity, False, False, rows, 0, (), detail)


def _result(rule: Rule, passed: bool, rows: int, faults: Faults, detail: str, seconds: float) -> CheckResult:
    return CheckResult(
        rule.check,
        rule.table,
        rule.severity,
        passed,
        True,
        rows,
        faults.count,
        faults.sample_keys,
        detail,
        dict(faults.amount_minor),
        seconds,
    )


def _great() -> Any:
    """The module that knows Great Expectations, imported at the first check: slow, noisy, and set to be silent."""
    with _IMPORTING:
        os.environ.setdefault("TQDM_DISABLE", "1")
        os.environ["GX_ANALYTICS_ENABLED"] = "false"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from migration_assets.quality import great
    return great
