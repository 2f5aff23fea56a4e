"""Checks over a stage's Parquet files: suites as reviewed YAML, rules as typed SQL, Great Expectations on DuckDB.

`rule` and `suite` say what a suite is, `rules` which types of rule there are, `run` evaluates them. SQL of checks lives
here and nowhere else. Knows the canonical model, and nothing of plans, stages or Dagster.
"""
