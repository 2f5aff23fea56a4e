"""What a changed plan would do to entitlements and bills, in money, before it runs (Z11).

The plan in its folder is held against another state of it: a revision of the repository, or a folder. Both are taken
from the mapping to the comparison with the old system by the stages' own code, in copies of the store that go at the
end; who is who, and who moves when, is what the last run has found. Nothing is written to the target, to the control
database or to the plan's own state.
"""
