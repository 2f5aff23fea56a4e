"""What the old system bills, made again from its raw tables by the rules of `domain.legacy`, and held against what it
issued. Nothing here knows the mapping, the canonical rows or how the target is loaded."""
