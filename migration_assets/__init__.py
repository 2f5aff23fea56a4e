"""Cutover: moves customers, billing and entitlements out of legacy systems, and proves the result.

Imports run one way: domain <- engine, connectors, quality, control <- plan <- stages <- wiring <- definitions, cli.
"""
