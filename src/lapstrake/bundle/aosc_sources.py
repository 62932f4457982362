"""The sources of an AOSC spec: SRCS and CHKSUMS, and the older pairs of variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from lapstrake.bundle.aosc_file import AssignmentFile
from lapstrake.errors import BundleError
from lapstrake.formats.checksum import parse_digest
from lapstrake.names import Digest
from lapstrake.source.spec import VERSION_CONTROL, SourceKind, SourceSpec, Submodules

_KINDS: Mapping[str, SourceKind] = {
    "tbl": SourceKind.ARCHIVE,
    "tarball": SourceKind.ARCHIVE,
    "file": SourceKind.FILE,
    "git": SourceKind.GIT,
    "svn": SourceKind.SVN,
    "hg": SourceKind.HG,
    "bzr": SourceKind.BZR,
    "fossil": SourceKind.FOSSIL,
    "pypi": SourceKind.PYPI,
    "npm": SourceKind.NPM,
}
_NO_SOURCE = "none"

_PINNED_BY_VERSION = VERSION_CONTROL | {SourceKind.PYPI, SourceKind.NPM}
_UNPACKED = frozenset({SourceKind.ARCHIVE, SourceKind.PYPI, SourceKind.NPM})
_LOOKS_LIKE_ARCHIVE = re.compile(r"\.(?:tar|cpio)\.[a-z0-9]", re.IGNORECASE)
_SAFE_NAME = re.compile(r"[^-/\x00-\x1f\x7f][^/\x00-\x1f\x7f]{0,199}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Legacy:
    """One of the older pairs: the variables for the address, what pins it, and the branch."""

    address: str
    pin: str
    branch: str = ""
    kind: SourceKind


_LEGACY = (
    _Legacy(address="SRCTBL", pin="CHKSUM", kind=SourceKind.ARCHIVE),
    _Legacy(address="GITSRC", pin="GITCO", branch="GITBRCH", kind=SourceKind.GIT),
    _Legacy(address="SVNSRC", pin="SVNCO", kind=SourceKind.SVN),
    _Legacy(address="HGSRC", pin="HGCO", kind=SourceKind.HG),
    _Legacy(address="BZRSRC", pin="BZRCO", kind=SourceKind.BZR),
    _Legacy(address="FSLSRC", pin="FSLCO", kind=SourceKind.FOSSIL),
)


def read_sources(spec: AssignmentFile, *, name: str, version: str) -> tuple[SourceSpec, ...]:
    """Read what a spec fetches, in order.

    Args:
        spec: the spec.
        name: the bundle's name, which names what has no name of its own.
        version: VER.

    Raises:
        BundleError: there are no sources and no DUMMYSRC, the numbers of SRCS and CHKSUMS differ,
            or an item is wrong; the brief names file, line and item.
    """
    if spec.is_true("DUMMYSRC"):
        return ()
    items = spec.words("SRCS")
    if not items:
        return _legacy_source(spec, name=name, version=version)
    sums = spec.words("CHKSUMS")
    if not sums:
        raise BundleError(
            f"{spec.at('SRCS')}: there are SRCS, but no CHKSUMS",
            resolution="Add CHKSUMS with one ALGORITHM::HEX (or SKIP, for git and the like) each.",
        )
    if len(items) != len(sums):
        raise BundleError(
            f"{spec.at('CHKSUMS')}: {len(items)} SRCS, but {len(sums)} CHKSUMS",
            resolution="Write one checksum for each source, in the same order.",
        )
    found = []
    for index, (item, checksum) in enumerate(zip(items, sums, strict=True)):
        names = _Names(name=name, version=version, index=index)
        source = _read_item(item, checksum, names, spec)
        if source is not None:
            found.append(source)
    _check_names(found, spec)
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    """How sources are called in the workspace."""

    name: str
    version: str
    index: int

    def of(self, kind: SourceKind, url: str, options: Mapping[str, str], origin: str) -> str:
        """The name: by version for what is unpacked, as scripts expect for the rest."""
        number = f"-{self.index}" if self.index else ""
        if kind in _UNPACKED:
            return f"{self.version}{number}.bin"
        by_address = options.get("use-url-name", "").lower() == "true"
        rename = options.get("rename", "")
        if rename and by_address:
            raise BundleError(f"{origin}: rename and use-url-name=true exclude each other")
        basename = _last_part(url, origin)
        if rename or by_address:
            return _safe(rename or basename, origin)
        suffix = _suffix(basename) if kind is SourceKind.FILE else ""
        return _safe(f"{self.name}-{self.version}{number}{suffix}", origin)


def _read_item(item: str, checksum: str, names: _Names, spec: AssignmentFile) -> SourceSpec | None:
    origin = spec.at("SRCS")
    kind, options, url = _split(item, origin)
    if kind is None:
        return None
    if not url:
        raise BundleError(f"{origin}: {item!r} has no address")
    revision = options.get("commit") or options.get("version") or ""
    if kind in _PINNED_BY_VERSION and not revision:
        word = "commit" if kind in VERSION_CONTROL else "version"
        raise BundleError(
            f"{origin}: {item!r} says no {word}",
            resolution=f"Pin it: {kind}::{word}=...::{url}",
        )
    return SourceSpec(
        kind=kind,
        url=url,
        name=names.of(kind, url, options, origin),
        digest=_read_checksum(checksum, kind, item, spec.at("CHKSUMS")),
        revision=revision if kind in _PINNED_BY_VERSION else "",
        branch=options.get("branch", ""),
        submodules=_submodules(options.get("submodule", "recursive"), origin),
        keep_repository=options.get("copy-repo", "").lower() == "true",
        origin=origin,
    )


def _split(item: str, origin: str) -> tuple[SourceKind | None, dict[str, str], str]:
    """Split ``[TYPE::[OPTIONS::]]ADDRESS``; no kind means that nothing is fetched."""
    match item.split("::", 2):
        case [url]:
            return _inferred_kind(url, origin), {}, url
        case [type_name, url]:
            return _kind(type_name, item, origin), {}, url
        case [type_name, options, url]:
            return _kind(type_name, item, origin), _read_options(options, item, origin), url
    raise AssertionError("a string splits into one to three parts")


def _kind(type_name: str, item: str, origin: str) -> SourceKind | None:
    lower = type_name.strip().lower()
    if lower == _NO_SOURCE:
        return None
    if lower not in _KINDS:
        raise BundleError(
            f"{origin}: {item!r}: the source type {type_name!r} is unknown",
            resolution=f"Use one of: {', '.join(sorted(_KINDS))}, {_NO_SOURCE}.",
        )
    return _KINDS[lower]


def _inferred_kind(url: str, origin: str) -> SourceKind:
    if url.endswith(".git") or url.startswith("git://"):
        return SourceKind.GIT
    if _LOOKS_LIKE_ARCHIVE.search(url):
        return SourceKind.ARCHIVE
    raise BundleError(
        f"{origin}: {url!r} does not tell what it is",
        resolution=f"Write the type before it: tbl::{url} (an archive) or file::{url}",
    )


def _read_options(text: str, item: str, origin: str) -> dict[str, str]:
    """Read ``key=value;key=value``; keys that mean nothing here are kept, and ignored."""
    options: dict[str, str] = {}
    for pair in filter(None, text.split(";")):
        key, equals, value = pair.partition("=")
        if not equals:
            raise BundleError(
                f"{origin}: {item!r}: the option {pair!r} has no value",
                resolution="Write options as key=value, joined by semicolons.",
            )
        options[key.strip().lower()] = value.strip()
    return options


def _submodules(text: str, origin: str) -> Submodules:
    try:
        return Submodules(text.lower())
    except ValueError:
        raise BundleError(
            f"{origin}: submodule={text} is not known",
            resolution=f"Use one of: {', '.join(Submodules)}.",
        ) from None


def _read_checksum(text: str, kind: SourceKind, item: str, origin: str) -> Digest | None:
    # Some write ``sha256::skip``; for version control, which a revision pins, that is clear enough.
    skips = text.upper() == "SKIP" or (text.upper().endswith("::SKIP") and kind in VERSION_CONTROL)
    if skips:
        if kind in VERSION_CONTROL:
            return None
        raise BundleError(
            f"{origin}: SKIP, but {item!r} is not pinned by a revision",
            resolution="Write its checksum; SKIP is for git, svn, hg, bzr and fossil.",
        )
    if not re.fullmatch(r"[^:]+::[^:]+", text):
        raise BundleError(
            f"{origin}: {text!r} is not a checksum",
            resolution="Write ALGORITHM::HEX, such as sha256::0123...",
        )
    return parse_digest(text, origin=origin)


def _legacy_source(spec: AssignmentFile, *, name: str, version: str) -> tuple[SourceSpec, ...]:
    """Read the first of the older pairs that is there."""
    for pair in _LEGACY:
        address, pin = spec.string(pair.address), spec.string(pair.pin)
        branch = spec.string(pair.branch) if pair.branch else ""
        if not address and not pin:
            continue
        if not address or not (pin or branch):
            there, missing = (pair.address, pair.pin) if address else (pair.pin, pair.address)
            raise BundleError(
                f"{spec.at(there)}: {there} without {missing}", resolution=f"Set {missing} too."
            )
        origin = spec.at(pair.address)
        names = _Names(name=name, version=version, index=0)
        archive = pair.kind is SourceKind.ARCHIVE
        return (
            SourceSpec(
                kind=pair.kind,
                url=address,
                name=names.of(pair.kind, address, {}, origin),
                digest=_read_checksum(pin, pair.kind, address, spec.at(pair.pin))
                if archive
                else None,
                revision="" if archive else pin or branch,
                branch=branch,
                origin=origin,
            ),
        )
    raise BundleError(
        f"{spec.origin}: there are no sources",
        resolution="Set SRCS and CHKSUMS, or DUMMYSRC=1 when nothing is to be fetched.",
    )


def unpinned_branch(spec: AssignmentFile) -> str:
    """The branch that a legacy spec follows without naming a commit; empty when it is pinned."""
    if spec.words("SRCS") or not spec.string("GITSRC") or spec.string("GITCO"):
        return ""
    return spec.string("GITBRCH")


def _last_part(url: str, origin: str) -> str:
    """The name of the file that an address leads to."""
    try:
        path = urlsplit(url).path
    except ValueError as problem:
        raise BundleError(f"{origin}: {url!r} is not an address: {problem}") from problem
    return PurePosixPath(unquote(path)).name


def _suffix(basename: str) -> str:
    """The end of a file's name that tells its kind, ``.tar.gz`` included."""
    match = re.search(r"(?:\.tar)?\.[A-Za-z][A-Za-z0-9]{0,9}\Z", basename)
    return match.group() if match else ""


def _safe(name: str, origin: str) -> str:
    if not _SAFE_NAME.match(name) or name in (".", ".."):
        raise BundleError(
            f"{origin}: {name!r} cannot be the name of a file", resolution="Use rename=NAME."
        )
    return name


def _check_names(sources: list[SourceSpec], spec: AssignmentFile) -> None:
    seen: set[str] = set()
    for source in sources:
        if source.name in seen:
            raise BundleError(
                f"{spec.at('SRCS')}: two sources would be called {source.name!r}",
                resolution="Give one of them another name with rename=NAME.",
            )
        seen.add(source.name)
