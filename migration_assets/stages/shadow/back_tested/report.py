"""What became of the back-test, for the checks and for people: keys and money, never names."""

from __future__ import annotations

from collections import Counter, defaultdict

import pyarrow as pa

from migration_assets.stages.shadow.back_tested.compare import Found


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
