"""The canonical model: the hub between any legacy schema and any target.

`ENTITIES` maps each entity's name to its definition, parents before children. Everything that is hard (matching,
entitlements, billing, parity) is written against these names and types, once.
"""

from migration_assets.domain.canonical.billing import BILLING
from migration_assets.domain.canonical.model import Entity, Field, FieldType, Stage
from migration_assets.domain.canonical.party import PARTY, TOGETHER, Together
from migration_assets.domain.canonical.reference import REFERENCE
from migration_assets.domain.canonical.sales import SALES
from migration_assets.domain.canonical.subscription import SUBSCRIPTION

ENTITIES: dict[str, Entity] = {e.name: e for e in (*REFERENCE, *PARTY, *SUBSCRIPTION, *BILLING, *SALES)}

__all__ = ["ENTITIES", "TOGETHER", "Entity", "Field", "FieldType", "Stage", "Together"]
