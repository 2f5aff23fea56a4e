"""What a run's tags tell the stages; the command line writes them, and so may whoever launches a run in Dagster."""

NEW_SNAPSHOT = "cutover/new_snapshot"
# Names a copy that has been taken and is not current yet: what a delta brings over.
SNAPSHOT = "cutover/take_snapshot"
AS_OF = "cutover/as_of"
DRY_RUN = "cutover/dry_run"
# The run is part of a delta tick.
TICK = "cutover/tick"
# What others changed in the target is put back, but for money and what the plan gives to somebody else.
REPAIR = "cutover/repair"
# Who started the run; the audit log names them.
ACTOR = "cutover/actor"
# Which process runs it (see `left_runs`).
PROCESS = "cutover/process"
