"""What one legacy world is made from, and what comes out: set-up, random streams, default rates, result."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa

from migration_assets.demo.columns import Ints
from migration_assets.demo.periods import local_day
from migration_assets.demo.places import ZONES

# Share of the rows of its table (or of the eligible ones, where said in `defects`) that carry each defect.
DEFAULT_RATES: Mapping[str, float] = MappingProxyType(
    {
        "stale_lead": 0.02,
        "test_account": 0.002,
        "soft_deleted": 0.01,
        "erased": 0.005,
        "duplicate_account": 0.02,
        "duplicate_erp_customer": 0.01,
        "unlinked_erp_customer": 0.03,
        "orphan_erp_customer": 0.001,
        "orphan_contact": 0.002,
        "orphan_subscription": 0.002,
        "orphan_invoice": 0.001,
        "mojibake": 0.01,
        "shouting": 0.03,
        "white_space": 0.02,
        "invisible_character": 0.005,
        "right_to_left_mark": 0.002,
        "family_name_first": 0.02,
        "status_case": 0.05,
        "country_spelling": 0.15,
        "missing_country": 0.004,
        "phone_format": 0.3,
        "bad_phone": 0.01,
        "email_case": 0.03,
        "bad_email": 0.01,
        "impossible_date": 0.003,
        "self_parent": 0.001,
        "parent_cycle": 0.001,
        "duplicate_external_id": 0.001,
        "formula_cell": 0.002,
        "script_name": 0.0005,
        "sql_name": 0.0005,
        "quoted_notes": 0.01,
        "inverted_subscription": 0.001,
        "negative_quantity": 0.0005,
        "unknown_status": 0.0,
        "currency_mismatch": 0.0005,
        "inverted_override": 0.005,
        "overlapping_override": 0.02,
        "unverified_method": 0.01,
        "misspelt_person": 0.02,
        "renamed_person": 0.008,
        "moved_person": 0.008,
        "renamed_company": 0.01,
        "namesake": 0.008,
        "twin": 0.008,
        "parent_and_child": 0.008,
        "shared_mailbox": 0.008,
        "sister_company": 0.004,
        "both_billed": 0.008,
    }
)


@dataclass(frozen=True)
class Legacy:
    """Both systems. `tables`: 'crm.accounts' and so on. `truth`: what was planted where, and totals; plain JSON."""

    tables: dict[str, pa.Table]
    truth: dict[str, Any]


@dataclass(frozen=True)
class Setup:
    """Arguments of one generation. `rates` holds every known kind; 0 is off."""

    customers: int
    seed: int
    as_of: datetime
    rates: Mapping[str, float]

    def stream(self, subject: str) -> np.random.Generator:
        """Random numbers of one subject: adding a draw to one leaves the others as they are."""
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, zlib.crc32(subject.encode())])))

    @property
    def as_of_us(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        return round(self.as_of.timestamp()) * 1_000_000

    @property
    def today(self) -> Ints:
        """Local calendar day of `as_of` in each of ZONES, in days since 1970-01-01."""
        return np.array([local_day(self.as_of, zone) for zone in ZONES], dtype=np.int64)

    @property
    def utc_today(self) -> int:
        """Calendar day of `as_of` in UTC."""
        return self.as_of_us // 86_400_000_000
