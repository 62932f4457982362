"""Everything that a build needs, brought from the server: an empty worker becomes a copy of it.

The branch's source list, base OS and instance come as the server has them, under the same keys. For
an architecture that the server has no root of, the worker makes one from the branch's list, and
shares it with the next worker.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from lapstrake.branch.instance import Branch, enter_branch
from lapstrake.config.model import Config, RefreshMode
from lapstrake.farm.contents.stack import PackedLayer, StackDocument, StackLayer
from lapstrake.farm.contents.stacks import stack_document
from lapstrake.farm.problems import NotAllowed, WrongState
from lapstrake.farm.values.attempts import Job
from lapstrake.farm.worker.configured import configured
from lapstrake.farm.worker.link import Link
from lapstrake.farm.worker.mirror import mirror_repository
from lapstrake.farm.worker.sources import ServerSources
from lapstrake.host.files import temporary_name
from lapstrake.host.layer_archive import pack_layer, unpack_layer
from lapstrake.layer.store import Layer
from lapstrake.names import Arch, CacheKey
from lapstrake.place.foreign import place_for, require_machine
from lapstrake.place.state import BranchState, StateFiles
from lapstrake.place.workplace import Workplace
from lapstrake.progress import Progress
from lapstrake.runner.choose import choose


def prepare_place(job: Job, link: Link, config: Config, progress: Progress) -> Workplace:
    """Make a worker ready to build a job.

    Args:
        job: what is to be built.
        link: to the server.
        config: the worker's own, see `lapstrake.farm.worker.configured`.
        progress: hears what is fetched.

    Returns:
        the place to build in, whose branch is fresh and is not to be refreshed.

    Raises:
        Problem: the server refuses: there is no such branch (any more).
        RunnerError: this host cannot run the job's architecture.
    """
    spec = job.spec
    arch = Arch(spec.arch) if spec.arch else config.arch
    require_machine(arch)
    path = f"/api/v1/branches/{quote(spec.branch, safe='')}/stack"
    document = link.connection.get(StackDocument, path, arch=arch.value)
    home = Workplace(
        config=configured(config, document),
        runner=choose(config.runner.name.value, config.runner),
        progress=progress,
        elsewhere=ServerSources(link, progress),
    )
    place = place_for(home, arch)
    adopt(place, link, document)
    if not document.served:
        _keep_fresh(place, link, document)
    arches = frozenset({arch.value, spec.target or arch.value})
    mirror_repository(link, spec.branch, place.output(document.name), arches, progress)
    fixed = replace(place.config, refresh=replace(place.config.refresh, mode=RefreshMode.NEVER))
    return replace(place, config=fixed)


def adopt(place: Workplace, link: Link, document: StackDocument) -> None:
    """Have the server's layers, and take them for the base OS and the branch, if there are any.

    Args:
        place: of the document's architecture.
        link: to the server.
        document: what the server has.
    """
    if document.base is None or document.instance is None:
        return
    for layer in document.layers:
        _fetch_layer(place, link, layer)
    state = StateFiles(place.private)
    instance = document.instance.state()
    with place.lock("adopt", what="the worker's branches"):
        base = document.base.state(place.config.arch)
        if state.base() != base:
            state.set_base(base)
        remembered = state.branch(document.name)
        if remembered.current != instance:
            place.progress.headline(f"{document.branch} is now {instance.layer.short}")
            state.set_branch(document.name, BranchState(instances=(instance,), checked=time.time()))


def share(place: Workplace, link: Link, branch: Branch) -> None:
    """Give the server what this worker made of a branch."""
    document = stack_document(place, branch)
    if document is None:
        return
    for layer in (branch.base, branch.instance):
        _share_layer(place, link, layer)
    path = f"/api/v1/branches/{quote(document.branch, safe='')}/stack"
    link.connection.call("PUT", path, json=document)


def _keep_fresh(place: Workplace, link: Link, document: StackDocument) -> None:
    """Make or refresh base and branch here, since the server does not; one slot of a worker does.

    What is new is shared; the others follow.
    """
    with place.lock("own", what="the worker's base OS"):
        branch = enter_branch(place, document.name)
        known = document.instance.layer if document.instance else ""
        if branch.instance.key.hex != known:
            try:
                share(place, link, branch)
            except (WrongState, NotAllowed) as refused:  # others build in other roots then
                place.progress.warning(f"these roots are not shared: {refused.brief}")


def _fetch_layer(place: Workplace, link: Link, wanted: StackLayer) -> Layer:
    """Have a layer of the server's in the store."""

    def fill(tree: Path) -> None:
        place.progress.headline(f"fetching the {wanted.kind} layer {wanted.key[:12]}")
        path = f"/api/v1/layers/{place.config.arch}/{wanted.key}"
        packed = link.connection.get(PackedLayer, path)
        archive = temporary_name(tree.with_name("layer.tar.zst"))
        try:
            link.fetch(packed.digest, archive, size=packed.size)
            unpack_layer(archive, tree, packed.closed)
        finally:
            archive.unlink(missing_ok=True)

    return place.store.make(
        CacheKey(wanted.key),
        kind=wanted.kind,
        facts=wanted.facts,
        fill=fill,
        on_wait=place.progress.headline,
    )


def _share_layer(place: Workplace, link: Link, layer: Layer) -> None:
    started = time.monotonic()
    with place.store.workspace("share") as scratch, place.store.lease([layer]):
        archive = scratch / "layer.tar.zst"
        closed = pack_layer(layer.tree, archive)
        digest = link.share(archive)
        packed = PackedLayer(digest=digest, size=archive.stat().st_size, closed=closed)
        path = f"/api/v1/layers/{place.config.arch}/{layer.key.hex}"
        link.connection.call("PUT", path, json=packed)
    seconds = time.monotonic() - started
    place.progress.headline(f"shared the {layer.kind} layer {layer.key.short} ({seconds:.1f} s)")
