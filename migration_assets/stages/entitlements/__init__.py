"""A cohort's subscriptions and items, and the entitlements the catalog and overrides give for them."""
