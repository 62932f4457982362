"""All parts of the server, put together from the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from lapstrake.config.model import Config
from lapstrake.farm.access.tokens import Tokens
from lapstrake.farm.api.state import Check, State
from lapstrake.farm.contents import keeper
from lapstrake.farm.contents.publishing import publisher
from lapstrake.farm.contents.room import Room
from lapstrake.farm.contents.store import ContentStore, open_contents
from lapstrake.farm.desk.desk import Desk
from lapstrake.farm.engine.dbos_dispatch import DbosDispatch
from lapstrake.farm.engine.later import LaterDispatch
from lapstrake.farm.monitor.metrics import Metrics
from lapstrake.farm.serving.alone import Alone, alone
from lapstrake.farm.serving.registry import Registry, open_registry, storage_check
from lapstrake.farm.serving.telling import tell_event
from lapstrake.farm.tables.database import Database, address
from lapstrake.farm.tables.migrate import upgrade
from lapstrake.farm.tables.rows import TaskRow
from lapstrake.farm.webhooks.sending import Sender
from lapstrake.farm.webhooks.store import Webhooks
from lapstrake.place.workplace import Workplace
from lapstrake.progress import Silent
from lapstrake.runner.choose import load

_UNUSED = 86400.0
"""Seconds without a pull after which an image goes when there is no room."""
_GRACE = 3600.0
"""Seconds: what was just made, somebody is about to pull."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the server is made of.

    Attributes:
        state: what requests need.
        contents: the store behind `State.contents`, whose limits can change.
        room: watches the disk.
        sender: of webhooks.
        place: the only server's.
        registry: of images; ``None`` when there is none.
    """

    state: State
    contents: ContentStore
    room: Room
    sender: Sender
    place: Alone
    registry: Registry | None


def engine_address(config: Config) -> str:
    """Where the engine's tables are, for the server itself."""
    return config.farm.database or f"sqlite:///{config.work_dir / 'farm' / 'engine.db'}"


@contextmanager
def assemble(config: Config, *, stopping: Check, overrides: Mapping[str, str]) -> Iterator[Parts]:
    """Open everything, the newest tables included, until the block ends.

    Args:
        config: the whole configuration.
        stopping: says so once the server has been told to stop.
        overrides: settings of the command line, for programs that the server starts.

    Raises:
        ConfigError: a setting is wrong.
        Unavailable: the database cannot be reached.
    """
    folder = config.work_dir / "farm"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as opened:
        database = Database(address(config.farm.database, folder))
        opened.callback(database.close)
        place = opened.enter_context(alone(database, folder))
        upgrade(database)
        dispatch = LaterDispatch(DbosDispatch(engine_address(config)))
        opened.callback(dispatch.close)
        workplace = Workplace(config=config, runner=load("userns"), progress=Silent())
        contents = open_contents(config)
        publish = publisher(workplace, contents, partial(_name_of, database))
        desk = Desk(database, dispatch, contents, publish, config)
        desk.subscribe(tell_event)
        room = Room(workplace, contents, desk.referenced)
        contents.make_room = room.make
        desk.lacking_room = room.lacking
        webhooks = Webhooks(database)
        sender = Sender(webhooks, private=config.farm.webhook_private)
        opened.callback(sender.close)
        registry = open_registry(workplace, overrides) if config.farm.registry else None
        if registry is not None:
            room.free_images = partial(registry.forget, unused=_UNUSED, grace=_GRACE)
        state = State(
            desk=desk,
            contents=contents,
            place=workplace,
            engine=engine_address(config),
            tokens=Tokens(database),
            webhooks=webhooks,
            metrics=Metrics(desk, config, registry.demand if registry else None),
            checks=(stopping, *_checks(desk, room, registry)),
            own_work=partial(keeper.doing, workplace),
        )
        yield Parts(
            state=state,
            contents=contents,
            room=room,
            sender=sender,
            place=place,
            registry=registry,
        )


def _name_of(database: Database, task: int) -> str:
    """What a task built; empty when it is forgotten."""
    with database.read() as session:
        row = session.get(TaskRow, task)
        return row.name if row else ""


def _checks(desk: Desk, room: Room, registry: Registry | None) -> Sequence[Check]:
    def database() -> str:
        desk.database.check()
        return ""

    def engine() -> str:
        desk.dispatch.known(())
        return ""

    images = () if registry is None else (storage_check(registry.core.blobs),)
    return (database, engine, room.lacking, *images)
