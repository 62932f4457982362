"""The desk's look into bundles: where sources are, and what members of a group need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from lapstrake.build.group import relate
from lapstrake.bundle.base import Bundle
from lapstrake.bundle.debian_uris import is_request, parse_request
from lapstrake.bundle.tree import Tree, TreeBundle, UnknownBundle
from lapstrake.config.model import Config
from lapstrake.errors import LapstrakeError
from lapstrake.farm.contents import bundles, source_index
from lapstrake.farm.contents.base import Contents
from lapstrake.farm.contents.pack import pack_bundle
from lapstrake.farm.problems import Invalid, Problem
from lapstrake.farm.values.groups import MemberSpec
from lapstrake.farm.values.tasks import TaskKind, TaskSpec
from lapstrake.host.files import temporary_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """Which members of a group need which.

    Attributes:
        needs: for each member, those that come before.
        unread: members whose bundles could not be read, each with the reason.
    """

    needs: Mapping[str, tuple[str, ...]]
    unread: Mapping[str, str] = field(default_factory=dict)


def check_source(source: str, config: Config) -> None:
    """Refuse a source that there is not: ``apt:NAME[=VERSION]``, or a name in a tree.

    Paths of the server are nobody's business and no sources.

    Raises:
        Invalid: it is none; the resolution names the nearest ones.
    """
    if is_request(source):
        try:
            parse_request(source)
        except LapstrakeError as error:
            raise Invalid(error.brief, resolution=error.resolution) from None
    else:
        _in_trees(source, config)


def packed(spec: TaskSpec, config: Config, contents: Contents) -> TaskSpec:
    """A spec whose bundle in a tree is in the content store, as it is now: all workers get it.

    Raises:
        Invalid: it is in no tree, or cannot be packed.
    """
    if spec.bundle or not spec.source or is_request(spec.source):
        return spec
    found = _in_trees(spec.source, config)
    archive = temporary_name(contents.scratch / "tree")
    try:
        pack_bundle(found.path, archive)
        digest = contents.add_file(archive)
    except Problem:
        raise
    except LapstrakeError as error:
        raise Invalid(f"{found.address} cannot be packed") from error
    finally:
        archive.unlink(missing_ok=True)
    return replace(spec, bundle=digest, source=found.address, name=spec.name or found.address)


def needs_of(members: Sequence[MemberSpec], config: Config, contents: Contents) -> Needs:
    """Find out which members need which: as they say, else from their bundles.

    Args:
        members: their specs are checked.
        config: the limits of unpacking.
        contents: has the bundles.
    """
    told = {m.name: tuple(dict.fromkeys(m.needs)) for m in members if m.needs is not None}
    if len(told) == len(members):
        return Needs(needs=told)
    read: dict[str, Bundle] = {}
    unread: dict[str, str] = {}
    for member in members:
        try:
            read[member.name] = _read(member.spec, config, contents)
        except LapstrakeError as error:
            if member.name not in told:
                unread[member.name] = error.brief
    listed = _listed([m for m in members if m.name in unread], config)
    read.update(listed)
    unread = {name: reason for name, reason in unread.items() if name not in listed}
    found = {name: tuple(sorted(needs)) for name, needs in relate(read).items()}
    needs = {m.name: told.get(m.name, found.get(m.name, ())) for m in members}
    return Needs(needs=needs, unread=unread)


def _listed(members: Sequence[MemberSpec], config: Config) -> dict[str, Bundle]:
    """What the lists of their branches say of members from archives."""
    found: dict[str, Bundle] = {}
    asked = [member for member in members if is_request(member.spec.source)]
    for branch, arch in {(member.spec.branch, member.spec.arch) for member in asked}:
        alike = [m for m in asked if (m.spec.branch, m.spec.arch) == (branch, arch)]
        said = source_index.described(config, branch, {m.spec.source for m in alike}, arch)
        found |= {m.name: said[m.spec.source] for m in alike if m.spec.source in said}
    return found


def _read(spec: TaskSpec, config: Config, contents: Contents) -> Bundle:
    """Read a spec's bundle as hostile.

    Raises:
        LapstrakeError: it cannot be read here, or is wrong.
    """
    if spec.kind is not TaskKind.BUNDLE:
        raise Invalid("artifacts do not say what they need")
    if not spec.bundle:
        raise Invalid(f"{spec.source} is only known once it is fetched")
    limit = config.farm.bundle_limit
    with ExitStack() as stack:
        folder = stack.enter_context(
            bundles.opened(contents, spec.bundle, limit=limit, name=spec.name)
        )
        found = bundles.read_bundle(bundles.find_bundle(folder), spec.arch)
    if found is None:
        raise Invalid("it can only be read in a root")
    return found


def _in_trees(name: str, config: Config) -> TreeBundle:
    advice = "Give apt:NAME, or the name of a bundle in one of the server's trees."
    for top in config.tree:
        try:
            return Tree(top).find(name)
        except UnknownBundle as miss:
            advice = miss.resolution or advice
        except LapstrakeError as error:  # several of this name, or no tree there
            raise Invalid(error.brief, resolution=error.resolution) from None
    raise Invalid(f"no tree of the server has a bundle {name[:80]!r}", resolution=advice)
