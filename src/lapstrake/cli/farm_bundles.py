"""From what a user types to what the farm builds: bundles here, in a tree, or in an archive."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lapstrake.errors import BundleError, ProjectError

if TYPE_CHECKING:
    from lapstrake.cli.context import AppContext
    from lapstrake.farm.client.farm import Farm
    from lapstrake.farm.values.tasks import TaskSpec

_PATHS = ("/", "./", "../", "~")


def with_bundle(app: AppContext, farm: Farm, spec: TaskSpec, text: str) -> TaskSpec:
    """A spec that builds what the user named; what is here is sent, unless the server has it.

    Args:
        app: for the configured trees.
        farm: the server.
        spec: all but the bundle.
        text: a folder, an archive of one, a ``.dsc``, ``apt:NAME[=VERSION]``, or a name in a tree
            here or on the server.

    Raises:
        BundleError: it is a path where no bundle is.
    """
    from lapstrake.bundle.debian_uris import SourcePackageRequest
    from lapstrake.bundle.find import find

    path = Path(text)
    if _is_archive(path):
        return farm.tasks.with_bundle(spec, path)
    try:
        found = find(text, trees=app.config.tree, cwd=Path.cwd())
    except BundleError:
        if text.startswith(_PATHS) or path.exists():
            raise
        return replace(spec, source=text, name=text)  # the server's trees may have it
    if isinstance(found, SourcePackageRequest):
        return replace(spec, source=text, name=found.name)
    name = found.address or found.path.name
    if found.path.suffix == ".dsc":
        name = found.path.name.partition("_")[0]
    with _folder_of(found.path) as folder:
        return farm.tasks.with_bundle(replace(spec, name=name), folder)


def refuse_absent(folder: Path, package: str) -> None:
    """Refuse to send a project without what it needs of this machine.

    Args:
        folder: what is to be sent.
        package: what is to be built: the folder's own, or in a folder of that name.

    Raises:
        ProjectError: there is no sound manifest, or a package that it needs is elsewhere.
    """
    from lapstrake.artifact.manifest.base import FILE_NAME
    from lapstrake.artifact.manifest.read import read_manifest

    own = (folder / FILE_NAME).exists() or not (folder / package / FILE_NAME).exists()
    manifest = read_manifest(folder if own else folder / package)
    sent = folder.resolve()
    for need in manifest.dependencies:
        if isinstance(need.source, Path) and not need.source.resolve().is_relative_to(sent):
            raise ProjectError(
                f"{manifest.name} needs {need.name}, which is not in {folder}",
                resolution=f"Send the folder that has both: lapstrake task submit "
                f"{folder}/.. --artifact {package}",
            )


def _is_archive(path: Path) -> bool:
    """Whether a path is a file that stands for no folder."""
    return path.is_file() and path.suffix != ".dsc" and path.name not in {"spec", "lapstrake.toml"}


@contextmanager
def _folder_of(path: Path) -> Iterator[Path]:
    """A bundle's folder; for a ``.dsc``, one with it and the files that it lists alone."""
    if path.is_dir():
        yield path
        return
    from lapstrake.bundle.debian_dsc import local_sources, read_description

    sources = local_sources(path, read_description(path))
    with tempfile.TemporaryDirectory(prefix="lapstrake-") as made:
        folder = Path(made) / path.stem
        folder.mkdir()
        for source in sources:  # the .dsc is one of them
            shutil.copy2(path.with_name(source.name), folder / source.name)
        yield folder
