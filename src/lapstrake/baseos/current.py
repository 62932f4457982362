"""The base OS that is in force."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lapstrake.config.model import BaseConfig, BaseMethod, OriginKind
from lapstrake.errors import BaseError
from lapstrake.layer.store import Layer
from lapstrake.place.state import StateFiles
from lapstrake.place.workplace import Workplace


def current_base(place: Workplace) -> Layer:
    """The base OS' layer.

    Raises:
        BaseError: none is loaded, its layer is gone, or it is for another architecture.
    """
    layer = find_base(place)
    if layer is None:
        raise BaseError("no base OS is loaded", resolution="Run `lapstrake load-baseos` first.")
    return layer


def find_base(place: Workplace) -> Layer | None:
    """The base OS' layer, or ``None`` when none is loaded.

    Raises:
        BaseError: it is for another architecture than the configuration's.
    """
    state = StateFiles(place.private).base()
    if state is not None and state.arch != place.config.arch:
        raise BaseError(
            f"the base OS is for {state.arch}, and the configuration's arch is {place.config.arch}",
            resolution="Set another work_dir for each architecture, or load another base OS: "
            "lapstrake load-baseos",
        )
    return place.store.find(state.key) if state else None


def configured_base(place: Workplace) -> BaseConfig:
    """What the configuration says to load.

    As in aoinb, a BuildKit is taken where there is one and nothing else is said: the file
    ``work_dir/buildkit_ARCH.tar.xz``, or the address in ``base.buildkit_url``.
    """
    base = place.config.base
    if place.config.origin("base.method").kind is not OriginKind.DEFAULT:
        return base
    if base.url or base.buildkit_url or buildkit_file(place).is_file():
        return replace(base, method=BaseMethod.TARBALL)
    return base


def buildkit_file(place: Workplace) -> Path:
    """Where aoinb's users put a BuildKit."""
    return place.config.work_dir / f"buildkit_{place.config.arch}.tar.xz"


def ensure_base(place: Workplace) -> Layer:
    """The base OS' layer, loaded first as the configuration says when none is there.

    Raises:
        BaseError: none is loaded, and the configuration does not say which.
    """
    found = find_base(place)
    if found is not None:
        return found
    place.progress.headline("no base OS yet: loading one (once)")
    from lapstrake.baseos.load import load_base  # needed once in the life of a work folder

    return load_base(place, configured_base(place))
