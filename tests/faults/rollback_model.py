"""What a rollback does to the dictionaries of `target_model`, where that is plain.

Plain: no other cohort has had or written what these cohorts' loads wrote, since they did. Then all goes back to what it
was before the first of them. Where it is not (decision 38), `is_plain` says so, and only what holds of any rollback is
asked: `wrong_after`.
"""

from __future__ import annotations

from collections.abc import Collection

from source_model import Source
from target_model import TABLES, Change, Entry, Place, Refused, Target

Span = tuple[object, object]


def touched(target: Target, cohorts: Collection[str]) -> dict[Place, Span]:
    """What these cohorts' loads that stand have changed: what was there before the first and after the last of them."""
    spans: dict[Place, Span] = {}
    for change in target.changes:
        if change.cohort in cohorts and not change.taken:
            for place, (before, after) in change.places.items():
                spans[place] = (spans[place][0] if place in spans else before, after)
    return spans


def is_plain(target: Target, cohorts: Collection[str]) -> bool:
    spans = touched(target, cohorts)
    first: dict[Place, int] = {}
    taken: dict[Place, int] = {}
    for change in target.changes:
        mine = change.cohort in cohorts and not change.taken
        for place in change.places:
            if mine:
                first.setdefault(place, change.number)
            elif place in first:
                return False
            elif change.taken:
                taken[place] = change.number
            elif not change.cohort:
                taken.pop(place, None)
    known = target.recorded_rows()
    for place in spans:
        source = place[1:] if place[0] == "record" else known.get(place)  # type: ignore[arg-type]
        entry = target.record.get(source)  # type: ignore[arg-type]
        if place in taken or (entry is not None and entry.cohort not in cohorts):
            return False
    for source, entry in target.record.items():
        if entry.cohort in cohorts and ("record", *source) not in spans:
            return False
    return not _others_stand_on(target, cohorts, spans)


def _others_stand_on(target: Target, cohorts: Collection[str], spans: dict[Place, Span]) -> bool:
    """Whether rows of other cohorts point at what would go, or what comes back points at what is not there."""
    known = target.recorded_rows()
    after = _gone_back(target, spans)
    for table, (_, _, led) in TABLES.items():
        for target_id, row in after.rows[table].items():
            if led is None or row[led[0]] in after.rows[led[1]]:
                continue
            source = known.get((table, target_id))
            if source is None:
                if (table, target_id) in spans:
                    return True
            elif target.record[source].cohort not in cohorts or (table, target_id) in spans:
                return True
    return False


def _gone_back(target: Target, spans: dict[Place, Span]) -> Target:
    """The target with all these places as they were before."""
    back = target.copy()
    for place, (before, _) in spans.items():
        if place[0] == "record":
            source = (str(place[1]), int(place[2]))  # type: ignore[misc]
            back.record.pop(source, None)
            if isinstance(before, Entry):
                back.record[source] = before
        else:
            back.rows[place[0]].pop(str(place[1]), None)
            if isinstance(before, dict):
                back.rows[place[0]][str(place[1])] = dict(before)
    return back


def taken_back(target: Target, source: Source, cohorts: Collection[str], *, preserve: bool) -> Target:
    """The target after a plain rollback. Refused when others have changed or removed rows since, or rows that no load
    brought point at what would go, and nobody has said `preserve`."""
    spans, now = touched(target, cohorts), target.flat()
    foreign = {p for p, (_, after) in spans.items() if p[0] != "record" and now.get(p) != after}
    known = target.recorded_rows()
    needed = {
        p
        for p in set(spans) - foreign
        if p[0] != "record" and _goes(spans, p, now)
        for child in target.pointing_at(p[0], str(p[1]))
        if child not in spans and child not in known
    }
    kept = foreign | needed
    if kept and not preserve:
        raise Refused("others have changed rows")
    while more := {p for p in spans if p not in kept and _goes(spans, p, now) and _is_pointed_at(target, p, kept)}:
        kept |= more
    stays = kept | {("record", *s) for place, s in known.items() if place in kept} | _erased(source, spans)
    moving = {p: s for p, s in spans.items() if p not in stays}
    after = _gone_back(target, moving)
    _reserve(target, after, moving)
    number = target.next_number
    for i, change in enumerate(after.changes):
        if change.cohort in cohorts and not change.taken:
            after.changes[i] = Change(change.number, change.cohort, change.places, taken=number)
    after.changes.append(Change(number, "", after.changed_since(target)))
    after.applied -= set(cohorts)
    after.applied |= _received(target, cohorts, moving)
    return after


def _goes(spans: dict[Place, Span], place: Place, now: dict[Place, object]) -> bool:
    return place[0] != "record" and spans[place][0] is None and now.get(place) is not None


def _is_pointed_at(target: Target, place: Place, kept: Collection[Place]) -> bool:
    return any(child in kept for child in target.pointing_at(place[0], str(place[1])))


def _erased(source: Source, spans: dict[Place, Span]) -> set[Place]:
    """What would come back of customers that were erased: they do not."""
    out: set[Place] = set()
    for place, (before, _) in spans.items():
        if place[:2] == ("record", "customer") and place[2] in source.erased and isinstance(before, Entry):  # type: ignore[misc]
            row = ("customers", before.target_id)
            if spans.get(row, (None, None))[0] is not None:
                out.add(row)
    for table, (_, _, led) in TABLES.items():
        for place, (before, _) in spans.items():
            if place[0] == table and led is not None and isinstance(before, dict) and (led[1], before[led[0]]) in out:
                out.add(place)
    of_rows = {
        p
        for p, (before, _) in spans.items()
        if isinstance(before, Entry) and before.stands and _row_of(p, before) in out
    }
    return out | of_rows


def _row_of(place: Place, entry: Entry) -> Place:
    table = next(t for t, (entity, _, _) in TABLES.items() if entity == place[1])
    return (table, entry.target_id)


def _reserve(target: Target, after: Target, moving: dict[Place, Span]) -> None:
    """Ids of customers that leave the record stay given where nobody could work them out again."""
    several: dict[str, list[Entry]] = {}
    for (entity, _), entry in target.record.items():
        if entity == "customer":
            several.setdefault(entry.target_id, []).append(entry)
    for (entity, number), entry in target.record.items():
        same = several.get(entry.target_id, [])
        told = len(same) > 1 or not all(e.founder for e in same) or number in target.reserved
        if told and entity == "customer" and ("record", entity, number) in moving:
            after.reserved[number] = (entry.target_id, entry.stands)


def _received(target: Target, cohorts: Collection[str], moving: dict[Place, Span]) -> set[str]:
    """Other cohorts of which something comes back."""
    return {b.cohort for b, _ in moving.values() if isinstance(b, Entry)} - set(cohorts)


def wrong_after(before: Target, after: Target, source: Source, cohorts: Collection[str]) -> list[str]:
    """What must not be after any rollback of these cohorts."""
    found = []
    known, had = after.recorded_rows(), before.recorded_rows()
    standing = set(before.standing()) - set(cohorts)
    for place, from_source in known.items():
        if place[1] not in after.rows[place[0]] and place[1] in before.rows[place[0]]:
            found.append(f"the record names a row that is gone: {place}")
        if place not in had and from_source[0] == "customer" and from_source[1] in source.erased:
            found.append(f"somebody who was erased is back: {place}")
    for place, from_source in had.items():
        was = before.rows[place[0]].get(place[1])
        if before.record[from_source].cohort not in standing or was is None:
            continue
        led = TABLES[place[0]][2]
        now = after.rows[place[0]].get(place[1])
        if now is None or any(now[c] != was[c] for c in was if led is None or c != led[0]):
            found.append(f"a row of a cohort that stands was changed: {place}")
    for table, of_table in before.rows.items():
        found += [
            f"a row that no load brought was changed: {table} {i}"
            for i, row in of_table.items()
            if (table, i) not in had and not _ever_ours(before, table, i) and after.rows[table].get(i) != row
        ]
    return found


def _ever_ours(target: Target, table: str, target_id: str) -> bool:
    return any((table, target_id) in change.places for change in target.changes)
