"""A base OS for those who need one: loaded first when there is none."""

from __future__ import annotations

from lapstrake.baseos.configured import configured_base
from lapstrake.baseos.current import find_base
from lapstrake.layer.store import Layer
from lapstrake.place.workplace import Workplace


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
