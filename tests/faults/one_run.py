"""The small migration, start to end, in a process begun anew: hash seed, time zone and locale are read at the start.

Standard input: the pickled environment; argument: how many threads an engine has. Prints how the last stage ended.
"""

from __future__ import annotations

import functools
import json
import pickle
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "pipeline"))

from faulty_world import STEPS
from steps import run_steps

from migration_assets.engine.duckdb import DuckDBEngine


def main(threads: int) -> None:
    DuckDBEngine.__init__ = functools.partialmethod(DuckDBEngine.__init__, threads=threads)  # type: ignore[assignment]
    said: list[Any] = []
    run_steps(said.append, pickle.load(sys.stdin.buffer), STEPS)
    print(json.dumps(said[-1]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
