"""Whether the plan's keys identify: how often the customers that share a key's values are strangers by all else.

A key says of rows with the same values that they are one customer. Where it is true, hardly anything else they say
contradicts it; where it is not (two companies in one country), nearly everything does. So each key is tried on its own
groups, against evidence that is not the key's: verified tax numbers, birth dates, names (`telling`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from migration_assets.stages.identities.components import Ints
from migration_assets.stages.identities.decide import Known, objections
from migration_assets.stages.identities.facts import listed, verified
from migration_assets.stages.identities.kits import COMPANY, PERSON, Kit
from migration_assets.stages.identities.likeness import KEY
from migration_assets.stages.identities.records import records, speakers
from migration_assets.stages.identities.standing import Standing, erased_and_apart, firsts_by_key

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.identity_models import Identity, IdentityKey

# One row for each key of the plan. Key: rule. A customer here is all that links tie together, and a group those that
# share a key's values. `groups`: how many were looked at; `told_apart`: in how many of them other evidence tells
# somebody from the first; `customers`, `customers_apart`: the same of those who are not the first; `allowed`: how many
# groups may be told apart (`told_apart_at_most` of the plan). Who cannot be compared but by the key is not counted.
KEYS = pa.schema(
    {
        "rule": pa.string(),
        **dict.fromkeys(("groups", "told_apart", "customers", "customers_apart", "allowed"), pa.int64()),
    }
)

# So many customers tell a key's share to a percent, and so many of one group whether it is torn; more would only take
# longer.
_TRIED, _OF_A_GROUP = 20_000, 100
# Fewer strangers than this are no habit of a key: they can be slips in a small company.
_FEWEST = 5
# What else is the same where a field is.
_TOLD_BY = {"name": ("trading_name", "given_name")}


@dataclass(frozen=True)
class _Evidence:
    """Records of the customers in question by kind of party and number, and their verified tax numbers."""

    by_kind: Mapping[str, Mapping[int, Mapping[str, Any]]]
    tax_ids: Mapping[int, Mapping[str, frozenset[str]]]

    def tells_apart(self, one: int, other: int, key: IdentityKey) -> bool | None:
        """Whether two customers are strangers, by all that the key does not look at; None where nothing tells."""
        numbers = self.tax_ids.get(one, {}), self.tax_ids.get(other, {})
        if objections(Known(tax_ids=numbers[0]), Known(tax_ids=numbers[1])):
            return True
        for kit in (PERSON, COMPANY):
            a, b = (self.by_kind[kit.name].get(n) for n in (one, other))
            own = _without(kit, key)
            if a is not None and b is not None and any(a[name] and b[name] for name in own.telling):
                return own.tells_apart(a, b, {})
        return False if numbers[0].keys() & numbers[1].keys() else None


@dataclass(frozen=True)
class _Shared:
    """Customers that share a key's values: `first` of a group, and each other of it (`other`), by number; `group`."""

    group: Ints
    first: Ints
    other: Ints


def tried_keys(
    engine: DuckDBEngine,
    identity: Identity,
    customers: ir.Table,
    rows: Standing,
    registrations: ir.Table | None,
) -> pa.Table:
    """KEYS. `customers` and `registrations` in standard form; rows that are like nobody are in no group."""
    _, apart = erased_and_apart(engine, rows, identity)
    shared = {key.name: _shared(engine, rows, key, apart) for key in identity.keys}
    evidence = _evidence(engine, customers, rows, registrations, shared.values())
    found = [_verdict(key, shared[key.name], evidence) for key in identity.keys]
    return pa.Table.from_pylist(found, schema=KEYS)


def _shared(engine: DuckDBEngine, rows: Standing, key: IdentityKey, apart: Ints) -> _Shared:
    """Who shares a key with whom and is not one with them by links already; of many groups some, evenly drawn."""
    pairs = firsts_by_key(engine, rows, key, without=apart)
    group, other = pairs["a"].to_numpy(), rows.group[pairs["b"].to_numpy()]
    # Each pair once, in order of its group: as one number they are found sooner.
    group, other = np.divmod(np.unique((group * len(rows) + other)[rows.group[group] != other]), max(len(rows), 1))
    _, start, inverse = np.unique(group, return_index=True, return_inverse=True)
    few = np.arange(len(group)) - start[inverse] < _OF_A_GROUP
    every = max(math.ceil(few.sum() / _TRIED), 1)
    drawn = few & (inverse % every == 0)
    return _Shared(group[drawn], rows.group[group[drawn]], other[drawn])


def _evidence(
    engine: DuckDBEngine,
    customers: ir.Table,
    rows: Standing,
    registrations: ir.Table | None,
    shared: Iterable[_Shared],
) -> _Evidence:
    """What is known of everybody who shares a key with somebody."""
    asked = np.unique(
        np.concatenate([np.array([], dtype=np.int64), *(end for s in shared for end in (s.first, s.other))])
    )
    named = pa.table({"speaker": rows.keys.take(pa.array(asked))})
    spoken = engine.cached(rows.spoken_for(engine).semi_join(engine.table(named), "speaker"))
    whole = engine.cached(speakers(customers, spoken))
    number = dict(zip(named["speaker"].to_pylist(), asked.tolist(), strict=True))
    held = {
        kit.name: {number[r[KEY]]: r for r in records(engine, kit.name, whole, None).to_pylist()}
        for kit in (PERSON, COMPANY)
    }
    return _Evidence(held, _tax_ids(engine, registrations, spoken, number))


def _tax_ids(
    engine: DuckDBEngine, registrations: ir.Table | None, spoken: ir.Table, number: Mapping[str, int]
) -> dict[int, dict[str, frozenset[str]]]:
    found: dict[int, dict[str, frozenset[str]]] = {}
    theirs = verified(engine, registrations, spoken).inner_join(spoken, "customer_id")
    for key, country, tax_number in listed(engine, theirs, "speaker", "country", "tax_number"):
        held = found.setdefault(number[key], {})
        held[country] = held.get(country, frozenset()) | {tax_number}
    return found


def _verdict(key: IdentityKey, shared: _Shared, evidence: _Evidence) -> dict[str, object]:
    pairs = zip(shared.first.tolist(), shared.other.tolist(), strict=True)
    said = [evidence.tells_apart(a, b, key) for a, b in pairs]
    compared = np.array([answer is not None for answer in said], dtype=bool)
    apart = np.array([answer is True for answer in said], dtype=bool)
    groups, torn = (len(np.unique(shared.group[which])) for which in (compared, apart))
    return {
        "rule": key.name,
        "groups": groups,
        "told_apart": torn,
        "customers": int(compared.sum()),
        "customers_apart": int(apart.sum()),
        "allowed": groups if apart.sum() < _FEWEST else math.floor(groups * key.told_apart_at_most),
    }


def _without(kit: Kit, key: IdentityKey) -> Kit:
    """The kit without what the key itself looks at: that two share it is the claim, and proves nothing of it. Codes,
    such as a country, are left out too: one that was entered wrong differs outright."""
    looked_at = set(key.fields) | {told for field in key.fields for told in _TOLD_BY.get(field, ())}
    return replace(
        kit,
        telling={name: how for name, how in kit.telling.items() if how != "code" and name not in looked_at},
        proof=tuple(name for name in kit.proof if name not in looked_at),
    )
