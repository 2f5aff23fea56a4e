"""What a load of one cohort does to the dictionaries of `target_model`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from id_model import Known, ids_of_customers
from source_model import Source
from target_model import TABLE_OF, TABLES, Change, Entry, Refused, Row, Target, key_of, minted
from target_model import Source as SourceRow

# Whose word counts for a column that others have changed: a person's (money and quantities too), the target's, the
# source's; of `name` the plan says nothing, and a repair writes it.
OWNERS = {
    "name": "nobody",
    "email": "target",
    "country": "source",
    "billed_to_date_minor": "person",
    "quantity": "person",
}
# Table, id, column, what is to be written, what is there -> whose word counts.
Words = Mapping[tuple[str, str, str, str, str], str]


@dataclass
class Said:
    """What the load says of itself: rows inserted, updated and deleted by table, and what it left (table, id, column,
    whether a person is asked, what is to be written, what is there)."""

    counts: dict[str, list[int]] = field(default_factory=lambda: {t: [0, 0, 0] for t in TABLES})
    left: set[tuple[str, str, str, bool, str, str]] = field(default_factory=set)
    changed: bool = False

    @property
    def written(self) -> int:
        return sum(map(sum, self.counts.values()))


def loaded(target: Target, source: Source, cohort: str, words: Words, *, repair: bool = False) -> tuple[Target, Said]:
    """The target after the load. Refused when a row that no load brought points at one that has to go."""
    load = _Load(target.copy(), source, cohort, words, repair)
    load.run()
    changed = load.target.changed_since(target)
    load.said.changed = bool(changed)
    if changed:
        load.target.changes.append(Change(target.next_number, cohort, changed))
        load.target.applied.add(cohort)
    load.target.applied |= load.receivers
    return load.target, load.said


@dataclass
class _Load:
    target: Target
    source: Source
    cohort: str
    words: Words
    repair: bool
    said: Said = field(default_factory=Said)
    receivers: set[str] = field(default_factory=set)

    def run(self) -> None:
        self.ids = self._ids()
        self._stand_under_their_bearers()
        self._follow_customers(self._customers_change_cohort())
        rows, record = self._made()
        for table, of_table in rows.items():
            for target_id, row in of_table.items():
                self._write(table, target_id, row)
        for table in reversed(TABLES):
            self._remove(table, set(rows[table]), record)
        self._forget(record)
        self.receivers.discard(self.cohort)

    # --- who bears which id, and whose cohort the record is ---

    def _ids(self) -> dict[int, str]:
        customers = {str(n): str(i) for n, i in self.source.into.items()}
        known = [
            Known(str(n), e.target_id, e.stands, customers.get(str(n)))
            for (entity, n), e in self.target.record.items()
            if entity == "customer"
        ]
        known += [
            Known(str(n), target_id, stands, customers.get(str(n)), was_taken_back=True)
            for n, (target_id, stands) in self.target.reserved.items()
            if ("customer", n) not in self.target.record
        ]
        given = ids_of_customers(known, lambda key: minted("customer", f"crm.accounts:{key}"), customers)
        return {int(customer): target_id for customer, target_id in given.items()}

    def _stand_under_their_bearers(self) -> None:
        """A row that stands in the target is that of the customer who has its id now."""
        bearer = {target_id: customer for customer, target_id in self.ids.items()}
        self.handed: dict[tuple[str, str], set[str]] = {}
        record, moved = self.target.record, dict[SourceRow, Entry]()
        for source, e in list(record.items()):
            if source[0] == "customer" and e.stands and bearer.get(e.target_id, source[1]) != source[1]:
                key = ("customer", bearer[e.target_id])
                cohort = self.source.cohort[key[1]]
                founder = minted("customer", key_of(key)) == e.target_id
                moved[key] = Entry(e.target_id, True, founder, cohort, e.loaded)
                self.handed.setdefault(("customers", e.target_id), set()).add(cohort)
                del record[source]
                if cohort != e.cohort:
                    self.receivers.add(cohort)
        record |= moved

    def _customers_change_cohort(self) -> dict[tuple[str, str], set[str]]:
        """Of those that come from this cohort or go to it. Returns ids that were handed over -> to whom."""
        record = self.target.record
        bearer = {target_id: customer for customer, target_id in self.ids.items()}
        for source, e in list(record.items()):
            if source[0] != "customer":
                continue
            number = bearer.get(e.target_id, source[1]) if e.stands else source[1]
            now = self.source.cohort_of(number) if number in self.source.into else e.cohort
            if now != e.cohort and self.cohort in (now, e.cohort):
                self._give(source, now)
                self.handed.setdefault(("customers", e.target_id), set()).update({now} if e.stands else ())
        return self.handed

    def _follow_customers(self, handed: dict[tuple[str, str], set[str]]) -> None:
        """What is theirs in the target goes where its own source row is, or else along with them."""
        for table, (_, _, led) in TABLES.items():
            if led is not None:
                for target_id, row in self.target.rows[table].items():
                    above = handed.get((led[1], row[led[0]]))
                    if above is not None:
                        handed.setdefault((table, target_id), set()).update(above)
        for place, source in self.target.recorded_rows().items():
            if place[0] != "customers" and place in handed:
                self._place(source, max(handed[place], default=None))

    def _place(self, source: SourceRow, owner: str | None = None) -> bool:
        """Give the record of a row to the cohort in which its source row lies now; whether it has changed hands."""
        number = source[1] // 10 if source[0] == "subscription_item" else source[1]
        was = self.target.record[source].cohort
        now = self.source.cohort_of(number) if number in self.source.into else owner or was
        if now == was or self.cohort not in (now, was):
            return False
        self._give(source, now)
        return True

    def _give(self, source: SourceRow, cohort: str) -> None:
        e = self.target.record[source]
        self.target.record[source] = Entry(e.target_id, e.stands, e.founder, cohort, e.loaded)
        self.receivers.add(cohort)

    # --- rows ---

    def _made(self) -> tuple[dict[str, dict[str, Row]], dict[SourceRow, Entry]]:
        """The rows that the cohort has, and what the record is to say of them."""
        rows: dict[str, dict[str, Row]] = {t: {} for t in TABLES}
        record: dict[SourceRow, Entry] = {}
        for n, identity in self.source.into.items():
            if self.source.cohort[identity] != self.cohort:
                continue
            own, customer = self.source.values[n], self.ids[identity]
            if n == identity:
                row = {"customer_id": customer, **{c: own[c] for c in ("name", "email", "country")}}
                self._add(rows, record, ("customer", n), row, minted("customer", key_of(("customer", n))) == customer)
            else:
                record["customer", n] = Entry(customer, False, False, self.cohort)
            contract, item = ("subscription", n), ("subscription_item", n * 10 + 1)
            ids = minted("subscription", key_of(contract)), minted("subscription_item", key_of(item))
            billed = {"currency": "EUR", "billed_to_date_minor": own["billed"]}
            self._add(rows, record, contract, {"subscription_id": ids[0], "customer_id": customer, **billed}, True)
            row = {"item_id": ids[1], "subscription_id": ids[0], "quantity": own["quantity"]}
            self._add(rows, record, item, row, True)
        return rows, record

    def _add(
        self,
        rows: dict[str, dict[str, Row]],
        record: dict[SourceRow, Entry],
        source: SourceRow,
        row: Row,
        founder: bool,
    ) -> None:
        table = TABLE_OF[source[0]]
        target_id = row[TABLES[table][1]]
        rows[table][target_id] = row
        record[source] = Entry(target_id, True, founder, self.cohort, tuple(row.items()))

    def _write(self, table: str, target_id: str, ours: Row) -> None:
        there = self.target.rows[table].get(target_id)
        if there is None:
            self.target.rows[table][target_id] = ours
            self.said.counts[table][0] += 1
            return
        wanted = {**ours, **self._left(table, target_id, there, ours)}
        if wanted != there:
            self.target.rows[table][target_id] = wanted
            self.said.counts[table][1] += 1

    def _left(self, table: str, target_id: str, theirs: Row, ours: Row) -> Row:
        """Columns that stay as others have made them."""
        source = self.target.recorded_rows().get((table, target_id))
        if source is None or self.target.record[source].cohort != self.cohort:
            return {}
        was = dict(self.target.record[source].loaded)
        stays = {}
        for column in changed_by_others(was, theirs, ours):
            about = (table, target_id, column, ours[column], theirs[column])
            kept, asked = is_kept(OWNERS.get(column, "nobody"), self.words.get(about), repair=self.repair)
            if kept:
                stays[column] = theirs[column]
                self.said.left.add((table, target_id, column, asked, ours[column], theirs[column]))
        return stays

    def _remove(self, table: str, made: set[str], record: Mapping[SourceRow, Entry]) -> None:
        """What the cohort no longer has goes, but for what is another's now and what another's rows point at."""
        entity = TABLES[table][0]
        mine = {
            e.target_id: s
            for s, e in self.target.record.items()
            if s[0] == entity and e.stands and e.cohort == self.cohort and e.target_id not in made
        }
        gone = {target_id: s for target_id, s in mine.items() if not self._place(s)}
        self._lead_on(table, gone, record)
        while needed := {i: c for i in gone if (c := self._needed_by(table, i))}:
            for target_id, cohort in needed.items():
                self._give(gone.pop(target_id), cohort)
        for target_id in gone:
            if self.target.pointing_at(table, target_id):
                raise Refused(f"{table} {target_id} is pointed at by a row that no load brought")
            if self.target.rows[table].pop(target_id, None) is not None:
                self.said.counts[table][2] += 1

    def _lead_on(self, table: str, gone: Mapping[str, SourceRow], record: Mapping[SourceRow, Entry]) -> None:
        """Rows that point at one that is merged by now, and goes, point at the one it went into."""
        for old, source in gone.items():
            now = record.get(source)
            if now is None or now.stands:
                continue
            for child, i in self.target.pointing_at(table, old):
                led = TABLES[child][2]
                assert led is not None
                row = self.target.rows[child][i]
                new = {**row, led[0]: now.target_id}
                known = self.target.recorded_rows().get((child, i))
                if known is not None and dict(self.target.record[known].loaded) == row:
                    e = self.target.record[known]
                    self.target.record[known] = Entry(e.target_id, e.stands, e.founder, e.cohort, tuple(new.items()))
                self.target.rows[child][i] = new
                self.said.counts[child][1] += 1

    def _needed_by(self, table: str, target_id: str) -> str:
        """The first of the other cohorts whose rows point at it."""
        known = self.target.recorded_rows()
        pointing = [known[place] for place in self.target.pointing_at(table, target_id) if place in known]
        others = {self.target.record[s].cohort for s in pointing} - {self.cohort}
        return min(others, default="")

    def _forget(self, record: Mapping[SourceRow, Entry]) -> None:
        """The record is what the cohort has, and what other cohorts have."""
        kept = {s: e for s, e in self.target.record.items() if e.cohort != self.cohort}
        self.target.record = {**kept, **record}


def changed_by_others(was: Row, theirs: Row, ours: Row) -> set[str]:
    """Columns that others have changed and that are to be written; all that differ, where both have changed one."""
    differ = {c for c in ours if ours[c] != theirs[c]}
    changed = {c for c in ours if theirs[c] != was[c]}
    return differ if any(ours[c] != was[c] for c in changed) else changed


def is_kept(owner: str, word: str | None, *, repair: bool) -> tuple[bool, bool]:
    """Whether such a column stays as others have made it, and whether a person is asked."""
    if owner in ("nobody", "person") and word is not None:
        return word == "target", False
    if owner == "nobody":
        return not repair, not repair
    return owner != "source", owner == "person"
