"""What runs beside the requests: the loops, and the server's own builder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from lapstrake.farm.access.tokens import EMBEDDED
from lapstrake.farm.contents import keeper
from lapstrake.farm.serving.assembly import Parts
from lapstrake.farm.serving.builder import Builder
from lapstrake.farm.serving.loops import Loop, Loops
from lapstrake.farm.serving.placing import Placer
from lapstrake.farm.serving.settings import ServeSettings
from lapstrake.farm.tables.statistics import freshen
from lapstrake.farm.values.scopes import Scope

_SWEEP_SECONDS = 2.0
_PLACEMENT_SECONDS = 1.0
_WATCH_SECONDS = 10.0
_HOUR = 3600.0
_DAY = 24 * _HOUR
_MONTH = 30 * _DAY


class Beside:
    """Begins and ends it.

    Args:
        settings: of the server.
        parts: of the server.
        url: its own address.
    """

    def __init__(self, settings: ServeSettings, parts: Parts, url: str) -> None:
        self._loops = Loops(list(_loops(parts, _options(settings))))
        farm = settings.config.farm
        self._builder = None
        if farm.slots:
            token = parts.state.tokens.lend(EMBEDDED, Scope.WORKER)
            self._builder = Builder(
                url,
                token,
                slots=farm.slots,
                options=_options(settings),
                words=("--log-format", settings.log_format),
                patience=farm.stop_after,
            )

    def begin(self) -> None:
        """Begin."""
        self._loops.start()
        if self._builder is not None:
            self._builder.start()

    def end(self) -> None:
        """End it, the builder first: what it builds is given back."""
        if self._builder is not None:
            self._builder.stop()
        self._loops.stop(_SWEEP_SECONDS)


def _loops(parts: Parts, options: Sequence[str]) -> Iterator[Loop]:
    desk, place, room, sender = parts.state.desk, parts.state.place, parts.room, parts.sender
    refresh = partial(keeper.refresh_branches, place, options)
    yield Loop(name="place", seconds=_WATCH_SECONDS, work=parts.place.check)
    yield Loop(name="sweep", seconds=_SWEEP_SECONDS, work=desk.sweep)
    placer = Placer(desk, lambda: desk.config.farm.placement, desk.clock)
    yield Loop(name="placement", seconds=_PLACEMENT_SECONDS, work=placer.tick)
    yield Loop(name="expire", seconds=_WATCH_SECONDS, work=desk.expire)
    yield Loop(name="statistics", seconds=_WATCH_SECONDS, work=partial(freshen, desk.database))
    yield Loop(name="room", seconds=_WATCH_SECONDS, work=room.watch)
    yield Loop(name="tidy", seconds=_HOUR, work=room.tidy)
    if parts.registry is not None:
        forget = partial(parts.registry.forget, unused=_MONTH, grace=_DAY)
        yield Loop(name="images", seconds=_DAY, work=forget)
    yield Loop(name="branches", seconds=keeper.period(place), work=refresh)
    yield Loop(name="pruning", seconds=_HOUR, work=desk.prune)
    yield Loop(name="webhooks", seconds=_SWEEP_SECONDS, work=sender.tick)
    yield Loop(name="old deliveries", seconds=_HOUR, work=sender.prune)


def _options(settings: ServeSettings) -> tuple[str, ...]:
    """The options by which the builder gets the same configuration; nothing secret is in them."""
    words = [] if settings.config_dir is None else ["--config", str(settings.config_dir)]
    for key, value in settings.overrides.items():
        if not key.endswith("database"):
            words += ["--set", f"{key}={value}"]
    return tuple(words)
