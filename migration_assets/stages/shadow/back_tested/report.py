"""What became of the back-test, for the checks and for people: keys and money, never names."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Mapping

import pyarrow as pa

from migration_assets.domain.back_test import Verdict
from migration_assets.domain.money import MoneyError, to_major, written
from migration_assets.stages.shadow.back_tested.compare import Found

_CSV = (
    "rank", "invoice_id", "contract_id", "period_from", "reasons", "lines", "currency", "issued_minor",
    "made_again_minor", "difference_minor", "difference",
)  # fmt: skip


def verdict_table(found: Found) -> pa.Table:
    """Table `back_test`, one row for each issued invoice that was made again; key: invoice_id."""
    verdicts, issued = found.verdicts, [v.issued for v in found.verdicts]
    return pa.table(
        {
            "invoice_id": pa.array([i.invoice_id for i in issued], pa.string()),
            "contract_id": pa.array([i.subscription_id for i in issued], pa.string()),
            "period_from": pa.array([i.first_day for i in issued], pa.date32()),
            "currency": pa.array([i.currency for i in issued], pa.string()),
            "issued_minor": pa.array([i.issued_minor for i in issued], pa.int64()),
            "difference_minor": pa.array([v.difference_minor for v in verdicts], pa.int64()),
            "at_stake_minor": pa.array([abs(v.difference_minor) for v in verdicts], pa.int64()),
            "reproduced": pa.array([v.reproduced for v in verdicts], pa.bool_()),
            "reasons": pa.array([" ".join(v.reasons) for v in verdicts], pa.string()),
            "lines": pa.array([" ".join(v.lines) for v in verdicts], pa.string()),
        }
    )


def suggestion_table(found: Found) -> pa.Table:
    """Table `better_rules`, one row for each rule that told otherwise would make more of the issued invoices again,
    best first; key: rule, as billing.yaml would say it. `more`: how many more of those it was tried on; `contracts`: of
    how many contracts more. What it spoils is taken off both."""
    return pa.table(
        {
            "rule": pa.array([s.rule for s in found.suggestions], pa.string()),
            "more": pa.array([s.more for s in found.suggestions], pa.int64()),
            "contracts": pa.array([s.contracts for s in found.suggestions], pa.int64()),
        }
    )


def not_reproduced_csv(found: Found, exponents: Mapping[str, int]) -> str:
    """Every issued invoice that the rules do not make again, the largest difference first; amounts of currencies are
    never added, and `difference` is in major units with its currency. `exponents`: named overrides of the plan."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_CSV)
    failed = sorted(
        (v for v in found.verdicts if not v.reproduced), key=lambda v: (-abs(v.difference_minor), v.issued.invoice_id)
    )
    for rank, verdict in enumerate(failed, start=1):
        issued = verdict.issued
        writer.writerow(
            (
                rank,
                issued.invoice_id,
                issued.subscription_id,
                issued.first_day or "",
                " ".join(verdict.reasons),
                " ".join(verdict.lines),
                issued.currency,
                issued.issued_minor,
                issued.issued_minor + verdict.difference_minor,
                verdict.difference_minor,
                _in_words(verdict, exponents),
            )
        )
    return out.getvalue()


def _in_words(verdict: Verdict, exponents: Mapping[str, int]) -> str:
    """Nothing where the invoice names no currency that there is: then nobody knows what a minor unit is."""
    currency = verdict.issued.currency
    try:
        return f"{written(to_major(verdict.difference_minor, currency, exponents))} {currency}"
    except MoneyError:
        return ""


def accuracy(found: Found) -> str:
    """The share of issued invoices that the rules make again exactly, in words."""
    exact = sum(v.reproduced for v in found.verdicts)
    return f"{exact:,} of {len(found.verdicts):,}, line by line, to the minor unit"


def what_differs(found: Found) -> list[tuple[str, str, str, int, int]]:
    """Reasons, kinds of lines, currency, invoices, difference in minor units; most invoices first."""
    counts: Counter[tuple[str, str, str]] = Counter()
    money: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    for verdict in found.verdicts:
        if not verdict.reproduced:
            key = (" ".join(verdict.reasons), " ".join(verdict.lines), verdict.issued.currency)
            counts[key] += 1
            money[key] += verdict.difference_minor
    return [(*key, n, money[key]) for key, n in sorted(counts.items(), key=lambda i: (-i[1], i[0]))]
