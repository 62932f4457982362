"""Read a bundle of any format; a format's reader is loaded when its first bundle is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lapstrake.bundle.base import Bundle, BundleFormat
from lapstrake.bundle.debian_binaries import BuildKind
from lapstrake.bundle.find import BundleLocation
from lapstrake.names import Arch
from lapstrake.source.spec import SourceSpec

if TYPE_CHECKING:
    from lapstrake.bundle.aosc_file import EvaluateInRoot


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """What readers are told besides the architecture; each takes what concerns its format.

    Attributes:
        profiles: Debian's build profiles.
        kind: which of a Debian source's packages are built.
        sources: where a ``.dsc``'s files are, when not next to it.
        maintainer: for native packages whose bundle names none; empty for the built-in one.
        evaluate_in_root: evaluates those files of AOSC bundles that only a shell can read.
        dependency_names: what AOSC's packages are called in the root.
    """

    profiles: tuple[str, ...] = ()
    kind: BuildKind = BuildKind.FULL
    sources: Sequence[SourceSpec] = ()
    maintainer: str = ""
    evaluate_in_root: EvaluateInRoot | None = None
    dependency_names: Mapping[str, str | None] = field(default_factory=dict)


def read(location: BundleLocation, *, arch: Arch, options: ReadOptions | None = None) -> Bundle:
    """Read the bundle at a location.

    Raises:
        BundleError: it is wrong; the brief names file and line.
    """
    return _READERS[location.format](location, arch, options or ReadOptions())


def _read_aosc(location: BundleLocation, arch: Arch, options: ReadOptions) -> Bundle:
    from lapstrake.bundle import aosc

    return aosc.read(
        location.path,
        arch=arch,
        evaluate_in_root=options.evaluate_in_root,
        dependency_names=options.dependency_names,
    )


def _read_debian(location: BundleLocation, arch: Arch, options: ReadOptions) -> Bundle:
    from lapstrake.bundle import debian

    return debian.read(
        location.path,
        arch=arch,
        profiles=options.profiles,
        kind=options.kind,
        sources=options.sources,
    )


def _read_native(location: BundleLocation, arch: Arch, options: ReadOptions) -> Bundle:
    from lapstrake.bundle import native

    if options.maintainer:
        return native.read(location.path, arch=arch, maintainer=options.maintainer)
    return native.read(location.path, arch=arch)


_READERS: Mapping[BundleFormat, Callable[[BundleLocation, Arch, ReadOptions], Bundle]] = {
    BundleFormat.AOSC: _read_aosc,
    BundleFormat.DEBIAN: _read_debian,
    BundleFormat.NATIVE: _read_native,
}
