"""How people name a customer: by the key of a row, by the row's place in the golden copy, or by an id of the target.

The place (`crm.accounts#206`) is what the UI shows, since a key can be an e-mail address. Rows change places from one
snapshot to the next, so the UI writes the snapshot behind it (`crm.accounts#206@20260630T120000Z1a2b3c`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from migration_assets.domain.errors import BadInput
from migration_assets.plan.wording import escaped
from migration_assets.stages.identities.loaded import rows_of_ids
from migration_assets.wiring.review import Stored, queue_of

if TYPE_CHECKING:
    from migration_assets.control import Case
    from migration_assets.wiring.workspace import Workspace

_PLACE = re.compile(r"(?P<system>[^.:#@]+)\.(?P<table>[^:#@]+)#(?P<row>[0-9]{1,18})(@(?P<snapshot>\S+))?")
# Cases are counted one by one: none has a longer number.
_MOST_DIGITS = 18
HOW = "Give the key of a row (crm.accounts:12), its row as the UI shows it (crm.accounts#12), or an id of the target."


def surrogate(row: Mapping[str, Any]) -> str:
    """Where a canonical row stands in the golden copy, such as `crm.accounts#12`."""
    return f"{row['source_system']}.{row['source_table']}#{row['source_row']}"


def surrogates(stored: Stored, keys: Iterable[str]) -> dict[str, str]:
    """Canonical customer key -> where that row stands in the golden copy that the last run read."""
    return {key: surrogate(row) for key, row in stored.customers(keys).items()}


def customer_named(stored: Stored, name: str) -> str | None:
    """Canonical key of the customer row that a person names in any of the three ways; None where there is none. What is
    written as a key is taken for one.

    BadInput for a place in a snapshot that runs do not read any more: another row stands there now; and for what is no
    text.
    """
    if "\x00" in name or any("\ud800" <= c <= "\udfff" for c in name):
        raise BadInput("the name of the customer is no text: it holds NUL, or bytes that are not UTF-8", HOW)
    place = _PLACE.fullmatch(name)
    if place is not None:
        return _at(stored, place)
    if ":" in name:
        return name
    return next(iter(rows_of_ids(stored.workspace.target, [name])), None)


def members_named(stored: Stored, name: str) -> list[str]:
    """All rows of the customer that a person names, the founder first. BadInput when the last run knows none."""
    key = customer_named(stored, name)
    if key is None or not stored.rows("customer_identities", "identities", "customer_id", [key]):
        raise BadInput("the last run knows no such customer", _meant(stored, name))
    return stored.group_of(key)


def _meant(stored: Stored, name: str) -> str:
    """A remedy for a name that nobody has: the rows whose own number it is, read off a screen without its table."""
    keys = sorted(r["customer_id"] for r in stored.rows("standardized_parties", "customer", "source_id", [name]))
    if len(keys) == 1:
        return f"Did you mean {escaped(keys[0])}?"
    return f"Several rows have that number: {', '.join(map(escaped, keys))}. Name one of them." if keys else HOW


def case_named(workspace: Workspace, name: str) -> int:
    """Number of the case that a person means: its number, or a customer of whom there is one case only.

    Cases that wait come before those that are decided, and those that name the row itself before those about other rows
    of the same customer. BadInput when there is none, or when it might be several.
    """
    if name.isascii() and name.isdigit():
        if len(name) > _MOST_DIGITS:
            raise BadInput(
                "there is no case of so large a number", "`cutover review list --all` shows those there are."
            )
        return int(name)
    with workspace.engine() as engine:
        stored = Stored(workspace, engine)
        key = customer_named(stored, name)
        members = set() if key is None else {key, *stored.group_of(key)}
        meant = _meant(stored, name) if key is None else HOW
    cases = [c for c in queue_of(workspace).cases(everything=True) if members & {c.a, c.b}]
    found = next(filter(None, _from_the_nearest(cases, key)), [])
    if not found:
        raise BadInput("there is no case of this customer", f"`cutover review list --all` shows the cases. {meant}")
    if len(found) > 1:
        numbers = ", ".join(str(c.case_id) for c in found)
        raise BadInput(f"there are {len(found)} cases of this customer: {numbers}", "Name one of them by its number.")
    return found[0].case_id


def _from_the_nearest(cases: Sequence[Case], key: str | None) -> Iterator[list[Case]]:
    wanted: tuple[Callable[[Case], bool], ...] = (
        lambda c: c.waits and key in (c.a, c.b),
        lambda c: c.waits,
        lambda c: key in (c.a, c.b),
        lambda _: True,
    )
    yield from ([c for c in cases if meant(c)] for meant in wanted)


def _at(stored: Stored, place: re.Match[str]) -> str | None:
    current = stored.workspace.store.current_snapshot()
    if place["snapshot"] not in (None, current):
        raise BadInput(
            f"the row is one of snapshot {place['snapshot']}, and runs read {current} now: another may stand there",
            "`cutover review merges` shows the rows as they are now.",
        )
    rows = stored.rows("standardized_parties", "customer", "source_row", [int(place["row"])])
    there = (place["system"], place["table"])
    found = (r for r in rows if (r["source_system"], r["source_table"]) == there)
    return next((r["customer_id"] for r in found), None)
