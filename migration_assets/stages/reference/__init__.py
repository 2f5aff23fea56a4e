"""What belongs to no customer, loaded before all cohorts and again with the last: catalog, geo rules, users, roles."""
