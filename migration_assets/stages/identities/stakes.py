"""What is at stake in each pair that waits for a person: the money of the side that would go up in the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from migration_assets.domain.stakes import Amounts, at_stake
from migration_assets.stages.identities.amounts import ByCustomer, invoiced_year, recurring_year
from migration_assets.stages.identities.components import components

if TYPE_CHECKING:
    from migration_assets.stages.feeds import Mapping as Feeds

# One row for each pair and currency in which something is at stake. Key: a, b, currency; the pair is one of `doubts`.
STAKES = pa.schema(
    {
        "a": pa.string(),
        "b": pa.string(),
        "currency": pa.string(),
        "recurring_year_minor": pa.int64(),
        "invoiced_year_minor": pa.int64(),
        "stake_minor": pa.int64(),
    }
)
Pair = tuple[str, str]


@dataclass(frozen=True)
class Groups:
    """Who is one customer: customer row -> founder, founder -> all its rows, and the systems in order of priority."""

    founder: Mapping[str, str]
    members: Mapping[str, Sequence[str]]
    priority: Sequence[str]

    @classmethod
    def of(cls, identities: Iterable[tuple[str, str]], priority: Sequence[str]) -> Groups:
        """Groups from (customer_id, identity_id)."""
        founder = dict(identities)
        members: dict[str, list[str]] = {}
        for member in sorted(founder):
            members.setdefault(founder[member], []).append(member)
        return cls(founder, members, priority)

    def giving_up(self, pair: Pair) -> Sequence[str]:
        """Rows that a merge of the pair would put under another founder. Two that are one already: the later row."""
        founders = [self.founder.get(key, key) for key in pair]
        if founders[0] == founders[1]:
            return [max(pair, key=self._standing)]
        later = max(founders, key=self._standing)
        return self.members.get(later, [later])

    def _standing(self, key: str) -> tuple[int, str]:
        system = key.partition(".")[0]
        return (self.priority.index(system) if system in self.priority else len(self.priority)), key

    def all_of(self, key: str) -> Sequence[str]:
        """All rows of the customer that this row is of."""
        return self.members.get(self.founder.get(key, key), [key])


def staked(feeds: Feeds, pairs: Sequence[Pair], groups: Groups, erased: Collection[Pair] = ()) -> pa.Table:
    """STAKES of these pairs. Amounts are read for the rows that would be put under another founder only.

    `erased`: pairs of one who was erased and one who may be the same; at stake is what the second would lose its name
    over, whoever stands first.
    """
    moving = {pair: groups.all_of(pair[1]) if pair in erased else groups.giving_up(pair) for pair in pairs}
    everybody = sorted({key for keys in moving.values() for key in keys})
    if not everybody:
        return STAKES.empty_table()
    asked = feeds.engine.table(pa.table({"customer_id": pa.array(everybody, pa.string())}))
    recurring, invoiced = recurring_year(feeds, asked), invoiced_year(feeds, asked)
    rows = [row for pair in sorted(moving) for row in _rows(pair, moving[pair], recurring, invoiced)]
    return pa.Table.from_pylist(rows, schema=STAKES)


def as_if_parted(
    members: Iterable[tuple[str, str]], ties: Iterable[Pair], open_pairs: Collection[Pair]
) -> list[tuple[str, str]]:
    """(customer row, founder) as it would be without the ties that a person is asked about. `members`: (customer row,
    founder) as it is; `ties`: all that ties these rows."""
    given = sorted(members, key=lambda m: (m[1], m[0] != m[1], m[0]))
    place = {key: n for n, (key, _) in enumerate(given)}
    parted = {frozenset(pair) for pair in open_pairs}
    kept = [(place[a], place[b]) for a, b in ties if frozenset((a, b)) not in parted]
    return [(key, given[low][0]) for (key, _), low in zip(given, components(len(given), kept), strict=True)]


def by_pair(stakes: pa.Table) -> dict[Pair, dict[str, int]]:
    """Pair -> currency -> minor units at stake."""
    found: dict[Pair, dict[str, int]] = {}
    for r in stakes.to_pylist():
        found.setdefault((r["a"], r["b"]), {})[r["currency"]] = r["stake_minor"]
    return found


def added(keys: Iterable[str], amounts: ByCustomer) -> Amounts:
    """The sum over customer rows, each currency for itself."""
    total: Counter[str] = Counter()
    for key in keys:
        total.update(amounts.get(key, {}))
    return dict(total)


def _rows(pair: Pair, keys: Sequence[str], recurring: ByCustomer, invoiced: ByCustomer) -> list[dict[str, object]]:
    year, bills = added(keys, recurring), added(keys, invoiced)
    return [
        {
            "a": pair[0],
            "b": pair[1],
            "currency": currency,
            "recurring_year_minor": year.get(currency, 0),
            "invoiced_year_minor": bills.get(currency, 0),
            "stake_minor": minor,
        }
        for currency, minor in at_stake(year, bills).items()
    ]
