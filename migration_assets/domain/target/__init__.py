"""How the new platform bills and grants, as a specification to read: instants, half-open periods, minor units.

It is given nothing but what the target holds, or would hold after the load. Nothing here knows the old system's rules,
the mapping or the source. The rules that a plan may choose between are in `terms.Rules`.
"""
