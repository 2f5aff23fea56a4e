"""The type of a function that runs SQL over a generated world."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Query = Callable[[str], list[tuple[Any, ...]]]
