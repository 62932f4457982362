"""Nix as a source of packages: the program ``nix`` finds, fetches and builds them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from lapstrake.formats.keys import Canonical, cache_key
from lapstrake.grouping.base import Graph, Node
from lapstrake.image.base import ImageRequest
from lapstrake.image.sources.base import Closure, Member
from lapstrake.image.sources.nix_farm import FARM_VERSION, make_farm
from lapstrake.image.sources.nix_lookup import NixPackage, find_packages
from lapstrake.image.sources.nix_program import STORE, Nix, PathInfo, package_label
from lapstrake.image.sources.nix_set import PackageSet, fixed_identity, open_package_set
from lapstrake.names import GuestPath
from lapstrake.place.workplace import Workplace

_CERTIFICATES = GuestPath("/etc/ssl/certs/ca-bundle.crt")
_INTERACTIVE_SHELL = "bashInteractive"


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
            UsageError: nothing is asked for.
            MissingError: packages do not exist; all of them are named.
            ConfigError: no package set is configured, or what is configured is none.
            FetchError: the repository of the package set cannot be fetched.
            ImageError: a package cannot be evaluated or built; the details end with its log.
            LimitError: ``[nix] timeout`` is over.
        """
        place = self._place
        with place.store.workspace("nix") as folder:
            nix = Nix(place.private / "nix", place.progress, timeout=place.config.nix.timeout)
            with open_package_set(place, request.tag, folder) as package_set:
                packages = find_packages(nix, package_set.where, request, folder)
            place.progress.headline(f"building or fetching {len(packages)} packages with nix")
            (folder / "roots").mkdir()
            paths = nix.realise([each.output for each in packages], roots=folder / "roots")
            named = dict(zip(paths, packages, strict=True))
            infos = nix.closure(tuple(named))
            farm = folder / "farm"
            make_farm(farm, [GuestPath(path) for path in named], nix.on_host)
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


def _member(nix: Nix, folder: Path, info: PathInfo, package: NixPackage | None) -> Member:
    """A store path's files; a single file gets a folder, as members have one."""
    tree, target = nix.on_host(info.path), GuestPath(info.path)
    if tree.is_symlink() or not tree.is_dir():
        alone = folder / "files" / target.name
        alone.mkdir(mode=0o755, parents=True)
        os.link(tree, alone / target.name, follow_symlinks=False)
        os.utime(alone, (1, 1))
        tree, target = alone, STORE
    label = package_label(info.path)
    facts = {"nar_hash": info.nar_hash, **(package.facts if package else {})}
    return Member(id=label, content=info.path, tree=tree, target=target, facts=facts)


def _graph(infos: Sequence[PathInfo], named: Mapping[str, NixPackage]) -> Graph:
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


def _sources(package_set: PackageSet, named: Mapping[str, NixPackage]) -> Mapping[str, Canonical]:
    """What an image of a package set that can change was made of: its store paths tell."""
    paths = {package.attribute: path for path, package in named.items()}
    return {"nix": package_set.sources, "farm": FARM_VERSION, "paths": paths}


def _environment(farm: Path) -> dict[str, str]:
    there = os.path.lexists(farm / _CERTIFICATES.relative_to("/"))
    return {"SSL_CERT_FILE": str(_CERTIFICATES)} if there else {}


def _command(packages: Sequence[NixPackage]) -> tuple[str, ...]:
    has_shell = any(package.attribute == _INTERACTIVE_SHELL for package in packages)
    return ("bash",) if has_shell else ()
