"""A cohort's billing and sales history: invoices, payments, credits, orders, as they were."""
