"""The ``[[source]]`` tables of a native bundle as sources to fetch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from lapstrake.names import Digest
from lapstrake.source.spec import SourceKind, SourceSpec, Submodules

if TYPE_CHECKING:
    from lapstrake.bundle.native_model import NativeBundle, Source

_REFERENCE = re.compile(r"\$\{([^}]*)\}?")


def substitute(text: str, variables: Mapping[str, str]) -> str:
    """Replace ``${name}`` and ``${version}``; a ``$`` without a brace stands for itself.

    Raises:
        ValueError: another variable, or a brace that is not closed.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in variables or not match[0].endswith("}"):
            known = " and ".join(f"${{{name}}}" for name in variables)
            raise ValueError(f"{match[0]!r} is unknown here: only {known} can be used")
        return variables[match[1]]

    return _REFERENCE.sub(value, text)


def source_specs(bundle: NativeBundle, *, origin: str) -> tuple[SourceSpec, ...]:
    """Read all ``[[source]]`` tables.

    Archives are called ``<version>.bin``, ``<version>-1.bin`` and so on unless they have a name;
    files and checkouts are called after the last part of their address.

    Args:
        bundle: the bundle.
        origin: the file's name, for messages.

    Raises:
        ValueError: a text holds an unknown variable, or a name is no plain name; its ``args[1]``
            is the location in the file.
    """
    return tuple(_specs(bundle, origin))


def _specs(bundle: NativeBundle, origin: str) -> Iterator[SourceSpec]:
    variables = {"name": bundle.package.name, "version": bundle.package.version}
    archives = 0
    for position, source in enumerate(bundle.source):
        kind = _kind(source)
        texts = {
            key: _filled(source, key, position, variables)
            for key in (source.kind, "name", "path", "revision", "tag", "branch")
        }
        name = texts["name"]
        if kind in (SourceKind.ARCHIVE, SourceKind.PYPI, SourceKind.NPM):
            name = name or f"{variables['version']}{f'-{archives}' if archives else ''}.bin"
            archives += 1
        name = name or _last_part(texts[source.kind])
        if "/" in name or name in ("", ".", ".."):
            raise ValueError(f"{name!r} is not a plain name", ("source", position, "name"))
        yield SourceSpec(
            kind=kind,
            url=texts[source.kind],
            name=name,
            digest=_digest(source),
            revision=texts["revision"] or texts["tag"] or _index_version(kind, variables),
            branch=texts["branch"],
            submodules=Submodules.RECURSIVE if source.submodules else Submodules.NONE,
            origin=f"{origin}: source {position + 1}",
            path=texts["path"],
        )


def _filled(source: Source, key: str, position: int, variables: Mapping[str, str]) -> str:
    try:
        return substitute(getattr(source, key) or "", variables)
    except ValueError as wrong:
        raise ValueError(str(wrong), ("source", position, key)) from wrong


def _kind(source: Source) -> SourceKind:
    if source.kind == "url":
        return SourceKind.ARCHIVE if source.unpack else SourceKind.FILE
    return SourceKind(source.kind)


def _digest(source: Source) -> Digest | None:
    if source.sha256:
        return Digest("sha256", source.sha256)
    return Digest("sha512", source.sha512) if source.sha512 else None


def _index_version(kind: SourceKind, variables: Mapping[str, str]) -> str:
    """The package's own version is what a source on PyPI or npm has, unless it says otherwise."""
    return variables["version"] if kind in (SourceKind.PYPI, SourceKind.NPM) else ""


def _last_part(address: str) -> str:
    path = unquote(urlsplit(address).path).rstrip("/")
    return path.rpartition("/")[2].removesuffix(".git")
