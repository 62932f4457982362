"""Images that exist because somebody pulls them.

A name that was made before is answered by looking up what it leads to; nothing upstream is asked
then. Otherwise it is made while the client waits (see `lapstrake.registry.demand.making`). HEAD and
GET do the same: containerd resolves a tag by HEAD and takes a 404 for the last word.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from lapstrake.blobs.base import BlobStore
from lapstrake.errors import BranchError, LapstrakeError, MissingError, StoreError, UsageError
from lapstrake.formats.keys import cache_key
from lapstrake.image.base import ImageRequest
from lapstrake.names import BranchName
from lapstrake.oci.descriptors import Descriptor
from lapstrake.place.workplace import Workplace
from lapstrake.registry.demand import images
from lapstrake.registry.demand.accept import accepted, choose, wants_index
from lapstrake.registry.demand.failures import missing_detail
from lapstrake.registry.demand.images import Manifests, read_manifests
from lapstrake.registry.demand.jobs import Jobs
from lapstrake.registry.demand.making import Order, Workshop
from lapstrake.registry.demand.records import Records
from lapstrake.registry.demand.refresh import Refresher
from lapstrake.registry.problems import Problem

P = ParamSpec("P")
T = TypeVar("T")

_MEMORY_SECONDS = 0.2
_DISTANT_MEMORY_SECONDS = 5.0  # to look whether all blobs of an image are there takes a while
_MOST_SEEN = 1000
_WHO_MAKES = ", and images are made for those only who show a token (docker login)"

CHILD = (sys.executable, "-m", "lapstrake.cli.making")
"""The command line of what makes; see that module."""


class Demand:
    """Answers pulls of what is made when it is pulled.

    Args:
        place: where; its runner is not used.
        blobs: where images are kept.
        overrides: settings that the child gets besides its configuration's files.
        command: the child's command line.
    """

    def __init__(
        self,
        place: Workplace,
        blobs: BlobStore,
        *,
        overrides: Mapping[str, str] | None = None,
        command: Sequence[str] = CHILD,
    ) -> None:
        self.place = place
        self.blobs = blobs
        self.records = Records(blobs)
        self._overrides = dict(overrides or {})
        self.counts: Counter[str] = Counter()
        self.stopping = False
        self._refreshing: asyncio.Task[None] | None = None
        self._local = not place.config.registry.storage
        self._memory_seconds = _MEMORY_SECONDS if self._local else _DISTANT_MEMORY_SECONDS
        self._seen: dict[tuple[str, str, bool, bool], tuple[float, Manifests]] = {}
        folder = place.private / "registry"
        self.workshop = Workshop(
            Jobs(folder / "jobs"),
            locks=folder / "locks",
            command=command,
            at_once=place.config.registry.makers,
            timeout=place.config.registry.timeout,
        )

    @property
    def output(self) -> Path:
        """The folder of the branches' repositories."""
        return self.place.config.work_dir / "output"

    async def start(self) -> None:
        """Begin to keep popular branches fresh."""
        refresher = Refresher(
            self.place,
            self.records,
            refresh=self.refresh,
            remake=lambda record: self.remake(record.name, record.tag),
        )
        self._refreshing = asyncio.create_task(refresher.run(), name="refreshing branches")

    def begin_to_stop(self) -> None:
        """Let those go who wait for news; what is being made may still come in time."""
        self.stopping = True

    async def stop(self) -> None:
        """End what is being made."""
        self.begin_to_stop()
        if self._refreshing is not None:
            self._refreshing.cancel()
        await self.workshop.stop()

    async def resolve(
        self, name: str, tag: str, accept: Sequence[str], *, make: bool = True
    ) -> Descriptor:
        """Find or make the manifest that a name and tag mean.

        Args:
            name: the repository; any text.
            tag: the branch, or ``latest``.
            accept: the values of the client's ``Accept``.
            make: whether it may be made for whoever asks.

        Raises:
            Problem: it is no name, or cannot or may not be made, or not in time.
        """
        types = accepted(accept)
        made = await self._made(name, tag, several=wants_index(types), make=make)
        with suppress(StoreError, OSError):  # a full disk keeps nobody from what is there
            await self._store(self.records.note, name, tag, made)
        return choose(name, made, types)

    async def _made(self, name: str, tag: str, *, several: bool, make: bool) -> Manifests:
        """What a name leads to; a crowd that asks for one name at once is answered from memory."""
        now, asked = time.monotonic(), (name, tag, several, make)
        looked, made = self._seen.get(asked, (0.0, None))
        if made is None or now - looked > self._memory_seconds:
            made = await self._found_or_made(name, tag, several=several, make=make)
            if len(self._seen) >= _MOST_SEEN:
                self._seen.clear()
            self._seen[asked] = (now, made)
        else:
            self.counts["warm"] += 1
        return made

    async def _found_or_made(
        self, name: str, tag: str, *, several: bool, make: bool = True
    ) -> Manifests:
        requests = self._requests(name, tag)
        index = len(requests) > 1 and several
        if not index:
            requests = (images.single(self.place, requests),)
        made = await self._look(requests, index=index)
        if made is not None:
            self.counts["warm"] += 1
            return made
        if not make:
            return await self._store(self._former, name, tag, several)
        try:
            made = await self.workshop.make(self._order(name, tag, requests, index=index))
        except Problem:
            self.counts["failed"] += 1
            raise
        self.counts["made"] += 1
        return made

    async def remake(self, name: str, tag: str) -> None:
        """Make what a name means now, without anybody pulling it.

        Raises:
            Problem: it cannot be made.
        """
        await self._found_or_made(name, tag, several=True)

    async def refresh(self, branch: BranchName) -> None:
        """Make a branch's new instance.

        Raises:
            Problem: it cannot be made; the former one stays.
        """
        order: Order[Mapping[str, Any]] = Order(
            key=cache_key("refreshing", {"branch": branch.text}).hex,
            name=f"branch {branch}",
            line=self._line({"what": "refresh", "branch": branch.text}),
            find=_nothing,
            read=lambda made: made,
        )
        await self.workshop.make(order)

    def names(self) -> list[str]:
        """The names that were made, sorted."""
        return self.records.names()

    def tags(self, name: str) -> list[str]:
        """The tags that a name can be pulled by, sorted.

        Raises:
            Problem: it is no name of an image.
        """
        requests = self._requests(name, "latest")
        if requests[0].source != "branch":
            return sorted(record.tag for record in self.records.all() if record.name == name)
        branches = (branch.text for branch in self.place.config.branches())
        return sorted({*branches, "latest"})

    def _requests(self, name: str, tag: str) -> tuple[ImageRequest, ...]:
        try:
            return images.requests_of(self.place, name, tag)
        except LapstrakeError as error:
            raise _refused(name, error) from error

    async def _look(self, requests: Sequence[ImageRequest], *, index: bool) -> Manifests | None:
        """What was made before; on a local disk that is faster than handing it to a thread."""
        try:
            return await self._store(self._find, requests, index)
        except LapstrakeError as error:
            raise _refused(requests[0].tag, error) from error

    def _find(self, requests: Sequence[ImageRequest], index: bool) -> Manifests | None:
        return images.find(self.place, self.blobs, requests, index=index)

    def _former(self, name: str, tag: str, several: bool) -> Manifests:
        """What a name led to lately, for those for whom nothing newer is made."""
        record = self.records.find(name, tag)
        fits = record is not None and (several or len(record.manifests.keys) == 1)
        if record is None or not fits or self.blobs.find(record.manifests.oci.digest) is None:
            self.counts["refused"] += 1
            raise Problem(403, "DENIED", f"{name}:{tag} is not made yet{_WHO_MAKES}")
        self.counts["former"] += 1
        return record.manifests

    async def _store(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call what touches the storage, in a thread where that is another host."""
        if self._local:
            return function(*args, **kwargs)
        return await asyncio.to_thread(function, *args, **kwargs)

    def _order(
        self, name: str, tag: str, requests: Sequence[ImageRequest], *, index: bool
    ) -> Order[Manifests]:
        order = {"what": "image", "name": name, "tag": tag, "index": index}
        # Requests are values: this tells all of them.
        inputs = [repr(replace(request, asked=())) for request in requests]
        return Order(
            key=cache_key("making", {"requests": inputs, "index": index}).hex,
            name=f"{name}:{tag}",
            line=self._line(order),
            find=lambda: self._store(self._find, requests, index),
            read=read_manifests,
        )

    def _line(self, order: Mapping[str, object]) -> bytes:
        """What a child reads: an order, and where its configuration is."""
        folder = self.place.config.folder
        here = {"config_dir": str(folder) if folder else None, "overrides": self._overrides}
        return json.dumps(here | dict(order)).encode()


async def _nothing() -> None:
    """A refresh is never found done."""


def _refused(what: str, error: LapstrakeError) -> Problem:
    """The answer to what is refused before anything is made."""
    detail: dict[str, object] = {"details": error.details, "resolution": error.resolution}
    if isinstance(error, UsageError):
        return Problem(400, "NAME_INVALID", error.brief, detail)
    if isinstance(error, MissingError):
        detail |= missing_detail(error)
        return Problem(404, "MANIFEST_UNKNOWN", error.brief, detail)
    if isinstance(error, BranchError):
        return Problem(404, "MANIFEST_UNKNOWN", error.brief, detail)
    return Problem(500, "UNKNOWN", f"{what}: {error.brief}", detail)
