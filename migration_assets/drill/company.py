"""The small company the drill works on: the first one from the seed on that has at least one of everything.

Nothing in it is wrong. Erased and deleted customers are states that must not come back, not faults.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import duckdb

from migration_assets.demo import Legacy, generate
from migration_assets.domain.errors import BadInput

_CUSTOMERS = 100
_STATES = {"erased": 0.02, "soft_deleted": 0.02}
_TRIES = 200
# What has to be there at least once, so that every trap finds its place.
_NEEDED: Mapping[str, tuple[str, str]] = {
    "paused contract": ("erp.subscriptions", "status = 'PAU' AND resume_on IS NOT NULL"),
    "trial": ("erp.subscriptions", "status = 'TRL' AND trial_end_ts IS NOT NULL"),
    "contract past due": ("erp.subscriptions", "status = 'PDU' AND grace_until IS NOT NULL"),
    "contract cancelled at the end of its period": ("erp.subscriptions", "cancel_at_end = 'Y' AND status = 'ACT'"),
    "contract that somebody else pays": ("erp.subscriptions", "payer_customer_no IS NOT NULL"),
    "contract from the end of a month": ("erp.subscriptions", "day(anchor_date) = 31 AND status = 'ACT'"),
    "discount with cycles left": ("erp.discounts", "cycles_left BETWEEN 1 AND cycles_total - 1"),
    "agreed change": ("erp.scheduled_changes", "true"),
    "commitment": ("erp.commitments", "true"),
    "override of storage": ("erp.entitlement_overrides", "feature_code = 'STORAGE'"),
    "credit": ("erp.credit_balances", "balance > 0"),
    "credit memo on an invoice": ("erp.credit_memos", "invoice_id IS NOT NULL"),
    "open dispute": ("erp.disputes", "status = 'OPN'"),
    "refund on its way": ("erp.refunds", "status = 'PND'"),
    "write-off": ("erp.write_offs", "true"),
    "dunning": ("erp.dunning", "true"),
    "contract in yen": ("erp.subscriptions", "currency = 'JPY' AND status = 'ACT'"),
    "contract in dinars": ("erp.subscriptions", "currency = 'KWD' AND status = 'ACT'"),
    "subsidiary": ("crm.accounts", "parent_account IS NOT NULL"),
    "account that another pays for": ("crm.accounts", "payer_account IS NOT NULL"),
    "erased customer": ("crm.accounts", "status = 'Erased'"),
    "deleted customer": ("crm.accounts", "deleted_at IS NOT NULL"),
    "suppression": ("crm.suppressions", "true"),
    "usage": ("erp.usage_events", "true"),
}


def company(seed: int) -> Legacy:
    """Both old systems; the same seed gives the same rows."""
    for tried in itertools.count():
        legacy = generate(_CUSTOMERS, seed=seed * 1000 + tried, messy=_STATES)
        lacking = _lacking(legacy)
        if not lacking:
            return legacy
        if tried == _TRIES:
            raise BadInput(f"no company near seed {seed} has a {lacking[0]}", "Give another --seed.")
    raise AssertionError("counting ends nowhere")


def _lacking(legacy: Legacy) -> list[str]:
    with duckdb.connect() as connection:
        for table in {table for table, _ in _NEEDED.values()}:
            connection.register(table.replace(".", "_"), legacy.tables[table])
        return [
            what
            for what, (table, where) in _NEEDED.items()
            if not connection.execute(f"SELECT 1 FROM {table.replace('.', '_')} WHERE {where} LIMIT 1").fetchall()
        ]
