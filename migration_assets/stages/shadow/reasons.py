"""Why a side cannot tell bills ahead: one word for one reason, whichever side says it.

Belongs here: the words and what they mean. Not here: when a side says them, which it decides alone and by its own rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Reason = Literal[
    "unreadable", "unknown_zone", "unknown_currency", "inverted_days", "no_price", "price_model", "no_tax_rate"
]

UNREADABLE: Reason = "unreadable"
UNKNOWN_ZONE: Reason = "unknown_zone"
UNKNOWN_CURRENCY: Reason = "unknown_currency"
INVERTED_DAYS: Reason = "inverted_days"
NO_PRICE: Reason = "no_price"
PRICE_MODEL: Reason = "price_model"
NO_TAX_RATE: Reason = "no_tax_rate"

MEANS: Mapping[Reason, str] = {
    UNREADABLE: "a part that bills are made from is missing or cannot be read",
    UNKNOWN_ZONE: "its time zone is no IANA zone",
    UNKNOWN_CURRENCY: "its currency is not one of ISO 4217 or of the plan",
    INVERTED_DAYS: "an item or a pause ends before it starts",
    NO_PRICE: "nothing says what it costs from an agreed change on",
    PRICE_MODEL: "a price by tiers or packages of which a part is not told",
    NO_TAX_RATE: "no tax rate is known for its country on that day",
}
