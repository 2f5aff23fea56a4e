"""One customer's account as a page: self-contained, without script or network, to be read, printed and filed.

The page is made from the content alone, so that whoever has the content can make it again. All text passes through
`_text`: keys and codes of a source are written by strangers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from migration_assets.stages.certificate.amounts import answer_in_words, moment, when_in_words
from migration_assets.stages.certificate.bill_tables import contract_section, money_table
from migration_assets.stages.certificate.causes import CLASSES, IN_WORDS
from migration_assets.stages.certificate.drawn import timeline
from migration_assets.stages.certificate.markup import cell, row, table, text
from migration_assets.stages.shadow.reasons import MEANS
from migration_assets.stages.shadow.signed import SIGNED

Plain = Mapping[str, Any]
OUTCOME: dict[str, tuple[str, str]] = {
    "equal": ("Nothing differs", "Every bill and every entitlement is the same on both sides, to the minor unit."),
    "signed": ("Differs only as signed for", "What differs is explained, and a named person has signed for it."),
    "rejected": ("Rows were left out", "Rows of this customer did not move; what they come to is missing."),
    "unproved": (
        "Not proved",
        "The old rules do not tell what would be billed or may be done, or do not make what was issued.",
    ),
    "open": ("Differs, and nobody has signed for it", "Somebody has to mend it, or to sign for it."),
}


def page(content: Plain, who: str = "", ending: str = "") -> str:
    """The HTML page of a content. `who`, `ending`: further sections, made with `markup`."""
    title, says = OUTCOME[content["outcome"]]
    template = Template(files(__package__).joinpath("page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=text(content["customer"]["row"] or "nobody"),
        name=_name(content["customer"]),
        outcome=content["outcome"],
        outcome_title=title,
        outcome_says=says,
        facts=_facts(content),
        money=money_table(content),
        timeline=timeline(content),
        legend=_legend(),
        why="".join(f"<li>{text(r)}</li>" for r in reasons(content)),
        who=who,
        ending=ending,
        contracts="".join(contract_section(content, c) for c in content["contracts"])
        or "<section><p>There is no contract.</p></section>",
        access=_access(content["access"], content["as_of"]),
        credits=_credits(content),
        rules=_rules(content["rules"]),
        digest=text(content.get("digest", "none: this page is no certificate")),
    )


def reasons(content: Plain) -> list[str]:
    """Why an account needs a look, a sentence for each thing; none where nothing does."""
    found = []
    for c in content["contracts"]:
        of = f"Contract {c['contract']}"
        if c["cannot_be_billed_after"]:
            found.append(f"{of}: the target cannot bill it ({_means(c['cannot_be_billed_after'])}).")
        if c["cannot_be_told_before"]:
            found.append(f"{of}: the old rules cannot tell its bills ahead ({_means(c['cannot_be_told_before'])}).")
        if c["old_rules_make_its_invoices"] is False:
            found.append(f"{of}: the old rules do not make its last invoices.")
        for kind in ("unexplained", "unsigned", "rejected"):
            if bills := sum(b["class"] == kind for b in c["bills"]):
                found.append(f"{of}: {bills} bills to come differ, {IN_WORDS[kind]}.")
    access = content["access"]
    if access["cannot_be_told_before"]:
        found.append(f"The old system does not tell what may be done ({access['cannot_be_told_before']}).")
    apart = {
        f"{f['feature']} {'anywhere' if f['region'] == '*' else f['region']}: {d['kind']}, {d['status']}"
        for f in access["features"]
        for d in f["differences"]
        if d["status"] != SIGNED
    }
    found += [f"What may be done, {words}." for words in sorted(apart)]
    found += [f"Credit {c['credit']} cannot be read." for c in content["credits"] if c["unreadable_before"]]
    return found


def _means(reason: str) -> str:
    """Why a side cannot tell bills, in words."""
    return MEANS.get(reason, reason)  # type: ignore[call-overload]


def _name(customer: Plain) -> str:
    if customer["key"] is None:
        return "Contracts that belong to nobody"
    if customer["row"] is None:
        said = "<span class='quiet'>named by the old systems, no row of theirs</span>"
        return f"<code>{text(customer['key'])}</code> {said}"
    named = f" <span class='quiet'>{text(customer['name'])}</span>" if customer.get("name") else ""
    return f"<code>{text(customer['key'])}</code>{named}"


def _facts(content: Plain) -> str:
    members = content["customer"]["members"]
    rows = f"{len(members)} rows of the old systems" if len(members) != 1 else "1 row of the old systems"
    facts = (
        ("cohort", content["cohort"]),
        ("made of", rows),
        ("snapshot", content["snapshot"]),
        ("target", content["target"]),
        ("T", moment(content["as_of"])),
        ("plan", f"{content['plan']} {content['plan_digest'][:16]}"),
    )
    return " ".join(f"<span>{name} <b>{text(value)}</b></span>" for name, value in facts)


def _legend() -> str:
    bills = "".join(f'<span><i class="k-{c}"></i>{text(IN_WORDS[c])}</span>' for c in CLASSES)
    access = "".join(
        f'<span><i class="{c}"></i>{words}</span>'
        for c, words in (("before", "access before"), ("after", "access after"), ("forbidden", "not allowed"))
    )
    return f"{bills}{access}<span>squares: invoices issued; circles: bills to come; frames: access that differs</span>"


def _access(access: Plain, as_of: str) -> str:
    why = access["cannot_be_told_before"]
    said = f"<p class='warn'>The old system does not tell what may be done: {text(why)}.</p>" if why else ""
    if not access["features"]:
        return said or "<p class='quiet'>Nothing that is compared is granted on either side.</p>"
    same = "<span class='quiet'>not compared</span>" if why else '<span class="tag k-equal">equal</span>'
    rows = []
    for f in access["features"]:
        sides = [
            "<br>".join(_span(s, f, as_of, access["until"]) for s in f[side]) or "nothing"
            for side in ("before", "after")
        ]
        apart = "<br>".join(_apart(d, f) for d in f["differences"])
        where = "anywhere" if f["region"] == "*" else f["region"]
        rows.append(row(text(f["feature"]), text(where), *sides, apart or same))
    until = f"<p class='quiet'>From T until {moment(access['until'])}, where nothing else is said.</p>"
    return said + table(("feature", "region", "before", "after", ""), rows) + until


def _span(span: Plain, feature: Plain, first: str, last: str) -> str:
    return f"{text(answer_in_words(span, feature))}<span class='quiet'>{text(when_in_words(span, first, last))}</span>"


def _apart(d: Plain, feature: Plain) -> str:
    until = f" until {moment(d['ends_at'])}" if d["ends_at"] else ""
    was, now = (text(answer_in_words(d[side], feature)) for side in ("before", "after"))
    policy = ""
    if was == now:
        policy = f" (past the limit: {text(d['before']['overage'] or '-')}, then {text(d['after']['overage'] or '-')})"
    signed = f", signed by {text(d['signed_by'])}" if d["signed_by"] else ""
    return (
        f'<span class="tag s-{text(d["status"])}">{text(d["kind"])}, {text(d["status"])}</span> from '
        f"{moment(d['starts_at'])}{until}: {was} becomes {now}{policy}{signed}"
    )


def _credits(content: Plain) -> str:
    rows: Iterable[Plain] = content["credits"]
    if not rows:
        return "<p class='quiet'>No credit is left on either side.</p>"
    return table(
        ("credit", "before", "after"),
        [
            row(
                text(c["credit"]),
                *(cell(content, c[f"{side}_minor"], c["currency"]) for side in ("before", "after")),
            )
            for c in rows
        ],
    )


def _rules(rules: Plain) -> str:
    after = rules["after"] or {}
    told = {"rounded_at": "round_at", "taxed_at": "tax_at", "uplift_decimals": "price_decimals"}
    rows = [
        row(escape(name.replace("_", " ")), text(value), text(after.get(told.get(name, name), "-")))
        for name, value in rules["before"].items()
    ]
    signed = f"<p>Signed by {text(rules['signed_by'])} on {text(rules['signed_on'])} (billing.yaml).</p>"
    return signed + table(("rule", "old system", "target"), rows)
