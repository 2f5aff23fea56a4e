"""The one partition dimension: the customer cohort. `cohort_plan` fills it."""

import dagster as dg

COHORTS = dg.DynamicPartitionsDefinition(name="cohort")
