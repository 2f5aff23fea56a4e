"""The target side of a migration: its schema, the shape of its rows, and the guarded load of one cohort.

`ddl` says what tables, constraints and roles are and what is missing; `catalog` reads what is there and makes the rest;
`schema` derives them from the plan; `shape` turns canonical rows into target rows; `plan` gathers a load, `step` says
how much of it has to be looked at, and `apply` does it; `refusal` says why the target would not.
"""
