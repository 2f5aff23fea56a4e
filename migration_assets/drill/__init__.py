"""The drill: faults planted one at a time into a clean copy of Acme, and which check of the program finds each.

Here belong the traps (`traps`), the mechanical mutants (`mutants`), how a change is put into files and tables
(`changes`, `planting`), the clean copy (`clean`), and what runs the stages from the fault on (`chain`, `run`). What is
planted knows nothing of the checks that should find it, and no check knows of the drill.
"""
