"""Whose the names of published artifacts are: of the first who published under them.

Nothing in an archive's name says which project made it: who copies a project's name, version and
inputs makes an archive of the same name. So a package's name on the site belongs to the token of
the task that used it first, and others are refused.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from lapstrake.errors import PublishError
from lapstrake.farm.values.tasks import Task
from lapstrake.host.files import write_atomic

FOLDER = ".owners"
"""In the site's folder; no file of the site begins with a dot."""
NOBODY = frozenset({"", "local"})
"""Who asks a server without tokens: nobody who could be told from others."""

_ARCHIVE = re.compile(
    r"(.+?)-(?:portable|(?:linux|darwin|win)_[A-Za-z0-9_]+)-.*-[0-9A-F]{7}\.tar\..+"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """Who published under a name first.

    Attributes:
        owner: the token's name.
        task: the task's number.
        bundle: the project it was, ``sha256:…``.
    """

    owner: str
    task: int
    bundle: str = ""


def package_of(name: str) -> str:
    """The package of an archive, by its name; of other files the whole name.

    Files of one name always have one package, whatever they are called.
    """
    found = _ARCHIVE.fullmatch(name)
    return found[1] if found else name


def owned_by(site: Path, package: str) -> Ownership | None:
    """Whose a package's name is; ``None`` for nobody's yet."""
    try:
        return Ownership(**json.loads((site / FOLDER / package).read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def take_name(site: Path, package: str, task: Task) -> None:
    """Note that a package's name is a task's owner's; the caller has the site's lock.

    Raises:
        PublishError: it is another one's.
    """
    before = owned_by(site, package)
    if before is not None and before.owner not in {*NOBODY, task.owner}:
        raise PublishError(
            f"the artifact {package} is {before.owner}'s, who published it first (task "
            f"{before.task}), and this task is {task.owner or 'nobody'}'s",
            resolution=f"Give the package another name, or publish it as {before.owner}. To give "
            f"the name away, remove farm/artifacts/{FOLDER}/{package} from the server's work "
            "folder.",
        )
    if before is None or before.owner != task.owner:
        mine = Ownership(owner=task.owner, task=task.id, bundle=task.spec.bundle)
        write_atomic(site / FOLDER / package, json.dumps(asdict(mine)).encode())
