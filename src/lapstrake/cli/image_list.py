"""``lapstrake image ls``, ``inspect`` and ``rm``: the images that were made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.output import table
from lapstrake.errors import ImageError

if TYPE_CHECKING:
    from lapstrake.blobs.base import BlobStore
    from lapstrake.image.base import Image

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_IMAGE = "IMAGE"
_LEAST_DIGITS = 4


@click.command("ls")
@_JSON
@pass_app
def list_(app: AppContext, /, as_json: bool) -> None:
    """List the images that were made and are still in the store."""
    from lapstrake.blobs.open import open_blobs
    from lapstrake.formats.amounts import size_text
    from lapstrake.image.record import all_images, image_document

    images = all_images(open_blobs(app.config))
    if as_json:
        app.output.result(json.dumps([image_document(image) for image in images], indent=2))
        return
    if not images:
        app.output.say("no image was made yet")
        return
    rows = [
        (
            "/".join(image.request.asked),
            image.request.tag,
            str(image.request.arch),
            image.oci.digest.hex[:12],
            size_text(sum(layer.blob.size for layer in image.layers)),
            str(len(image.layers)),
            str(len(image.packages)),
        )
        for image in images
    ]
    header = ("IMAGE", "TAG", "ARCH", "DIGEST", "SIZE", "LAYERS", "PACKAGES")
    app.output.result(table(sorted(rows), header=header, right={4, 5, 6}))


@click.command()
@click.argument("wanted", nargs=-1, required=True, metavar=f"{_IMAGE}|PACKAGE...")
@click.option("-b", "--branch", "tag", default="latest", help="Of this branch (or Nix revision).")
@_JSON
@pass_app
def inspect(app: AppContext, /, wanted: tuple[str, ...], tag: str, as_json: bool) -> None:
    """Show what an image is made of: its layers, lowest first, and what is in them.

    It is named as `image ls` lists it (hello/jq or hello/jq:stable), by the beginning of its digest
    or key, or by its packages as `image build` takes them.
    """
    from lapstrake.blobs.open import open_blobs
    from lapstrake.formats.amounts import size_text
    from lapstrake.image.manifest import said
    from lapstrake.image.record import image_document

    blobs = open_blobs(app.config)
    named = len(wanted) == 1 and _found(blobs, wanted[0])
    image = named[0] if named and len(named) == 1 else _made(app, blobs, wanted, tag)
    image = image or _find(blobs, " ".join(wanted))
    if as_json:
        app.output.result(json.dumps(image_document(image), indent=2))
        return
    rows = [
        (layer.blob.digest.hex[:12], size_text(layer.blob.size), said(layer), layer.reason)
        for layer in image.layers
    ]
    app.output.result(table(rows, header=("LAYER", "SIZE", "CONTENT", "REASON"), right={1}))


@click.command("rm")
@click.argument("wanted", nargs=-1, required=True, metavar=f"{_IMAGE}...")
@pass_app
def remove(app: AppContext, /, wanted: tuple[str, ...]) -> None:
    """Forget images; `lapstrake registry gc` takes the blobs that no other one has.

    They are named as `image ls` lists them, or by the beginning of a digest or key.
    """
    from lapstrake.blobs.open import open_blobs
    from lapstrake.image.record import forget_image

    blobs = open_blobs(app.config)
    for image in [_find(blobs, word) for word in wanted]:
        forget_image(blobs, image)
        app.output.say(f"forgot {image.oci.digest}")


def _made(app: AppContext, blobs: BlobStore, words: Sequence[str], tag: str) -> Image | None:
    """The image of some packages, for the first machine that it would be made for."""
    from lapstrake.cli.place import look_place
    from lapstrake.image.make import made_image
    from lapstrake.image.names import read_words

    request, *_ = read_words(app.config, words, tag)
    return made_image(look_place(app), blobs, request)


def _find(blobs: BlobStore, wanted: str) -> Image:
    """The one image that a word stands for.

    Raises:
        ImageError: there is none, or there are several.
    """
    found = _found(blobs, wanted)
    if len(found) != 1:
        raise ImageError(
            f"{len(found)} images are called {wanted}" if found else f"there is no image {wanted}",
            details="\n".join(f"{image.oci.digest} {image.request.arch}" for image in found),
            resolution="See `lapstrake image ls`.",
        )
    return found[0]


def _found(blobs: BlobStore, wanted: str) -> list[Image]:
    """The images of a name, with or without its tag, or of the beginning of a digest or key."""
    from lapstrake.image.record import all_images

    digits = wanted.removeprefix("sha256:")
    found = []
    for image in all_images(blobs):
        docker = [image.docker.digest.hex] if image.docker else []
        sums = [image.key.hex, image.oci.digest.hex, *docker]
        begins = len(digits) >= _LEAST_DIGITS and any(each.startswith(digits) for each in sums)
        name = "/".join(image.request.asked)
        if begins or wanted in {name, f"{name}:{image.request.tag}"}:
            found.append(image)
    return found
