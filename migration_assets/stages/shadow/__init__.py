"""What both systems bill, and whether the old system's rules make the invoices that it issued.

The old one bills from its raw tables: `legacy_*`, `reading`, `told`, `issued` and `back_test` know nothing of the
mapping, the canonical rows or how the target is loaded. The new one bills from what it holds: `target_*` knows the
canonical columns and nothing of the old system. Both answer in `runs`.
"""
