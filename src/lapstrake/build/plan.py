"""What a build would do, and why: actions as values, for ``--dry-run`` and ``--explain``."""

from __future__ import annotations

from dataclasses import dataclass

from lapstrake.branch.foreign import known_foreign
from lapstrake.branch.instance import Branch, current_branch, refresh_reason
from lapstrake.build.dependencies import Dependencies, known_dependencies
from lapstrake.build.outcome import bounds
from lapstrake.build.probe import must_probe
from lapstrake.build.reading import NoRootError, reading_of
from lapstrake.build.request import BuildRequest, settled
from lapstrake.bundle.base import Bundle
from lapstrake.bundle.debian_uris import is_request
from lapstrake.place.state import StateFiles
from lapstrake.place.workplace import Workplace
from lapstrake.repository.open import repository_of
from lapstrake.source.spec import SourceSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing a build does, or need not do.

    Attributes:
        stage: base, instance, target, bundle, source, dependencies, build, publish.
        what: what is done, as a phrase; empty when nothing has to be.
        reason: why, or why not.
    """

    stage: str
    what: str
    reason: str


def plan(place: Workplace, request: BuildRequest) -> tuple[Action, ...]:
    """The actions of a build, in order. Nothing is fetched, made or changed.

    What is only known in a root of the branch, or to its archive, is told as such: the packages of
    ``apt:NAME``, or a bundle that a shell must evaluate while the branch has no root yet.

    Raises:
        LapstrakeError: what the build itself would say of the bundle, branch or configuration.
    """
    request = settled(request, place.config.arch)
    actions = [_base(place), _instance(place, request), *_target(place, request)]
    actions += _bundle(place, request)
    actions.append(_publish(place, request))
    return tuple(actions)


def _bundle(place: Workplace, request: BuildRequest) -> list[Action]:
    """What the bundle itself makes necessary."""
    if is_request(request.bundle):
        what = f"ask the archive for the source package {request.bundle}"
        reason = "its sources and dependencies are known only then"
        return [Action(stage="source", what=what, reason=reason)]
    branch = current_branch(place, request.branch)

    def enter() -> Branch:
        if branch is None:
            raise NoRootError(f"the branch {request.branch} has no root yet")
        return branch

    reading = reading_of(place, request, enter, remember=False)
    try:
        bundle = reading.bundle()
        if branch is not None and not must_probe(bundle):
            bundle = reading.tools(bundle, ())
    except NoRootError:
        what = f"evaluate {request.bundle} in a root of {request.branch}"
        reason = "only a shell can read it, and the branch has no root yet"
        return [Action(stage="bundle", what=what, reason=reason)]
    return [
        *(_source(place, spec) for spec in bundle.sources),
        _dependencies(place, request, branch, bundle),
        _build(place, request, bundle),
    ]


def _base(place: Workplace) -> Action:
    state = StateFiles(place.private).base()
    if state is not None and place.store.find(state.key) is not None:
        return Action(stage="base", what="", reason=f"{state.origin} is loaded")
    base = place.config.base
    return Action(
        stage="base",
        what=f"load the base OS ({base.method} {base.url or base.suite})",
        reason="there is none yet",
    )


def _instance(place: Workplace, request: BuildRequest) -> Action:
    reason = refresh_reason(place, request.branch, refresh=request.refresh)
    if not reason:
        return Action(stage="instance", what="", reason="nothing changed upstream, nor here")
    return Action(stage="instance", what=f"refresh the branch {request.branch}", reason=reason)


def _target(place: Workplace, request: BuildRequest) -> list[Action]:
    """What cross-compiling makes necessary."""
    target = request.target
    if target is None:
        return []
    branch = current_branch(place, request.branch)
    known = branch is not None and known_foreign(place, branch, target) is not None
    what = f"fetch the branch's lists for {target}, and the C library"
    reason = f"what is for {target} is linked with libraries of {target}"
    if known:
        what, reason = "", f"the branch knows packages of {target} already"
    actions = [Action(stage="target", what=what, reason=reason)]
    if request.toolchain:
        what = f"lay {request.toolchain} over the branch"
        actions.append(Action(stage="target", what=what, reason="--toolchain says so"))
    return actions


def _source(place: Workplace, spec: SourceSpec) -> Action:
    from lapstrake.source.cache import DownloadCache

    if spec.digest is not None:
        if DownloadCache(place.config.cache.download_dir).find(spec.digest) is not None:
            return Action(stage="source", what="", reason=f"{spec.name} is in the download cache")
        return Action(
            stage="source",
            what=f"fetch {spec.name} from {spec.url}",
            reason=f"nothing with {spec.digest.algorithm} {spec.digest.hex[:12]}… is in the cache",
        )
    return Action(
        stage="source",
        what=f"fetch {spec.name} from {spec.url}",
        reason=f"revision {spec.revision} is looked up in its {spec.kind} repository",
    )


def _dependencies(
    place: Workplace, request: BuildRequest, branch: Branch | None, bundle: Bundle
) -> Action:
    wanted = bundle.build_depends
    if must_probe(bundle):
        return Action(
            stage="dependencies",
            what="ask the toolbox which template builds it, then install what that needs",
            reason="its defines do not say",
        )
    if not wanted.depends and not wanted.conflicts and not wanted.essential:
        return Action(stage="dependencies", what="", reason="the bundle needs none")
    known = _known_dependencies(place, request, branch, bundle)
    if known is not None:
        return Action(stage="dependencies", what="", reason=known.reason)
    named = ", ".join((*wanted.depends, *(("build-essential",) if wanted.essential else ())))
    return Action(
        stage="dependencies",
        what="compose its build dependencies, or let apt install them",
        reason=f"it needs {named}",
    )


def _known_dependencies(
    place: Workplace, request: BuildRequest, branch: Branch | None, bundle: Bundle
) -> Dependencies | None:
    """What is in the store already."""
    target = request.target
    if branch is not None and target is not None:
        branch = known_foreign(place, branch, target)
    if branch is None:
        return None
    repository = repository_of(place, request.branch)
    return known_dependencies(
        place, branch, bundle, repository, target=target, compilers=not request.toolchain
    )


def _build(place: Workplace, request: BuildRequest, bundle: Bundle) -> Action:
    networked = bundle.needs.network or request.network
    limits = bounds(place.limits, bundle.needs)
    parts = [
        f"runner {place.runner.name}",
        "with the network" if networked else "without network",
        *([f"{limits.seconds:g} s"] if limits.seconds else []),
        *([f"{limits.memory >> 20} MiB"] if limits.memory else []),
    ]
    on = f" for {request.target}" if request.target else ""
    return Action(
        stage="build",
        what=f"build {bundle.name} {bundle.version}{on} ({', '.join(parts)})",
        reason="a build is always done anew; only what it stands on is kept",
    )


def _publish(place: Workplace, request: BuildRequest) -> Action:
    if not request.publish:
        return Action(stage="publish", what="", reason="publishing was not wanted")
    return Action(
        stage="publish",
        what=f"put the packages into {place.output(request.branch)}",
        reason="so that the branch's next builds, and apt elsewhere, can use them",
    )
