"""Package files into layers: each unpacked once, in a sandbox, as dpkg would have unpacked it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files as resources
from pathlib import Path

from lapstrake.branch.instance import Branch
from lapstrake.compose import entries
from lapstrake.compose.content import Content, write_content
from lapstrake.compose.status import TO_REMOVE, parse_stanza
from lapstrake.errors import DependencyError
from lapstrake.formats.deb import Deb, read_deb
from lapstrake.formats.keys import cache_key
from lapstrake.host.confined import read_confined
from lapstrake.layer.store import Layer
from lapstrake.names import CacheKey, GuestPath
from lapstrake.place.apt import Apt
from lapstrake.place.workplace import Workplace
from lapstrake.runner.base import Bind

_FORMAT = 6
_HOME = GuestPath("/var/lib/lapstrake")
_UNPACKED = _HOME / "unpacked"
_INFO = "var/lib/dpkg/info"
_SCRIPTS = ("preinst", "postinst")
_MAKES_USERS = re.compile(r"\b(?:add(?:user|group)|(?:user|group)add|sysusers)\b")
_LIMIT = 64 << 20
_COMMAND = f"""set -e
xargs mkdir -p < {_HOME}/folders
exec xargs -n 3 -P "$1" sh {_HOME}/unpack.sh < {_HOME}/list
"""
_AT_ONCE = 100
"""Packages that are unpacked and published together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageFile:
    """A package file that was verified.

    Attributes:
        path: where it is kept; its name ends in ``.deb``.
        sha256: of its bytes.
        facts: what package it is, for people.
    """

    path: Path
    sha256: str
    facts: Mapping[str, str] = field(default_factory=dict)


def aliases_of(branch: Branch) -> tuple[str, ...]:
    """The folders of a root's top that are links to those of the same name in ``/usr``."""
    tree = branch.base.tree
    links = sorted(path for path in tree.iterdir() if path.is_symlink())
    return tuple(
        link.name for link in links if str(link.readlink()).strip("/") == f"usr/{link.name}"
    )


def package_key(sha256: str, aliases: Sequence[str]) -> CacheKey:
    """The key of the layer of a package file's content."""
    return cache_key("package", {"format": _FORMAT, "sha256": sha256, "merged": list(aliases)})


def unpack_layers(
    place: Workplace, branch: Branch, packages: Sequence[PackageFile]
) -> dict[str, Layer]:
    """Find or make the layers of package files.

    Args:
        place: where.
        branch: in whose root they are unpacked: with its tools, and its users' names.
        packages: the files.

    Returns:
        the layers by the files' SHA-256.

    Raises:
        DependencyError: a file is no sound package.
    """
    aliases = aliases_of(branch)
    keys = {package_key(package.sha256, aliases): package for package in packages}
    layers: dict[CacheKey, Layer] = {}
    for start in range(0, len(keys), _AT_ONCE):
        part = list(keys)[start : start + _AT_ONCE]

        def fill(trees: Mapping[CacheKey, Path]) -> None:
            place.progress.headline(f"unpacking {len(trees)} packages")
            files = {tree: keys[key].path for key, tree in trees.items()}
            _unpack(place, branch, aliases, files)

        layers |= place.store.make_all(
            {key: {"sha256": keys[key].sha256, **keys[key].facts} for key in part},
            kind="package",
            fill=fill,
            on_wait=place.progress.headline,
        )
    return {package.sha256: layers[key] for key, package in keys.items()}


def _unpack(
    place: Workplace, branch: Branch, aliases: Sequence[str], packages: Mapping[Path, Path]
) -> None:
    """Unpack files, which lie in one folder, at trees that do not exist yet."""
    debs = {
        tree: read_deb(file, check_file_name=False, error=DependencyError)
        for tree, file in sorted(packages.items(), key=lambda item: -item[1].stat().st_size)
    }  # the biggest first: then all processors are busy to the end
    folder = next(iter(packages.values())).parent
    script = resources("lapstrake.compose").joinpath("unpack.sh").read_bytes()
    with (
        place.store.lease(branch.layers) as stack,
        place.store.workspace("unpack") as workspace,
        place.light_runner.open(stack.trees, workspace) as session,
    ):
        apt = Apt(
            session=session,
            progress=place.progress,
            error=DependencyError,
            limits=place.limits,
            binds=(Bind(source=folder, target=_HOME / "packages"),),
            files={
                _HOME / "unpack.sh": script,
                _HOME / "aliases": " ".join(aliases).encode(),
                _HOME / "list": _arguments(debs.values()),
                _HOME / "folders": _folders(len(debs), aliases),
            },
        )
        jobs = os.cpu_count() or 1
        try:
            apt.run(("sh", "-c", _COMMAND, "unpack", str(jobs)))
        except DependencyError as failed:
            raise DependencyError(
                "a package cannot be unpacked", details=failed.details
            ) from failed
        captured = workspace / "captured"
        session.capture(captured)
        for number, (tree, deb) in enumerate(debs.items()):
            _take(captured / _UNPACKED.relative_to("/") / str(number), tree, deb, aliases)


def _arguments(debs: Iterable[Deb]) -> bytes:
    """What unpack.sh is told; package names, and ours of files, need no quotes."""
    lines = [
        f"{number} {deb.path.name} {parse_stanza(_control(deb)).qualified}\n"
        for number, deb in enumerate(debs)
    ]
    return "".join(lines).encode()


def _folders(count: int, aliases: Sequence[str]) -> bytes:
    """The folders that unpack.sh finds there, made for all packages at once."""
    parts = ("scripts", f"tree/{_INFO}", *(f"tree/usr/{name}" for name in aliases))
    return "".join(f"{_UNPACKED}/{n}/{part}\n" for n in range(count) for part in parts).encode()


def _take(folder: Path, tree: Path, deb: Deb, aliases: Sequence[str]) -> None:
    """Take an unpacked tree over, and keep what is known of it beside it."""
    made = folder / "tree"
    qualified = parse_stanza(_control(deb)).qualified
    paths = entries.walk(made)
    listed = _text(made, f"{_INFO}/{qualified}.list").strip("\n").split("\n")
    there = {"/.", "/usr", *(f"/usr/{name}" for name in aliases), *paths}  # as in every root
    lost = [path for path in listed if real_path(path, aliases) not in there]
    if lost:
        raise DependencyError(f"{deb.package} {deb.version}: {lost[0]!r} was not unpacked")
    preinst, postinst = (_text(made, f"{_INFO}/{qualified}.{name}") for name in _SCRIPTS)
    conffiles = _text(made, f"{_INFO}/{qualified}.conffiles")
    content = Content(
        control=_control(deb),
        conffiles=conffile_states(conffiles, _text(folder, "sums")),
        triggers=_text(made, f"{_INFO}/{qualified}.triggers"),
        preinst=preinst,
        makes_users=_MAKES_USERS.search(preinst + postinst) is not None,
        paths=paths,
    )
    write_content(tree, content)
    made.rename(tree)


def conffile_states(listed: str, sums: str) -> tuple[tuple[str, str], ...]:
    r"""Read a package's list of configuration files, see deb-conffiles(5).

    Args:
        listed: the list: paths, and those that it only wants to be gone.
        sums: what md5sum(1) says of the paths, in the same order.

    Returns:
        paths with what dpkg notes of them.

    >>> conffile_states("/etc/a\nremove-on-upgrade /etc/b\n", f"{'0' * 32}  tree/etc/a\n")
    (('/etc/a', '00000000000000000000000000000000'), ('/etc/b', 'newconffile remove-on-upgrade'))
    """
    digests = iter(sums.split("\n"))
    found = []
    for line in listed.split("\n"):
        flag, _, path = line.partition(" ")
        if line.startswith("/"):
            # md5sum marks lines whose names it had to quote with a backslash.
            found.append((line, next(digests, "").removeprefix("\\")[:32]))
        elif flag == "remove-on-upgrade":
            found.append((path.strip(), TO_REMOVE))
    return tuple(found)


def _control(deb: Deb) -> str:
    return "".join(f"{name}: {value}\n" for name, value in deb.fields)


def real_path(path: str, aliases: Sequence[str]) -> str:
    """A path of a package as it is where folders of the top are links into ``/usr``."""
    first = path[1:].partition("/")[0]
    return f"/usr{path}" if first in aliases else path


def _text(root: Path, path: str) -> str:
    data = read_confined(root, path, limit=_LIMIT, error=DependencyError)
    return (data or b"").decode("utf-8", "surrogateescape")
