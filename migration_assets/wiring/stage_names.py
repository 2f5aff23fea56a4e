"""The stages by name, in pipeline order: once for everything, then for each cohort."""

from __future__ import annotations

GLOBAL_STAGES = (
    "golden_copy",
    "standardized_parties",
    "customer_identities",
    "target_schema",
    "reference_data",
    "cohort_plan",
)
COHORT_STAGES = (
    "profiled_source",
    "cleansed_customers",
    "transformed_entitlements",
    "transformed_billing",
    "shadow_billing",
    "loaded_target",
    "reconciliation",
)
# Those that make a cohort's canonical rows.
TRANSFORMED = ("cleansed_customers", "transformed_entitlements", "transformed_billing")
