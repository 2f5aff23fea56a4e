"""What `cutover review` prints: tables for people. What is in them comes from `review`, `review_sheet`, `unmerge`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from migration_assets.domain.money import to_major
from migration_assets.wiring.words import WHY

if TYPE_CHECKING:
    from rich.console import Console

    from migration_assets.plan.models import PlanFile

Exponents = Mapping[str, int]


def stake_in_words(stakes: Iterable[Mapping[str, Any]], exponents: Exponents, name: str = "stake_minor") -> list[str]:
    """Amounts in major units, one for each currency, such as `1,234.50 EUR`."""
    return [f"{to_major(s[name], s['currency'], exponents):,} {s['currency']}" for s in stakes]


def answer_in_words(case: Mapping[str, Any]) -> str:
    """What was answered so far and by whom, and whether a second person is waited for."""
    said = []
    if case["answer"]:
        by = " and ".join(filter(None, (case["decided_by"], case["seconded_by"])))
        said.append(f"{case['answer']} ({by})")
    if case["proposed"]:
        said.append(f"waits for a second person: {case['proposed']} ({case['proposed_by']})")
    return "\n".join(said) or ("" if case["open"] else "not found any more")


def print_cases(out: Console, cases: list[dict[str, Any]], file: PlanFile) -> None:
    """A table of cases, how they are put in order, and how to go on from there."""
    if not cases:
        out.print("[green]Nothing waits for a person.[/]")
        return
    table = Table("case", "at stake", "customers", "evidence", "probability", "why a person", "answer")
    table.columns[1].justify = "right"
    for c in cases:
        table.add_row(
            str(c["case"]),
            "\n".join(stake_in_words(c["stakes"], file.currency_exponents)) or "-",
            escape(f"{c['a']}\n{c['b']}"),
            escape(c["evidence"]),
            f"{c['probability']:.4f}",
            WHY[c["reason"]],
            escape(answer_in_words(c)),
        )
    out.print(table)
    out.print(_order_in_words(file.identity.review.compare_in))
    waiting = sum(bool(c["proposed"]) for c in cases)
    if waiting:
        out.print(f"[yellow]{waiting} wait for a second person[/] to give the same answer.")
    out.print("`cutover review show CASE` shows both, `cutover review decide CASE same|apart --reason ...` decides.")


def _order_in_words(compare_in: str | None) -> str:
    what = "At stake is a year's money of the side that would go up in the other; the most at stake comes first, "
    if compare_in is None:
        return what + "each currency by its own major units: the plan names no currency to compare in."
    return what + f"compared in {compare_in} by the plan's exchange rates."


def print_both(out: Console, case: dict[str, Any], file: PlanFile) -> None:
    """Both customers side by side, where they differ stands out; why, and what a merge would do."""
    table = Table("", escape(case["a"]), escape(case["b"]), title=f"Case {case['case']}: {WHY[case['reason']]}")
    for f in case["fields"]:
        style = "" if f["a"] == f["b"] else "yellow"
        table.add_row(f["field"], escape(f["a"] or ""), escape(f["b"] or ""), style=style)
    out.print(table)
    out.print(f"Evidence: {escape(case['evidence'])}, probability {case['probability']:.4f}.")
    if case["key"]:
        fields = " and ".join(case["key"]["fields"])
        out.print(escape(f"  both have the same {fields} (key {case['key']['name']}: {case['key']['reason']})"))
    for weight in case["weights"]:
        out.print(escape(f"  {weight['words']}"))
    _print_merge(out, case, file.currency_exponents)
    out.print(escape(f"Answer: {answer_in_words(case) or 'none yet'}."))


def print_decided(out: Console, case: dict[str, Any]) -> None:
    """What is known of the case after an answer."""
    now = answer_in_words(case) or "open again"
    out.print(escape(f"Case {case['case']}: {now}. `cutover run` goes by what is decided."))


def _print_merge(out: Console, case: dict[str, Any], exponents: Exponents) -> None:
    held = case["holdings"]
    table = Table("", "left", "right", "as one customer", title="What they hold, and what a merge would bring together")
    for name in held["a"]:
        table.add_row(name.replace("_", " "), *(escape(_cell(held[side][name], exponents)) for side in held))
    out.print(table)
    if case["already_one"]:
        out.print("They are one customer already.")
    if case["against"]:
        out.print("Against a merge: " + "; ".join(a["words"] for a in case["against"]) + ".")
    stake = stake_in_words(case["stakes"], exponents)
    out.print(f"At stake: {', '.join(stake) or 'nothing'}. A merge changes no sum; it changes whose it is.")


def _cell(value: Any, exponents: Exponents) -> str:
    if not isinstance(value, list):
        return str(value)
    return "\n".join(_entry(entry, exponents) for entry in value)


def _entry(entry: Any, exponents: Exponents) -> str:
    if isinstance(entry, str):
        return entry
    if "plan" in entry:
        return f"{entry['count']} {entry['status']}: {entry['plan']}"
    (amount,) = stake_in_words([entry], exponents, "amount_minor")
    return f"{entry['count']}: {amount}" if "count" in entry else amount


def print_merges(out: Console, found: dict[str, Any]) -> None:
    """A row for each customer of several rows: which, by what, and decided by whom."""
    if not found["merges"]:
        out.print("No customer was made of several rows.")
        return
    table = Table("customer", "rows", "tied by", "decided by", show_lines=True)
    for column in table.columns:
        # A key that is cut off can be pasted nowhere.
        column.overflow = "fold"
    for m in found["merges"]:
        rows = [f"{r['key']}  ({r['row']})" if r["row"] else r["key"] for r in m["members"]]
        decided = [d for t in m["ties"] for d in t["decided"]]
        table.add_row(
            escape("\n".join(filter(None, (m["customer"], m["target_id"])))),
            escape("\n".join(rows)),
            escape("\n".join(dict.fromkeys(map(tie_in_words, m["ties"])))),
            escape("\n".join(dict.fromkeys(map(decider_in_words, decided)))),
        )
    out.print(table)
    if found["total"] > len(found["merges"]):
        shown, total = len(found["merges"]), found["total"]
        out.print(
            f"{shown:,} of {total:,} are shown, {total - shown:,} more are not: --limit {total} shows all, --by RULE "
            "those that one rule tied."
        )
    out.print("The least sure come first. `cutover review unmerge CUSTOMER --dry-run` shows what would come apart.")


def tie_in_words(tie: Mapping[str, Any]) -> str:
    """By what two rows are one, in a few words."""
    if tie["kind"] == tie["rule"]:
        sure = f" {tie['probability']:.4f}" if tie["kind"] == "likeness" else ""
        return f"{tie['kind']}{sure}"
    return f"{tie['kind']} {tie['rule']}"


def decider_in_words(decided: Mapping[str, Any]) -> str:
    """Who decided a case, and when."""
    by = " and ".join(filter(None, (decided["by"], decided["seconded_by"])))
    return f"{by} (case {decided['case']}, {decided['at'][:10]})"


def print_unmerge(out: Console, done: dict[str, Any]) -> None:
    """What comes apart, what stays together because the source says so, and from when."""
    table = Table("part", "customer rows", title=f"Unmerge of {escape(done['customer'])}", title_justify="left")
    for number, part in enumerate(done["parts"], start=1):
        table.add_row(str(number), escape("\n".join(part)))
    out.print(table)
    for kept in done["stays_together"]:
        out.print(escape(f"{kept['a']} and {kept['b']} stay together: the source itself ties them ({kept['rule']})."))
    said = {
        "planned": "Nothing was decided. Say it again with --reason to do it.",
        "proposed": "It waits for a second person, who gives the same command.",
        "reopened": "Of some, somebody had proposed that they are: these are open again, and two persons have yet to "
        "give this command. `cutover review list` shows them.",
        "decided": "`cutover run` goes by it.",
    }
    out.print(f"{len(done['pairs'])} pairs are not one customer. {said[done['effect']]}")


def print_export(out: Console, done: dict[str, Any]) -> None:
    """Where the sheet is and how to go on."""
    if not done["cases"]:
        out.print("[green]Nothing waits for a person;[/] no file was written.")
        return
    # A file may be called by bytes that are no text, which a terminal does not take.
    name = done["file"].encode("utf-8", "replace").decode()
    out.print(f"{done['cases']} cases are in {escape(name)}: it holds personal data, and only you can read it.")
    out.print("Fill in `answer` and `reason`, save it, then: `cutover review import FILE`.")


def print_import(out: Console, done: dict[str, Any]) -> None:
    """What the answers of a sheet did."""
    out.print(
        f"{done['decided']} decided, {done['proposed']} wait for a second person, {done['reopened']} open again, "
        f"{done['withdrawn']} proposals withdrawn, {done['left']} left without an answer. "
        "`cutover run` goes by what is decided."
    )
