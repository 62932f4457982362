"""``lapstrake load-baseos`` and ``update-baseos``: the lowest layer of everything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.place import open_place

if TYPE_CHECKING:
    from lapstrake.config.model import BaseConfig, BaseMethod
    from lapstrake.layer.store import Layer

_IMAGE_PREFIXES = (
    "oci:", "oci-archive:", "docker:", "docker-archive:", "docker-daemon:",
    "containers-storage:", "dir:",
)  # fmt: skip
"""How references to images begin, see containers-transports(5)."""


@click.command("load-baseos")
@click.argument("source", required=False)
@click.option(
    "--method",
    type=click.Choice(["debootstrap", "tarball", "oci"]),
    help="What SOURCE is.  [default: told from SOURCE, else as configured]",
)
@click.option("--suite", help="Bootstrap this suite.")
@click.option("--variant", help="Bootstrap this variant, as mmdebstrap names it.")
@click.option("--include", multiple=True, metavar="PACKAGE", help="Bootstrap with it, too.")
@click.option("--checksum", metavar="ALGORITHM:HEX", help="What the tarball or image must be.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@pass_app
def load_baseos(
    app: AppContext,
    /,
    source: str | None,
    as_json: bool,
    **options: Any,  # noqa: ANN401
) -> None:
    """Load the base OS, which all branches are made on, in place of the one there is.

    SOURCE is a tarball of a root (path or URL; gz, xz, zst or bz2), a squashfs image, an OCI
    layout, or an image as skopeo names it (docker://NAME, docker-archive:FILE ...). Without it, the
    base OS is what the configuration says, which is bootstrapping the host's own release at first.
    """
    from lapstrake.baseos.configured import configured_base
    from lapstrake.baseos.load import load_base

    place = open_place(app)
    base = chosen_base(configured_base(place), source, options)
    _report(app, load_base(place, base), as_json=as_json)


@click.command("update-baseos")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@pass_app
def update_baseos(app: AppContext, /, as_json: bool) -> None:
    """Upgrade the packages of the base OS in a copy, which then becomes the base OS.

    Branches are made anew on it when they are next used.
    """
    from lapstrake.baseos.load import update_base

    _report(app, update_base(open_place(app)), as_json=as_json)


def chosen_base(base: BaseConfig, source: str | None, options: Mapping[str, Any]) -> BaseConfig:
    """What to load: the configuration's base OS, but for what the command line says.

    Raises:
        UsageError: the options contradict each other, or a checksum is none.
    """
    from lapstrake.config.kinds import DIGEST
    from lapstrake.config.model import BaseMethod
    from lapstrake.errors import UsageError

    changed: dict[str, Any] = {}
    bootstraps = [f"--{name}" for name in ("suite", "variant", "include") if options[name]]
    if source is not None:
        if bootstraps:
            raise UsageError(f"{bootstraps[0]} goes with bootstrapping, not with a SOURCE")
        path = Path(source).absolute()
        url = str(path) if path.exists() else source
        changed = {"url": url, "method": method_of(source), "checksum": None}
    elif bootstraps:
        given = {"suite": options["suite"], "variant": options["variant"]}
        changed = {name: value for name, value in given.items() if value}
        changed["method"] = BaseMethod.DEBOOTSTRAP
        if options["include"]:
            changed["packages"] = tuple(
                word for text in options["include"] for word in text.split(",")
            )
    if options["method"]:
        changed["method"] = BaseMethod(options["method"])
    if options["checksum"]:
        try:
            changed["checksum"] = DIGEST.read(options["checksum"])
        except ValueError as wrong:
            raise UsageError(f"--checksum: {wrong}") from wrong
    return replace(base, **changed)


def method_of(source: str) -> BaseMethod:
    """Tell an image from a tarball."""
    from lapstrake.config.model import BaseMethod

    image = source.startswith(_IMAGE_PREFIXES) or (Path(source) / "oci-layout").is_file()
    return BaseMethod.OCI if image else BaseMethod.TARBALL


def _report(app: AppContext, layer: Layer, *, as_json: bool) -> None:
    from lapstrake.formats.amounts import size_text

    if as_json:
        document = {"key": layer.key.hex, "size": layer.size, "facts": layer.facts}
        app.output.result(json.dumps(document, indent=2))
    else:
        app.output.say(f"the base OS is loaded: layer {layer.key.short}, {size_text(layer.size)}")
