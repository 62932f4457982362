"""What an archive may put where: a pure model of the folder that it is unpacked into.

An archive is unpacked into a new, private folder, so the model knows everything that is there. A
name is taken only when all folders above it are real folders of this archive; so no entry can be
written through a link, and nothing needs to be looked up on the disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_LONGEST_NAME = 4096  # PATH_MAX, limits.h
_SURELY_SHORT = 63  # a character has four bytes at most
_DEEPEST = 256
_LINKS_FOLLOWED = 40  # path_resolution(7)


class RefusedEntry(ValueError):  # noqa: N818 - an entry is refused; not our mistake
    """An entry would reach outside, or contradicts another; the text says why."""


class Placed(StrEnum):
    """What is at a path."""

    FOLDER = "folder"
    FILE = "file"
    LINK = "link"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an entry goes.

    Attributes:
        path: relative to the folder, clean; empty for the folder itself.
        new_folders: folders to make first, outermost first.
        replaces: whether a file or link of an earlier entry is there and gives way.
    """

    path: str
    new_folders: tuple[str, ...] = ()
    replaces: bool = False


def safe_parts(name: str) -> tuple[str, ...]:
    """Split an entry's name into the folders that lead to it; ``.`` and doubled ``/`` vanish.

    Raises:
        RefusedEntry: the name is absolute, has ``..``, a NUL, or is too long or too deep.
    """
    if name.startswith("/"):
        raise RefusedEntry("its name is absolute")
    if "\0" in name:
        raise RefusedEntry("its name has a NUL character")
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts:
        raise RefusedEntry("its name leads outside (..)")
    if len(name) > _LONGEST_NAME or len(parts) > _DEEPEST:
        raise RefusedEntry("its name is too long or too deep")
    if len(name) > _SURELY_SHORT and any(
        len(part.encode("utf-8", "surrogateescape")) > 255 for part in parts
    ):
        raise RefusedEntry("a part of its name is longer than 255 bytes")
    return parts


class ArchiveTree:
    """Everything an archive has put into its folder so far.

    Args:
        inside_only: refuse symbolic links that leave the folder.
    """

    def __init__(self, *, inside_only: bool = True) -> None:
        self._placed: dict[str, Placed] = {"": Placed.FOLDER}
        self._targets: dict[str, str] = {}
        self._inside_only = inside_only

    def folder(self, name: str) -> Place:
        """Place a folder; an earlier one of the same name is the same folder."""
        parts = safe_parts(name)
        return Place(path="/".join(parts), new_folders=self._open(parts))

    def file(self, name: str) -> Place:
        """Place a file; it replaces an earlier file or link, as tar does."""
        return self._take(name, Placed.FILE)

    def symlink(self, name: str, target: str) -> Place:
        """Place a symbolic link; where it leads is judged by `check_links`, when all are known."""
        if not target or "\0" in target or len(target) >= _LONGEST_NAME:
            raise RefusedEntry("it links to nothing that can exist")
        if self._inside_only and target.startswith("/"):
            raise RefusedEntry(f"it links outside, to {target!r}")
        place = self._take(name, Placed.LINK)
        self._targets[place.path] = target
        return place

    def hard_link(self, name: str, target: str) -> tuple[Place, str]:
        """Place a hard link; gives also the clean path of what it links to, an earlier file."""
        source = "/".join(safe_parts(target))
        if self._placed.get(source) is not Placed.FILE:
            raise RefusedEntry(f"it links to {target!r}, which is no earlier file of the archive")
        if "/".join(safe_parts(name)) == source:
            raise RefusedEntry("it links to itself")
        return self._take(name, Placed.FILE), source

    def check_links(self) -> None:
        """Follow every symbolic link through the others.

        Raises:
            RefusedEntry: one leads outside; the text names it.
        """
        if self._inside_only:
            for path in self._targets:
                self._follow(path)

    def _take(self, name: str, kind: Placed) -> Place:
        parts = safe_parts(name)
        path = "/".join(parts)
        before = self._placed.get(path)
        if before is Placed.FOLDER:
            raise RefusedEntry("a folder of that name is already there")
        if before is not None:
            self._targets.pop(path, None)
        new_folders = self._open(parts[:-1])
        self._placed[path] = kind
        return Place(path=path, new_folders=new_folders, replaces=before is not None)

    def _open(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        """Make sure that all of a path are real folders; gives those that are new."""
        if self._placed.get("/".join(parts)) is Placed.FOLDER:
            return ()
        new = []
        for end in range(1, len(parts) + 1):
            path = "/".join(parts[:end])
            there = self._placed.get(path)
            if there is None:
                new.append(path)
            elif there is not Placed.FOLDER:
                raise RefusedEntry(f"it leads through the {there} {path!r}")
        self._placed.update(dict.fromkeys(new, Placed.FOLDER))
        return tuple(new)

    def _follow(self, link: str) -> None:
        """Resolve a link as path_resolution(7) does, with the archive's folder as the limit."""
        at: list[str] = link.split("/")[:-1]
        ahead = self._targets[link].split("/")[::-1]
        followed = 1
        while ahead:
            part = ahead.pop()
            if part in ("", "."):
                continue
            if part == "..":
                if not at:
                    raise RefusedEntry(f"{link!r} links outside, to {self._targets[link]!r}")
                at.pop()
                continue
            further = self._targets.get("/".join([*at, part]))
            if further is None:
                at.append(part)
                continue
            followed += 1
            if followed > _LINKS_FOLLOWED:
                return  # the kernel will not follow it anywhere either
            ahead.extend(further.split("/")[::-1])
