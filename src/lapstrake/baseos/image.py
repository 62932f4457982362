"""A base OS from an OCI image: a layout on disk, or whatever skopeo can reach.

The image's layers are unpacked over each other, deletion marks applied (OCI image specification
1.1, "Image Layer Filesystem Changeset"), since a base OS is one layer of ours.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lapstrake.baseos.changeset import Deletions, LinkMap
from lapstrake.baseos.tarball import check_root, extract_tar, list_members
from lapstrake.errors import BaseError
from lapstrake.host import owned
from lapstrake.host.process import require_program, run
from lapstrake.names import Arch

_INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_COPY_SECONDS = 3600
_AT_A_TIME = 500  # paths on one command line
_EMPTY = '[ -L "$1" ] || [ ! -d "$1" ] || find "$1" -mindepth 1 -delete'
_GOARCH = {Arch.ARMHF: "arm", Arch.I386: "386", Arch.PPC64EL: "ppc64le", Arch.MIPS64EL: "mips64le"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLayout:
    """An image in an OCI layout: its manifest's digest and the files of its layers."""

    digest: str
    layers: tuple[Path, ...]


def fetch_image(reference: str, *, arch: Arch, scratch: Path) -> Path:
    """Get an image as an OCI layout.

    Args:
        reference: ``oci:DIR[:TAG]`` or a folder are used as they are; everything else is skopeo's
            (``docker://…``, ``docker-archive:FILE``, ``containers-storage:…``).
        arch: which image of a multi-architecture one.
        scratch: an empty folder for a copy.

    Raises:
        BaseError: skopeo is missing or failed.
    """
    local = Path(reference.removeprefix("oci:").split(":")[0])
    if (local / "oci-layout").is_file():
        return local
    program = require_program("skopeo", package="skopeo", error=BaseError)
    target = scratch / "image"
    run(
        [program, "copy", "--quiet", f"--override-arch={_GOARCH.get(arch, arch.value)}", reference,
         f"oci:{target}:base"],
        timeout=_COPY_SECONDS,
        error=BaseError,
        doing=f"copying the image {reference}",
    )  # fmt: skip
    return target


def tag_of(reference: str) -> str:
    """The tag of ``oci:DIR:TAG``, or the empty string."""
    parts = reference.split(":")
    return parts[2] if parts[0] == "oci" and len(parts) > 2 else ""


def read_layout(layout: Path, *, arch: Arch, tag: str = "") -> ImageLayout:
    """Find an image's layers, every blob's bytes checked against its digest.

    Raises:
        BaseError: the layout is damaged, or has no image for the architecture.
    """
    document = _json(layout / "index.json", str(layout))
    entry = _pick(document, arch, tag, layout)
    while entry.get("mediaType") in _INDEX_TYPES:
        entry = _pick(_json(_blob(layout, entry), str(layout)), arch, "", layout)
    manifest = _json(_blob(layout, entry), str(layout))
    layers = tuple(_blob(layout, layer) for layer in manifest.get("layers", []))
    if not layers:
        raise BaseError(f"{layout}: the image has no layers")
    return ImageLayout(digest=entry["digest"], layers=layers)


def unpack_image(image: ImageLayout, target: Path) -> None:
    """Unpack an image's layers over each other at `target` (which does not exist yet).

    Raises:
        BaseError: a layer is damaged, would write outside, or they are no root together.
    """
    target.mkdir()
    links = LinkMap()
    for layer in image.layers:
        apply_deletions(target, links.add_layer(list_members(layer)))
        extract_tar(layer, target, whiteouts=True)
    check_root(target, image.digest)


def apply_deletions(tree: Path, deletions: Deletions) -> None:
    """Remove what a layer says is gone; its paths are known to cross no link."""
    for number in range(0, len(deletions.paths), _AT_A_TIME):
        paths = [tree / path for path in deletions.paths[number : number + _AT_A_TIME]]
        _remove(["rm", "-rf", "--", *paths])
    for folder in deletions.opaque:
        _remove(["sh", "-c", _EMPTY, "sh", tree / folder])


def _remove(argv: list[str | Path]) -> None:
    owned.run_owned(argv, doing="applying an image's deletions", error=BaseError)


def _pick(document: dict[str, Any], arch: Arch, tag: str, layout: Path) -> dict[str, Any]:
    """Choose the entry of an index for an architecture (and a tag)."""
    name = "org.opencontainers.image.ref.name"
    wanted = _GOARCH.get(arch, arch.value)
    candidates: list[dict[str, Any]] = [
        entry
        for entry in document.get("manifests", [])
        if entry.get("platform", {}).get("architecture", wanted) == wanted
        and (not tag or entry.get("annotations", {}).get(name) == tag)
    ]
    if not candidates:
        raise BaseError(f"{layout} holds no image for {arch}" + (f" called {tag}" if tag else ""))
    return candidates[0]


def _blob(layout: Path, descriptor: dict[str, Any]) -> Path:
    """A blob's file, after its bytes were checked."""
    algorithm, _, digits = str(descriptor.get("digest", "")).partition(":")
    if algorithm not in {"sha256", "sha512"} or not digits.isalnum():
        raise BaseError(f"{layout}: {descriptor.get('digest')!r} is no digest")
    file = layout / "blobs" / algorithm / digits
    try:
        with file.open("rb") as blob:
            actual = hashlib.file_digest(blob, algorithm).hexdigest()
    except OSError as missing:
        raise BaseError(f"{layout}: the blob {algorithm}:{digits} is missing") from missing
    if actual != digits:
        raise BaseError(f"{layout}: the blob {algorithm}:{digits} is damaged (it is {actual})")
    return file


def _json(file: Path, name: str) -> dict[str, Any]:
    try:
        document = json.loads(file.read_bytes())
    except (OSError, ValueError) as damaged:
        raise BaseError(f"{name} is no OCI layout: {file.name}: {damaged}") from damaged
    if not isinstance(document, dict):
        raise BaseError(f"{name} is no OCI layout: {file.name} holds no object")
    return document
