"""Taking cohorts back out of the target: what their loads changed comes back as it was, in one transaction, proven.

`loads` which loads that is; `rows` what they touched, and what becomes of each row; `record` the same for the
crosswalk; `erased` who must not come back; `obstacles` who stands in the way; `undo` writes; `proof` measures before
and after; `take_back` is the whole; `rehearsal` does it in a copy; `since` reads what the new system did meanwhile.
"""
