"""Who is who: precision and recall against known truth, with the default settings for people, tuned for no data set.

The data lie outside this repository, in the folder `people` below CUTOVER_DATA (default ../shared/data); the peer is
what one would write in an afternoon: the same blocks, and a mean of rapidfuzz ratios above a threshold.
usage: python -m benchmarks.identity
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.end_to_end import ROOT
from migration_assets.stages.identities.components import components
from migration_assets.stages.identities.kits import PERSON, field_of
from migration_assets.stages.identities.likeness import KEY, scored

PEOPLE = Path(os.environ.get("CUTOVER_DATA", ROOT.parent / "shared" / "data")) / "people"
MERGE_AT, REVIEW_FROM = 0.99, 0.5
# The mean of field ratios from which the peer takes two records for one; its best on dataset3, in its favour.
PEER_AT = 80.0


@dataclass(frozen=True)
class DataSet:
    """Records in the kit's fields, and the true party of each key."""

    name: str
    records: pa.Table
    truth: dict[str, str]


def febrl(*, tax_id: bool) -> DataSet:
    """FEBRL's dataset3: 5,000 records of 2,000 people; the identity number differs in one of seven true pairs."""
    rows = pd.read_csv(PEOPLE / "dataset3.csv", dtype=str, skipinitialspace=True, keep_default_na=False)
    names = {
        "rec_id": KEY, "surname": "family_name", "street_number": "house_number", "address_1": "street",
        "address_2": "line2", "suburb": "city", "postcode": "postal_code", "soc_sec_id": "tax_id",
    }  # fmt: skip
    rows = rows.rename(columns=names)
    if not tax_id:
        rows = rows.drop(columns="tax_id")
    rows["birth_date"] = rows.pop("date_of_birth").map(_iso)
    truth = {key: key.split("-")[1] for key in rows[KEY]}
    return DataSet(f"dataset3 {'with' if tax_id else 'without'} identity number", _table(rows), truth)


def fake() -> DataSet:
    """Splink's made-up people: 1,000 records, many fields missing or wrong."""
    rows = pd.read_csv(PEOPLE / "fake_1000.csv", dtype=str, keep_default_na=False)
    names = {"unique_id": KEY, "first_name": "given_name", "surname": "family_name", "dob": "birth_date"}
    rows = rows.rename(columns=names)
    truth = dict(zip(rows[KEY], rows.pop("cluster"), strict=True))
    return DataSet("fake_1000", _table(rows), truth)


def _iso(text: str) -> str:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8])).isoformat()
    except ValueError:
        return ""


def _table(rows: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(rows.astype(object).where(rows != "", None), preserve_index=False)


def ours(data: DataSet) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Pairs that would be merged, and pairs that a person would be asked about."""
    pairs = scored(data.records, PERSON, floor=REVIEW_FROM, seed=1).pairs
    merges = pc.and_(pc.greater_equal(pairs["probability"], MERGE_AT), pc.invert(pairs["told_apart"]))
    return _pairs(pairs.filter(merges)), _pairs(pairs.filter(pc.invert(merges)))


def _pairs(table: pa.Table) -> list[tuple[str, str]]:
    return list(zip(table["a"].to_pylist(), table["b"].to_pylist(), strict=True))


def peer(data: DataSet) -> list[tuple[str, str]]:
    """Blocking and a mean of ratios."""
    from rapidfuzz.fuzz import ratio

    rows = data.records.to_pylist()
    fields = [f for f in PERSON.fields if f in data.records.column_names]
    seen: set[tuple[int, int]] = set()
    for block in PERSON.blocks:
        if not all(field_of(part) in fields for part in block):
            continue
        groups: dict[tuple[str, ...], list[int]] = {}
        for i, row in enumerate(rows):
            key = tuple(_part(row, part) for part in block)
            if all(key):
                groups.setdefault(key, []).append(i)
        seen.update(pair for group in groups.values() for pair in combinations(group, 2))
    found = []
    for i, j in sorted(seen):
        ratios = [ratio(rows[i][f], rows[j][f]) for f in fields if rows[i][f] and rows[j][f]]
        if ratios and sum(ratios) / len(ratios) >= PEER_AT:
            found.append((rows[i][KEY], rows[j][KEY]))
    return found


def _part(row: dict[str, str | None], part: str) -> str:
    field, _, length = part.partition("[:")
    value = row[field] or ""
    return value[: int(length.removesuffix("]"))] if length else value


@dataclass(frozen=True)
class Quality:
    """Pairwise, over what hangs together: a merge of a and b and one of b and c is one of a and c too."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def quality(data: DataSet, pairs: Iterable[tuple[str, str]]) -> Quality:
    """How right the clusters are that these pairs make."""
    number = {key: i for i, key in enumerate(data.truth)}
    clusters = components(len(number), [(number[a], number[b]) for a, b in pairs])
    truth = list(data.truth.values())
    together = _pairs_in(Counter(zip(clusters, truth, strict=True)).values())
    made, true = _pairs_in(Counter(clusters).values()), _pairs_in(Counter(truth).values())
    return Quality(together / made if made else 1.0, together / true)


def _pairs_in(sizes: Iterable[int]) -> int:
    return sum(n * (n - 1) // 2 for n in sizes)


def right(data: DataSet, pairs: Iterable[tuple[str, str]]) -> float:
    """Share of pairs that are of one party, each taken by itself."""
    judged = [data.truth[a] == data.truth[b] for a, b in pairs]
    return sum(judged) / len(judged) if judged else 1.0


def main() -> int:
    """Print precision, recall and F1 of both, data set by data set."""
    if not (PEOPLE / "dataset3.csv").exists():
        sys.stdout.write(f"skipped: no data in {PEOPLE}; set CUTOVER_DATA to the folder above `people`\n")
        return 0
    for data in (febrl(tax_id=False), febrl(tax_id=True), fake()):
        sys.stdout.write(f"{data.name}: {data.records.num_rows:,} records\n")
        begun = time.process_time()
        merged, asked = ours(data)
        _print("cutover, found", quality(data, merged + asked), time.process_time() - begun)
        sys.stdout.write(
            f"  merged by machine: {len(merged):,} pairs, {right(data, merged):.4f} of them right; put to a person: "
            f"{len(asked):,} pairs, {right(data, asked):.2f} of them right\n"
        )
        begun = time.process_time()
        _print("peer, mean of ratios", quality(data, peer(data)), time.process_time() - begun)
    return 0


def _print(who: str, found: Quality, seconds: float) -> None:
    figures = f"precision {found.precision:.4f}  recall {found.recall:.4f}  F1 {found.f1:.4f}"
    sys.stdout.write(f"  {who:22} {figures}  {seconds:.1f} CPU s\n")


if __name__ == "__main__":
    sys.exit(main())
