"""Enrichers: pure functions that tell a value a source does not have from values it has. A plan names them.

Belongs here: what can be told without a network. Which rows are asked, and what becomes of the answer, is
`stages.cleanse.enrich`.
"""

from migration_assets.engine.enrichers.registry import ENRICHERS, Enricher

__all__ = ["ENRICHERS", "Enricher"]
