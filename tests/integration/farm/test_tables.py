"""The server's databases: addresses, migrations forward and back, restarts, full disks."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from farm_desk import World
from farm_postgres import Postgres
from farm_slots import eventually
from lapstrake.errors import ConfigError, FarmError
from lapstrake.farm.problems import NoRoom, Unavailable, Unknown
from lapstrake.farm.tables.access_rows import TokenRow
from lapstrake.farm.tables.database import Database, address
from lapstrake.farm.tables.migrate import differences, downgrade, newest, present, upgrade
from lapstrake.farm.tables.rows import EventRow
from lapstrake.farm.tables.statistics import freshen
from lapstrake.farm.values.tasks import TaskFilter, TaskState


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("farm.db", "it is no URL"),
        ("mysql://root:hunter2@host/farm", "'mysql' is no database of ours"),
        ("postgresql://farm:hunter2@host", "it names no database"),
        ("postgresql://farm:hunter2@host:port/farm", "it is no URL"),
    ],
)
def test_addresses_that_are_none(url: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        address(url, tmp_path)
    assert said in refused.value.brief
    assert "hunter2" not in str(refused.value) + refused.value.resolution


def test_no_password_is_ever_shown(tmp_path: Path) -> None:
    url = address("postgresql://farm:hunter2@127.0.0.1:1/farm", tmp_path)
    database = Database(url)
    assert "hunter2" not in str(database)
    with pytest.raises(Unavailable) as away:
        database.check()
    assert "hunter2" not in str(away.value)
    assert away.value.resolution == "Try again soon."


def test_migrations_forward_and_back_with_data(world: World) -> None:
    database = world.database
    assert present(database) == newest()
    assert differences(database) == []
    kept = world.submit("kept")
    with database.write() as session:
        session.add(TokenRow(name="t", hash="h", scope="read", created=1.0))
    try:
        downgrade(database, "0001")
        assert present(database) == "0001"
        assert world.desk.task(kept.id) == kept, "what the older form knows stays"
        assert [event.task for event in world.desk.events().items] == [kept.id, kept.id]
    finally:
        upgrade(database)
    assert differences(database) == []
    assert world.desk.task(kept.id).state is TaskState.QUEUED
    with database.read() as session:
        assert session.get(TokenRow, "t") is None, "what only the newer form knew is dropped"
    with pytest.raises(FarmError, match="cannot be brought"):
        downgrade(database, "0815")
    downgrade(database, "base")
    assert present(database) == ""
    upgrade(database)
    assert differences(database) == []


def test_a_form_of_tomorrow_is_refused(world: World) -> None:
    version = text("UPDATE alembic_version SET version_num = :version")
    with world.database.write() as session:
        session.execute(version, {"version": "9999"})
    with pytest.raises(FarmError, match="9999") as refused:
        upgrade(world.database)
    assert "newer Lapstrake" in refused.value.resolution
    with world.database.write() as session:
        session.execute(version, {"version": newest()})


def test_servers_that_start_together_migrate_once(tmp_path: Path, farm_database: str) -> None:
    errors: list[BaseException] = []

    def start() -> None:
        try:
            database = Database(address("", tmp_path) if "sqlite" in farm_database else farm_url)
            upgrade(database)
            database.close()
        except BaseException as error:  # noqa: BLE001 - told below
            errors.append(error)

    farm_url = address(farm_database, tmp_path) if "postgresql" in farm_database else ""
    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_writers_come_one_after_the_other(world: World) -> None:
    """A change that reads before it writes is never overtaken."""

    def count_up() -> None:
        for _ in range(5):
            with world.database.write() as session:
                row = session.get(EventRow, 1)
                if row is None:
                    row = EventRow(id=1, at=0.0, kind="count", text="0")
                    session.add(row)
                row.text = str(int(row.text) + 1)

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with world.database.read() as session:
        assert session.get_one(EventRow, 1).text == "20"


def test_what_goes_wrong_within_a_change_leaves_nothing(world: World) -> None:
    with pytest.raises(IntegrityError), world.database.write() as session:
        session.add_all([EventRow(id=7, at=0.0, kind="half"), EventRow(id=7, at=0.0, kind="x")])
    assert world.desk.events().items == ()


def test_a_database_that_is_restarted(postgres: Postgres, tmp_path: Path) -> None:
    """Requests are refused with words while it is away, and go on by themselves after."""
    database = Database(address(postgres.new_database(), tmp_path))
    upgrade(database)
    with database.write() as session:
        session.add(EventRow(at=1.0, kind="before"))

    def stopped_within() -> None:
        with database.write() as session:
            session.add(EventRow(at=2.0, kind="during"))
            session.flush()
            postgres.stop("immediate")
            session.execute(text("SELECT 1"))

    with pytest.raises(Unavailable):
        stopped_within()
    with pytest.raises(Unavailable):
        database.check()
    postgres.start()
    with database.read() as session:
        kinds = session.scalars(text("SELECT kind FROM events")).all()
    assert kinds == ["before"]
    database.close()


def test_a_full_disk_is_said_in_words(tmp_path: Path) -> None:
    database = Database(address("", tmp_path))
    upgrade(database)

    def fill() -> None:
        with database.write() as session:
            session.execute(text("PRAGMA max_page_count = 1"))
            session.add_all(EventRow(at=1.0, kind="x", text="x" * 1000) for _ in range(500))

    with pytest.raises(NoRoom, match="is full"):
        fill()
    database.close()


def test_sqlite_is_safe_beside_readers(tmp_path: Path) -> None:
    database = Database(address("", tmp_path))
    upgrade(database)
    with database.read() as session:
        found = {
            name: session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "foreign_keys", "synchronous")
        }
    assert found == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2}
    database.close()
    (tmp_path / "farm.db").write_bytes(b"no database at all" * 100)
    broken = Database(address("", tmp_path))
    with pytest.raises(Unavailable) as damaged:
        broken.check()
    assert "backup" in damaged.value.resolution


def test_text_that_no_database_holds(world: World) -> None:
    """Workers and users send what they like; PostgreSQL takes neither NUL nor half a character."""
    worker = world.worker()
    world.submit("a")
    failed = worker.finish(worker.take(), ok=False, error="bad\0 \ud800 end")
    assert world.desk.task(failed.id).reason == "bad ? end"
    assert world.desk.tasks(TaskFilter(name="a\0b", owner="\ud800")).items == ()
    with pytest.raises(Unknown):
        world.desk.worker("w1\0x")


def test_a_primary_that_became_a_standby_is_left(postgres: Postgres, tmp_path: Path) -> None:
    database = Database(address(postgres.new_database(), tmp_path), pool=1)
    upgrade(database)
    with database.engine.connect() as connection:
        connection.execute(text("SET default_transaction_read_only = on"))
        connection.commit()
    with pytest.raises(Unavailable), database.write() as session:
        session.execute(text("CREATE TABLE refused ()"))
    with database.write() as session:
        session.execute(text("CREATE TABLE taken ()"))
    database.close()


def test_after_a_flood_of_rows_postgresql_knows_how_many(
    postgres: Postgres, tmp_path: Path
) -> None:
    database = Database(address(postgres.new_database(), tmp_path), pool=1)
    upgrade(database)
    with database.write() as session:  # it would do so itself, later
        session.execute(text("ALTER TABLE events SET (autovacuum_enabled = false)"))
    flood = "INSERT INTO events (at, kind, worker, text) SELECT n, 'flood', '', '' FROM"
    with database.write() as session:
        session.execute(text(f"{flood} generate_series(1, 6000) AS n"))

    def known() -> float:
        with database.read() as session:
            rows = "SELECT reltuples FROM pg_class WHERE oid = 'events'::regclass"
            return float(session.scalar(text(rows)) or 0)

    assert known() < 6000
    eventually(lambda: freshen(database) == ("events",))
    assert known() == 6000
    eventually(lambda: freshen(database) == ())
    database.close()
