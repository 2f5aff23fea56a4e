"""Contracts, invoices and bills of a page: lines of both sides beside each other, and why they differ.

Bills that follow each other and say the same are shown once, with how many they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from migration_assets.stages.certificate.amounts import amount_of, signed_amount_of
from migration_assets.stages.certificate.causes import CLASSES, IN_WORDS
from migration_assets.stages.certificate.markup import cell, number, row, table, text

Plain = Mapping[str, Any]
_SIDES = ("before", "after")
_MONEY = frozenset({3, 4, 5, 6, 7})


def money_table(content: Plain) -> str:
    """What all bills come to, by currency, and what each cause makes of the difference."""
    if not content["money"]:
        return "<p class='quiet'>There is no bill to come on either side.</p>"
    rows = []
    for m in content["money"]:
        amounts = (cell(content, m[f"{n}_minor"], m["currency"]) for n in _SIDES)
        difference = _difference(content, m["difference_minor"], m["currency"])
        rows.append(row(number(f"{m['bills']:,}"), *amounts, difference))
    whole = table(("bills to come", "before", "after", "difference"), rows, numbers=frozenset(range(4)))
    return whole + _causes_table(content)


def _causes_table(content: Plain) -> str:
    rows = [
        row(
            f'<span class="tag k-{kind}">{text(IN_WORDS[kind])}</span>', text(cause), text(signer),
            number(f"{bills:,}"), number(f"{signed_amount_of(minor, currency, content['exponents'])} {text(currency)}"),
        )
        for (currency, kind, cause, signer), (bills, minor) in causes_of(content).items()
    ]  # fmt: skip
    if not rows:
        return ""
    heads = ("what differs", "by", "signed by", "bills", "difference")
    return f"<h3>Where the difference comes from</h3>{table(heads, rows, numbers=frozenset({3, 4}))}"


def causes_of(content: Plain) -> dict[tuple[str, str, str, str], tuple[int, int]]:
    """Currency, class, cause and signer -> bills, and what they differ by: together the whole difference."""
    found: dict[tuple[str, str, str, str], tuple[int, int]] = {}
    for bill in (b for c in content["contracts"] for b in c["bills"]):
        for d in bill["due_to"]:
            key = (bill["currency"], d["class"], d["cause"], d["signed"]["by"] if d["signed"] else "")
            bills, minor = found.get(key, (0, 0))
            found[key] = (bills + 1, minor + d["difference_minor"])
    return dict(sorted(found.items(), key=lambda i: (i[0][0], -CLASSES.index(i[0][1]), i[0][2:])))


def contract_section(content: Plain, contract: Plain) -> str:
    """One contract: what is wrong with it, its last invoices, its bills to come."""
    kind = contract["class"]
    zone = f'<span class="quiet zone">{text(contract["zone"])}</span>'
    head = (
        f'<h2>Contract {text(contract["contract"])} <span class="tag k-{kind}">{text(IN_WORDS[kind])}</span>{zone}</h2>'
    )
    runs = "".join(_run(content, bills) for bills in runs_of(contract["bills"]))
    bills = f"<h3>Next bills</h3>{runs}" if runs else "<p class='quiet'>No bill is to come on either side.</p>"
    return f"<section>{head}{''.join(_notes(contract))}{_issued(content, contract['issued'])}{bills}</section>"


def _notes(contract: Plain) -> Iterator[str]:
    for r in contract["rows_left_out"]:
        why = f" ({r['reason']})" if r["reason"] else ""
        yield _warning(f"Row {r['row']} was left out: {r['rule']}{why}.")


def _warning(words: str) -> str:
    return f"<p class='warn'>{text(words)}</p>"


def _issued(content: Plain, issued: Sequence[Plain]) -> str:
    if not issued:
        return ""
    rows = []
    for i in issued:
        made = '<span class="tag k-equal">made again exactly</span>'
        if not i["made_again"]:
            reasons = ", ".join(r.replace("_", " ") for r in i["reasons"])
            lines = f" ({', '.join(i['lines'])})" if i["lines"] else ""
            made = f'<span class="tag k-unexplained">not made again</span> {text(reasons + lines)}'
        amounts = (cell(content, i[f"{n}_minor"], i["currency"]) for n in ("issued", "made_again"))
        rows.append(row(text(i["invoice"]), text(i["from"] or "-"), *amounts, made))
    heads = ("invoice", "period from", "issued", "made again", "")
    return f"<h3>Last invoices issued</h3>{table(heads, rows, numbers=frozenset({2, 3}))}"


def runs_of(bills: Iterable[Plain]) -> list[list[Plain]]:
    """Bills that follow each other and say the same, together."""
    return [list(same) for _, same in groupby(bills, key=_says)]


def _says(bill: Plain) -> object:
    """What a bill says, but for its own dates."""
    sides = [bill[side] and {k: v for k, v in bill[side].items() if k.endswith("_minor")} for side in _SIDES]
    lines = [(p["kind"], p["item"], *(_line_says(bill, p, side) for side in _SIDES)) for p in bill["lines"]]
    moved = bill["before"] and bill["after"] and bill["before"]["starts_at"] != bill["after"]["starts_at"]
    return (bill["currency"], bill["class"], sides, lines, bill["due_to"], bill["credit_difference_minor"], moved)


def _line_says(bill: Plain, pair: Plain, side: str) -> object:
    line = pair[side]
    if line is None:
        return None
    dates = "whole" if _whole(bill, pair, side) else (line["starts_at"], line["ends_at"])
    return (line["amount_minor"], line["tax_minor"], dates)


def _whole(bill: Plain, pair: Plain, side: str) -> bool:
    return bool(bill[side]) and all(pair[side][e] == bill[side][e] for e in ("starts_at", "ends_at"))


def _run(content: Plain, bills: Sequence[Plain]) -> str:
    first = bills[0]
    kind, currency = first["class"], first["currency"]
    each = "" if len(bills) == 1 else f" <b>{len(bills)} bills alike</b>, each:"
    head = f'<p class="bill"><span class="tag k-{kind}">{text(IN_WORDS[kind])}</span> {_when(bills)}{each}</p>'
    lines = [_line(content, first, pair, currency) for pair in first["lines"]]
    rows = [*lines, *_totals(content, first, currency)]
    heads = ("line", "of", "covers", "before", "tax", "after", "tax", f"difference, {text(currency)}")
    return f'<div class="run">{head}{table(heads, rows, numbers=_MONEY)}{_why(content, first, currency)}</div>'


def _when(bills: Sequence[Plain]) -> str:
    first, last = (_dates(b) for b in (bills[0], bills[-1]))
    return first if len(bills) == 1 else f"{first} to {last}"


def _dates(bill: Plain) -> str:
    starts = [text(bill[side]["from"]) for side in _SIDES if bill[side]]
    if bill["before"] is None or bill["after"] is None:
        return f"{starts[0]} (billed by the {'target' if bill['before'] is None else 'old system'} only)"
    return starts[0] if starts[0] == starts[1] else f"{starts[0]}, in the target {starts[1]}"


def _line(content: Plain, bill: Plain, pair: Plain, currency: str) -> str:
    sides = [pair[side] for side in _SIDES]
    covers = " / ".join(dict.fromkeys(_covers(bill, pair, side) for side in _SIDES if pair[side]))
    amounts = [
        number(
            "-" if s is None else amount_of(s[n], currency, content["exponents"]), "quiet" if n == "tax_minor" else ""
        )
        for s in sides
        for n in ("amount_minor", "tax_minor")
    ]
    old, new = (0 if s is None else s["amount_minor"] + s["tax_minor"] for s in sides)
    item = pair["product"] or pair["item"] or "the whole bill"
    return row(
        text(pair["kind"]), text(item), covers, *amounts, _difference(content, new - old, currency),
        kind="" if pair["same"] else "apart",
    )  # fmt: skip


def _covers(bill: Plain, pair: Plain, side: str) -> str:
    if _whole(bill, pair, side):
        return "its period"
    return f"{text(pair[side]['from'])} until {text(pair[side]['until'])}"


def _totals(content: Plain, bill: Plain, currency: str) -> Iterator[str]:
    def amounts(*names: str) -> list[str]:
        return [
            number("-" if bill[side] is None else amount_of(bill[side][n], currency, content["exponents"]))
            for side in _SIDES
            for n in names
        ]

    net = amounts("net_minor", "tax_minor")
    yield row("sum of the lines", "", "", *net, number(""), kind="sum")
    total = ((bill[side] or {"total_minor": None})["total_minor"] for side in _SIDES)
    wide = [_wide(content, t, currency) for t in total]
    yield row("total with tax", "", "", *wide, _difference(content, bill["difference_minor"], currency), kind="sum")
    if any(bill[side] and bill[side]["credit_minor"] for side in _SIDES):
        yield from _credit(content, bill, currency)


def _credit(content: Plain, bill: Plain, currency: str) -> Iterator[str]:
    for words, name, sign in (("credit used", "credit_minor", -1), ("to pay", "to_pay_minor", 1)):
        old, new = (bill[side][name] * sign if bill[side] else 0 for side in _SIDES)
        sides = [_wide(content, v, currency) for v in (old, new)]
        yield row(words, "", "", *sides, _difference(content, new - old, currency), kind="sum")


def _wide(content: Plain, minor: int | None, currency: str) -> str:
    told = "-" if minor is None else amount_of(minor, currency, content["exponents"])
    return f'<td class="n" colspan="2">{told}</td>'


def _difference(content: Plain, minor: int, currency: str) -> str:
    told = signed_amount_of(minor, currency, content["exponents"])
    return number(told, "apart" if minor else "quiet")


def _why(content: Plain, bill: Plain, currency: str) -> str:
    due = [_due(content, d, currency) for d in bill["due_to"]]
    if bill["credit_difference_minor"]:
        more = signed_amount_of(bill["credit_difference_minor"], currency, content["exponents"])
        due.append(f"{more} to pay: the credits of both sides differ, whatever is billed")
    return f'<ul class="why">{"".join(f"<li>{d}</li>" for d in due)}</ul>' if due else ""


def _due(content: Plain, due: Plain, currency: str) -> str:
    money = signed_amount_of(due["difference_minor"], currency, content["exponents"])
    said = f"<b>{money}</b> by <b>{text(due['cause'])}</b>, {text(IN_WORDS[due['class']])}"
    signed = due["signed"]
    if not signed:
        return said
    most = amount_of(signed["at_most_minor"], currency, content["exponents"])
    until = f", until {text(signed['expires_on'])}" if signed["expires_on"] else ""
    return f"{said}: “{text(signed['reason'])}” {text(signed['by'])}, {text(signed['on'])}, up to {most}{until}"
