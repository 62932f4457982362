"""When a folder was last committed, asked of git without believing the folder's own git settings.

A bundle may bring a ``.git`` of its own, and the settings in there name programs that git runs (for
signatures, for a file system monitor, for objects fetched late). So git works in a folder of ours,
with no settings but ours, that only borrows the objects (git(1), ``GIT_OBJECT_DIRECTORY``).
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from lapstrake.errors import BundleError
from lapstrake.host.process import find_program, run

_HASH = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_LONGEST = 64 << 20  # bytes of a file that lists refs
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
}


def committed(folder: Path) -> int | None:
    """When a folder last changed in git.

    Args:
        folder: a folder in a working tree; nothing that its repository names is run.

    Returns:
        seconds since 1970; ``None`` when git is missing or does not know it.
    """
    folder = folder.resolve()
    top = next((each for each in (folder, *folder.parents) if (each / ".git").exists()), None)
    program = find_program("git")
    if top is None or program is None:
        return None
    own = _git_folder(top / ".git")
    common = _common_folder(own)
    head = _head(own, common)
    if head is None:
        return None
    with tempfile.TemporaryDirectory(prefix="lapstrake-git-") as scratch:
        _lay_out(Path(scratch), head, shallow=_read(common / "shallow"))
        done = run(
            [program, f"--git-dir={scratch}", "--literal-pathspecs", "log", "-1", "--format=%ct",
             "--no-show-signature", head, "--", folder.relative_to(top)],
            timeout=60,
            error=BundleError,
            doing=f"asking git when {folder.name} was committed",
            cwd=Path(scratch),
            env={**_ENVIRONMENT, "GIT_OBJECT_DIRECTORY": str(common / "objects")},
            allowed=(0, 128),
        )  # fmt: skip
    text = done.text.strip()
    return int(text) if done.status == 0 and text.isdigit() else None


def _lay_out(folder: Path, head: str, *, shallow: str) -> None:
    """Make a git folder (gitrepository-layout(5)) that has a commit and no objects of its own."""
    kind = "sha256" if len(head) == 64 else "sha1"
    settings = "[core]\n\trepositoryformatversion = 1\n\tbare = true\n"
    (folder / "config").write_text(f"{settings}[extensions]\n\tobjectFormat = {kind}\n")
    (folder / "HEAD").write_text(f"{head}\n")
    (folder / "refs").mkdir()
    if shallow:
        (folder / "shallow").write_text(shallow)


def _git_folder(path: Path) -> Path:
    """The git folder itself, where ``.git`` is a file that names it (gitrepository-layout(5))."""
    named = _read(path).removeprefix("gitdir:").strip() if path.is_file() else ""
    return path.parent / named if named else path


def _common_folder(own: Path) -> Path:
    """Where objects and refs are: another folder for a further working tree."""
    return own / (_read(own / "commondir").strip() or ".")


def _head(own: Path, common: Path) -> str | None:
    """The hash of the commit that is checked out; only one hash is ever believed."""
    text = _read(own / "HEAD").strip()
    for _ in range(5):  # as many as git follows
        if not text.startswith("ref:"):
            break
        name = text.removeprefix("ref:").strip()
        text = (_read(own / name) or _read(common / name)).strip() or _packed(common, name)
    return text if _HASH.fullmatch(text) else None


def _packed(common: Path, name: str) -> str:
    """A ref's hash in ``packed-refs``, else the empty string."""
    lines = (line.partition(" ") for line in _read(common / "packed-refs").splitlines())
    return next((commit for commit, _, ref in lines if ref == name), "")


def _read(file: Path) -> str:
    """A small regular file's text; empty when it is missing or something else."""
    try:
        if not file.is_file() or file.stat().st_size > _LONGEST:
            return ""
        return file.read_text("utf-8", "replace")
    except (OSError, ValueError):
        return ""
