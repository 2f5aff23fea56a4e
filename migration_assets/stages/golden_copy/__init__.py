"""The immutable, checksummed export that everything else is derived from.

`manifest` says what a golden copy holds and proves it; `export` takes one. Dagster's side is in `assets`.
"""
