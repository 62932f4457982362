"""The packages of a native bundle, as the control files that its driver packs with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from lapstrake.names import Arch

if TYPE_CHECKING:
    from lapstrake.bundle.native_model import NativeBundle, Output

DEFAULT_MAINTAINER = "Unknown <unknown@localhost>"
"""Stands in control files when neither bundle nor configuration names a maintainer."""

_RELATIONS = ("recommends", "suggests", "conflicts", "breaks", "replaces", "provides")


def output_tables(bundle: NativeBundle) -> tuple[Output, ...]:
    """Return the outputs; one that takes everything when the bundle has no ``[[output]]``."""
    from lapstrake.bundle.native_model import Output

    return (Output(),) if bundle.output is None else tuple(bundle.output)


def output_files(
    bundle: NativeBundle, *, version: str, arch: Arch, maintainer: str
) -> Mapping[str, bytes]:
    """Make the files of all outputs, each in a folder ``outputs/NN-NAME/``.

    ``control`` is the control file without ``Installed-Size`` and ``Depends``, ``depends`` the
    relations known beforehand, ``files`` and ``conffiles`` are globs, one per line. An empty file
    ``libraries`` or ``strip`` asks for what it is called after.
    """
    files: dict[str, bytes] = {}
    # Who takes what is left goes last.
    ordered = sorted(output_tables(bundle), key=lambda output: output.files is None)
    for number, output in enumerate(ordered, start=10):
        folder = f"outputs/{number}-{output.name or bundle.package.name}"
        texts = dict(_texts(bundle, output, version=version, arch=arch, maintainer=maintainer))
        files.update({f"{folder}/{name}": text.encode() for name, text in texts.items()})
    return files


def _texts(
    bundle: NativeBundle, output: Output, *, version: str, arch: Arch, maintainer: str
) -> Iterator[tuple[str, str]]:
    fields = _control(bundle, output, version=version, arch=arch, maintainer=maintainer)
    yield "control", "".join(f"{name}: {value}\n" for name, value in fields if value)
    yield "depends", ", ".join([*bundle.depends.run, *output.depends]) + "\n"
    if bundle.depends.libraries:
        yield "libraries", ""
    if bundle.package.strip:
        yield "strip", ""
    if output.files is not None:
        yield "files", _lines(output.files)
    if output.conffiles is not None:
        yield "conffiles", _lines(output.conffiles)
    for name in ("preinst", "postinst", "prerm", "postrm"):
        if script := getattr(output.scripts, name):
            yield name, _script(script)


def _control(
    bundle: NativeBundle, output: Output, *, version: str, arch: Arch, maintainer: str
) -> Iterator[tuple[str, str]]:
    """Yield fields in the order of dpkg's own control files (deb-control(5))."""
    package = bundle.package
    name = output.name or package.name
    yield "Package", name
    yield "Source", package.name if name != package.name else ""
    yield "Version", version
    everywhere = (output.architecture or package.architecture) == "all"
    yield "Architecture", "all" if everywhere else str(arch)
    yield "Maintainer", package.maintainer or maintainer
    for field in _RELATIONS:
        yield field.capitalize(), ", ".join(getattr(output, field))
    yield "Section", output.section or package.section
    yield "Priority", package.priority
    yield "Homepage", package.homepage or ""
    yield "Description", _description(output.description or package.description)


def _description(text: str) -> str:
    """Write a description as control files have it: folded, a dot for an empty line."""
    first, *rest = text.strip().split("\n")
    return "\n ".join([first.strip(), *(line.rstrip() or "." for line in rest)])


def _script(text: str) -> str:
    head = "" if text.startswith("#!") else "#!/bin/sh\nset -e\n"
    return head + text.rstrip("\n") + "\n"


def _lines(items: Iterable[str]) -> str:
    return "".join(f"{item}\n" for item in items)
