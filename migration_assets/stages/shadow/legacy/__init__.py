"""The next bills of whole cohorts as the old system makes them, from its raw tables and its declared rules.

Nothing here knows the mapping, the canonical rows or the target.
"""
