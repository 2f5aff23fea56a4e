"""What `cutover explain` and `cutover certificate` print. What is in it comes from `explain` and `certificates`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from migration_assets.stages.certificate.amounts import (
    amount_of,
    answer_in_words,
    moment,
    signed_amount_of,
    when_in_words,
)
from migration_assets.stages.certificate.bill_tables import runs_of
from migration_assets.stages.certificate.causes import IN_WORDS
from migration_assets.stages.certificate.page import OUTCOME, reasons
from migration_assets.wiring.review_views import decider_in_words, tie_in_words

Plain = Mapping[str, Any]
_COLOURS = {"equal": "green", "signed": "green", "rejected": "yellow", "unproved": "yellow", "open": "red"}
_SIDES = ("before", "after")
_SUMMED = ("net_minor", "tax_minor")


def print_explained(out: Console, found: Plain) -> None:
    """Who, what it comes to, bills, access, and what the target holds."""
    _print_who(out, found)
    account = found["account"]
    if account is None:
        out.print(f"[yellow]Nothing is told of bills and access:[/] {escape(found['why_no_account'])}")
    else:
        title, says = OUTCOME[account["outcome"]]
        out.print(f"[bold {_COLOURS[account['outcome']]}]{title}.[/] {says}")
        for reason in reasons(account):
            out.print(escape(f"  {reason}"))
        for contract in account["contracts"]:
            _print_contract(out, account, contract)
        _print_access(out, account["access"], account["as_of"])
        _print_credits(out, account)
    _print_target(out, found)


def _print_who(out: Console, found: Plain) -> None:
    customer = found["customer"]
    name = f" {customer['name']}" if customer["name"] else ""
    out.print(escape(f"{customer['key']}{name}, cohort {found['cohort'] or 'none'}"), style="bold")
    if len(customer["members"]) > 1:
        rows = ", ".join(f"{m['key']} ({m['row']})" for m in customer["members"])
        out.print(escape(f"Made of {rows}."))
    for tie in found["ties"]:
        decided = "; ".join(decider_in_words(d) for d in tie["decided"])
        said = f", decided by {decided}" if decided else ""
        out.print(escape(f"  {tie['a']} and {tie['b']}: {tie_in_words(tie)}{said}"))


def _print_contract(out: Console, account: Plain, contract: Plain) -> None:
    kind = IN_WORDS[contract["class"]] if contract["bills"] else "no bill to come"
    out.print(escape(f"Contract {contract['contract']}: {kind}"), style="bold")
    for r in contract["rows_left_out"]:
        out.print(escape(f"  Row {r['row']} was left out: {r['rule']} {r['reason']}".rstrip() + "."))
    for i in contract["issued"]:
        out.print(escape(f"  {_issued_in_words(account, i)}"))
    if contract["bills"]:
        _print_bills(out, account, contract["bills"])


def _issued_in_words(account: Plain, issued: Plain) -> str:
    """One issued invoice, and whether the old rules make it again."""
    money = _amount(account, issued["issued_minor"], issued["currency"])
    made = "made again exactly"
    if not issued["made_again"]:
        again = _amount(account, issued["made_again_minor"], issued["currency"])
        made = f"not made again ({', '.join(issued['reasons'])}), the rules make {again}"
    return f"Invoice {issued['invoice']} of {issued['from'] or '-'}: {money}, {made}."


def _amount(account: Plain, minor: int, currency: str) -> str:
    if currency not in account["exponents"]:
        return f"{minor} minor units of an unknown currency"
    return f"{amount_of(minor, currency, account['exponents'])} {currency}"


def _print_bills(out: Console, account: Plain, bills: Sequence[Plain]) -> None:
    """A table for each run of bills that say the same, and below it why both sides differ."""
    for run in runs_of(bills):
        first, currency = run[0], run[0]["currency"]
        when = _starts(first) if len(run) == 1 else f"{len(run)} bills, {_starts(first)} to {_starts(run[-1])}, each"
        out.print(escape(f"  {when}: {IN_WORDS[first['class']]}"))
        table = Table("line", "of", "before", "tax", "after", "tax", f"difference {currency}", box=None, padding=(0, 2))
        for n in range(2, 7):
            table.columns[n].justify = "right"
        for pair in first["lines"]:
            table.add_row(*_line(account, pair, currency))
        _add_totals(table, account, first)
        out.print(table)
        for why in _why(account, first):
            out.print(f"    {why}")


def _starts(bill: Plain) -> str:
    return str((bill["after"] or bill["before"])["from"])


def _line(account: Plain, pair: Plain, currency: str) -> list[str]:
    sides = [pair[side] for side in _SIDES]
    told = [
        "-" if s is None else amount_of(s[n], currency, account["exponents"])
        for s in sides
        for n in ("amount_minor", "tax_minor")
    ]
    old, new = (0 if s is None else s["amount_minor"] + s["tax_minor"] for s in sides)
    item = pair["product"] or pair["item"] or ""
    return [pair["kind"], escape(item), *told, _difference(account, new - old, currency)]


def _add_totals(table: Table, account: Plain, bill: Plain) -> None:
    currency, exponents = bill["currency"], account["exponents"]
    sums = ["-" if bill[s] is None else amount_of(bill[s][n], currency, exponents) for s in _SIDES for n in _SUMMED]
    table.add_row("sum of the lines", "", *sums, "")
    names = ["total_minor"]
    if any(bill[side] and bill[side]["credit_minor"] for side in _SIDES):
        names += ["credit_minor", "to_pay_minor"]
    words = {"total_minor": "total with tax", "credit_minor": "less credit", "to_pay_minor": "to pay"}
    for name in names:
        old, new = (bill[side][name] if bill[side] else 0 for side in _SIDES)
        shown = [amount_of(v, currency, exponents) if bill[s] else "-" for s, v in zip(_SIDES, (old, new), strict=True)]
        difference = _difference(account, new - old, currency)
        table.add_row(words[name], "", shown[0], "", shown[1], "", difference, style="bold")


def _why(account: Plain, bill: Plain) -> list[str]:
    told = []
    for d in bill["due_to"]:
        money = signed_amount_of(d["difference_minor"], bill["currency"], account["exponents"])
        by = f", signed by {d['signed']['by']} {d['signed']['on']}" if d["signed"] else ""
        told.append(escape(f"{money} {d['cause']}: {IN_WORDS[d['class']]}{by}"))
    if bill["credit_difference_minor"]:
        told.append("[red]the credits of both sides differ[/]")
    return told


def _difference(account: Plain, minor: int, currency: str) -> str:
    return signed_amount_of(minor, currency, account["exponents"]) if minor else "-"


def _print_access(out: Console, access: Plain, as_of: str) -> None:
    if access["cannot_be_told_before"]:
        out.print(f"[yellow]What may be done before cannot be told:[/] {access['cannot_be_told_before']}.")
    same = "not compared" if access["cannot_be_told_before"] else "[green]equal[/]"
    table = Table("feature", "region", "before", "after", "", title="What may be done", title_justify="left")
    for f in access["features"]:
        sides = ["\n".join(_span(s, f, as_of, access["until"]) for s in f[side]) or "nothing" for side in _SIDES]
        apart = [f"[red]{d['kind']}[/] {escape(d['status'])}" for d in f["differences"]]
        table.add_row(escape(f["feature"]), escape(f["region"]), *sides, "\n".join(apart) or same)
    if access["features"]:
        out.print(table)


def _span(span: Plain, feature: Plain, first: str, last: str) -> str:
    return escape(answer_in_words(span, feature) + when_in_words(span, first, last))


def _print_credits(out: Console, account: Plain) -> None:
    for c in account["credits"]:
        sides = [
            "none" if c[f"{side}_minor"] is None else _amount(account, c[f"{side}_minor"], c["currency"])
            for side in _SIDES
        ]
        out.print(escape(f"Credit {c['credit']}: {sides[0]} before, {sides[1]} after."))


def _print_target(out: Console, found: Plain) -> None:
    target = found["target"]
    if not target["rows"]:
        out.print("Nothing of this customer is in the target.")
        return
    last = target["rows"][0]
    rows = ", ".join(f"{t['rows']:,} {t['table']}" for t in target["tables"])
    out.print(
        escape(f"In the target as {last['target_id']} (load {last['load']}, {moment(last['loaded_at'])}): {rows}.")
    )
    behind = [s for s in found["stages"] if s["state"] in ("failed", "stale", "never")]
    for s in behind:
        out.print(escape(f"  {s['stage']}: {s['state']} {s['changed']}".rstrip()))


def print_built(out: Console, made: Plain) -> None:
    """How many certificates there are, what they come to, and how to keep them safe."""
    table = Table("certificates", "", title=f"Cohort {escape(made['cohort'])}", title_justify="left")
    table.columns[0].justify = "right"
    for outcome, count in made["outcomes"].items():
        table.add_row(f"{count:,}", OUTCOME[outcome][0])
    out.print(table)
    out.print(
        escape(
            f"{made['certificates']:,} certificates and summary.csv are in {made['folder']}; only you can read them."
        )
    )
    out.print(f"SHA-256 of summary.csv, in the audit log too: {made['list_digest']}")


def print_verified(out: Console, found: Plain) -> None:
    """What is wrong with a folder of certificates, or that nothing is."""
    for fault in found["faults"]:
        out.print(f"[red]fault:[/] {escape(fault)}")
    if found["ok"]:
        out.print(f"[green]{found['certificates']:,} certificates are as they were built.[/]")
    if found["list_digest"]:
        out.print(f"SHA-256 of summary.csv, to be held against the audit log: {found['list_digest']}")
