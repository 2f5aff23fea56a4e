"""What Acme's ERP sells: items, plans, list prices and limits. Constants of the legacy world only."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from migration_assets.demo.amounts import CURRENCIES, STEP, rounded
from migration_assets.demo.columns import Ints, codes, decimals, pick

ITEMS = (
    ("BAS", "Basic", "B"),
    ("PRO", "Professional", "B"),
    ("ENT", "Enterprise", "B"),
    ("CLS", "Classic", "B"),
    ("SEAT", "Extra seat", "A"),
    ("STO", "Storage pack", "A"),
    ("SUP", "Premium support", "A"),
    ("SSO", "Single sign-on", "A"),
    ("API", "API calls", "U"),
    ("MIN", "Telephone minutes", "U"),
    ("SETUP", "Set-up fee", "O"),
)
ITEM_CODES = tuple(item[0] for item in ITEMS)
ITEM_KINDS = np.array(["BAUO".index(item[2]) for item in ITEMS], dtype=np.int64)
BASE, ADD_ON, USAGE, ONE_OFF = range(4)
BAS, PRO, ENT, CLS, SEAT, STO, SUP, SSO, API, MIN, SETUP = range(len(ITEMS))
PER_SEAT = np.isin(np.arange(len(ITEMS)), (PRO, ENT, SEAT))

INTERVALS = ("M", "Q", "Y")
INTERVAL_MONTHS = np.array([1, 3, 12], dtype=np.int64)

# (code, item, interval, weight)
PLANS = (
    ("BAS-M", BAS, 0, 22),
    ("BAS-Y", BAS, 2, 6),
    ("PRO-M", PRO, 0, 30),
    ("PRO-Q", PRO, 1, 8),
    ("PRO-Y", PRO, 2, 10),
    ("ENT-Q", ENT, 1, 6),
    ("ENT-Y", ENT, 2, 8),
    ("CLS-M", CLS, 0, 10),
)
PLAN_CODES = tuple(plan[0] for plan in PLANS)
PLAN_ITEM = np.array([plan[1] for plan in PLANS], dtype=np.int64)
PLAN_INTERVAL = np.array([plan[2] for plan in PLANS], dtype=np.int64)
PLAN_WEIGHT = tuple(plan[3] for plan in PLANS)
# Index of the next cheaper or dearer plan of the same interval; -1: there is none.
LOWER_PLAN = np.array([-1, -1, 0, -1, 1, 3, 4, 0], dtype=np.int64)
HIGHER_PLAN = np.array([2, 4, -1, 5, 6, -1, -1, 2], dtype=np.int64)

# Monthly price in US dollars, in ten-thousandths.
_MONTHLY = np.array(
    [190_000, 120_000, 300_000, 250_000, 80_000, 100_000, 490_000, 600_000, 20, 500, 5_000_000], dtype=np.int64
)
# Hundredths of the monthly price that an interval costs, and of the dollar price in each currency.
_INTERVAL_HUNDREDTHS = np.array([100, 285, 1000], dtype=np.int64)
_CURRENCY_HUNDREDTHS = np.array([100, 95, 85, 15_000, 31], dtype=np.int64)

# (item, feature, limit or None, unit, per item or unit, overage)
LIMITS = (
    ("BAS", "SEATS", 3, "seat", "I", "B"),
    ("BAS", "STORAGE", 10, "GB", "I", "B"),
    ("BAS", "API", 1_000, "call", "I", "B"),
    ("BAS", "PROJECTS", 5, "project", "I", "B"),
    ("BAS", "SSO", 0, None, "I", "N"),
    ("BAS", "SUPPORT", None, None, "I", "N"),
    ("BAS", "ANALYTICS", 0, None, "I", "N"),
    ("PRO", "SEATS", 1, "seat", "U", "B"),
    ("PRO", "STORAGE", 50, "GB", "I", "G"),
    ("PRO", "API", 10_000, "call", "I", "C"),
    ("PRO", "MINUTES", 100, "minute", "I", "C"),
    ("PRO", "PROJECTS", 50, "project", "I", "B"),
    ("PRO", "SSO", 0, None, "I", "N"),
    ("PRO", "ANALYTICS", -1, None, "I", "N"),
    ("ENT", "SEATS", 1, "seat", "U", "B"),
    ("ENT", "STORAGE", 1_000, "GB", "I", "G"),
    ("ENT", "API", 100_000, "call", "I", "C"),
    ("ENT", "MINUTES", 1_000, "minute", "I", "C"),
    ("ENT", "PROJECTS", -1, "project", "I", "N"),
    ("ENT", "SSO", -1, None, "I", "N"),
    ("ENT", "SUPPORT", -1, None, "I", "N"),
    ("ENT", "ANALYTICS", -1, None, "I", "N"),
    ("CLS", "SEATS", -1, "seat", "I", "N"),
    ("CLS", "STORAGE", 5, "GiB", "I", "B"),
    ("CLS", "API", 0, "call", "I", "B"),
    ("CLS", "PROJECTS", -1, "project", "I", "N"),
    ("SEAT", "SEATS", 1, "seat", "U", "B"),
    ("STO", "STORAGE", 100, "GiB", "U", "B"),
    ("SUP", "SUPPORT", -1, None, "I", "N"),
    ("SSO", "SSO", -1, None, "I", "N"),
    ("API", "API", None, "call", "I", "C"),
    ("MIN", "MINUTES", None, "minute", "I", "C"),
)


def list_price(item: Ints, interval: Ints, currency: Ints) -> Ints:
    """List price of one unit for one interval in ten-thousandths; usage and one-off prices know no interval."""
    metered = (ITEM_KINDS[item] == USAGE) | (ITEM_KINDS[item] == ONE_OFF)
    factor = np.where(metered, 100, _INTERVAL_HUNDREDTHS[interval]) * _CURRENCY_HUNDREDTHS[currency]
    # Prices of things end in whole hundredths (whole yen); prices of calls and minutes keep four decimals.
    step = np.where(ITEM_KINDS[item] == USAGE, 1, np.maximum(STEP[currency], 100))
    return rounded(_MONTHLY[item] * factor, 10_000, step)


def tables() -> dict[str, pa.Table]:
    """items, plans, price_list and item_limits of the ERP."""
    return {
        "erp.items": pa.table(
            {
                "item_no": pa.array(ITEM_CODES),
                "item_name": pa.array([item[1] for item in ITEMS]),
                "item_kind": pa.array([item[2] for item in ITEMS]),
                "retired": pa.array(["Y" if item[0] == "CLS" else "N" for item in ITEMS]),
            }
        ),
        "erp.plans": pa.table(
            {
                "plan_code": pa.array(PLAN_CODES),
                "item_no": pick(ITEM_CODES, PLAN_ITEM),
                "plan_name": pa.array([f"{ITEMS[p[1]][1]} {('monthly', 'quarterly', 'yearly')[p[2]]}" for p in PLANS]),
                "bill_interval": pick(INTERVALS, PLAN_INTERVAL),
                "retired": pa.array(["Y" if p[0].startswith("CLS") else "N" for p in PLANS]),
            }
        ),
        "erp.price_list": _price_list(),
        "erp.item_limits": _item_limits(),
    }


def _price_list() -> pa.Table:
    """Base items in the intervals of their plans, add-ons and usage in every interval, the set-up fee once."""
    sold = {(int(p[1]), int(p[2])) for p in PLANS}
    rows = np.array(
        [
            (item, interval, currency)
            for item in range(len(ITEMS))
            for interval in range(len(INTERVALS))
            for currency in range(len(CURRENCIES))
            if (item, interval) in sold or ITEM_KINDS[item] in (ADD_ON, USAGE) or (item, interval) == (SETUP, 0)
        ],
        dtype=np.int64,
    )
    item, interval, currency = rows.T
    return pa.table(
        {
            "item_no": codes(ITEM_CODES, item),
            "bill_interval": codes(INTERVALS, interval),
            "currency": codes(CURRENCIES, currency),
            "list_price": decimals(list_price(item, interval, currency), 14, 4),
            "price_model": codes(("FLT", "SEA"), PER_SEAT[item].astype(np.int64)),
        }
    )


def _item_limits() -> pa.Table:
    values = np.array([10_000 * (limit[2] or 0) for limit in LIMITS], dtype=np.int64)
    absent = np.array([limit[2] is None for limit in LIMITS])
    return pa.table(
        {
            "item_no": pa.array([limit[0] for limit in LIMITS]),
            "feature_code": pa.array([limit[1] for limit in LIMITS]),
            "limit_value": decimals(values, 18, 4, absent),
            "limit_unit": pa.array([limit[3] for limit in LIMITS], type=pa.string()),
            "per": pa.array([limit[4] for limit in LIMITS]),
            "overage": pa.array([limit[5] for limit in LIMITS]),
        }
    )
