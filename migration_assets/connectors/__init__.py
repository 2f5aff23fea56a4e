"""Sources and targets as plain clients: SQL databases, files, servers.

Knows no plan, no stage and no Dagster: what to read comes in as names and options.
"""
