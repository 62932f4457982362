"""Compare two roots, path by path: everything that installing packages can leave behind.

The roots are stacks of layers. A process of its own, in a mount namespace of its own, mounts both
and looks at them side by side; so this module is also a script, which reads a job and writes the
differences it found.
"""

from __future__ import annotations

import fnmatch
import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lapstrake.host import entry

_HERE = Path(__file__).resolve()

FREE: tuple[tuple[str, str], ...] = (
    ("/var/log/*", "logs tell when, and what ran"),
    ("/var/cache/apt/*", "apt's own caches, made anew when they are missing"),
    ("/var/lib/apt/lists/*", "the lists are the branch's; apt touches its lock"),
    ("/var/lib/dpkg/available", "only dselect reads it; dpkg notes there what it unpacked"),
    ("/var/lib/dpkg/*-old", "the file before the last change: how often it changed"),
    ("/var/lib/dpkg/lock*", "made by whoever first locks it"),
    ("/var/lib/dpkg/triggers/Lock", "made by whoever first locks it"),
    ("/var/cache/debconf/*-old", "the file before the last change"),
)
"""Paths (as in fnmatch) that may differ in every way, or be missing; and why."""

RANDOM: tuple[tuple[str, str], ...] = (
    ("/var/cache/ldconfig/aux-cache", "the inode numbers of libraries"),
    ("/var/cache/man/*", "when each page was indexed"),
    ("/var/cache/fontconfig/*", "when each folder was looked at"),
    ("/etc/ssh/ssh_host_*_key*", "a random key of each host"),
    ("/etc/ssl/private/ssl-cert-snakeoil.key", "a random key of each host"),
    ("/etc/ssl/certs/ssl-cert-snakeoil.pem", "the certificate of a random key"),
    ("/etc/ssl/certs/java/cacerts", "when each certificate was taken in"),
    ("/etc/aliases.db", "padding that was never written"),
    ("/var/lib/dbus/machine-id", "a random name of each host"),
    ("/etc/machine-id", "a random name of each host"),
    ("/usr/share/info/dir.old", "the file before the last change: how often it changed"),
    ("/var/lib/sgml-base/supercatalog.old", "likewise"),
    ("/var/lib/postgresql/*", "a database: random names, and when each thing was made"),
)
"""Files whose bytes two installations of one kind do not share; all else of them must be equal."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Difference:
    """Something that is not the same in two roots.

    Attributes:
        path: where.
        what: ``missing``, ``type``, ``mode``, ``owner``, ``content``, ``target``, ``device``,
            ``attributes``, ``links`` or ``time``.
        one: how it is in the first root.
        other: how it is in the second root.
    """

    path: str
    what: str
    one: str
    other: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}: {self.one} / {self.other}"


def differences(
    one: Sequence[Path], other: Sequence[Path], *, since: float, scratch: Path
) -> tuple[Difference, ...]:
    """Compare two stacks of layers, lowest first, but for what is `FREE` or `RANDOM`.

    Args:
        one: the first root.
        other: the second root.
        since: when making them began, in seconds since the epoch. Times before it come out of
            packages, and must be the same; later ones only say when a script ran. (No time of
            folders is looked at, nor of dpkg's own files: they tell when it wrote them.)
        scratch: a folder on a disk that can hold an overlay's writable top.
    """
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        job = {
            "roots": [[str(tree) for tree in stack] for stack in (one, other)],
            "since": since,
            "folder": folder,
        }
        done = subprocess.run(
            ["unshare", "--mount", sys.executable, str(_HERE), json.dumps(job)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    return tuple(Difference(**found) for found in json.loads(done.stdout))


def _among(path: str, patterns: tuple[tuple[str, str], ...]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern, _ in patterns)


class Root:
    """A mounted root: its paths, and which of them are one file."""

    def __init__(self, top: str) -> None:
        self.top = top
        self.paths: dict[str, os.stat_result] = {}
        names: dict[int, list[str]] = {}
        for path, facts in _walk(top, ""):
            self.paths[path] = facts
            if stat.S_ISREG(facts.st_mode) and facts.st_nlink > 1:
                names.setdefault(facts.st_ino, []).append(path)
        self.twins = {
            path: " ".join(sorted(group))
            for group in names.values()
            if len(group) > 1
            for path in group
        }

    def read(self, path: str) -> bytes:
        """A file's content."""
        return Path(self.top + path).read_bytes()

    def target(self, path: str) -> str:
        """Where a link goes."""
        return str(Path(self.top + path).readlink())

    def attributes(self, path: str) -> dict[str, str]:
        """Extended attributes, capabilities among them."""
        place = self.top + path
        names = os.listxattr(place, follow_symlinks=False)
        return {name: os.getxattr(place, name, follow_symlinks=False).hex() for name in names}


def _walk(top: str, folder: str) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(top + (folder or "/")) as entries:
        for found in entries:
            path = f"{folder}/{found.name}"
            facts = found.stat(follow_symlinks=False)
            yield path, facts
            if stat.S_ISDIR(facts.st_mode):
                yield from _walk(top, path)


def compare(one: Root, other: Root, since: float) -> Iterator[Difference]:
    """Every difference that is not allowed, in the order of paths."""
    for path in sorted(one.paths.keys() | other.paths.keys()):
        if _among(path, FREE):
            continue
        for what, left, right in _compare_path(one, other, path, since):
            yield Difference(path=path, what=what, one=str(left), other=str(right))


def _compare_path(
    one: Root, other: Root, path: str, since: float
) -> Iterator[tuple[str, object, object]]:
    left, right = one.paths.get(path), other.paths.get(path)
    if left is None or right is None:
        yield "missing", left is None, right is None
        return
    kinds = stat.S_IFMT(left.st_mode), stat.S_IFMT(right.st_mode)
    if kinds[0] != kinds[1]:
        yield "type", stat.filemode(left.st_mode), stat.filemode(right.st_mode)
        return
    pairs: list[tuple[str, object, object]] = [
        ("mode", stat.filemode(left.st_mode), stat.filemode(right.st_mode)),
        ("owner", (left.st_uid, left.st_gid), (right.st_uid, right.st_gid)),
        ("device", left.st_rdev, right.st_rdev),
        ("attributes", one.attributes(path), other.attributes(path)),
        ("links", one.twins.get(path), other.twins.get(path)),
    ]
    timed = kinds[0] != stat.S_IFDIR and not path.startswith("/var/lib/dpkg/")
    if timed and min(left.st_mtime, right.st_mtime) < since:
        pairs.append(("time", left.st_mtime_ns, right.st_mtime_ns))
    if kinds[0] == stat.S_IFLNK:
        pairs.append(("target", one.target(path), other.target(path)))
    yield from (pair for pair in pairs if pair[1] != pair[2])
    if kinds[0] == stat.S_IFREG and not _among(path, RANDOM):
        yield from _compare_content(path, one.read(path), other.read(path))


def _compare_content(path: str, left: bytes, right: bytes) -> Iterator[tuple[str, object, object]]:
    """Bytes; of what dpkg, apt and debconf keep, the meaning: the order of entries is free."""
    if left == right:
        return
    for pattern, meaning in _MEANINGS:
        if fnmatch.fnmatchcase(path, pattern):
            ours, theirs = meaning(left), meaning(right)
            only = sorted(ours - theirs), sorted(theirs - ours)
            if only[0] or only[1]:
                yield "content", _shown(only[0]), _shown(only[1])
            return
    yield "content", f"{len(left)} bytes", f"{len(right)} bytes"


def _shown(entries: list[str]) -> str:
    return f"{len(entries)} only here: {entries[:4]}"


def _lines(data: bytes) -> set[str]:
    return set(data.decode("utf-8", "replace").splitlines())


def _triples(data: bytes) -> set[str]:
    """dpkg's diversions: what, where it goes instead, by whom."""
    lines = data.decode().splitlines()
    return {" ".join(lines[start : start + 3]) for start in range(0, len(lines), 3)}


def _fields(data: bytes) -> set[str]:
    """Paragraphs as ``NAME ARCHITECTURE field: text``; their order, and that of fields, is free."""
    found = set()
    for paragraph in data.decode("utf-8", "replace").split("\n\n"):
        fields = paragraph.replace("\n ", "\0").strip("\n").split("\n")
        texts = dict(field.partition(":")[::2] for field in fields if field)
        name = texts.get("Package", texts.get("Name", "")) + texts.get("Architecture", "")
        found |= {f"{name} {field}:{text}" for field, text in texts.items()}
    return found


_MEANINGS: tuple[tuple[str, Callable[[bytes], set[str]]], ...] = (
    ("/var/lib/dpkg/status", _fields),
    ("/var/lib/dpkg/info/*.list", _lines),
    ("/var/lib/dpkg/diversions", _triples),
    ("/var/lib/dpkg/statoverride", _lines),
    ("/var/lib/dpkg/triggers/*", _lines),
    ("/var/lib/apt/extended_states", _fields),
    ("/var/cache/debconf/*.dat", _fields),
)


def _mounted(job: dict[str, object], number: int) -> Root:
    folder = f"{job['folder']}/{number}"
    for name in ("upper", "work", "target"):
        Path(folder, name).mkdir(parents=True)
    roots = job["roots"]
    assert isinstance(roots, list)
    operation = {
        "lowers": roots[number],
        "target": f"{folder}/target",
        "upper": f"{folder}/upper",
        "work": f"{folder}/work",
        "links": f"{folder}/links",
        "rootless": False,
    }
    entry.overlay(operation)
    return Root(f"{folder}/target")


def main() -> None:
    """Read a job, write the differences."""
    job = json.loads(sys.argv[1])
    found = list(compare(_mounted(job, 0), _mounted(job, 1), job["since"]))
    json.dump([asdict(each) for each in found], sys.stdout)


if __name__ == "__main__":
    main()
