"""``lapstrake image sbom``: an image's bill of materials, or how it was made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.place import open_place
from lapstrake.errors import ImageError, UsageError
from lapstrake.names import Arch

_FORMATS = ("spdx", "cyclonedx", "provenance")


@click.command()
@click.argument("packages", nargs=-1, required=True, metavar="PACKAGE...")
@click.option("-b", "--branch", "tag", default="latest", help="Of this branch (or Nix revision).")
@click.option("--arch", type=click.Choice([arch.value for arch in Arch]), help="For this machine.")
@click.option("--base/--no-base", default=None, help="On the base OS, or what they need only.")
@click.option(
    "--format", "form", type=click.Choice(_FORMATS), default=_FORMATS[0],
    help="SPDX 2.3, CycloneDX 1.6, or an in-toto statement with SLSA's provenance.",
)  # fmt: skip
@click.option(
    "-o", "--output", "file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Write it to a file.",
)  # fmt: skip
@pass_app
def sbom(
    app: AppContext,
    /,
    packages: tuple[str, ...],
    tag: str,
    arch: str | None,
    base: bool | None,
    form: str,
    file: Path | None,
) -> None:
    """Print what the image of each PACKAGE is made of, as JSON.

    The image is made if it is not there; a registry has these documents as its referrers.
    """
    from lapstrake.blobs.open import open_blobs
    from lapstrake.host.files import write_atomic
    from lapstrake.image.attest.attach import DocumentKind, read_document
    from lapstrake.image.make import make_image
    from lapstrake.image.names import read_words

    requests = read_words(app.config, packages, tag)
    request = replace(requests[0], arch=Arch(arch)) if arch else requests[0]
    if len(requests) > 1 and not arch:
        machines = ", ".join(each.arch for each in requests)
        raise UsageError(
            f"there is an image for each of {machines}", resolution="Name one with --arch."
        )
    if base is not None:
        request = replace(request, base=base)
    place = open_place(app)
    blobs = open_blobs(place.config)
    image = make_image(place, blobs, request)
    document = read_document(blobs, image, DocumentKind(form))
    if file is None:
        app.output.result(document.decode().rstrip("\n"))
        return
    try:
        write_atomic(file, document)
    except OSError as refused:
        raise ImageError(f"{file} cannot be written: {refused.strerror}") from refused
