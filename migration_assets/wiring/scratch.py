"""A copy of what a plan's runs have written, to try something out in; it takes no room until a file is replaced.

Every writer of the store replaces files and writes into none, so that both may share their content.
"""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from migration_assets.wiring.environment import Environment


def scratch(environment: Environment, plan_folder: Path, folder: Path) -> Environment:
    """The same environment in a folder that is not there yet: with the store, the rules, and the plan of `plan_folder`.

    Databases stay those of the environment.
    """
    own = replace(environment, root=folder / "root", home=folder / "home")
    # People write into these files in place, so they are copies.
    shutil.copytree(environment.root / "expectations", own.root / "expectations")
    shutil.copytree(plan_folder, own.plan_folder)
    # What is half written is nobody's yet.
    shutil.copytree(environment.store, own.store, copy_function=_linked, ignore=shutil.ignore_patterns(".*.part"))
    if environment.answers_key.exists():
        _linked(environment.answers_key, own.answers_key)
    return own


def _linked(source: str | Path, copy: str | Path) -> None:
    """The same file under another name; a copy where the store lies on another disk."""
    try:
        os.link(source, copy)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.copy2(source, copy)
