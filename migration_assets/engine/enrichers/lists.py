"""Enrichers that read lists of the plan, or nothing but the value itself."""

from __future__ import annotations

from migration_assets.engine.enrichers import arguments as a
from migration_assets.engine.rules.outcome import NO_VALUE, Cleaned, Cleaner, Context, Texts


def same(_: a.NoArguments, __: Context) -> Cleaner:
    """The value that is read."""
    return Cleaner(lambda texts: Cleaned(texts[0]))


def code_list(arguments: a.CodeList, context: Context) -> Cleaner:
    """The target of the code itself, else of the longest beginning of it that the list has with `*`."""
    targets = {code.casefold(): target for code, target in context.codes[arguments.code_list].items()}

    def clean(texts: Texts) -> Cleaned:
        code = "=".join((t or "").strip() for t in texts).casefold()
        begun = (targets.get(code[:n] + "*") for n in range(len(code), 0, -1))
        found = targets.get(code) or next((t for t in begun if t), None)
        return Cleaned(None if found == NO_VALUE else found)

    return Cleaner(clean)
