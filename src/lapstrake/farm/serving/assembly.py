"""All parts of the server, put together from the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from lapstrake.config.model import Config
from lapstrake.farm.access.tokens import Tokens
from lapstrake.farm.api.state import State
from lapstrake.farm.contents.publishing import publisher
from lapstrake.farm.contents.store import open_contents
from lapstrake.farm.desk.desk import Desk
from lapstrake.farm.engine.dbos_dispatch import DbosDispatch
from lapstrake.farm.tables.database import Database, address
from lapstrake.farm.tables.migrate import upgrade
from lapstrake.place.workplace import Workplace
from lapstrake.progress import Silent
from lapstrake.runner.choose import choose


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the server is made of.

    Attributes:
        state: what requests need.
        database: our tables.
        tokens: who may ask.
    """

    state: State
    database: Database
    tokens: Tokens


def engine_address(config: Config) -> str:
    """Where the engine's tables are, for the server itself."""
    return config.farm.database or f"sqlite:///{config.work_dir / 'farm' / 'engine.db'}"


@contextmanager
def assemble(config: Config) -> Iterator[Parts]:
    """Open everything, the newest tables included, until the block ends.

    Raises:
        ConfigError: a setting is wrong.
        Unavailable: the database cannot be reached.
    """
    folder = config.work_dir / "farm"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as opened:
        database = Database(address(config.farm.database, folder))
        opened.callback(database.close)
        upgrade(database)
        dispatch = DbosDispatch(engine_address(config))
        opened.callback(dispatch.close)
        place = Workplace(config=config, runner=choose("auto"), progress=Silent())
        contents = open_contents(config)
        desk = Desk(database, dispatch, contents, publisher(place, contents), config)
        state = State(
            desk=desk,
            contents=contents,
            config=config,
            place=place,
            engine=engine_address(config),
        )
        yield Parts(state=state, database=database, tokens=Tokens(database))
