"""Source packages by name, from a branch's own archive: what apt says of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lapstrake.errors import BundleError
from lapstrake.names import Digest
from lapstrake.source.spec import SourceKind, SourceSpec

_PREFIX = "apt:"
_REQUEST = re.compile(r"(?P<name>[a-z0-9][a-z0-9.+-]+)(?:=(?P<version>[0-9][A-Za-z0-9.+:~-]*))?\Z")
_URI = re.compile(r"'(?P<uri>[^']+)' (?P<name>\S+) (?P<size>\d+)(?: (?P<sum>\S+))?\Z")
_ALGORITHMS = {"SHA256": ("sha256", 64), "SHA512": ("sha512", 128)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePackageRequest:
    """A source package to take from a branch's archive: ``apt:NAME`` or ``apt:NAME=VERSION``.

    Attributes:
        name: the source package's name (apt also takes a binary package's).
        version: which version; empty for the newest.
    """

    name: str
    version: str = ""

    @property
    def argument(self) -> str:
        """How apt-get is asked for it, as in ``apt-get source --print-uris ARGUMENT``."""
        return f"{self.name}={self.version}" if self.version else self.name

    def __str__(self) -> str:
        return _PREFIX + self.argument


def is_request(text: str) -> bool:
    """Whether a text asks for a source package by name."""
    return text.startswith(_PREFIX)


def parse_request(text: str) -> SourcePackageRequest:
    """Parse ``apt:NAME[=VERSION]``.

    Raises:
        BundleError: the name or the version is not one.
    """
    match = _REQUEST.match(text.removeprefix(_PREFIX))
    if not is_request(text) or not match:
        raise BundleError(
            f"{text!r} does not name a source package",
            resolution="Write apt:NAME or apt:NAME=VERSION.",
        )
    return SourcePackageRequest(name=match["name"], version=match["version"] or "")


def parse_print_uris(output: str, *, request: SourcePackageRequest) -> tuple[SourceSpec, ...]:
    """Parse what ``apt-get source --download-only --print-uris NAME`` prints.

    Returns:
        the ``.dsc`` first, then the other files.

    Raises:
        BundleError: nothing, or more than one ``.dsc``, was printed; or a line has no strong sum.
    """
    specs = tuple(_specs(output, request))
    descriptions = [spec for spec in specs if spec.name.endswith(".dsc")]
    if len(descriptions) != 1:
        raise BundleError(
            f"{request}: {len(descriptions)} .dsc files were found where one is needed",
            resolution="Check the name, and that the branch's source list has deb-src lines.",
        )
    return tuple(sorted(specs, key=lambda spec: spec is not descriptions[0]))


def _specs(output: str, request: SourcePackageRequest) -> Iterator[SourceSpec]:
    for line in output.splitlines():
        if not line.startswith("'"):
            continue  # notices for people
        match = _URI.match(line.strip())
        if not match or "/" in match["name"]:
            raise BundleError(f"{request}: apt printed a line that is not understood: {line}")
        yield SourceSpec(
            kind=SourceKind.FILE,
            url=match["uri"],
            name=match["name"],
            digest=_digest(match["sum"] or "", line, request),
            origin=str(request),
        )


def _digest(text: str, line: str, request: SourcePackageRequest) -> Digest:
    kind, _, digits = text.partition(":")
    algorithm, length = _ALGORITHMS.get(kind.upper(), ("", 0))
    if not algorithm or not re.fullmatch(rf"[0-9a-f]{{{length}}}", digits):
        raise BundleError(f"{request}: no SHA-256 or SHA-512 sum: {line}")
    return Digest(algorithm, digits)
