"""The base OS that is in force."""

from __future__ import annotations

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
