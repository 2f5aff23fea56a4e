"""Dagster and the outside of the program: environment, workspace, partitions, checks, metadata, jobs, schedules.

Stages' pure modules never import this; only their `assets.py` do, and definitions and the command line.
"""
