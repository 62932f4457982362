"""The files of packages, kept by their SHA-256: from the archive once, or from the branch's own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from lapstrake.branch.instance import Branch
from lapstrake.compose.base import Package
from lapstrake.compose.resolution import Item
from lapstrake.compose.resolve import look_up
from lapstrake.compose.unpack import PackageFile, aliases_of, package_key, unpack_layers
from lapstrake.compose.view import View
from lapstrake.errors import ChecksumError, DependencyError
from lapstrake.formats.keys import cache_key
from lapstrake.host import files
from lapstrake.layer.store import Layer
from lapstrake.names import GuestPath
from lapstrake.place.answers import recall, remember
from lapstrake.place.apt import OPTIONS
from lapstrake.place.kept import held_packages
from lapstrake.place.workplace import Workplace
from lapstrake.repository.flat import Repository
from lapstrake.repository.shelf import file_sum

_DOWNLOADS = GuestPath("/var/lib/lapstrake/downloads")
# apt gives up its rights for downloads, so the folder is its user's, where there is one.
_DOWNLOAD = f"""mkdir -p {_DOWNLOADS}
chown _apt {_DOWNLOADS} 2>/dev/null || :
cd {_DOWNLOADS}
exec apt-get "$@"
"""


def package_layers(
    place: Workplace, branch: Branch, repository: Repository, packages: Sequence[Package]
) -> Mapping[str, Layer]:
    """Find or make the layers of packages: each its files, unpacked once.

    Args:
        place: where.
        branch: in whose root they are unpacked, and whose apt knows where they come from.
        repository: the branch's own packages.
        packages: which; packages that the branch itself came with are fetched too.

    Returns:
        the layers by the packages' names.

    Raises:
        DependencyError: the archive has one of them no longer, or it is not sound.
        ChecksumError: a file is not what apt's index says.
    """
    view = View(place=place, branch=branch, repository=repository)
    unknown = [package for package in packages if not package.sha256]
    sums = {package.name: package.sha256 for package in packages} | _sums(view, unknown)
    items = [
        Item(
            name=package.name,
            version=package.version,
            arch=package.arch,
            sha256=sums[package.name],
        )
        for package in packages
    ]
    layers = layers_of(view, items)
    return {item.name: layer for item, layer in zip(items, layers, strict=True)}


def layers_of(view: View, items: Sequence[Item]) -> tuple[Layer, ...]:
    """Find or make the layers of package files, in their order."""
    found = known_layers(view, items)
    missing = [item for item, layer in zip(items, found, strict=True) if layer is None]
    made: Mapping[str, Layer] = {}
    if missing:
        with held_packages(view.place) as folder:
            made = unpack_layers(view.place, view.branch, _fetch_files(view, missing, folder))
    return tuple(layer or made[item.sha256] for item, layer in zip(items, found, strict=True))


def known_layers(view: View, items: Sequence[Item]) -> tuple[Layer | None, ...]:
    """Those layers as far as they are in the store."""
    aliases = aliases_of(view.branch)
    return tuple(view.place.store.find(package_key(item.sha256, aliases)) for item in items)


def _fetch_files(view: View, items: Sequence[Item], folder: Path) -> tuple[PackageFile, ...]:
    """Find package files among those that are kept, or fetch and verify them.

    Raises:
        DependencyError: the archive has one of them no longer.
        ChecksumError: a file is not what apt's index says.
    """
    missing = {item.sha256: item for item in items if not _is_kept(folder, item.sha256)}
    if missing:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            _gather(view, list(missing.values()), Path(scratch))
            _keep(folder, missing, Path(scratch))
    return tuple(
        PackageFile(
            path=_kept(folder, item.sha256),
            sha256=item.sha256,
            facts={"name": item.name, "version": item.version, "arch": item.arch},
        )
        for item in items
    )


def _gather(view: View, items: Sequence[Item], scratch: Path) -> None:
    """Copy files from the branch's own repository, and download the rest."""
    own = {entry.sha256: entry.location for entry in view.repository.packages()}
    for item in items:
        if item.sha256 in own:
            source = view.repository.path / own[item.sha256]
            files.copy_atomic(source, scratch / f"{item.sha256}.deb", durable=False)
    foreign = [item.exactly for item in items if item.sha256 not in own]
    if not foreign:
        return
    view.place.progress.headline(f"downloading {len(foreign)} packages")
    with view.ask("download", heard=True) as apt:
        command = ("sh", "-c", _DOWNLOAD, "apt-get download", *OPTIONS, "download", *foreign)
        apt.run(command, network=True)
        apt.session.get(_DOWNLOADS, scratch)


def _keep(folder: Path, wanted: Mapping[str, Item], scratch: Path) -> None:
    """Verify files, flush them all at once, and only then give them their names."""
    found: dict[str, Path] = {}
    for path in scratch.iterdir():
        found[file_sum(path)] = path
    for sha256, item in wanted.items():
        if sha256 not in found:
            raise ChecksumError(
                f"the file of {item.name} {item.version} is not the one of apt's index",
                details=f"expected sha256:{sha256}\nfound " + " ".join(sorted(found)),
                resolution="Run `lapstrake branch refresh`, then try again.",
            )
    files.sync_filesystem(scratch)
    for sha256 in wanted:
        found[sha256].chmod(0o644)
        os.utime(found[sha256])  # apt gives it the time it has in the archive
        found[sha256].replace(_kept(folder, sha256))


def _kept(folder: Path, sha256: str) -> Path:
    return folder / f"{sha256}.deb"


def _is_kept(folder: Path, sha256: str) -> bool:
    """Whether a file is there as it should be; what a disk made of it meanwhile is fetched anew."""
    path = _kept(folder, sha256)
    if not (path.exists() and file_sum(path) == sha256):
        return False
    os.utime(path)  # used now
    return True


def _sums(view: View, packages: Sequence[Package]) -> dict[str, str]:
    """What apt's index says of packages whose files are not known yet; remembered."""
    if not packages:
        return {}
    names = sorted(_exactly(package) for package in packages)
    question = cache_key(
        "package-files",
        {
            "instance": view.branch.top.hex,
            "repository": str(view.repository.state()),
            "names": names,
        },
    )
    known: dict[str, str] | None = recall(view.place, question)
    if known is None:
        with view.ask("look-up") as apt:
            found = look_up(apt, names)
        known = {item.name: item.sha256 for item in found.values()}
        remember(view.place, question, known)
    lost = [package.id for package in packages if package.name not in known]
    if lost:
        raise DependencyError(f"apt's index does not have {', '.join(lost)}")
    return known


def _exactly(package: Package) -> str:
    return Item(name=package.name, version=package.version, arch=package.arch).exactly
