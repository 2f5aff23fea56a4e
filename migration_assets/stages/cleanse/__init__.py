"""A cohort's customers and what belongs to them, after survivorship and validation; decides dispositions."""
