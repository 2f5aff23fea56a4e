"""The review queue as a spreadsheet that goes out and comes back. A sheet that is not as it went out is refused whole.

Each row carries a fingerprint of all that it showed: the case, its evidence and answers, and both customers. When
anything of that has changed since, the row is stale, and whoever answered it saw something else.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from migration_assets.connectors.answer_sheet import (
    Sheet,
    SheetRow,
    as_cell,
    read_sheet,
    require_workbook,
    write_sheet,
)
from migration_assets.control import Answer, Case, Effect, Reply
from migration_assets.control.signature import reason_fault
from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.errors import BadInput
from migration_assets.wiring.review import WHY, Stored, four_eyes, plain, queue_of, side_by_side
from migration_assets.wiring.review_views import answer_in_words, stake_in_words

if TYPE_CHECKING:
    from migration_assets.domain.stakes import FourEyes
    from migration_assets.wiring.workspace import Workspace

_FIELDS = tuple(f.name for f in ENTITIES["customer"].fields if f.type != "key")
ANSWERS = ("same", "apart")
# What stays in sight: the case, what it is about, and what is to be answered. Then both customers, field by field.
_STAYING = ("case", "why", "stake", "answer", "reason")
_TYPED = ("answer", "reason")
COLUMNS = (
    *_STAYING, "so far", "a", "b", *(f"{name} {side}" for name in _FIELDS for side in ("a", "b")),
    "evidence", "probability", "fingerprint",
)  # fmt: skip
# What a row says of which case it is; the rest of it is for reading only.
_KEY = ("case", "a", "b", "fingerprint")
_MOST_TOLD = 20


def export(workspace: Workspace, file: Path, actor: str) -> dict[str, Any]:
    """Write what waits for a person to a new workbook; with nothing waiting there is none. BadInput when there is a
    file of that name, when it is none of a workbook, or no run has brought customers into standard form."""
    # Before it is kept on record that somebody has it.
    require_workbook(file)
    cases = queue_of(workspace).cases()
    if not cases:
        return {"file": None, "cases": 0}
    rows = _rows_of(workspace, cases)
    kept: list[tuple[str, ...]] = [("plan", workspace.plan.name), ("snapshot", _snapshot(workspace))]
    kept += [tuple(row[name] for name in _KEY) for row in rows]
    # Before there is a file: nobody may have looked without its being known.
    detail = {"cases": len(rows)}
    workspace.control.audit(actor, "review_exported", workspace.plan.name, detail, now=datetime.now(UTC))
    write_sheet(
        file, COLUMNS, rows, choices={"answer": ANSWERS}, free=("reason",), hidden=("fingerprint", *_empty(rows)),
        kept=kept, staying=len(_STAYING), marked=[_differing(row) for row in rows],
    )  # fmt: skip
    return {"file": str(file), "cases": len(rows)}


def _empty(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Columns with nothing in them, but for those to be filled in; of a field both sides or none."""
    used = {name for row in rows for name in row if row[name]}
    fields = {f"{name} {side}" for name in _FIELDS for side in "ab" if used & {f"{name} a", f"{name} b"}}
    return [c for c in COLUMNS if c not in used | fields | {*_TYPED}]


def _differing(row: Mapping[str, str]) -> list[str]:
    """Columns of fields in which the two customers are not alike."""
    differ = (name for name in _FIELDS if row.get(f"{name} a", "") != row.get(f"{name} b", ""))
    return [f"{name} {side}" for name in differ for side in "ab"]


def import_(workspace: Workspace, file: Path, actor: str) -> dict[str, Any]:
    """Take over the answers of a sheet, all or none, as those of whoever imports it.

    BadInput, with every row and what is wrong with it, when the sheet is not as it went out (another plan or snapshot,
    edited cells, rows missing, added or twice), when a case has changed since, or an answer cannot be taken.
    """
    sheet, queue = read_sheet(file, COLUMNS), queue_of(workspace)
    went_out = _went_out(workspace, sheet)
    cases = {str(c.case_id): c for c in queue.cases()}
    now = {row["case"]: row for row in _rows_of(workspace, list(cases.values()))}
    problems = [
        *_added_or_missing(sheet.rows, went_out),
        *_edited(sheet.rows, went_out, now),
        *_stale(sheet.rows, went_out, now),
        *_unanswerable(sheet.rows),
    ]
    if problems:
        _refuse(problems)
    answered = [row for row in sheet.rows if _answer(row)]
    replies = [_reply(row, cases[row.cells["case"]]) for row in answered]
    done = Counter(queue.decide_all(replies, by=actor, now=datetime.now(UTC)))
    counts = {effect: done[effect] for effect in get_args(Effect)}
    counts["left"] = len(sheet.rows) - len(answered)
    workspace.control.audit(actor, "review_imported", workspace.plan.name, counts, now=datetime.now(UTC))
    return counts


def _rows_of(workspace: Workspace, cases: Sequence[Case]) -> list[dict[str, str]]:
    """One row of the sheet for each case, as it would go out now."""
    with workspace.engine() as engine:
        customers = Stored(workspace, engine).customers({key for c in cases for key in (c.a, c.b)}) if cases else {}
    eyes = four_eyes(workspace)
    return [_row(workspace, case, customers, eyes) for case in cases]


def _row(workspace: Workspace, case: Case, customers: Mapping[str, dict[str, Any]], eyes: FourEyes) -> dict[str, str]:
    shown = plain(case, eyes)
    row = {
        "case": str(case.case_id),
        "stake": "\n".join(stake_in_words(shown["stakes"], workspace.plan.file.currency_exponents)),
        "evidence": case.rule,
        "probability": f"{case.probability:.4f}",
        "why": WHY[case.reason],
        "so far": answer_in_words(shown),
        "a": case.a,
        "b": case.b,
    }
    for f in side_by_side(customers.get(case.a), customers.get(case.b)):
        row |= {f"{f['field']} {side}": f[side] or "" for side in ("a", "b")}
    return row | {"fingerprint": _fingerprint(row, case)}


def _fingerprint(row: Mapping[str, str], case: Case) -> str:
    answers = [str(t) for t in (case.probability, case.decided_at, case.proposed_at, case.snapshot)]
    return sha256(json.dumps([sorted(row.items()), answers]).encode()).hexdigest()


def _snapshot(workspace: Workspace) -> str:
    return workspace.store.current_snapshot() or ""


def _went_out(workspace: Workspace, sheet: Sheet) -> dict[str, tuple[str, ...]]:
    """Case -> its key columns as they went out. BadInput for a sheet of another plan or snapshot."""
    if [row[0] for row in sheet.kept[:2]] != ["plan", "snapshot"]:
        raise BadInput("the workbook is none that was exported here", "Use the file of `cutover review export`.")
    (_, plan, *_), (_, snapshot, *_), *rows = sheet.kept
    if plan != workspace.plan.name:
        raise BadInput(f"the sheet is of plan {plan}, not {workspace.plan.name}", "Name its plan with --plan.")
    if snapshot != _snapshot(workspace):
        raise BadInput(
            f"the sheet is stale: it is about snapshot {snapshot}, and there is a newer one, {_snapshot(workspace)}",
            "Export it again and answer what is open now.",
        )
    return {row[0]: tuple(row[: len(_KEY)]) for row in rows}


def _added_or_missing(rows: Sequence[SheetRow], went_out: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Rows that are not those that went out."""
    first: dict[str, int] = {}
    for row in rows:
        case = row.cells["case"]
        if case not in went_out:
            yield f"row {row.number}: no such case went out: the row was added, or its case number edited"
        elif case in first:
            yield f"row {row.number}: case {case} stands in row {first[case]} already"
        first.setdefault(case, row.number)
    for case in went_out:
        if case not in first:
            yield f"case {case} went out and its row is missing"


def _edited(
    rows: Sequence[SheetRow], went_out: Mapping[str, tuple[str, ...]], now: Mapping[str, Mapping[str, str]]
) -> Iterator[str]:
    """Cells for reading only that are not as they went out. Of a case that has changed since only its keys are known
    as they were."""
    for row in rows:
        case = row.cells["case"]
        if case not in went_out:
            continue
        out = dict(zip(_KEY, went_out[case], strict=True))
        if case in now and now[case]["fingerprint"] == out["fingerprint"]:
            out |= {name: as_cell(now[case].get(name, "")) for name in COLUMNS if name not in (*_KEY, *_TYPED)}
        for name in (c for c in COLUMNS if c in out and as_cell(row.cells[c]) != out[c]):
            yield f"{row.place(name)}: it was edited, and is for reading only"


def _stale(
    rows: Sequence[SheetRow], went_out: Mapping[str, tuple[str, ...]], now: Mapping[str, Mapping[str, str]]
) -> Iterator[str]:
    """Rows about something that has changed since."""
    for row in rows:
        case = row.cells["case"]
        if case not in went_out:
            continue
        if case not in now:
            yield f"row {row.number}: case {case} does not wait any more: it was answered, or is not found any more"
        elif now[case]["fingerprint"] != went_out[case][-1]:
            yield f"row {row.number}: what is known of case {case}, or was answered, has changed since it went out"


def _unanswerable(rows: Sequence[SheetRow]) -> Iterator[str]:
    for row in rows:
        formulas = [name for name in _TYPED if name in row.formulas]
        if formulas:
            yield from (f"{row.place(name)}: it is a formula" for name in formulas)
        elif _answer(row) and _answer(row) not in ANSWERS:
            yield f"{row.place('answer')}: it is neither same nor apart nor empty"
        elif _answer(row) and reason_fault(row.cells["reason"]):
            yield f"{row.place('reason')}: {reason_fault(row.cells['reason'])}"
        elif row.cells["reason"].strip() and not _answer(row):
            yield f"{row.place('reason')}: a reason without an answer"


def _answer(row: SheetRow) -> str:
    return row.cells["answer"].strip().lower()


def _reply(row: SheetRow, seen: Case) -> Reply:
    # `_unanswerable` let nothing else pass.
    return Reply(seen.case_id, cast("Answer", _answer(row)), row.cells["reason"].strip(), seen)


def _refuse(problems: Sequence[str]) -> None:
    told = list(problems[:_MOST_TOLD])
    if len(problems) > _MOST_TOLD:
        told.append(f"and {len(problems) - _MOST_TOLD} more")
    raise BadInput(
        f"nothing was taken over from the sheet: {'; '.join(told)}",
        "Put the rows right; where cells for reading only were edited, or are stale, export it again and answer that.",
    )
