"""Every hand-made trap. Reviewed like the plan: a trap is a sentence and a change, nothing more.

`TRAPS` has at least one for each invariant; `WAITING` what cannot be planted before the work that it waits for is done.
"""

from migration_assets.drill.traps.billing import BILLING
from migration_assets.drill.traps.catalog import CATALOG
from migration_assets.drill.traps.entitlements import ENTITLEMENTS
from migration_assets.drill.traps.loaded import LOADED
from migration_assets.drill.traps.parties import PARTIES
from migration_assets.drill.traps.source import SOURCE
from migration_assets.drill.traps.waiting import WAITING

TRAPS = (*SOURCE, *CATALOG, *PARTIES, *ENTITLEMENTS, *BILLING, *LOADED)

__all__ = ["TRAPS", "WAITING"]
