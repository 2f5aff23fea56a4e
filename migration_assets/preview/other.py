"""The other state of a plan: a folder, or the files that a revision of the repository has of it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from migration_assets.domain.errors import BadInput
from migration_assets.plan.wording import shown

# How the modes of ordinary files begin, in a tree of git's.
_FILE = "100"
_HOW = "Name a revision of this repository that has the plan (HEAD, a tag, a commit), or a folder with its plan.yaml."


def put_other(root: Path, name: str, against: str, into: Path) -> None:
    """Put the other plan's files into a folder that is not there yet; BadInput when `against` names none.

    A folder is looked for from where the command was called; what is one is taken as one, also where a revision is
    called alike.
    """
    folder = Path(against)
    try:
        is_plan, is_folder = (folder / "plan.yaml").is_file(), folder.is_dir()
    except (OSError, ValueError):
        raise BadInput(f"--against {shown(against)} is neither a folder nor a revision", _HOW) from None
    if is_plan:
        _copied(folder, into)
    elif is_folder:
        raise BadInput(f"--against {shown(against)} is a folder without a plan.yaml", _HOW)
    else:
        _taken(root, name, against, into)


def _copied(folder: Path, into: Path) -> None:
    import shutil

    try:
        shutil.copytree(folder, into)
    except (OSError, shutil.Error):
        raise BadInput(
            "a file of the folder that --against names cannot be read", "Look for links that lead nowhere."
        ) from None


def _taken(root: Path, name: str, revision: str, into: Path) -> None:
    """Every file that the revision has of the plan: also what git is told to leave out of archives."""
    # A revision never begins with a dash; git would take it for an option.
    if revision.startswith("-"):
        raise BadInput(f"--against {shown(revision)} is neither a revision nor a folder", _HOW)
    listed = _git(root, revision, "ls-tree", "-r", "-z", revision, "--", f"plans/{name}/")
    entries = [entry.partition(b"\t") for entry in listed.split(b"\0") if entry]
    if not entries:
        raise BadInput(f"--against {shown(revision)} is neither a folder nor a revision that has plans/{name}", _HOW)
    for told, _, path in entries:
        mode, _kind, blob = told.decode("ascii").split(" ")
        if not mode.startswith(_FILE):
            raise BadInput(
                "the revision that --against names has a plan of which a part is a link",
                "Check it out into a folder, and name that.",
            )
        # `plans/<name>/...`: what is below the plan's folder.
        file = into.joinpath(*Path(os.fsdecode(path)).parts[2:])
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_git(root, revision, "cat-file", "blob", blob))


def _git(root: Path, revision: str, *words: str) -> bytes:
    """What git says; BadInput where it knows no such revision, or is not there."""
    try:
        made = subprocess.run(["git", "-C", str(root), *words], capture_output=True, check=False)
    except FileNotFoundError:
        raise BadInput(
            f"--against {shown(revision)} is no folder, and there is no git here to ask for a revision", _HOW
        ) from None
    except ValueError:
        made = None  # no text that a command can be given, as with a zero in it
    if made is None or made.returncode:
        raise BadInput(f"--against {shown(revision)} is neither a folder nor a revision of this repository", _HOW)
    return made.stdout
