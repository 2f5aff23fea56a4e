"""The next bills of whole cohorts as the new platform makes them, from the rows it holds.

The columns are the canonical model's; nothing here knows the old system, its rules or its bills.
"""
