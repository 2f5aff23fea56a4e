"""Relational work: Ibis expressions on in-memory DuckDB, Parquet between steps, rules of the mapping, cleaners.

Knows the canonical model, and nothing of plans, stages or Dagster.
"""
