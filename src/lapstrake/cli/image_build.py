"""``lapstrake image build``: make an image of packages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.output import table
from lapstrake.cli.place import open_place
from lapstrake.errors import UsageError
from lapstrake.names import Arch

if TYPE_CHECKING:
    from lapstrake.config.model import Config
    from lapstrake.image.base import Image, ImageIndex, ImageRequest

_ARCHES = tuple(arch.value for arch in Arch)


@click.command()
@click.argument("packages", nargs=-1, metavar="PACKAGE...")
@click.option("-b", "--branch", "tag", default="latest", help="Of this branch (or Nix revision).")
@click.option("--arch", metavar="ARCH,...", default="", help="For these machines.")
@click.option("--base/--no-base", default=None, help="On the base OS, or what they need only.")
@click.option("--cmd", metavar="COMMAND", help="The default command; JSON for more words.")
@click.option("--entrypoint", metavar="COMMAND", help="What the command is given to; likewise.")
@click.option("--env", multiple=True, metavar="NAME=VALUE", help="An environment variable.")
@click.option("--user", default="", help="Who runs it.")
@click.option("--workdir", default="", metavar="PATH", help="Where it starts.")
@click.option("--label", multiple=True, metavar="NAME=VALUE", help="A label.")
@click.option("--created", metavar="TIME", help="Its time: seconds since 1970, or ISO 8601.")
@click.option("--budget", type=click.IntRange(min=1), help="The most layers.")
@click.option("--strategy", type=click.Choice(["expected", "nixery"]), help="How layers are made.")
@click.option("--compression", type=click.Choice(["gzip", "zstd"]), help="How they are packed.")
@click.option("-o", "--output", "targets", multiple=True, metavar="KIND:WHERE", help="Write it to.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@pass_app
def build(
    app: AppContext,
    /,
    packages: tuple[str, ...],
    tag: str,
    targets: tuple[str, ...],
    as_json: bool,
    **options: Any,  # noqa: ANN401
) -> None:
    """Make an image of each PACKAGE and all that they need.

    Words at the front may have a meaning, as in images' names: `shell`, `base`, `nix`, machines
    (`arm64`), and the configuration's sets. Without -o the image stays in the store, where a
    registry finds it. KIND is oci, oci-archive, docker-archive, docker-daemon, containers-storage,
    docker (docker://HOST/NAME:TAG), tar or squashfs.
    """
    from lapstrake.blobs.open import open_blobs
    from lapstrake.image.make import make_image, make_index
    from lapstrake.image.outputs.target import check_target, parse_target
    from lapstrake.image.outputs.write import write_image

    if not packages:
        raise UsageError("no package is named", resolution="Name one, or a set such as shell.")
    requests = requests_of(app.config, packages, tag, options)
    for target in targets:
        check_target(parse_target(target))
    place = open_place(app)
    blobs = open_blobs(place.config)
    made: Image | ImageIndex
    if len(requests) == 1:
        made = make_image(place, blobs, requests[0])
    else:
        made = make_index(place, blobs, requests)
    written = [write_image(blobs, made, target, progress=place.progress) for target in targets]
    if as_json:
        app.output.result(json.dumps(image_facts(made), indent=2))
        return
    for line in written:
        app.output.say(line)
    app.output.result(_text(made))


def requests_of(
    config: Config, words: Sequence[str], tag: str, options: Mapping[str, Any]
) -> tuple[ImageRequest, ...]:
    """What the command line asks for: one request for each machine.

    Raises:
        UsageError: an option makes no sense.
    """
    from lapstrake.config.model import Compression, Strategy
    from lapstrake.image.names import read_words
    from lapstrake.image.times import read_time

    requests, created = read_words(config, words, tag), options["created"]
    changed: dict[str, Any] = {
        "command": _words(options["cmd"], "--cmd"),
        "entrypoint": _words(options["entrypoint"], "--entrypoint"),
        "env": _pairs(options["env"], "--env"),
        "labels": _pairs(options["label"], "--label"),
        "user": options["user"],
        "workdir": options["workdir"],
        "created": read_time(created, origin="--created") if created else None,
    }
    if options["base"] is not None:
        changed["base"] = options["base"]
    if options["budget"] is not None:
        changed["budget"] = options["budget"]
    if options["strategy"] is not None:
        changed["strategy"] = Strategy(options["strategy"])
    if options["compression"] is not None:
        changed["compression"] = Compression(options["compression"])
    if options["arch"]:
        requests = tuple(replace(requests[0], arch=arch) for arch in _arches(options["arch"]))
    return tuple(replace(request, **changed) for request in requests)


def image_facts(made: Image | ImageIndex) -> dict[str, Any]:
    """An image, or those of an index, for scripts."""
    from lapstrake.image.base import ImageIndex
    from lapstrake.image.record import image_document

    if isinstance(made, ImageIndex):
        return {
            "oci": str(made.oci.digest),
            "docker": str(made.docker.digest) if made.docker else None,
            "images": [image_document(image) for image in made.images],
        }
    return image_document(made)


def _text(made: Image | ImageIndex) -> str:
    from lapstrake.formats.amounts import size_text
    from lapstrake.image.base import ImageIndex

    images = made.images if isinstance(made, ImageIndex) else (made,)
    rows = [
        (
            str(image.request.arch),
            str(image.oci.digest),
            size_text(sum(layer.blob.size for layer in image.layers)),
            str(len(image.layers)),
            str(len(image.packages)),
        )
        for image in images
    ]
    if isinstance(made, ImageIndex):
        rows.append(("index", str(made.oci.digest), "", "", ""))
    return table(rows, header=("ARCH", "MANIFEST", "SIZE", "LAYERS", "PACKAGES"), right={2, 3, 4})


def _words(text: str | None, option: str) -> tuple[str, ...]:
    """A command: words as a shell would divide them, or a list in JSON."""
    import shlex

    if not text:
        return ()
    try:
        words = json.loads(text) if text.startswith("[") else shlex.split(text)
    except ValueError as wrong:
        raise UsageError(f"{option}: {wrong}") from wrong
    if not all(isinstance(word, str) for word in words):
        raise UsageError(f"{option} must be a list of texts")
    return tuple(words)


def _pairs(values: Sequence[str], option: str) -> dict[str, str]:
    pairs = [value.partition("=") for value in values]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise UsageError(f"{option}: {name!r} is not NAME=VALUE")
    return {name: text for name, _, text in pairs}


def _arches(text: str) -> tuple[Arch, ...]:
    words = dict.fromkeys(text.split(","))
    for word in words:
        if word not in _ARCHES:
            raise UsageError(
                f"--arch: {word!r} is no architecture", resolution=f"Use {', '.join(_ARCHES)}."
            )
    return tuple(Arch(word) for word in words)
