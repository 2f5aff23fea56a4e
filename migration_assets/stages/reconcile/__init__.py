"""Compares the target with what should be there, both sides read now.

`rows` compares every field of every row; `balance` accounts for every source row; `controls` takes finance's totals on
the raw source and on the target, and `money` ties them out; `spot_check` puts a sample side by side; `report` writes
what was found. `membership` says which target rows are a cohort's.

`controls`, `money` and `membership` import neither the mapping nor another stage: a mapping mistake must not agree with
itself.
"""
