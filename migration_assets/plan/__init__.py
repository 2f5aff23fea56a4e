"""Plans: reviewed files that say what moves, by which rule, in which order.

`load.load_plan` reads them, `check.check_plan` tells whether they fit each other, `check.load_checked_plan` does both.
`document` writes them out for people.
"""
