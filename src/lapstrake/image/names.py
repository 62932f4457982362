"""Names of images as registries see them, and what they stand for.

``shell/git/hello`` are packages, divided by slashes; words at the front can have a meaning of their
own, in any order, until the first that has none::

    shell             bash, coreutils, moreutils and nano (and dash, which is Debian's sh)
    base              on the base OS, not only on what the packages need
    nix               the packages are Nix's, the tag is a revision
    amd64, arm64 ...  for this machine (Debian's names); several make an image for each
    others            the sets of the configuration's ``[image_sets]``

Further back such a word is a package. Neither the order of packages nor naming one twice makes
another image. The grammar is that of the OCI distribution specification 1.1 (spec.md, "Pulling
manifests"). It has no ``+``: ``-plus`` stands for it where no package is called so literally.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from lapstrake.config.model import Config
from lapstrake.errors import UsageError
from lapstrake.image.base import ImageRequest
from lapstrake.names import Arch, BranchName

LONGEST_NAME = 255
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_PART}(?:/{_PART})*\Z")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}\Z")
_SHELL = ("bash", "coreutils", "dash", "moreutils", "nano")
_NIX_SHELL = ("bashInteractive", "coreutils", "moreutils", "nano")
_LATEST = "latest"


def read_name(config: Config, name: str, tag: str = _LATEST) -> tuple[ImageRequest, ...]:
    """Read an image's name and tag as a registry gets them.

    Returns:
        a request for each machine: those in the name, else those of the configuration.

    Raises:
        UsageError: they do not obey the grammar, or the tag can be no branch.
    """
    _check(name, tag)
    return read_words(config, name.split("/"), tag)


def read_words(
    config: Config, words: Sequence[str], tag: str = _LATEST
) -> tuple[ImageRequest, ...]:
    """Read the parts of a name; here packages may be called anything, or be ``NAME=VERSION``.

    Returns:
        as `read_name`.

    Raises:
        UsageError: the tag can be no branch.
    """
    arches: list[Arch] = []
    sets: list[str] = []
    rest = list(words)
    while rest and (rest[0] in _META or rest[0] in config.image_sets):
        word = rest.pop(0)
        if word in _ARCHES:
            arches.append(Arch(word))
        else:
            sets.append(word)
    is_nix = "nix" in sets
    packages = set(rest)
    if not is_nix:
        packages.update(config.images.always)
    for word in sets:
        known = _NIX_SHELL if is_nix else _SHELL
        packages.update(known if word == "shell" else config.image_sets.get(word, ()))
    request = ImageRequest(
        packages=tuple(sorted(packages)),
        asked=tuple(dict.fromkeys(words)),
        source="nix" if is_nix else "branch",
        tag=tag if is_nix else branch_of(config, tag).text,
        base=not is_nix and (config.images.base or "base" in sets),
        budget=config.images.budget,
        strategy=config.images.strategy,
        compression=config.images.compression,
    )
    machines = arches or config.images.platforms or (config.arch,)
    return tuple(replace(request, arch=arch) for arch in dict.fromkeys(machines))


def branch_of(config: Config, tag: str) -> BranchName:
    """The branch that a tag stands for.

    Raises:
        UsageError: no branch can be called so.
    """
    return BranchName(config.registry.branch if tag == _LATEST else tag)


def plus_spelling(name: str) -> str:
    """A package's name with its pluses, where a registry's name cannot have them.

    >>> plus_spelling("g-plus-plus"), plus_spelling("libstdc-plus-plus6"), plus_spelling("jq")
    ('g++', 'libstdc++6', 'jq')
    """
    return name.replace("-plus", "+")


_ARCHES = frozenset(arch.value for arch in Arch)
_META = _ARCHES | {"shell", "base", "nix"}


def _check(name: str, tag: str) -> None:
    if len(name) > LONGEST_NAME:
        raise UsageError(
            f"the image's name has {len(name)} characters, {LONGEST_NAME} are the most",
            resolution="Name a set of packages in [image_sets] of the configuration.",
        )
    if not _NAME.match(name):
        wrong = next((part for part in name.split("/") if not re.match(rf"{_PART}\Z", part)), "")
        raise UsageError(
            f"{name!r} is no image's name: {_complaint(wrong)}",
            resolution="A part has lower-case letters and digits, with one . or _, two __ or "
            "any number of - between them; -plus stands for +.",
        )
    if not _TAG.match(tag):
        raise UsageError(
            f"{tag!r} is no tag",
            resolution="Use letters, digits and . _ - (at most 128, first no . and no -).",
        )


def _complaint(part: str) -> str:
    if not part:
        return "a part of it is empty"
    if part != part.lower():
        return f"{part!r} has upper-case letters"
    return f"{part!r} is not allowed"
