"""The demo company Acme: a generator for its two legacy systems, and what fills databases with them.

Here belong the legacy world (schemas, prices, people, contracts, invoices made by the legacy rules) and the planting of
known defects. The generator shares no code with the migration: what it writes is the answer the migration is judged by.

`generate` makes the tables and the record of what was planted, `fill` writes them to PostgreSQL.
"""

from migration_assets.demo.filling import fill
from migration_assets.demo.generator import DEFAULT_AS_OF, generate
from migration_assets.demo.world import DEFAULT_RATES, Legacy

__all__ = ["DEFAULT_AS_OF", "DEFAULT_RATES", "Legacy", "fill", "generate"]
