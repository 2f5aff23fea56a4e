"""The other state of a plan: a folder, or the files that a revision of the repository has of it."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from migration_assets.domain.errors import BadInput
from migration_assets.plan.wording import shown

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
        _extracted(_archived(root, name, against), into)


def _copied(folder: Path, into: Path) -> None:
    import shutil

    try:
        shutil.copytree(folder, into)
    except (OSError, shutil.Error):
        raise BadInput(
            "a file of the folder that --against names cannot be read", "Look for links that lead nowhere."
        ) from None


def _archived(root: Path, name: str, revision: str) -> bytes:
    """The plan's folder as the revision has it, as a tar archive."""
    # A revision never begins with a dash; git would take it for an option.
    if revision.startswith("-"):
        raise BadInput(f"--against {shown(revision)} is neither a revision nor a folder", _HOW)
    command = ["git", "-C", str(root), "archive", "--format=tar", revision, "--", f"plans/{name}"]
    try:
        made = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        raise BadInput(
            f"--against {shown(revision)} is no folder, and there is no git here to ask for a revision", _HOW
        ) from None
    if made.returncode:
        raise BadInput(f"--against {shown(revision)} is neither a folder nor a revision that has plans/{name}", _HOW)
    return made.stdout


def _extracted(archive: bytes, into: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar.getmembers():
            if member.isdir():
                continue
            if not member.isfile():
                raise BadInput(
                    "the revision that --against names has a plan of which a part is a link",
                    "Check it out into a folder, and name that.",
                )
            # `plans/<name>/...`: what is below the plan's folder.
            path = into.joinpath(*Path(member.name).parts[2:])
            path.parent.mkdir(parents=True, exist_ok=True)
            content = tar.extractfile(member)
            path.write_bytes(content.read() if content is not None else b"")
