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
    "verified_billing",
)
# Those that look at what was loaded, and with the load itself: what another cohort's load may take back.
AFTER_LOAD = ("reconciliation", "verified_billing")
ARRIVAL = ("loaded_target", *AFTER_LOAD)
# Those that make a cohort's canonical rows.
TRANSFORMED = ("cleansed_customers", "transformed_entitlements", "transformed_billing")
