"""Read a bundle of any format; a format's reader is loaded when its first bundle is read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lapstrake.bundle.base import Bundle, BundleFormat
from lapstrake.bundle.debian_binaries import BuildKind
from lapstrake.bundle.find import BundleLocation
from lapstrake.host.files import read_regular
from lapstrake.names import Arch
from lapstrake.source.spec import SourceSpec

if TYPE_CHECKING:
    from lapstrake.bundle.aosc_file import EvaluateInRoot

_LONGEST = 16 << 20  # bytes


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
        templates: AOSC's templates that there are.
        records: a folder where bundles that are slow to read are remembered.
        crossed: whether the architecture is another one than the root's.
    """

    profiles: tuple[str, ...] = ()
    kind: BuildKind = BuildKind.FULL
    sources: Sequence[SourceSpec] = ()
    maintainer: str = ""
    evaluate_in_root: EvaluateInRoot | None = None
    dependency_names: Mapping[str, str | None] = field(default_factory=dict)
    templates: Collection[str] = ()
    records: Path | None = None
    crossed: bool = False


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
        templates=options.templates,
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
    file = location.path / "lapstrake.toml"

    def read_now() -> Bundle:
        from lapstrake.bundle import native

        maintainer = {"maintainer": options.maintainer} if options.maintainer else {}
        return native.read(location.path, arch=arch, crossed=options.crossed, **maintainer)

    if options.records is None:
        return read_now()
    try:
        text = read_regular(file, limit=_LONGEST)
    except OSError:
        return read_now()  # which says what is wrong
    from lapstrake.host.record import reader_version, remembered

    inputs = {"path": str(location.path), "arch": str(arch), "maintainer": options.maintainer}
    inputs |= {"crossed": "yes"} if options.crossed else {}
    encoded = {name: value.encode() for name, value in inputs.items()}
    encoded |= {"file": text, "reader": reader_version(Path(__file__).parent)}
    return remembered(Bundle, options.records, inputs=encoded, read=read_now)


_READERS: Mapping[BundleFormat, Callable[[BundleLocation, Arch, ReadOptions], Bundle]] = {
    BundleFormat.AOSC: _read_aosc,
    BundleFormat.DEBIAN: _read_debian,
    BundleFormat.NATIVE: _read_native,
}
