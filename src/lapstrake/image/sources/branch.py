"""A branch as a source of packages: its own builds, and those of its archive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from stat import S_ISDIR

from lapstrake.branch.instance import Branch, current_branch, enter_branch, refresh_due
from lapstrake.compose.archive import package_layers
from lapstrake.compose.base import ComposedRoot, How, Package, Wanted
from lapstrake.compose.closure import closure_of, read_status
from lapstrake.compose.root import compose_root
from lapstrake.compose.status import parse_status
from lapstrake.errors import MissingError
from lapstrake.formats.keys import Canonical
from lapstrake.grouping.base import Graph, Node
from lapstrake.image.base import ImageRequest
from lapstrake.image.names import plus_spelling
from lapstrake.image.sources.base import Closure, Member
from lapstrake.image.sources.remaining import disagree, remainder_of, remainder_over
from lapstrake.layer.store import Layer
from lapstrake.names import BranchName
from lapstrake.place.workplace import Workplace
from lapstrake.repository.flat import Repository
from lapstrake.repository.open import repository_of


@dataclass(frozen=True, slots=True, kw_only=True)
class _Root:
    """A branch with the packages of a request on it."""

    place: Workplace
    repository: Repository
    root: ComposedRoot
    names: tuple[str, ...]

    def layers(self, packages: Sequence[Package]) -> Mapping[str, Layer]:
        """The layers of packages' files, by name."""
        return package_layers(self.place, self.root.branch, self.repository, packages)


class BranchSource:
    """A `lapstrake.image.sources.base.PackageSource`.

    Args:
        place: where the branches are.
        refresh: whether to look upstream for new packages; ``None``: as the configuration says.
    """

    name = "branch"

    def __init__(self, place: Workplace, *, refresh: bool | None = None) -> None:
        self._place = place
        self._refresh = refresh

    def state(self, request: ImageRequest) -> Mapping[str, Canonical] | None:
        """What an image depends on besides the request; ``None`` when upstream is to be asked."""
        name = BranchName(request.tag)
        if refresh_due(self._place, name, refresh=self._refresh):
            return None
        branch = current_branch(self._place, name)
        return _state(self._place, branch) if branch else None

    @contextmanager
    def open(self, request: ImageRequest) -> Iterator[Closure]:
        """Compose a root of the request's packages, and hold its layers."""
        place = self._place
        branch = enter_branch(place, BranchName(request.tag), refresh=self._refresh)
        state = _state(place, branch)
        found = _compose(place, branch, request.packages)
        with place.store.lease(found.root.stack):
            closure, used = _on_base(found) if request.base else _minimal(found)
            with place.store.lease(used):
                yield replace(closure, sources=state)


def _state(place: Workplace, branch: Branch) -> dict[str, Canonical]:
    return {
        "branch": branch.name.text,
        "base": branch.base.key.hex,
        "instance": branch.instance.key.hex,
        "releases": branch.instance.facts.get("releases"),
        "repository": str(repository_of(place, branch.name).state()),
    }


def _compose(place: Workplace, branch: Branch, packages: tuple[str, ...]) -> _Root:
    """Compose the root; names that are not found are tried with their pluses."""
    repository = repository_of(place, branch.name)

    def compose(names: tuple[str, ...]) -> _Root:
        bare = ComposedRoot(branch=branch, added=(), layers=())
        wanted = Wanted(packages=names)
        root = compose_root(place, branch, repository, wanted) if names else bare
        return _Root(place=place, repository=repository, root=root, names=names)

    try:
        return compose(packages)
    except MissingError as missing:
        spelled = {name: plus_spelling(name) for name in missing.names}
        if all(name == spelling for name, spelling in spelled.items()):
            raise
        told = {spelling: name for name, spelling in spelled.items()}
        try:
            return compose(tuple(sorted({spelled.get(name, name) for name in packages})))
        except MissingError as still:
            raise MissingError(tuple(told.get(name, name) for name in still.names)) from still


def _on_base(found: _Root) -> tuple[Closure, Sequence[Layer]]:
    """The base OS and the branch's own layer below, what was added, what configuring it wrote.

    Returns:
        the closure, and the layers that it is made of, besides those of the root.
    """
    root = found.root
    new = {package.name for package in root.added}
    stanzas = parse_status(read_status(root.stack))
    names = [stanza.name for stanza in stanzas if stanza.state == "installed"]
    packages = closure_of(found.place, root, names)
    added = [package for package in packages if package.name in new]
    layers = found.layers(added)
    if root.how is How.COMPOSED and not disagree(layers.values()):
        top = tuple(layer for layer in root.layers if layer.kind != "package")
    else:
        top = (remainder_over(found.place, root, layers),)
    closure = _closure(found, added, layers, top)
    closure = replace(
        closure,
        below=tuple((f"layer {layer.key}", layer.tree) for layer in root.branch.layers),
        carried={p.id: _facts(p) for p in packages if p.name not in new},
        created=max(closure.created, _newest(root.branch.layers)),
        command=("bash",),
    )
    return closure, (*layers.values(), *top)


def _minimal(found: _Root) -> tuple[Closure, Sequence[Layer]]:
    """What the packages need and no more, and what is left of the whole root for them.

    Returns: as `_on_base`.
    """
    packages = closure_of(found.place, found.root, found.names)
    layers = found.layers(packages)
    created = _newest(layers.values())
    top = remainder_of(found.place, found.root, packages, layers, time=created)
    closure = _closure(found, packages, layers, (top,))
    if "bash" in layers:
        closure = replace(closure, command=("bash",))
    return closure, (*layers.values(), top)


def _closure(
    found: _Root,
    packages: Sequence[Package],
    layers: Mapping[str, Layer],
    top: Sequence[Layer],
) -> Closure:
    return Closure(
        graph=_graph(packages, roots=found.names),
        members=_members(found, packages, layers),
        top=tuple(layer.tree for layer in top),
        top_content=" ".join(f"layer {layer.key}" for layer in top),
        created=_newest(layers.values()),
    )


def _graph(packages: Sequence[Package], *, roots: Sequence[str]) -> Graph:
    names = {package.name for package in packages}
    nodes = {
        package.name: Node(
            name=package.name,
            label=package.name,
            source=package.source or package.name,
            size=package.installed or package.size,
            references=tuple(need for need in package.needs if need in names),
        )
        for package in packages
    }
    asked = [name.partition("=")[0] for name in roots]
    return Graph(nodes=nodes, roots=tuple(name for name in asked if name in names))


def _members(
    found: _Root, packages: Sequence[Package], layers: Mapping[str, Layer]
) -> dict[str, Member]:
    builds = {entry.sha256: entry.build for entry in found.repository.packages()}
    members = {}
    for package in packages:
        layer = layers[package.name]
        sha256 = package.sha256 or str(layer.facts.get("sha256", ""))
        members[package.name] = Member(
            id=package.id,
            content=layer.key.hex,
            tree=layer.tree,
            facts=_facts(package, sha256=sha256, build=builds.get(sha256, "")),
        )
    return members


def _facts(package: Package, **more: str) -> dict[str, str]:
    facts = {
        "name": package.name,
        "version": package.version,
        "arch": package.arch,
        "source": package.source,
        "source_version": package.source_version,
        "sha256": package.sha256,
        "needs": " ".join(package.needs),
        **more,
    }
    return {name: value for name, value in facts.items() if value}


def _newest(layers: Iterable[Layer]) -> int:
    """When the newest package was made: its documentation is as old (its change log is in it)."""
    return max((_documented(layer.tree) for layer in layers), default=0)


def _documented(tree: Path) -> int:
    """Seconds since 1970; no link is followed, on the host it would lead out of the tree."""
    folder = tree / "usr/share/doc"
    if folder.resolve() != tree.resolve() / "usr/share/doc" or not folder.is_dir():
        return 0
    packages = (each for each in folder.iterdir() if each.is_dir() and not each.is_symlink())
    found = (file.lstat() for package in packages for file in package.iterdir())
    return max((int(facts.st_mtime) for facts in found if not S_ISDIR(facts.st_mode)), default=0)
