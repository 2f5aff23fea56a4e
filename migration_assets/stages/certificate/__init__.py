"""What one customer had and will have, told for people: bills line by line, access, what was signed, and by whom.

Belongs here: telling what `shadow` found about named customers, as plain data (`content`), as a page (`page`) and as
files that can be verified later (`sealed`). Not here: any rule about what is billed or granted, which tables are read,
and Dagster: nothing of this is metadata.
"""
