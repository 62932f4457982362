"""``apt:NAME``: a source package of the branch's own archive, found by apt in the branch's root."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from lapstrake.branch.instance import Branch
from lapstrake.bundle.debian_uris import SourcePackageRequest, parse_print_uris
from lapstrake.config.branches import one_branch
from lapstrake.errors import BundleError
from lapstrake.formats.keys import cache_key
from lapstrake.formats.sources_list import ListStyle, SourceEntry, render
from lapstrake.host import files
from lapstrake.layer.store import Layer
from lapstrake.names import CacheKey, Digest, GuestPath
from lapstrake.place.answers import recall, remember
from lapstrake.place.apt import Apt
from lapstrake.place.fetching import fetch_specs
from lapstrake.place.lists import lists_of_root
from lapstrake.place.workplace import Workplace
from lapstrake.runner.base import Session
from lapstrake.source.spec import SourceKind, SourceSpec

_LIST = GuestPath("/etc/apt/sources.list.d/lapstrake-source.sources")
_ABSENT = "Unable to find a source package for"


def locate_source_package(
    place: Workplace, branch: Branch, request: SourcePackageRequest, *, offline: bool = False
) -> tuple[Path, tuple[SourceSpec, ...]]:
    """Find a source package's files, and fetch its ``.dsc``.

    Returns:
        the ``.dsc`` on the host, and where all of its files come from.

    Raises:
        BundleError: the archive has no such source package.
        FetchError: the ``.dsc`` cannot be fetched.
    """
    specs = _specs(place, branch, request)
    dsc = next((spec for spec in specs if spec.name.endswith(".dsc")), None)
    if dsc is None or dsc.digest is None:
        raise BundleError(f"{request}: the archive names no .dsc")
    (fetched,) = fetch_specs(
        place.config,
        (dsc,),
        folder=place.config.work_dir,
        offline=offline,
        progress=place.progress,
        elsewhere=place.elsewhere,
    )
    path = place.private / "dsc" / dsc.digest.hex / dsc.name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomic(path, fetched.path.read_bytes(), durable=False)
    return path, specs


def lists_of_sources(place: Workplace, branch: Branch) -> tuple[Path, ...]:
    """Apt's lists of source packages as they were last fetched for this state of the branch.

    Returns:
        the files; none when they were never fetched, or are not kept any more.
    """
    layer = place.store.find(_sources_key(branch))
    return () if layer is None else tuple(sorted(layer.tree.glob("var/lib/apt/lists/*_Sources")))


def _sources_key(branch: Branch) -> CacheKey:
    return cache_key("sources", {"instance": branch.instance.key.hex})


def _specs(
    place: Workplace, branch: Branch, request: SourcePackageRequest
) -> tuple[SourceSpec, ...]:
    """Ask apt for the files' addresses and sums, or remember what it said."""
    inputs = {"instance": branch.instance.key.hex, "request": str(request)}
    question = cache_key("source package", inputs)
    rows = recall(place, question)
    if rows is None:
        specs = _ask(place, branch, request)
        remember(place, question, [asdict(spec) for spec in specs])
        return specs
    return tuple(
        SourceSpec(
            kind=SourceKind(row["kind"]),
            url=row["url"],
            name=row["name"],
            digest=Digest(**row["digest"]),
            origin=row["origin"],
        )
        for row in rows
    )


def _ask(place: Workplace, branch: Branch, request: SourcePackageRequest) -> tuple[SourceSpec, ...]:
    """`apt-get source --print-uris` over a layer that holds the lists of sources."""
    place.progress.headline(f"looking for the source package {request.name}")
    layer = _sources_layer(place, branch)
    with (
        place.store.lease((*branch.layers, layer)) as stack,
        place.store.workspace("source") as workspace,
        place.layer_runner.open(stack.trees, workspace) as session,
    ):
        wanted = request.name + (f"={request.version}" if request.version else "")
        try:
            output = _apt(place, branch, session).get(
                "source", "--download-only", "--print-uris", wanted, network=False
            )
        except BundleError as failed:
            if _ABSENT not in failed.details:
                raise
            raise BundleError(
                f"the archives of {branch.name} have no source package {wanted}",
                details=failed.details,
                resolution="See how it is spelled there, and whether the branch's list names them.",
            ) from failed
    return parse_print_uris(output.decode("utf-8", "replace"), request=request)


def _sources_layer(place: Workplace, branch: Branch) -> Layer:
    """The lists of source packages, as a layer over the branch: fetched once for each instance."""

    def fill(tree: Path) -> None:
        with (
            place.store.lease(branch.layers) as stack,
            place.store.workspace("sources") as workspace,
            place.layer_runner.open(stack.trees, workspace) as session,
        ):
            _apt(place, branch, session).get(
                f"-oDir::Etc::sourcelist={_LIST}",
                "-oDir::Etc::sourceparts=-",
                "-oAPT::Get::List-Cleanup=false",
                "update",
            )
            session.capture(tree)

    inputs = {"instance": branch.instance.key.hex}
    return place.store.make(
        _sources_key(branch),
        kind="sources",
        facts=inputs,
        fill=fill,
        on_wait=place.progress.headline,
    )


def _apt(place: Workplace, branch: Branch, session: Session) -> Apt:
    """Apt that sees, besides the branch's packages, the sources of the same archives."""
    entries = _source_entries(place, branch)
    if not entries:
        raise BundleError(
            f"the branch {branch.name} names no archive to take sources from",
            resolution="Give it a source list of its own.",
        )
    return Apt(
        session=session,
        progress=place.progress,
        error=BundleError,
        limits=place.limits,
        files={_LIST: render(entries, style=ListStyle.DEB822).encode()},
    )


def _source_entries(place: Workplace, branch: Branch) -> tuple[SourceEntry, ...]:
    """The branch's archives, asked for sources; a list often names only binary packages."""
    listed = one_branch(place.config.folder, branch.name)
    entries = listed.entries or lists_of_root(branch.base.tree)
    return tuple(replace(entry, types=("deb-src",)) for entry in entries if entry.enabled)
