"""The base OS that is in force."""

from __future__ import annotations

from lapstrake.config.model import BaseMethod
from lapstrake.errors import BaseError
from lapstrake.layer.store import Layer
from lapstrake.place.state import StateFiles
from lapstrake.place.workplace import Workplace


def current_base(place: Workplace) -> Layer:
    """The base OS' layer.

    Raises:
        BaseError: none is loaded, or its layer is gone.
    """
    state = StateFiles(place.private).base()
    layer = place.store.find(state.key) if state else None
    if layer is None:
        raise BaseError("no base OS is loaded", resolution="Run `lapstrake load-baseos` first.")
    return layer


def ensure_base(place: Workplace) -> Layer:
    """The base OS' layer, bootstrapped first where the configuration says how and none is there.

    Raises:
        BaseError: none is loaded and it is not ours to choose one.
    """
    try:
        return current_base(place)
    except BaseError:
        if place.config.base.method is not BaseMethod.DEBOOTSTRAP:
            raise
    place.progress.headline("no base OS yet: bootstrapping one (once)")
    from lapstrake.baseos.load import load_base  # needed once in the life of a work folder

    return load_base(place, place.config.base)
