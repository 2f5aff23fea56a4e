"""The page of `cutover explain --to`: the account, with who the customer is made of and what the target holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from migration_assets.domain.errors import StageRefused
from migration_assets.stages.certificate.amounts import moment
from migration_assets.stages.certificate.markup import number, row, section, table, text
from migration_assets.stages.certificate.page import page
from migration_assets.wiring.review_views import decider_in_words, tie_in_words


def explained_page(found: Mapping[str, Any]) -> str:
    """HTML of what `explain.explained` found; StageRefused where there is no account to show."""
    if found["account"] is None:
        raise StageRefused(f"there is no account to write: {found['why_no_account']}")
    return page(
        found["account"],
        who=section("Who it is", _who(found)),
        ending=section("In the target now", _loaded(found)),
    )


def _who(found: Mapping[str, Any]) -> str:
    customer = found["customer"]
    members = table(
        ("row of the old systems", "place"), [row(text(m["key"]), text(m["row"])) for m in customer["members"]]
    )
    if not found["ties"]:
        return members
    ties = [
        row(
            text(t["a"]),
            text(t["b"]),
            text(tie_in_words(t)),
            text("; ".join(decider_in_words(d) for d in t["decided"])),
        )
        for t in found["ties"]
    ]
    return members + table(("one with", "", "tied by", "decided by"), ties)


def _loaded(found: Mapping[str, Any]) -> str:
    target = found["target"]
    if not target["rows"]:
        return "<p class='quiet'>Nothing of this customer has been loaded.</p>"
    known = [
        row(
            text(r["key"]),
            f"<code>{text(r['target_id'])}</code>",
            text(r["status"]),
            number(text(r["load"])),
            text(moment(r["loaded_at"])),
        )
        for r in target["rows"]
    ]
    tables = " ".join(f"<span>{text(t['table'])} <b>{t['rows']:,}</b></span>" for t in target["tables"])
    loads = [
        row(
            number(text(w["load"])),
            text(moment(w["loaded_at"])),
            text(w["snapshot"]),
            *(number(f"{w[n]:,}") for n in ("inserted", "updated", "deleted")),
        )
        for w in target["loads"]
    ]
    return (
        table(("row", "id in the target", "", "load", "at"), known, numbers=frozenset({3}))
        + f"<h3>Rows that lead to this customer</h3><p class='chips'>{tables}</p>"
        + f"<h3>Loads of cohort {text(found['cohort'])}</h3>"
        + table(("load", "at", "snapshot", "inserted", "updated", "deleted"), loads, numbers=frozenset({0, 3, 4, 5}))
    )
