"""How the old system bills and grants, as a specification to read: local days, inclusive last days, major units.

Nothing here knows the canonical model, the mapping or the target's rules. The rules that a plan may choose between are
in `terms.Rules`; each function says which sentence of the old system's manual it is.
"""
