"""A bundle's build dependencies as a layer: resolved by apt, installed once, used by every build.

Two steps, each remembered. *Resolving* asks apt what it would install, which depends on the
instance and on the branch's own repository; *installing* depends only on the answer. So a package
published meanwhile costs a question, and a new layer only if the answer differs.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

from lapstrake.branch.instance import Branch
from lapstrake.bundle.base import BuildDependencies, Bundle
from lapstrake.errors import DependencyError
from lapstrake.formats.keys import Canonical, cache_key
from lapstrake.host import files
from lapstrake.layer.store import Layer
from lapstrake.names import CacheKey, GuestPath
from lapstrake.place.apt import Apt, simulated_installs
from lapstrake.place.workplace import Workplace
from lapstrake.repository.flat import Repository
from lapstrake.runner.base import Bind, Session

REPOSITORY = GuestPath("/var/lib/lapstrake/repository")
"""Where a root sees the repository of its branch."""

_LIST = GuestPath("/etc/apt/sources.list.d/lapstrake.sources")
_PIN = GuestPath("/etc/apt/preferences.d/lapstrake")
_SOURCES = f"""Types: deb
URIs: file:{REPOSITORY}
Suites: ./
Signed-By: {REPOSITORY}/key.asc
""".encode()
# The branch's own packages are preferred, even to newer ones of the archive: they were built to be.
# No origin stands for a repository that is read as files, see apt_preferences(5).
_PREFERENCES = b'Package: *\nPin: origin ""\nPin-Priority: 900\n'
_UNSATISFIED = re.compile(r": (?:Pre)?Depends: (.+?) but ")
_NO_DEPENDENCIES = BuildDependencies()
Resolved = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """What was found to be needed.

    Attributes:
        layer: ``None`` when nothing has to be installed.
        packages: names and versions, sorted.
        reason: how it came: from the store, or made, and why.
        made: whether the layer was made just now.
    """

    layer: Layer | None
    packages: Resolved
    reason: str
    made: bool = False


def satisfy_argument(wanted: BuildDependencies) -> str:
    """Write dependencies as ``apt-get satisfy`` takes them (apt-get(8)).

    >>> satisfy_argument(BuildDependencies(depends=("a (>= 1)", "b | c"), conflicts=("d",)))
    'a (>= 1), b | c, Conflicts: d'
    """
    essential = ("build-essential",) if wanted.essential else ()
    relations = [*essential, *wanted.depends]
    return ", ".join([*relations, *(f"Conflicts: {other}" for other in wanted.conflicts)])


def install_dependencies(
    place: Workplace, branch: Branch, bundle: Bundle, repository: Repository
) -> Dependencies:
    """Get the layer of a bundle's build dependencies over a branch.

    Raises:
        DependencyError: apt cannot satisfy them; the brief names which.
    """
    if bundle.build_depends == _NO_DEPENDENCIES:
        return Dependencies(layer=None, packages=(), reason="it needs nothing")
    request = _Request(place=place, branch=branch, repository=repository, bundle=bundle)
    question = request.question
    packages = _remembered(place, question)
    if packages is None:
        place.progress.headline("resolving the build dependencies")
        packages = request.resolve()
        _remember(place, question, packages)
    if not packages:
        return Dependencies(layer=None, packages=(), reason="the branch has all it needs")
    return request.layer(packages)


def known_dependencies(
    place: Workplace, branch: Branch, bundle: Bundle, repository: Repository
) -> Dependencies | None:
    """What `install_dependencies` would find ready; ``None`` when it would have work to do."""
    request = _Request(place=place, branch=branch, repository=repository, bundle=bundle)
    packages = _remembered(place, request.question)
    if packages is None:
        return None
    if not packages:
        return Dependencies(layer=None, packages=(), reason="the branch has all it needs")
    return request.found(packages)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """One bundle's wish, and where it is fulfilled."""

    place: Workplace
    branch: Branch
    repository: Repository
    bundle: Bundle

    @property
    def question(self) -> CacheKey:
        """What apt's answer depends on."""
        return cache_key(
            "resolution",
            {
                "instance": self.branch.instance.key.hex,
                "repository": str(self.repository.state()),
                "depends": self._wanted,
                "profiles": self._profiles,
            },
        )

    @property
    def _wanted(self) -> str:
        return satisfy_argument(self.bundle.build_depends)

    @property
    def _profiles(self) -> str:
        return self.bundle.environment.get("LAPSTRAKE_PROFILES", "")

    def resolve(self) -> Resolved:
        """Ask apt what it would install."""
        with (
            self.place.store.lease(self.branch.layers) as stack,
            self.place.store.workspace("resolve") as workspace,
            self.place.layer_runner.open(stack.trees, workspace) as session,
        ):
            apt = self._apt(session)
            try:
                output = apt.get("--simulate", *self._satisfy(), network=False)
            except DependencyError as failed:
                raise self._unsatisfied(failed) from failed
        return simulated_installs(output.decode("utf-8", "replace"))

    def found(self, packages: Resolved) -> Dependencies | None:
        """The layer with these packages installed, if it is in the store."""
        layer = self.place.store.find(cache_key("dependencies", self._inputs(packages)))
        if layer is None:
            return None
        reason = f"{len(packages)} packages, in the store"
        return Dependencies(layer=layer, packages=packages, reason=reason)

    def layer(self, packages: Resolved) -> Dependencies:
        """Find or make the layer with these packages installed."""
        found = self.found(packages)
        if found is not None:
            return found
        inputs = self._inputs(packages)
        self.place.progress.headline(f"installing {len(packages)} packages it needs")
        layer = self.place.store.make(
            cache_key("dependencies", inputs),
            kind="dependencies",
            facts={**inputs, "depends": self._wanted},
            fill=self._install,
            on_wait=self.place.progress.headline,
        )
        return Dependencies(
            layer=layer,
            packages=packages,
            reason=f"{len(packages)} packages, installed now",
            made=True,
        )

    def _inputs(self, packages: Resolved) -> dict[str, Canonical]:
        own = {(entry.package, entry.version): entry.sha256 for entry in self.repository.packages()}
        return {
            "instance": self.branch.instance.key.hex,
            "packages": [
                [name, version, own.get((name, version), "")] for name, version in packages
            ],
        }

    def _unsatisfied(self, failed: DependencyError) -> DependencyError:
        """Say which dependency it is, not only that apt failed."""
        names = dict.fromkeys(_UNSATISFIED.findall(failed.details))
        if not names:
            return failed
        return DependencyError(
            f"{self.bundle.name} needs what {self.branch.name} does not have: {', '.join(names)}",
            details=failed.details,
            resolution="Check the name, build it for this branch first, or add its archive to the "
            "branch's source list.",
        )

    def _install(self, tree: Path) -> None:
        with (
            self.place.store.lease(self.branch.layers) as stack,
            self.place.store.workspace("dependencies") as workspace,
            self.place.layer_runner.open(stack.trees, workspace) as session,
        ):
            apt = self._apt(session)
            apt.install(*self._satisfy())
            apt.get("clean", network=False)
            session.capture(tree)

    def _satisfy(self) -> list[str]:
        profiles = [f"-oAPT::Build-Profiles={','.join(self._profiles.split())}"]
        return [*(profiles if self._profiles else []), "satisfy", self._wanted]

    def _apt(self, session: Session) -> Apt:
        """apt-get that knows the branch's own repository, if anything is in it."""
        place = self.place
        apt = Apt(
            session=session, progress=place.progress, error=DependencyError, limits=place.limits
        )
        if not self.repository.packages():
            return apt
        apt = replace(
            apt,
            binds=(Bind(source=self.repository.path, target=REPOSITORY),),
            files={_LIST: _SOURCES, _PIN: _PREFERENCES},
        )
        apt.get(
            f"-oDir::Etc::sourcelist={_LIST}",
            "-oDir::Etc::sourceparts=-",
            "-oAPT::Get::List-Cleanup=false",
            "update",
            network=False,
        )
        return apt


def _remembered(place: Workplace, question: CacheKey) -> Resolved | None:
    file = place.private / "resolved" / f"{question}.json"
    try:
        return tuple((name, version) for name, version in json.loads(file.read_bytes()))
    except (FileNotFoundError, ValueError):
        return None


def _remember(place: Workplace, question: CacheKey, packages: Resolved) -> None:
    file = place.private / "resolved" / f"{question}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    files.write_atomic(file, json.dumps(packages).encode(), durable=False)
