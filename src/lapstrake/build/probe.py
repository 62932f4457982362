"""Which template builds an AOSC bundle that does not say: asked from the toolbox, in a root.

The unpacked (and unpatched) sources decide, so they are staged first. The answer is remembered by
the bundle's and the sources' bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from lapstrake.branch.instance import Branch
from lapstrake.build import aosc_roots
from lapstrake.build.buildroot import BUILDROOT, TOOLBOX, build_environment, stage_buildroot
from lapstrake.bundle.base import BuildDependencies, Bundle
from lapstrake.errors import BundleError
from lapstrake.formats.keys import Canonical, cache_key
from lapstrake.host.process import tail
from lapstrake.place.answers import recall, remember
from lapstrake.place.workplace import Workplace
from lapstrake.runner.base import Command, Limits
from lapstrake.source.job import Fetched

_UNKNOWN = "?"
_SECONDS = 300.0


def must_probe(bundle: Bundle) -> bool:
    """Whether an AOSC bundle leaves it to its sources which template builds it."""
    return _UNKNOWN in _templates(bundle)


def with_tools(
    place: Workplace,
    branch: Branch,
    bundle: Bundle,
    sources: tuple[Fetched, ...],
    *,
    own: Collection[str],
) -> Bundle:
    """Add what the bundle's templates need in a root that is not AOSC's.

    Args:
        place: where.
        branch: whose root.
        bundle: the bundle.
        sources: its sources, fetched.
        own: packages that the branch has built itself.
    """
    templates = _templates(bundle)
    if _UNKNOWN in templates:
        templates = _probed(place, branch, bundle, sources)
    packages = aosc_roots.template_packages(templates)
    names = aosc_roots.run_names(place.config.dependency_names, own=own)
    return replace(
        bundle,
        build_depends=BuildDependencies(
            depends=(*packages, *bundle.build_depends.depends),
            conflicts=bundle.build_depends.conflicts,
            essential=bundle.build_depends.essential,
        ),
        environment={
            **bundle.environment,
            "LAPSTRAKE_DEPENDENCY_NAMES": "\n".join(
                f"{ours}={theirs}" for ours, theirs in sorted(names.items())
            ),
            # Later packages of a bundle may be built with earlier ones; the root is thrown away.
            "LAPSTRAKE_INSTALL_RESULTS": (
                "yes" if len(templates) > 1 and place.runner.isolates else ""
            ),
        },
    )


def _templates(bundle: Bundle) -> list[str]:
    return bundle.environment.get("LAPSTRAKE_TEMPLATES", "").split()


def _probed(
    place: Workplace, branch: Branch, bundle: Bundle, sources: tuple[Fetched, ...]
) -> list[str]:
    """The templates of the bundle's packages, in order."""
    inputs: dict[str, Canonical] = {
        "arch": place.config.arch.value,
        "toolbox": folder_digest(TOOLBOX),
        "bundle": folder_digest(bundle.path),
        "sources": [str(source.digest) for source in sources],
    }
    question = cache_key("templates", inputs)
    known = recall(place, question)
    if known is not None:
        return [str(word) for word in known]
    place.progress.headline("probing which template builds it")
    templates = _ask(place, branch, bundle, sources)
    remember(place, question, templates)
    return templates


def _ask(
    place: Workplace, branch: Branch, bundle: Bundle, sources: tuple[Fetched, ...]
) -> list[str]:
    """Run the toolbox's own probe."""
    output = bytearray()
    with (
        place.store.lease(branch.layers) as stack,
        place.store.workspace("probe") as workspace,
    ):
        entered = workspace / "entered"
        entered.mkdir()
        with place.layer_runner.open(stack.trees, entered) as session:
            srcdir = stage_buildroot(session, bundle, sources, scratch=workspace)
            command = Command(
                argv=("/bin/bash", str(BUILDROOT / "toolbox" / bundle.driver), "--probe"),
                env=build_environment(
                    bundle,
                    place.config,
                    branch=branch.name,
                    srcdir=srcdir,
                    sources=sources,
                    epoch=0,
                ),
                cwd=BUILDROOT,
                limits=Limits(seconds=_SECONDS, processes=1000),
            )
            outcome = session.run(command, on_output=output.extend)
    words = [line for line in output.decode("utf-8", "replace").split() if line]
    known = [word for word in words if aosc_roots.is_template(word)]
    if not outcome.ok or not known:
        raise BundleError(
            f"{bundle.name}: no build template fits its sources",
            details=tail(bytes(output)),
            resolution="Set ABTYPE in its defines.",
        )
    return known


def folder_digest(folder: Path) -> str:
    """SHA-256 over the names, modes and bytes of all files and links below a folder."""
    total = hashlib.sha256()
    found = (entry for entry in folder.rglob("*") if entry.is_symlink() or entry.is_file())
    for file in sorted(found):
        name = file.relative_to(folder).as_posix()
        content = str(file.readlink()).encode() if file.is_symlink() else file.read_bytes()
        total.update(f"{len(name)}:{name}:{file.lstat().st_mode:o}:{len(content)}:".encode())
        total.update(content)
    return total.hexdigest()
