"""Pure rules of the field: money, periods, findings, errors, the canonical model. Imports nothing else of ours.

What does not belong here: files, networks, clocks, frames, floats.
"""
