"""Who is who: which customer rows are surely the same customer, decided over all of them before cohorts are cut."""
