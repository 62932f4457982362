"""Packages of a Nix package set by their names; `nix_lookup.nix` does the looking up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from lapstrake.errors import ConfigError, ImageError, MissingError, UsageError
from lapstrake.formats.keys import Canonical, canonical_json
from lapstrake.host.files import write_atomic
from lapstrake.image.base import ImageRequest
from lapstrake.image.sources.nix_program import Nix
from lapstrake.names import Arch

ALWAYS = ("cacert", "iana-etc")
"""What every image has, where the package set has it."""

_SYSTEMS = {
    Arch.AMD64: "x86_64-linux",
    Arch.ARM64: "aarch64-linux",
    Arch.ARMHF: "armv7l-linux",
    Arch.I386: "i686-linux",
    Arch.LOONG64: "loongarch64-linux",
    Arch.MIPS64EL: "mips64el-linux",
    Arch.PPC64EL: "powerpc64le-linux",
    Arch.RISCV64: "riscv64-linux",
    Arch.S390X: "s390x-linux",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NixPackage:
    """A package that was asked for, as the package set describes it.

    Attributes:
        name: as it was asked for.
        attribute: where the package set has it: ``xorg.xev``.
        system: what it runs on, as nix says it.
        output: what to build: ``/nix/store/...drv!out``.
        facts: its own ``name``, ``version``, ``homepage``, ``license``, as far as it has them.
    """

    name: str
    attribute: str
    system: str
    output: str
    facts: Mapping[str, str]


def find_packages(
    nix: Nix, package_set: Mapping[str, Canonical], request: ImageRequest, scratch: Path
) -> tuple[NixPackage, ...]:
    """Look up all names of a request, before anything is built.

    Args:
        nix: the program.
        package_set: how to get it, as `nix_lookup.nix` takes it.
        request: what is asked for.
        scratch: a folder for a file.

    Raises:
        UsageError: nothing is asked for.
        MissingError: packages do not exist; all of them are named.
        ConfigError: the package set is none.
        ImageError: it, or a package, cannot be evaluated, or is for another machine.
    """
    system = _SYSTEMS[request.arch]
    asked: dict[str, Canonical] = {
        "source": package_set, "system": system, "always": ALWAYS, "names": request.packages,
    }  # fmt: skip
    question = scratch / "request.json"  # not on the command line, which anybody may read
    write_atomic(question, canonical_json(asked), mode=0o600, durable=False)
    with as_file(files(__package__) / "nix_lookup.nix") as expression:
        answer: Any = nix.evaluate(expression, request=str(question))
    if "unusable" in answer:
        raise ConfigError(
            f"[nix] names no package set but a {answer['unusable']}",
            resolution="default.nix must give an attribute set, or a function that gives one.",
        )
    if missing := tuple(answer.get("missing", ())):
        raise MissingError(
            missing, resolution="Names are those of the package set's attributes, nested by dots."
        )
    packages = {package.output: package for package in map(_read, answer["packages"])}
    for package in packages.values():
        if package.system not in (system, "builtin"):
            raise ImageError(
                f"nix: {package.name} is for {package.system}, not for {system}",
                resolution="Let default.nix be a function of { system, ... }.",
            )
    if not packages:
        raise UsageError("no package is named", resolution="Name one after nix: nix/hello.")
    return tuple(packages.values())


def _read(entry: Mapping[str, Any]) -> NixPackage:
    facts = {
        "name": entry["pname"],
        "version": entry["version"],
        "homepage": entry["homepage"],
        "license": " AND ".join(sorted(entry["licenses"])),
    }
    return NixPackage(
        name=entry["name"],
        attribute=".".join(entry["path"]),
        system=entry["system"],
        output=f"{entry['derivation']}!{entry['output']}",
        facts={name: text for name, text in facts.items() if text},
    )
