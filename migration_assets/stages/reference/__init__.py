"""What belongs to no customer and is loaded once, before the first cohort: catalog, geo rules, users, roles."""
