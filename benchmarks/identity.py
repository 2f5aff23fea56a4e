"""Who is who: precision and recall against known truth, with the default settings for people, tuned for no data set.

The data lie outside this repository: dataset3 and fake_1000 in the folder `people` below CUTOVER_DATA (default
../shared/data), FEBRL's other sets in the folder FEBRL_DIR (default `febrl` beside `people`). The peer is what one
would write in an afternoon: the same blocks, and a mean of rapidfuzz ratios above a threshold.
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

DATA = Path(os.environ.get("CUTOVER_DATA", ROOT.parent / "shared" / "data"))
PEOPLE = DATA / "people"
FEBRL = Path(os.environ.get("FEBRL_DIR", DATA / "febrl"))
# FEBRL's sets by where they are; the fourth is two files, each without duplicates, to be linked.
SETS: dict[str, tuple[Path, tuple[str, ...]]] = {
    "dataset1": (FEBRL, ("dataset1.csv",)),
    "dataset2": (FEBRL, ("dataset2.csv",)),
    "dataset3": (PEOPLE, ("dataset3.csv",)),
    "dataset4": (FEBRL, ("dataset4a.csv", "dataset4b.csv")),
}
MERGE_AT, REVIEW_FROM = 0.99, 0.5
# The mean of field ratios from which the peer takes two records for one; its best on dataset3, in its favour.
PEER_AT = 80.0


@dataclass(frozen=True)
class DataSet:
    """Records in the kit's fields, and the true party of each key. `goal`: F1, if there is one for it."""

    name: str
    records: pa.Table
    truth: dict[str, str]
    goal: float | None = None


def febrl(name: str, *, tax_id: bool) -> DataSet:
    """One of FEBRL's sets, with or without the identity number: in dataset3 it differs in one of seven true pairs."""
    folder, files = SETS[name]
    read = [pd.read_csv(folder / f, dtype=str, skipinitialspace=True, keep_default_na=False) for f in files]
    rows = pd.concat(read, ignore_index=True)
    names = {
        "rec_id": KEY, "surname": "family_name", "street_number": "house_number", "address_1": "street",
        "address_2": "line2", "suburb": "city", "postcode": "postal_code", "soc_sec_id": "tax_id",
    }  # fmt: skip
    rows = rows.rename(columns=names)
    if not tax_id:
        rows = rows.drop(columns="tax_id")
    rows["birth_date"] = rows.pop("date_of_birth").map(_iso)
    truth = {key: key.split("-")[1] for key in rows[KEY]}
    words, goal = ("with", 0.998) if tax_id else ("without", 0.99)
    return DataSet(f"{name} {words} identity number", _table(rows), truth, goal)


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
    """Print precision, recall and F1 of both, data set by data set; what is not there is skipped and said."""
    for name, (folder, files) in SETS.items():
        if all((folder / f).exists() for f in files):
            for tax_id in (False, True):
                _compare(febrl(name, tax_id=tax_id))
        else:
            _say(f"{name}: skipped, no {' and '.join(files)} in {folder}; set {_variable_of(folder)}")
    if (PEOPLE / "fake_1000.csv").exists():
        _compare(fake())
    else:
        _say(f"fake_1000: skipped, no fake_1000.csv in {PEOPLE}; set {_variable_of(PEOPLE)}")
    return 0


def _variable_of(folder: Path) -> str:
    if folder == PEOPLE:
        return "CUTOVER_DATA to the folder above `people`"
    return "FEBRL_DIR to the folder with FEBRL's files (benchmarks/README.md says where they are)"


def _compare(data: DataSet) -> None:
    _say(f"{data.name}: {data.records.num_rows:,} records")
    begun = time.process_time()
    merged, asked = ours(data)
    found, alone = quality(data, merged + asked), quality(data, merged)
    _print("cutover, found", found, time.process_time() - begun)
    _say(
        f"  merged by machine: {len(merged):,} pairs, {right(data, merged):.4f} of them right (F1 {alone.f1:.4f} if "
        f"nobody answered); put to a person: {len(asked):,} pairs, {right(data, asked):.2f} of them right"
    )
    if data.goal is not None:
        _say(f"  goal F1 {data.goal}: {'reached' if found.f1 >= data.goal else 'NOT REACHED'}")
    begun = time.process_time()
    _print("peer, mean of ratios", quality(data, peer(data)), time.process_time() - begun)


def _print(who: str, found: Quality, seconds: float) -> None:
    figures = f"precision {found.precision:.4f}  recall {found.recall:.4f}  F1 {found.f1:.4f}"
    _say(f"  {who:22} {figures}  {seconds:.1f} CPU s")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
