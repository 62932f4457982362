"""The branches: ``source_lists/BRANCH.list`` or ``BRANCH.sources``, or the built-in one."""

from __future__ import annotations

from pathlib import Path

from lapstrake.config.host_apt import host_vendor_entries
from lapstrake.config.places import LISTS_NAME
from lapstrake.errors import BranchError, ConfigError, UsageError
from lapstrake.formats.sources_list import ListStyle, SourceList, parse, render
from lapstrake.names import BranchName

BUILT_IN = BranchName("stable")
"""The branch there is without any configuration."""


def all_branches(folder: Path | None) -> dict[BranchName, SourceList]:
    """Every branch of a configuration's folder, sorted by name.

    Args:
        folder: the folder, or ``None`` for the built-in configuration.

    Raises:
        ConfigError: a list is wrong, or a file's name names no branch.
    """
    found, wrong = usable_branches(folder)
    for error in wrong.values():
        raise error
    return found


def usable_branches(
    folder: Path | None,
) -> tuple[dict[BranchName, SourceList], dict[str, ConfigError]]:
    """The branches whose lists are right, and what is wrong with the others, sorted by name.

    Args:
        folder: the folder, or ``None`` for the built-in configuration.

    Raises:
        ConfigError: the folder of lists cannot be read.
    """
    found: dict[BranchName, SourceList] = {}
    wrong: dict[str, ConfigError] = {}
    if folder is None:
        found[BUILT_IN] = built_in_list()
        return found, wrong
    for stem in dict.fromkeys(path.stem for path in list_files(folder)):
        try:
            found[BranchName(stem)] = one_branch(folder, BranchName(stem))
        except UsageError as error:
            file = next(path for path in list_files(folder) if path.stem == stem)
            wrong[stem] = ConfigError(f"{file}: {error.brief}", resolution="Rename the file.")
        except ConfigError as error:
            wrong[stem] = error
    return found, wrong


def one_branch(folder: Path | None, name: BranchName) -> SourceList:
    """One branch's list; the other branches' are not looked at.

    Raises:
        BranchError: there is no such branch.
        ConfigError: its list is wrong, or there are two.
    """
    if folder is None:
        if name == BUILT_IN:
            return built_in_list()
        raise BranchError(
            f"there is no branch {str(name)!r}: without a configuration there is only {BUILT_IN}",
            resolution=f"Run `lapstrake config init`, then create {LISTS_NAME}/{name}.sources.",
        )
    lists = folder / LISTS_NAME
    paths = [path for path in (lists / f"{name}.{style}" for style in ListStyle) if path.exists()]
    if not paths:
        others = ", ".join(sorted({path.stem for path in _list_files(lists)})) or "none"
        raise BranchError(
            f"there is no branch {str(name)!r} in {folder}",
            details=f"branches there: {others}",
            resolution=f"`lapstrake branch add {name}` makes it, with this machine's suites; "
            f"or create {lists / f'{name}.list'} or {lists / f'{name}.sources'}.",
        )
    if len(paths) > 1:
        raise ConfigError(
            f"{paths[0]} and {paths[1]} are both there", resolution="Remove one of them."
        )
    return _read_list(paths[0])


def list_files(folder: Path) -> tuple[Path, ...]:
    """The files of a configuration's folder that list branches, sorted; they are not read.

    Raises:
        ConfigError: their folder cannot be read.
    """
    return tuple(_list_files(folder / LISTS_NAME))


def built_in_list() -> SourceList:
    """The host vendor's own suites; without entries when the host has none of them."""
    entries = host_vendor_entries()
    return SourceList(
        entries=entries,
        text=render(entries, style=ListStyle.DEB822),
        style=ListStyle.DEB822,
        origin="the host's apt configuration" if entries else "the base OS",
    )


def _read_list(path: Path) -> SourceList:
    style = ListStyle.of(path) or ListStyle.ONE_LINE
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "this is not UTF-8"
        raise ConfigError(f"{path}: {reason}") from error
    entries = parse(text, origin=str(path), style=style)
    return SourceList(entries=entries, text=text, style=style, origin=str(path))


def _list_files(lists: Path) -> list[Path]:
    """The files of a folder that apt would read as lists, sorted; none when it is missing."""
    try:
        paths = list(lists.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(f"{lists}: {error.strerror}") from error
    return sorted(p for p in paths if ListStyle.of(p) and not p.name.startswith("."))
