"""Which customers move together and when: families, cohorts, and every source row laid out with its cohort."""
