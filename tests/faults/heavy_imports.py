"""Imports what a run of a stage needs, and starts nothing: what processes for single cases are forked from.

No engine, connection or thread may be made here: a fork would take a copy of it along.
"""

from __future__ import annotations

import os

os.environ["TQDM_DISABLE"] = "1"

import dagster
import duckdb
import great_expectations
import ibis
import ibis.backends.duckdb
import pandas
import psycopg
import pyarrow.parquet
import sqlalchemy

import migration_assets.control
import migration_assets.definitions
import migration_assets.quality.run
import migration_assets.stages.golden_copy.export
import migration_assets.stages.load.apply
import migration_assets.wiring.execute
from migration_assets.wiring.garbage import collect_less

# What a fork never looks at for garbage, it shares with its parent; nothing is started by it.
collect_less()

HEAVY = (dagster, duckdb, great_expectations, ibis, pandas, psycopg, pyarrow.parquet, sqlalchemy, migration_assets)
