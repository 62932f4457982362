"""What follows from what: a task that can start starts, an end moves those that waited for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import select

from lapstrake.farm.desk import words
from lapstrake.farm.desk.change import Change, run_of
from lapstrake.farm.desk.values import dump, member_of, outputs_of, spec_of
from lapstrake.farm.model import groups, identity, queues, states
from lapstrake.farm.placement.critical import LEVELS
from lapstrake.farm.problems import WrongState
from lapstrake.farm.tables.rows import AttemptRow, GroupRow, TaskRow
from lapstrake.farm.values.groups import GroupState
from lapstrake.farm.values.tasks import TaskSpec, TaskState

_AT_ONCE = 500
_UNTRIED = {
    **dict.fromkeys(("reason", "worker", "queue", "version"), ""),
    **dict.fromkeys(("started", "finished"), 0.0),
    **dict.fromkeys(("round", "attempt", "lost", "rank", "cores", "exit_code"), 0),
}
_SHARED = (TaskState.SUCCESS, *sorted(states.WITH_ENGINE))


def launch(change: Change, row: TaskRow) -> None:
    """Start a task that lacks nothing and waits for no other: share a result or a build, or queue.

    Raises:
        Invalid: its requirements make no sense.
    """
    spec = spec_of(row)
    row.key, row.same_as = identity.key_of(spec), None
    row.queue = queues.queue_of(spec.arch, spec.requires)
    twin = None if spec.fresh else _twin(change, row)
    pinned = identity.is_pinned(spec)
    if twin is not None and twin.state == TaskState.SUCCESS:
        if pinned and all(change.has(output.digest) for output in outputs_of(twin)):
            _share(change, row, twin, f"the same as task {twin.id}, which was built before")
            return
    elif twin is not None and (pinned or twin.state == TaskState.QUEUED):
        row.same_as = twin.id
        _wait(change, row, f"task {twin.id} builds the same")
        if rank_of(row.priority) > twin.rank:
            put(change, twin, rank=rank_of(row.priority))
        return
    row.lost, row.cores = 0, 0
    if row.rank // LEVELS != row.priority:  # else placement knew it while it waited
        row.rank = rank_of(row.priority)
    change.set_state(row, TaskState.QUEUED)
    enqueue(change, row)


def enqueue(change: Change, row: TaskRow) -> None:
    """Give a queued task to the engine, as a new round."""
    row.round += 1
    change.enqueue.append(row)


def settle(change: Change) -> None:
    """Move all that waited for the tasks that have ended, until nothing follows any more."""
    while change.ended or change.groups:
        if change.ended:
            row = change.ended.pop(0)
            _followers(change, row)
            if row.group_id is not None:
                change.groups.add(row.group_id)
        else:
            advance(change, change.groups.pop())


def end(change: Change, row: TaskRow, state: TaskState, reason: str = "") -> None:
    """End a task, with all that follows: the engine forgets it, its attempt ends, others move."""
    before = TaskState(row.state)
    change.set_state(row, state, reason)
    if before in states.RUNNING:
        end_attempt(change, row, "cancelled" if state is TaskState.CANCELLED else state.value)
    if before in states.RUNNING | {TaskState.QUEUED} and state in {
        TaskState.CANCELLED,
        TaskState.ERROR,
        TaskState.SKIPPED,
    }:
        change.cancel.append(run_of(row))
    change.ended.append(row)


def end_attempt(change: Change, row: TaskRow, ending: str, error: str = "") -> None:
    """End a task's newest attempt, if it runs."""
    attempt = change.session.get(AttemptRow, (row.id, row.attempt))
    if attempt is not None and not attempt.ending:
        attempt.ending, attempt.finished = ending, change.now
        attempt.error = error or attempt.error


def lose(change: Change, row: TaskRow, why: str) -> bool:
    """Note that a task's worker is lost; gives whether another one may try."""
    end_attempt(change, row, "lost", why)
    row.lost += 1
    if row.lost >= change.config.attempts:
        lost = "a worker was" if row.lost == 1 else f"{row.lost} workers were"
        end(change, row, TaskState.ERROR, f"{lost} lost with it: {why}")
        return False
    change.set_state(row, TaskState.QUEUED, f"{why}; another worker takes it")
    return True


def advance(change: Change, group: int) -> None:
    """Start, skip and close what a group's rules say, until nothing follows any more."""
    above = change.session.get_one(GroupRow, group)
    change.session.flush()
    query = select(TaskRow).where(TaskRow.group_id == group).order_by(TaskRow.id)
    rows = {row.member: row for row in change.session.scalars(query)}
    while True:
        change.groups.discard(group)
        members = [member_of(row) for row in rows.values()]
        following = groups.advance(members, stop=above.stop, cancelled=above.cancelled)
        for name, reason in following.skip.items():
            end(change, rows[name], TaskState.SKIPPED, reason)
        starting = [rows[name] for name in following.start if rows[name].same_as is None]
        if len(starting) > 1:
            expect(change, starting)
        for row in starting:
            launch(change, row)
        change.keys = None
        if group not in change.groups:  # no result was there already: nothing more follows
            break
    if following.state is not GroupState.RUNNING and above.state == GroupState.RUNNING:
        above.state, above.finished = following.state.value, change.now
        change.tell(f"group.{above.state}", words.group(above, rows.values()), group=above.id)


def rank_of(priority: int) -> int:
    """The engine's priority: people's, with room for placement's within each of theirs."""
    return priority * LEVELS


def put(change: Change, row: TaskRow, *, rank: int, queue: str = "", cores: int = 0) -> None:
    """Say how urgent a task is, or in which queue it waits; those with a worker stay there."""
    row.rank, row.queue, row.cores = rank, queue or row.queue, cores
    if row.state == TaskState.QUEUED:
        change.moved[run_of(row)] = (row.queue, row.rank)


def _followers(change: Change, row: TaskRow) -> None:
    """Move those that waited for a task because it makes the same."""
    change.session.flush()
    query = select(TaskRow).where(TaskRow.same_as == row.id, TaskRow.state == TaskState.WAITING)
    for follower in change.session.scalars(query.order_by(TaskRow.id)).all():
        if row.state == TaskState.SUCCESS:
            _share(change, follower, row, f"the same as task {row.id}")
        elif row.state == TaskState.FAILED and identity.shares_failure(
            spec_of(follower), spec_of(row)
        ):
            follower.exit_code = row.exit_code
            end(change, follower, TaskState.FAILED, f"task {row.id} builds the same: {row.reason}")
        else:
            launch(change, follower)  # the first takes over, the others wait for that one


def _twin(change: Change, row: TaskRow) -> TaskRow | None:
    """The newest other task that makes the same, if it has made it or the engine has it.

    Never one that waits itself: so nothing ever waits in a circle.
    """
    if change.keys is not None:
        seen = row.key in change.keys
        change.keys.add(row.key)
        if not seen:
            return None
    change.session.flush()
    query = (
        select(TaskRow)
        .where(TaskRow.key == row.key, TaskRow.state.in_(_SHARED), TaskRow.id != row.id)
        .where(TaskRow.same_as.is_(None))
        .order_by(TaskRow.id.desc())
        .limit(1)
    )
    return change.session.scalars(query).first()


def _share(change: Change, row: TaskRow, made: TaskRow, reason: str) -> None:
    row.outputs, row.version, row.same_as = made.outputs, made.version, made.id
    row.exit_code = 0
    change.set_state(row, TaskState.SUCCESS, reason)
    if row.group_id is not None:  # nobody else waits for one that only shares
        change.groups.add(row.group_id)


def _wait(change: Change, row: TaskRow, reason: str) -> None:
    if row.state != TaskState.WAITING:
        change.set_state(row, TaskState.WAITING, reason)
    row.reason = reason


def new_row(
    change: Change,
    spec: TaskSpec,
    *,
    owner: str,
    priority: int,
    group: int | None = None,
    member: str = "",
    needs: Iterable[str] = (),
) -> TaskRow:
    """A new task, to be given to `add`; a group's member waits for the others at once."""
    state = TaskState.NEW if group is None else TaskState.WAITING
    return TaskRow(
        kind=spec.kind.value,
        name=spec.name,
        branch=spec.branch,
        arch=spec.arch,
        spec=dump(spec),
        state=state.value,
        priority=priority,
        owner=owner,
        group_id=group,
        member=member,
        needs=sorted(needs),
        created=change.now,
        changed=change.now,
        deadline=change.deadline(state),
        # What is looked at before the database has filled in its defaults.
        **_UNTRIED,
        outputs=[],
    )


def add(change: Change, rows: Sequence[TaskRow]) -> None:
    """Keep new tasks; they get their numbers in this order, when the session is flushed."""
    change.session.add_all(rows)
    for row in rows:
        change.tell(f"task.{row.state}", words.moved(row, ""), task=row)


def expect(change: Change, rows: Sequence[TaskRow]) -> None:
    """Look at once whether others make the same as any of the tasks that are launched next."""
    wanted = [identity.key_of(spec_of(row)) for row in rows]
    change.keys = set()
    for start in range(0, len(wanted), _AT_ONCE):
        some = TaskRow.key.in_(wanted[start : start + _AT_ONCE])
        change.keys.update(change.session.scalars(select(TaskRow.key).where(some)))


def again(change: Change, row: TaskRow, reason: str) -> None:
    """Make a task that ended badly ready for a new round.

    Raises:
        WrongState: it did not end badly, or what it builds is not kept any more.
    """
    spec = spec_of(row)
    if spec.bundle and not change.has(spec.bundle):
        raise WrongState(
            f"the bundle of task {row.id} is not kept any more",
            resolution="Submit it again, with its bundle.",
        )
    row.outputs, row.version, row.exit_code, row.same_as = [], "", 0, None
    row.worker, row.started = "", 0.0
    state = TaskState.NEW if row.group_id is None else TaskState.WAITING
    change.set_state(row, state, reason)


def reopen(change: Change, group: GroupRow) -> None:
    """Let a group go on that had ended."""
    if group.state != GroupState.RUNNING:
        change.tell("group.running", "the group goes on", group=group.id)
    group.state, group.finished, group.cancelled = GroupState.RUNNING.value, 0.0, False
    change.groups.add(group.id)
