"""What can be wrong between the files of a plan, one module for each concern.

A check is a function that takes a `PlanView` and yields faults: it reads no data, no file and no environment.
`plan.check` runs them all.
"""
