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

from collections.abc import Sequence
from dataclasses import replace

from lapstrake.config.model import Config
from lapstrake.errors import UsageError
from lapstrake.image.base import ImageRequest
from lapstrake.names import Arch, BranchName
from lapstrake.oci.grammar import TAG_RULE, is_tag, name_fault

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

    Slashes divide words here, too: what a registry calls an image can be said as it is.

    Returns:
        as `read_name`.

    Raises:
        UsageError: a word is empty, or the tag can be no branch.
    """
    arches: list[Arch] = []
    sets: list[str] = []
    words = [part for word in words for part in word.split("/")]
    if not all(words):
        raise UsageError("a package's name is empty", resolution="See whether a / is too many.")
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
    fault = name_fault(name)
    if fault:
        raise UsageError(
            f"the image's name {name!r} {fault}",
            resolution="-plus stands for +; long names can be sets of [image_sets].",
        )
    if not is_tag(tag):
        raise UsageError(f"{tag!r} is no tag", resolution=f"Use {TAG_RULE}.")
