"""The layer of what is left of a root when its packages' own files are taken away."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from lapstrake.compose.base import ComposedRoot, How, Package
from lapstrake.compose.content import read_contents
from lapstrake.compose.doubt import Entry, Kind
from lapstrake.errors import ImageError
from lapstrake.formats.keys import Canonical, cache_key
from lapstrake.host.owned import run_module
from lapstrake.image.remainder import Job
from lapstrake.layer.store import Layer
from lapstrake.place.workplace import Workplace

_FORMAT = 3
_KIND = "remainder"


def remainder_of(
    place: Workplace,
    root: ComposedRoot,
    packages: Sequence[Package],
    layers: Mapping[str, Layer],
    *,
    time: int,
) -> Layer:
    """Find or make the last layer of a minimal image.

    Args:
        place: where.
        root: the whole root, which has more packages.
        packages: those of the image.
        layers: their files, by name.
        time: everything in the layer gets this time, seconds since 1970.
    """
    mine = {layer.key for layer in layers.values()}
    added = {package.name for package in root.added} if root.how is How.COMPOSED else set()
    job = Job(
        whole=[str(layer.tree) for layer in root.stack if layer.key not in mine],
        packages=_in_order(root, layers),
        settled=[
            str(layers[package.name].tree) for package in packages if package.name not in added
        ],
        below=[],
        names=[
            name
            for package in packages
            for name in (package.name, f"{package.name}:{package.arch}")
        ],
        time=time,
        target="",
    )
    return _make(place, root, layers, job)


def remainder_over(place: Workplace, root: ComposedRoot, layers: Mapping[str, Layer]) -> Layer:
    """Find or make the last layer of an image on its base OS.

    Args: as of `remainder_of`; the packages are those that were added to it.
    """
    trees = _in_order(root, layers)
    mine = {layer.key for layer in layers.values()}
    job = Job(
        whole=[str(layer.tree) for layer in root.layers if layer.key not in mine],
        packages=trees,
        settled=trees if root.how is How.INSTALLED else [],
        below=[str(layer.tree) for layer in root.branch.layers],
        names=[],
        time=0,
        target="",
    )
    return _make(place, root, layers, job)


def disagree(layers: Iterable[Layer]) -> bool:
    """Whether packages have a folder with different modes or owners."""
    seen: dict[str, Entry] = {}
    return any(
        entry.kind is Kind.FOLDER and seen.setdefault(path, entry) != entry
        for content in read_contents(tuple(layers))
        for path, entry in content.paths.items()
    )


def _in_order(root: ComposedRoot, layers: Mapping[str, Layer]) -> list[str]:
    """The packages' trees, lowest first; those that the branch came with are uppermost."""
    places = {layer.key: number for number, layer in enumerate(root.stack)}
    ordered = sorted(
        layers.items(), key=lambda item: (places.get(item[1].key, len(places)), item[0])
    )
    return [str(layer.tree) for _, layer in ordered]


def _make(place: Workplace, root: ComposedRoot, layers: Mapping[str, Layer], job: Job) -> Layer:
    inputs: dict[str, Canonical] = {
        "format": _FORMAT,
        "root": [layer.key.hex for layer in root.stack],
        "instance": root.branch.instance.key.hex,
        "packages": sorted(layer.key.hex for layer in layers.values()),
        "on base": bool(job.below),
        "time": job.time,
    }

    def fill(tree: Path) -> None:
        file = tree.parent / "job.json"
        file.write_text(json.dumps({**asdict(job), "target": str(tree)}))
        run_module(
            "lapstrake.image.remainder", file, doing="making the last layer", error=ImageError
        )
        file.unlink()

    return place.store.make(
        cache_key(_KIND, inputs),
        kind=_KIND,
        facts=inputs,
        fill=fill,
        on_wait=place.progress.headline,
    )
