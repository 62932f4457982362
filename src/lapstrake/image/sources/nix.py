"""Nix as a source of packages: the program ``nix`` finds, fetches and builds them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from lapstrake.errors import ConfigError, ImageError, MissingError
from lapstrake.formats.keys import Canonical, cache_key, canonical_json
from lapstrake.grouping.base import Graph, Node
from lapstrake.image.base import ImageRequest
from lapstrake.image.sources.base import Closure, Member
from lapstrake.image.sources.nix_farm import FARM_VERSION, make_farm
from lapstrake.image.sources.nix_program import STORE, Nix, PathInfo, package_label
from lapstrake.image.sources.nix_set import PackageSet, fixed_identity, open_package_set
from lapstrake.names import Arch, GuestPath
from lapstrake.place.workplace import Workplace

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
_CERTIFICATES = GuestPath("/etc/ssl/certs/ca-bundle.crt")
_INTERACTIVE_SHELL = "bashInteractive"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Package:
    """A package that was asked for, as the package set describes it."""

    name: str
    attribute: str
    system: str
    output: str
    pname: str
    version: str
    homepage: str
    licenses: tuple[str, ...]

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> _Package:
        return cls(
            name=entry["name"],
            attribute=".".join(entry["path"]),
            system=entry["system"],
            output=f"{entry['derivation']}!{entry['output']}",
            pname=entry["pname"],
            version=entry["version"],
            homepage=entry["homepage"],
            licenses=tuple(entry["licenses"]),
        )


class NixSource:
    """Packages of a Nix package set.

    Args:
        place: whose configuration names the package set; nix's store is in its private folder.
    """

    name = "nix"

    def __init__(self, place: Workplace) -> None:
        self._place = place

    def state(self, request: ImageRequest) -> Mapping[str, Canonical] | None:
        """The revision, if it is fixed: a branch, a tag, a channel and a folder can change."""
        identity = fixed_identity(self._place.config.nix, request.tag)
        return None if identity is None else {"nix": identity, "farm": FARM_VERSION}

    @contextmanager
    def open(self, request: ImageRequest) -> Iterator[Closure]:
        """Find the packages, build or fetch what is not here, and link them together.

        Raises:
            MissingError: packages do not exist; all of them are named.
            ConfigError: no package set is configured, or what is configured is none.
            FetchError: the repository of the package set cannot be fetched.
            ImageError: a package cannot be evaluated or built; the details end with its log.
            LimitError: ``[nix] timeout`` is over.
        """
        place = self._place
        package_set = open_package_set(place, request.tag)
        nix = Nix(place.private / "nix", place.progress, timeout=place.config.nix.timeout)
        packages = _find_packages(nix, package_set.where, request)
        with place.store.workspace("nix") as folder:
            (folder / "roots").mkdir()
            place.progress.headline(f"building or fetching {len(packages)} packages with nix")
            outputs = [package.output for package in packages]
            paths = nix.realise(outputs, roots=folder / "roots")
            infos = nix.closure(tuple(dict.fromkeys(paths)))
            farm = folder / "farm"
            make_farm(farm, [GuestPath(path) for path in dict.fromkeys(paths)], nix.on_host)
            named = dict(zip(paths, packages, strict=True))
            members = {
                info.path: _member(nix, folder, info, named.get(info.path)) for info in infos
            }
            yield Closure(
                graph=_graph(infos, named),
                members=members,
                top=(farm,),
                top_content=_farm_content(named),
                created=1,
                env=_environment(farm),
                command=_command(packages),
                sources=self.state(request) or _sources(package_set, named),
            )


def _find_packages(
    nix: Nix, where: Mapping[str, Canonical], request: ImageRequest
) -> tuple[_Package, ...]:
    """Look all names up before anything is built."""
    system = _SYSTEMS[request.arch]
    asked: dict[str, Canonical] = {
        "source": where, "system": system, "always": ALWAYS, "names": request.packages,
    }  # fmt: skip
    with as_file(files("lapstrake.image.sources") / "nix_lookup.nix") as expression:
        answer: Any = nix.evaluate(expression, request=canonical_json(asked).decode())
    if "unusable" in answer:
        raise ConfigError(
            f"[nix] names no package set but a {answer['unusable']}",
            resolution="default.nix must give an attribute set, or a function that gives one.",
        )
    if missing := tuple(answer.get("missing", ())):
        raise MissingError(
            missing, resolution="Names are those of the package set's attributes, nested by dots."
        )
    packages = tuple(_Package.read(entry) for entry in answer["packages"])
    for package in packages:
        if package.system not in (system, "builtin"):
            raise ImageError(
                f"nix: {package.name} is for {package.system}, not for {system}",
                resolution="Let default.nix be a function of { system, ... }.",
            )
    return tuple({package.output: package for package in packages}.values())


def _member(nix: Nix, folder: Path, info: PathInfo, package: _Package | None) -> Member:
    """A store path's files; a single file gets a folder, as members have one."""
    tree, target = nix.on_host(info.path), GuestPath(info.path)
    if tree.is_symlink() or not tree.is_dir():
        alone = folder / "files" / target.name
        alone.mkdir(mode=0o755, parents=True)
        os.link(tree, alone / target.name, follow_symlinks=False)
        os.utime(alone, (1, 1))
        tree, target = alone, STORE
    label = package_label(info.path)
    facts = {"nar_hash": info.nar_hash, **(_facts(package) if package else {})}
    return Member(id=label, content=info.path, tree=tree, target=target, facts=facts)


def _facts(package: _Package) -> dict[str, str]:
    facts = {
        "name": package.pname,
        "version": package.version,
        "homepage": package.homepage,
        "license": " AND ".join(sorted(package.licenses)),
    }
    return {name: value for name, value in facts.items() if value}


def _graph(infos: Sequence[PathInfo], named: Mapping[str, _Package]) -> Graph:
    nodes = {
        info.path: Node(
            name=info.path,
            label=package_label(info.path),
            source=_source_of(info.path),
            size=info.size,
            references=info.references,
            closure_size=info.closure_size,
        )
        for info in infos
    }
    return Graph(nodes=nodes, roots=tuple(named))


def _source_of(path: str) -> str:
    """What a path changes together with: its name up to the version, as nix divides them."""
    words = package_label(path).split("-")
    end = next((n for n, word in enumerate(words) if n and word[:1].isdigit()), len(words))
    return "-".join(words[:end])


def _farm_content(paths: Mapping[str, object]) -> str:
    return cache_key("nix farm", {"version": FARM_VERSION, "paths": tuple(paths)}).hex


def _sources(package_set: PackageSet, named: Mapping[str, _Package]) -> Mapping[str, Canonical]:
    """What an image of a package set that can change was made of: its store paths tell."""
    paths = {package.attribute: path for path, package in named.items()}
    return {"nix": package_set.sources, "farm": FARM_VERSION, "paths": paths}


def _environment(farm: Path) -> dict[str, str]:
    there = os.path.lexists(farm / _CERTIFICATES.relative_to("/"))
    return {"SSL_CERT_FILE": str(_CERTIFICATES)} if there else {}


def _command(packages: Sequence[_Package]) -> tuple[str, ...]:
    has_shell = any(package.attribute == _INTERACTIVE_SHELL for package in packages)
    return ("bash",) if has_shell else ()
