"""AOSC bundles in roots that are not AOSC's: other names, and tools that AOSC OS takes for granted.

The tables are data of the toolbox (``toolbox/tools.toml``); the configuration's
``[dependency_names]`` adds to them. A root that has AOSC's own ``autobuild`` needs none of it.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import lapstrake
from lapstrake.errors import BundleError

_TABLES = Path(lapstrake.__file__).with_name("toolbox") / "tools.toml"
_AUTOBUILD = ("usr/bin/autobuild", "usr/bin/ab4")


@functools.cache
def _tables() -> dict[str, Any]:
    return tomllib.loads(_TABLES.read_text())


def is_aosc(trees: Iterable[Path]) -> bool:
    """Whether a stack has AOSC's own build program."""
    return any((tree / name).exists() for tree in trees for name in _AUTOBUILD)


def build_names(
    configured: Mapping[str, str], *, own: Collection[str] = ()
) -> dict[str, str | None]:
    """AOSC's name of a build dependency → Debian's, written as in Build-Depends; empty to drop.

    Args:
        configured: the configuration's names, which win.
        own: packages that the branch has built itself: they are called by AOSC's names.
    """
    tables = _tables()["names"]
    return {**_without({**tables["run"], **tables["build"]}, own), **configured}


def run_names(configured: Mapping[str, str], *, own: Collection[str] = ()) -> dict[str, str]:
    """AOSC's name of a run-time dependency → Debian's; otherwise as `build_names`."""
    return {**_without(_tables()["names"]["run"], own), **configured}


def templates() -> Collection[str]:
    """The names of the build templates that there are."""
    names: Collection[str] = _tables()["templates"]
    return names


def is_template(text: str) -> bool:
    """Whether a word names a build template."""
    return text in _tables()["templates"]


def template_packages(templates: Iterable[str]) -> tuple[str, ...]:
    """The Debian packages that templates need, sorted.

    Raises:
        BundleError: there is no such template.
    """
    tables = _tables()
    needed = set(tables["always"])
    for template in templates:
        if template not in tables["templates"]:
            raise BundleError(
                f"{template!r} is no build template",
                resolution=f"There are: {', '.join(sorted(tables['templates']))}.",
            )
        needed.update(tables["templates"][template])
    return tuple(sorted(needed))


def _without(names: Mapping[str, str], own: Collection[str]) -> dict[str, str]:
    return {ours: theirs for ours, theirs in names.items() if ours not in own}
