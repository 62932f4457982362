"""A worker's configuration, with what the server decides for all of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lapstrake.config.model import BaseConfig, BaseMethod, Config, Origin, OriginKind
from lapstrake.config.places import LISTS_NAME
from lapstrake.errors import FarmError
from lapstrake.farm.contents.stack import BaseRecipe, ListText, StackDocument
from lapstrake.farm.worker.setup import home_folder
from lapstrake.formats.checksum import parse_digest
from lapstrake.formats.sources_list import ListStyle
from lapstrake.host.files import write_atomic

_BASE = "base"


def configured(config: Config, document: StackDocument) -> Config:
    """The configuration to build with; the branch's source list is written where it says.

    Args:
        config: the worker's own.
        document: of the branch.

    Raises:
        FarmError: the server tells what this version does not know.
        UsageError: what it calls the branch is no branch's name.
    """
    work_dir = home_folder(config)
    folder = work_dir / "branches"
    if document.listed is None:
        raise FarmError(f"the server tells no source list of {document.branch}")
    _write_list(folder / LISTS_NAME, document.name.text, document.listed)
    settings, base = document.settings, config.base
    if settings.base is not None:
        base = _base_config(settings.base, work_dir)
    said = Origin(kind=OriginKind.FILE, place="the server")
    return replace(
        config,
        work_dir=work_dir,
        folder=folder,
        base=base,
        build=replace(config.build, maintainer=settings.maintainer),
        dependency_names=settings.dependency_names,
        origins={**config.origins, "base.method": said},
    )


def _base_config(recipe: BaseRecipe, folder: Path) -> BaseConfig:
    if recipe.method not in set(BaseMethod):
        raise FarmError(
            f"the server makes its base OS by {recipe.method!r}, which is unknown here",
            resolution="Bring worker and server to one version.",
        )
    listed = _write_list(folder, _BASE, recipe.listed) if recipe.listed else None
    return BaseConfig(
        method=BaseMethod(recipe.method),
        suite=recipe.suite,
        variant=recipe.variant,
        packages=recipe.packages,
        url=recipe.url,
        checksum=parse_digest(recipe.checksum) if recipe.checksum else None,
        source_list=listed,
    )


def _write_list(folder: Path, name: str, listed: ListText) -> Path:
    """Have a source list as a file, and no other one of its name."""
    if listed.style not in set(ListStyle):
        raise FarmError(
            f"the server's source list of {name} is of an unknown style, {listed.style!r}",
            resolution="Bring worker and server to one version.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.{listed.style}"
    if not file.exists() or file.read_text("utf-8") != listed.text:
        write_atomic(file, listed.text.encode())
    for style in ListStyle:
        if style != listed.style:
            (folder / f"{name}.{style}").unlink(missing_ok=True)
    return file
