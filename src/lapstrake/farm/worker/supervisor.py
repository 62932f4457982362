"""A worker: comes to the farm, says that it lives, and keeps its slots running."""

from __future__ import annotations

import logging
import os
import queue
import re
import secrets
import signal
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType

import psutil

from lapstrake.errors import FarmError
from lapstrake.farm.client.answer import UnreachableError
from lapstrake.farm.client.http import Connection
from lapstrake.farm.model.protocol import check_protocol
from lapstrake.farm.monitor.ready import tell_alive, tell_systemd
from lapstrake.farm.problems import (
    NotAllowed,
    NoToken,
    OtherVersion,
    TooMany,
    Unavailable,
    Unknown,
    WrongState,
)
from lapstrake.farm.values.workers import Heartbeat, Orders, SlotState, Welcome
from lapstrake.farm.worker import leftovers
from lapstrake.farm.worker.facts import disk_free, facts_of
from lapstrake.farm.worker.keeping import SlotKeeper
from lapstrake.farm.worker.link import Link
from lapstrake.farm.worker.room import WorkerRoom
from lapstrake.farm.worker.settings import Settings
from lapstrake.farm.worker.setup import WorkerSetup, worker_folder
from lapstrake.formats.amounts import count_text
from lapstrake.host import files
from lapstrake.host.cgroup import step_aside
from lapstrake.host.locks import locked

_LOG = logging.getLogger("lapstrake.farm.worker")
_SILENCE = 10.0
_AGAIN = 2.0
_TICK = 1.0
_REFUSED = (NoToken, NotAllowed, OtherVersion)


class Supervisor:
    """The worker's own process.

    Args:
        setup: what holds for all its processes.
        slots: builds at a time.
        capabilities: words that the user adds to what is found.
        pool: the word that tasks must ask for; empty for any task.
    """

    def __init__(
        self,
        setup: WorkerSetup,
        *,
        slots: int,
        capabilities: tuple[str, ...] = (),
        pool: str = "",
    ) -> None:
        self._setup = setup
        self._config = setup.config()
        self._link = Link(Connection(setup.server, setup.token, patience=0.0, silence=_SILENCE))
        self._facts = facts_of(
            self._config,
            name=setup.name,
            incarnation=secrets.token_hex(8),
            slots=slots,
            capabilities=capabilities,
            pool=pool,
            embedded=setup.embedded,
        )
        self._room = WorkerRoom(self._config, embedded=setup.embedded)
        self._settings = Settings(setup)
        self._news: queue.SimpleQueue[bool] = queue.SimpleQueue()
        """Whether a signal came; else there is something to look at."""
        self._stopping = False
        self._drained = False
        self._keepers: tuple[SlotKeeper, ...] = ()
        self._next_beat = 0.0
        self._unheard = False
        """Whether the newest heartbeat got no answer."""

    def run(self) -> None:
        """Work until told to stop.

        Raises:
            FarmError: the token is no good, or another worker has this name.
        OtherVersion: the server does not understand us.
        """
        step_aside()
        folder = worker_folder(self._config, self._setup.name)
        what = f"the worker {self._setup.name} in {self._config.work_dir}"
        with locked(folder.with_name(f"{folder.name}.lock"), what=what, timeout=0, error=FarmError):
            leftovers.remove_of_worker(self._setup)
            self._facts = replace(self._facts, replaces=self._succeed(folder))
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._hear)
            welcome = self._register(self._config.farm.dead_after)
            if welcome is None:
                return
            self._keepers = tuple(
                SlotKeeper(number, self._setup, self._config, self._facts, welcome, wake=self._wake)
                for number in range(1, self._facts.slots + 1)
            )
            try:
                self._work(welcome)
            finally:
                for keeper in self._keepers:
                    keeper.kill()

    def _succeed(self, folder: Path) -> str:
        """Note our incarnation; gives that of the process before us, which is dead."""
        note = folder.with_name(f"{folder.name}.incarnation")
        former = note.read_text().strip() if note.exists() else ""
        files.write_atomic(note, self._facts.incarnation.encode())
        return former

    def _hear(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - signal's
        self._news.put(True)

    def _wake(self) -> None:
        self._news.put(False)

    def _register(self, patience: float) -> Welcome | None:
        """Come to the farm; ``None`` when we are told to stop before.

        Args:
            patience: seconds for which another of our name may be one that died.
        """
        until = time.monotonic() + patience + _AGAIN
        said = ""
        while not self._stopping:
            try:
                welcome = self._link.register(replace(self._facts, clock=time.time()))
            except (UnreachableError, Unavailable, TooMany) as away:
                why: FarmError = away
            except WrongState as taken:
                if time.monotonic() > until or "wait" not in taken.fields:
                    raise FarmError(taken.brief, resolution=taken.resolution) from taken
                why = taken
            else:
                self._check(welcome)
                _LOG.info("%s works for %s", self._setup.name, self._setup.server)
                tell_systemd("READY=1", f"STATUS=works for {self._setup.server}")
                return welcome
            if _gist(why.brief) != _gist(said):
                said = why.brief
                _LOG.warning("waiting: %s", said)
                tell_systemd("READY=1", f"STATUS=waiting: {said}")  # nobody need wait for us
            self._listen(_AGAIN)
        return None

    def _check(self, welcome: Welcome) -> None:
        """Refuse a server that is older than this, and could not do so itself."""
        versions = f"it has Lapstrake {self._facts.version}, the server {welcome.version}"
        number = self._facts.protocol
        check_protocol(number, welcome.protocol, name=self._facts.name, versions=versions)

    def _work(self, welcome: Welcome) -> None:
        """Keep the slots running, and tell the server, until told to stop and all have ended."""
        while True:
            wanted = not self._drained and not self._is_closing()
            starts = [keeper.slot.executor for keeper in self._keepers]
            for keeper in self._keepers:
                keeper.tend(wanted=wanted)
            if self._stopping and not any(keeper.running for keeper in self._keepers):
                break
            if starts != [keeper.slot.executor for keeper in self._keepers]:
                self._next_beat = 0.0  # what a dead slot had can be given to others at once
            if time.monotonic() >= self._next_beat:
                self._beat()
                self._next_beat = time.monotonic() + welcome.heartbeat
            self._listen(min(_TICK, max(self._next_beat - time.monotonic(), 0.0)))
        self._say_goodbye()

    def _is_closing(self) -> bool:
        """Whether we take nothing new, by our own will."""
        return self._stopping or not (self._settings.are_good() and self._room.is_there())

    def _listen(self, seconds: float) -> None:
        """Wait for news, and heed signals: the first drains, the second gives all up."""
        tell_alive()
        try:
            signalled = self._news.get(timeout=seconds)
        except queue.Empty:
            return
        if not signalled:
            return
        if self._stopping:
            _LOG.warning("giving up what is being built")
            for keeper in self._keepers:
                keeper.give_up()
        else:
            self._stopping = True
            tell_systemd("STOPPING=1", "STATUS=finishing what it builds")
            busy = sum(keeper.slot.state is SlotState.BUSY for keeper in self._keepers)
            if busy:
                builds = count_text(busy, "build")
                _LOG.info("finishing %s; a second signal gives up what is built", builds)

    def _beat(self) -> None:
        """Tell the server that we live, and do what it says."""
        beat = Heartbeat(
            incarnation=self._facts.incarnation,
            slots=tuple(keeper.slot for keeper in self._keepers),
            load=os.getloadavg()[0],
            memory_free=psutil.virtual_memory().available,
            disk_free=disk_free(self._config),
            clock=time.time(),
            draining=self._is_closing(),
        )
        try:
            orders = self._link.heartbeat(self._setup.name, beat)
        except (WrongState, Unknown) as forgotten:
            _LOG.warning("%s", forgotten.brief)
            self._come_again()
        except _REFUSED:
            raise
        except FarmError as away:  # nobody answers, or the server is in trouble
            if not self._unheard:
                _LOG.warning("%s", away.brief)
            self._unheard = True
        else:
            if self._unheard:
                _LOG.info("the server answers again")
            self._unheard = False
            self._obey(orders)

    def _come_again(self) -> None:
        """Register again: the server had lost sight of us.

        Raises:
            WrongState: it has another worker of our name by now; ours must end.
            OtherVersion: it has been upgraded, and does not understand us any more.
        """
        try:
            self._check(self._link.register(replace(self._facts, clock=time.time())))
        except (WrongState, *_REFUSED):
            raise
        except FarmError as away:  # then with the next heartbeat
            _LOG.warning("%s", away.brief)

    def _obey(self, orders: Orders) -> None:
        self._drained = orders.drain
        for task in orders.cancel:
            for keeper in self._keepers:
                keeper.cancel(task)

    def _say_goodbye(self) -> None:
        try:
            self._link.goodbye(self._setup.name, self._facts.incarnation)
        except FarmError as away:
            _LOG.warning("%s", away.brief)


def _gist(text: str) -> str:
    """A message without its numbers: that seconds have passed is no news."""
    return re.sub(r"\d+", "", text)
