"""What the pages show of the whole farm, on both databases."""

from __future__ import annotations

from sqlalchemy import func, select, update

from farm_data import fill_tasks
from farm_desk import World
from lapstrake.farm.monitor.overview import in_turn, throughput
from lapstrake.farm.tables.rows import TaskRow
from lapstrake.farm.values.tasks import TaskState

_STEP = 3600


def test_what_ended_is_counted_in_the_stretch_in_which_it_ended(world: World) -> None:
    fill_tasks(world.database, 400, queued=10)
    with world.database.read() as session:
        rows = session.scalars(select(TaskRow).where(TaskRow.started > 0, TaskRow.finished > 0))
        ended = [(row.finished, row.state, row.finished - row.started) for row in rows]
    since = max(finished for finished, *_ in ended) - 1.5 * _STEP
    counted = throughput(world.database, since=since, step=_STEP)
    assert {(each.begin, each.state): each.tasks for each in counted} == _counted(ended, since)
    first = counted[0]
    mean = [
        seconds
        for finished, state, seconds in ended
        if state == first.state and first.begin <= finished < first.begin + _STEP
    ]
    assert abs(first.seconds - sum(mean) / len(mean)) < 0.001


def _counted(ended: list[tuple[float, str, float]], since: float) -> dict[tuple[float, str], int]:
    counted: dict[tuple[float, str], int] = {}
    for finished, state, _ in ended:
        if finished >= since:
            place = since + int((finished - since) / _STEP) * _STEP, state
            counted[place] = counted.get(place, 0) + 1
    return counted


def test_the_queue_is_in_turn(world: World) -> None:
    fill_tasks(world.database, 60, queued=30)
    with world.database.write() as session:
        last = session.scalar(select(func.max(TaskRow.id))) or 0
        session.execute(update(TaskRow).where(TaskRow.id.in_([last, last - 3])).values(rank=5000))
    turn = [task.id for task in in_turn(world.database, 10)]
    assert turn == [last - 3, last, *range(last - 29, last - 21)]
    assert {task.state for task in in_turn(world.database, 50)} == {TaskState.QUEUED}


def test_tasks_that_are_made_later_have_numbers_of_their_own(world: World) -> None:
    fill_tasks(world.database, 20)
    with world.database.read() as session:
        last = session.scalar(select(func.max(TaskRow.id))) or 0
    assert world.desk.new_task("ada").id == last + 1
