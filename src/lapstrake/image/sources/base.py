"""What every package source offers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lapstrake.formats.keys import Canonical
from lapstrake.grouping.base import Graph
from lapstrake.image.base import ImageRequest
from lapstrake.names import GuestPath

ROOT = GuestPath("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One package's files.

    Attributes:
        id: names it in people's words, with its version.
        content: what its files depend on, and nothing else (a package file's digest, a store path).
        tree: the folder that holds them.
        target: where that folder is in the image.
        facts: for bills of material: ``version``, ``arch``, ``source``, ``source_version``,
            ``purl``, ``sha256``, ``license``, ``needs`` (names of packages, divided by blanks),
            ``build`` and others, as far as they are known.
    """

    id: str
    content: str
    tree: Path
    target: GuestPath = ROOT
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """Packages with all they need at run time.

    Attributes:
        graph: how they refer to each other; its names are the keys of `members`.
        members: the files of each.
        below: trees of the base OS, lowest first, with what its layers are known by; empty without.
        carried: the packages of that base OS by their ids, with such facts as members have.
        top: trees of what was configured, lowest first, to be laid over everything; as overlayfs
            shows them (marks of what is gone among them).
        top_content: what `top` depends on.
        created: seconds since 1970 of the newest thing in it.
        env: environment variables that such an image needs.
        command: what it should run when nobody says what.
        sources: where it came from (repository, revision, release files), for the provenance.
    """

    graph: Graph
    members: Mapping[str, Member]
    below: tuple[tuple[str, Path], ...] = ()
    carried: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    top: tuple[Path, ...] = ()
    top_content: str = ""
    created: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    sources: Mapping[str, Canonical] = field(default_factory=dict)


class PackageSource(Protocol):
    """Where packages come from."""

    name: str

    def state(self, request: ImageRequest) -> Mapping[str, Canonical] | None:
        """What an image depends on besides the request, told in a millisecond or two.

        Returns:
            ``None`` when it is not known without work (a branch without an instance, a revision
            that is not fixed): no finished image may be used then.
        """
        ...

    def open(self, request: ImageRequest) -> AbstractContextManager[Closure]:
        """Get the closure of a request; its trees stay until the context is left.

        Raises:
            MissingError: packages do not exist; all of them are named.
            LapstrakeError: they exclude each other, one cannot be configured or built, ...
        """
        ...
