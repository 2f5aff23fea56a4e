"""The stages of a migration, one folder each: pure modules that hold the rules, and a thin `assets.py` for Dagster.

Modules directly in this folder hold what several stages share: where rows lie (`store`), how a plan's feeds become
canonical rows (`feeds`), what becomes of a row whose parent is missing (`references`), and the account of every source
row (`dispositions`). Only `assets.py` files know Dagster.
"""
