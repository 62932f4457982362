"""Where the members of an image's layers really go, and what they delete (OCI image spec 1.1).

tar keeps a member from being written through a link of the *same* archive. Nobody but us knows
that a link came with an earlier layer. So all links of all layers are kept in mind, and a member
whose path leaves the tree through them is refused before its layer is unpacked.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from lapstrake.errors import BaseError
from lapstrake.host.layer_tar import OPAQUE, WHITEOUT

_MOST_LINKS = 40  # as many as the kernel follows: path_resolution(7)
_TOP = PurePosixPath()
_QUOTED = rb'"((?:[^"\\]|\\.)*)"'
_LINE = re.compile(rb'(.)[^"]*' + _QUOTED + rb"(?: (?:->|link to) " + _QUOTED + rb")?", re.DOTALL)
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_LETTERS = {
    b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member of a tarball: ``ls``' letter of its kind (``h``: a hard link), names as they are.

    `link` is what a symbolic or hard link names, else empty.
    """

    kind: str
    path: PurePosixPath
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletions:
    """What a layer says is gone from those below: paths, and folders that lose their content."""

    paths: tuple[PurePosixPath, ...] = ()
    opaque: tuple[PurePosixPath, ...] = ()


def parse_listing(listing: bytes) -> Iterator[Member]:
    """Read what ``tar --list --verbose --quoting-style=c`` prints, see tar(1).

    Raises:
        BaseError: a line is none of a member.
    """
    for line in listing.splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            raise BaseError(f"tar lists a member in a way we cannot read: {line[:200]!r}")
        kind, name, link = found.groups()
        yield Member(
            kind=kind.decode("ascii", "replace"),
            path=PurePosixPath(_unquoted(name)),
            link=_unquoted(link or b""),
        )


def _unquoted(text: bytes) -> str:
    def meant(found: re.Match[bytes]) -> bytes:
        escape = found[1]
        return bytes([int(escape, 8) & 255]) if len(escape) == 3 else _LETTERS.get(escape, escape)

    return os.fsdecode(_ESCAPE.sub(meant, text))


@dataclass(slots=True)
class LinkMap:
    """The symbolic links of the layers so far, by the place where they really are."""

    links: dict[PurePosixPath, str] = field(default_factory=dict)

    def add_layer(self, members: Iterable[Member]) -> Deletions:
        """Take one more layer into account.

        Args:
            members: the layer's, in order.

        Returns:
            what to delete before the layer is unpacked.

        Raises:
            BaseError: a member, or a deletion, leaves the tree.
        """
        paths, opaque, kept = [], [], []
        for member in members:
            path = _relative(member.path)
            if path.name == OPAQUE:
                opaque.append(path.parent)
            elif path.name.startswith(WHITEOUT):
                paths.append(path.parent / (path.name.removeprefix(WHITEOUT) or ".."))
            elif not any(part.startswith(WHITEOUT) for part in path.parts):
                kept.append((path, member))
        for gone in (*paths, *opaque):
            if ".." in gone.parts or any(parent in self.links for parent in gone.parents):
                raise BaseError(f"the image deletes {gone}, which leaves its own tree")
        if _TOP in paths:
            raise BaseError("the image deletes its top, which leaves its own tree")
        deleted, emptied = frozenset(paths), frozenset(opaque)  # an opaque link stays a link
        for link in list(self.links):
            above = frozenset(link.parents)
            if link in deleted or above & deleted or above & emptied:
                del self.links[link]
        known: dict[PurePosixPath, PurePosixPath] = {}
        for path, member in kept:
            self._add(path, member, known)
        return Deletions(paths=tuple(paths), opaque=tuple(opaque))

    def _add(
        self, path: PurePosixPath, member: Member, known: dict[PurePosixPath, PurePosixPath]
    ) -> None:
        """Note what a member puts where; tar replaces a link that stands at its very name."""
        place = self._place(path, known)
        link = member.link if member.kind == "l" else None
        if member.kind == "h":
            link = self.links.get(self._place(_relative(PurePosixPath(member.link)), known))
        if self.links.get(place) == link:
            return
        known.clear()  # what was reached through this name is reached in another way from now on
        if link is None:
            del self.links[place]
        else:
            self.links[place] = link

    def _place(
        self, path: PurePosixPath, known: dict[PurePosixPath, PurePosixPath]
    ) -> PurePosixPath:
        """Where a path leads, a link as its last part not followed."""
        if path == _TOP:
            return path
        if ".." in path.parts:
            raise BaseError(f"the image's member {path} leaves its own tree")
        if path.parent not in known:
            known[path.parent] = self._followed(path.parent)
        return known[path.parent] / path.name

    def _followed(self, path: PurePosixPath) -> PurePosixPath:
        """Where a folder really is, its links followed."""
        place, left, followed = _TOP, list(reversed(path.parts)), 0
        while left:
            part = left.pop()
            climbs = part == ".."
            link = None if climbs else self.links.get(place / part)
            followed += link is not None
            if followed > _MOST_LINKS or (climbs and place == _TOP) or (link or "").startswith("/"):
                raise BaseError(
                    f"the image writes into {path}, which leaves its own tree through a link"
                )
            if link is not None:
                left.extend(reversed(PurePosixPath(link).parts))
            else:
                place = place.parent if climbs else place / part
        return place


def _relative(path: PurePosixPath) -> PurePosixPath:
    """A member's name as tar takes it: from the tree's top."""
    return PurePosixPath(*path.parts[1:]) if path.is_absolute() else path
