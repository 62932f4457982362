"""``/submit``: a bundle from the browser becomes a task, and the task is started."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from lapstrake.farm.access.viewer import viewer_of
from lapstrake.farm.contents.base import Contents
from lapstrake.farm.contents.branches import branch_names
from lapstrake.farm.contents.unfinished import one_upload
from lapstrake.farm.desk.intake import take_bundle
from lapstrake.farm.pages.site import Site, acted, form_text, moved, page, shown
from lapstrake.farm.pages.tasks import priority_of
from lapstrake.farm.problems import Invalid, Problem
from lapstrake.farm.values.scopes import Scope
from lapstrake.farm.values.tasks import Task
from lapstrake.names import Arch

_PIECE = 1 << 20


def submit_routes(site: Site) -> list[BaseRoute]:
    """The routes of the form."""
    return [
        shown(site, "/submit", _form, scope=Scope.SUBMIT),
        acted(site, "/submit", _submit),
    ]


def _form(site: Site, request: Request) -> Response:
    return page(
        request,
        "submit.html",
        branches=branch_names(site.config),
        arches=_arches(site),
        own=str(site.config.arch),
        limit=site.config.farm.upload_limit,
    )


def _arches(site: Site) -> list[str]:
    """The server's own first, then those of the workers that are there."""
    own = str(site.config.arch)
    there = {arch for worker in site.desk.workers() for arch in worker.facts.arches}
    return [own, *sorted(there - {own})]


def _submit(site: Site, request: Request, form: FormData) -> Response:
    """Nothing of it stays when any part is wrong."""
    priority, branch, arch = priority_of(form), form_text(form, "branch"), form_text(form, "arch")
    bundle, source = form.get("bundle"), form_text(form, "source")
    sent = bundle if isinstance(bundle, UploadFile) and bundle.filename else None
    if (sent is None) == (not source):
        raise Invalid(
            "there is no bundle" if sent is None else "there are an archive and a source",
            resolution="Choose an archive (or a folder), or name a source: one of them.",
        )
    if arch and arch not in set(Arch):
        raise Invalid(f"there is no machine {arch!r}", resolution=f"One of: {', '.join(Arch)}.")
    digest = _kept(site.contents, sent.file, viewer_of(request).name) if sent else ""
    task = site.desk.new_task(viewer_of(request).name, priority=priority, arch=arch)
    try:
        _prepare(site, task, digest, source, branch)
        task = site.desk.start(
            task.id, network=form.get("network") == "yes", fresh=form.get("fresh") == "yes"
        )
    except Problem as problem:
        with suppress(Problem):
            site.desk.cancel(task.id, reason=problem.brief, by=viewer_of(request).name)
        raise
    return moved(request, f"/tasks/{task.id}")


def _prepare(site: Site, task: Task, digest: str, source: str, branch: str) -> None:
    if digest:
        take_bundle(site.desk, task.id, digest)
    else:
        site.desk.set_bundle(task.id, source=source)
    site.desk.set_branch(task.id, branch)


def _kept(contents: Contents, file: BinaryIO, owner: str) -> str:
    """Put a file of a form into the contents; gives its digest."""
    digest = hashlib.sha256()

    def pieces() -> Iterator[bytes]:
        while piece := file.read(_PIECE):
            digest.update(piece)
            yield piece

    with one_upload(contents, owner=owner) as upload:
        if not contents.append(upload, 0, pieces(), owner=owner):
            raise Invalid("the file is empty", resolution="Choose the archive of a bundle.")
        name = f"sha256:{digest.hexdigest()}"
        contents.finish_upload(upload, name, owner=owner)
    return name
