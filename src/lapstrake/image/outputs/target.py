"""What users write behind ``-o``: where an image goes."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lapstrake.errors import ImageError, UsageError
from lapstrake.oci.grammar import LONGEST_NAME, TAG_RULE, is_name, is_tag
from lapstrake.oci.repository import Repository, is_host


class Kind(StrEnum):
    """What an image becomes."""

    LAYOUT = "oci"  # a folder in OCI's image layout
    LAYOUT_ARCHIVE = "oci-archive"  # the same as one tar
    DOCKER_ARCHIVE = "docker-archive"  # what docker save writes
    DOCKER = "docker-daemon"  # an image of docker
    PODMAN = "containers-storage"  # an image of podman
    REGISTRY = "docker"  # pushed
    TAR = "tar"  # its root
    SQUASHFS = "squashfs"  # its root


IN_FILES = frozenset(
    {Kind.LAYOUT, Kind.LAYOUT_ARCHIVE, Kind.DOCKER_ARCHIVE, Kind.TAR, Kind.SQUASHFS}
)
"""The kinds that are files or folders of this host."""

_EXAMPLES = (
    "oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME:TAG], "
    "docker-daemon:NAME:TAG, containers-storage:NAME:TAG, docker://HOST/NAME:TAG, "
    "tar:FILE[.gz|.xz|.zst], squashfs:FILE"
)
_PLAIN = "docker+http"
_LAYOUT_TAG = re.compile(r"[A-Za-z0-9]+(?:[-._:@/+][A-Za-z0-9]+)*\Z")  # image-spec, annotations.md


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where an image goes.

    Attributes:
        kind: what it becomes.
        text: what the user wrote.
        path: the file or folder.
        host: the registry, with its port.
        name: the image's name there, or in the engine or archive; empty for none.
        tag: its tag; empty for none.
        plain: whether the registry is reached without TLS, wherever it is.
    """

    kind: Kind
    text: str
    path: Path = Path()
    host: str = ""
    name: str = ""
    tag: str = ""
    plain: bool = False

    @property
    def reference(self) -> str:
        """``NAME:TAG``; empty without a name."""
        return f"{self.name}:{self.tag}" if self.name else ""

    @property
    def repository(self) -> Repository:
        """The registry's repository, if it goes to one."""
        return Repository(host=self.host, name=self.name, plain=self.plain)


def parse_target(text: str) -> Target:
    """Read a target; nothing is looked at yet.

    As skopeo(1) takes them, the first colon after a path ends it.

    Raises:
        UsageError: the kind is unknown, or a part is missing or malformed.
    """
    word, colon, rest = text.partition(":")
    kind = Kind.REGISTRY if word == _PLAIN else _kind(word, text)
    if not colon or not rest.strip("/"):
        raise UsageError(f"{text!r} does not say where the image goes", resolution=_usage())
    if kind is Kind.REGISTRY:
        return _parse_registry(text, rest, plain=word == _PLAIN)
    if kind in (Kind.DOCKER, Kind.PODMAN):
        name, tag = _parse_name(rest, text, default="latest")
        return Target(kind=kind, text=text, name=name, tag=tag)
    if kind in (Kind.TAR, Kind.SQUASHFS):
        return Target(kind=kind, text=text, path=Path(rest))
    path, _, after = rest.partition(":")
    if kind is Kind.DOCKER_ARCHIVE and after:
        name, tag = _parse_name(after, text, default="latest")
        return Target(kind=kind, text=text, path=Path(path), name=name, tag=tag)
    if after and not _LAYOUT_TAG.match(after):
        raise UsageError(f"{text!r}: {after!r} is no tag of an OCI layout")
    return Target(kind=kind, text=text, path=Path(path), tag=after)


def check_target(target: Target) -> None:
    """Say at once what would fail only after long work.

    Raises:
        ImageError: the folder is missing, is a file, or may not be written to.
    """
    if target.kind not in IN_FILES:
        return
    path, folder = target.path, target.path.absolute().parent
    into_folder = target.kind is Kind.LAYOUT
    if into_folder and path.is_dir():
        folder = path
    if not folder.is_dir():
        raise ImageError(
            f"{target.text}: the folder {folder} does not exist", resolution=f"mkdir -p {folder}"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ImageError(f"{target.text}: nothing can be written in {folder}")
    if path.exists() and path.is_dir() != into_folder:
        what = "no folder" if into_folder else "a folder"
        raise ImageError(f"{target.text}: {path} is {what}")


def _kind(word: str, text: str) -> Kind:
    try:
        return Kind(word)
    except ValueError as unknown:
        raise UsageError(
            f"{text!r}: images cannot go to {word!r}", resolution=_usage()
        ) from unknown


def _usage() -> str:
    return f"Use one of: {_EXAMPLES}."


def _parse_registry(text: str, rest: str, *, plain: bool) -> Target:
    host, slash, name_tag = rest.removeprefix("//").partition("/")
    if not rest.startswith("//") or not slash or not is_host(host):
        raise UsageError(f"{text!r} names no registry", resolution="Write docker://HOST/NAME:TAG.")
    name, tag = _parse_name(name_tag, text, default="latest")
    if not is_name(name):
        raise _bad_name(name, text)
    return Target(kind=Kind.REGISTRY, text=text, host=host, name=name, tag=tag, plain=plain)


def _parse_name(rest: str, text: str, *, default: str) -> tuple[str, str]:
    """Read ``[HOST/]NAME[:TAG]``; the host may have a port."""
    name, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        name, tag = rest, default
    host, slash, path = name.partition("/")
    has_host = slash and ("." in host or ":" in host or host == "localhost")
    if not is_name(path if has_host else name) or (has_host and not is_host(host)):
        raise _bad_name(name, text)
    if len(name) > LONGEST_NAME:
        raise UsageError(f"{text!r}: a name has at most {LONGEST_NAME} characters")
    if not is_tag(tag):
        raise UsageError(f"{text!r}: {tag!r} is no tag", resolution=f"Use {TAG_RULE}.")
    return name, tag


def _bad_name(name: str, text: str) -> UsageError:
    return UsageError(
        f"{text!r}: {name!r} is no name of an image",
        resolution="Use lower-case letters and digits, divided by . _ - and slashes.",
    )
