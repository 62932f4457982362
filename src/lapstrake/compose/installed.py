"""Packages as one layer that apt installed in a workspace: what always works."""

from __future__ import annotations

from pathlib import Path

from lapstrake.compose.base import Wanted
from lapstrake.compose.resolution import Resolution
from lapstrake.compose.view import View
from lapstrake.compose.wish import relations_of, satisfy_words
from lapstrake.formats.keys import Canonical, cache_key
from lapstrake.layer.store import Layer


def installed_layer(view: View, wanted: Wanted, resolution: Resolution, *, reason: str) -> Layer:
    """Find or make the layer that apt writes when it fulfils a wish.

    Args:
        view: the branch.
        wanted: the wish.
        resolution: what apt will do.
        reason: why it is not composed; kept with the layer.
    """
    found = find_installed(view, resolution)
    if found is not None:
        return found
    view.place.progress.headline(f"installing {len(resolution.items)} packages by apt: {reason}")

    def fill(tree: Path) -> None:
        with view.change("installed") as apt:
            apt.install(*satisfy_words(wanted))
            apt.get("clean", network=False)
            apt.session.capture(tree)

    inputs = _inputs(view, resolution)
    return view.place.store.make(
        cache_key("installed", inputs),
        kind="installed",
        facts={**inputs, "wanted": relations_of(wanted), "reason": reason},
        fill=fill,
        on_wait=view.place.progress.headline,
    )


def find_installed(view: View, resolution: Resolution) -> Layer | None:
    """That layer, if it is in the store."""
    return view.place.store.find(cache_key("installed", _inputs(view, resolution)))


def _inputs(view: View, resolution: Resolution) -> dict[str, Canonical]:
    return {
        "instance": view.branch.top.hex,
        "packages": [
            [item.name, item.version, item.arch, item.sha256] for item in resolution.items
        ],
        "removed": list(resolution.removed),
    }
