"""`${NAME}` in a plan: a place or a secret that belongs to the machine, not to the reviewed files.

The environment comes in as an argument and is asked when a source or target is opened, so that a plan can be read
on a machine that has none of it. Whether all is set, `checks.variables` says to whoever asks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from migration_assets.domain.errors import Misconfigured

_NAME = re.compile(r"\$\{([A-Z_][A-Z0-9_]*)\}")


def names_in(text: str) -> tuple[str, ...]:
    """Names of the environment variables a text asks for, in order."""
    return tuple(_NAME.findall(text))


def is_well_formed(text: str) -> bool:
    """Whether every `${` of the text begins a proper `${NAME}`: capitals, digits and _."""
    return "${" not in _NAME.sub("", text)


def resolve(text: str, env: Mapping[str, str]) -> str:
    """The text with each `${NAME}` replaced by its value; values are taken as they are, never expanded again.

    Raises Misconfigured with the name when it is unset or empty.
    """
    if not is_well_formed(text):
        raise Misconfigured("a plan's ${...} is not a name in capitals, digits and _", "write it as ${NAME}")
    return _NAME.sub(lambda match: _value(match.group(1), env), text)


def _value(name: str, env: Mapping[str, str]) -> str:
    value = env.get(name, "")
    if not value:
        raise Misconfigured(f"the environment variable {name} is not set", f"set {name}, for instance in .env")
    return value
