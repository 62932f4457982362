"""What follows from what: a task that can start starts, an end moves those that waited for it."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from lapstrake.farm.base import GroupState, TaskSpec, TaskState
from lapstrake.farm.desk.change import Change, run_of
from lapstrake.farm.desk.values import dump, member_of, outputs_of, spec_of
from lapstrake.farm.model import groups, identity, queues, states
from lapstrake.farm.problems import WrongState
from lapstrake.farm.tables.rows import AttemptRow, GroupRow, TaskRow


def launch(change: Change, row: TaskRow) -> None:
    """Start a task that lacks nothing and waits for no other: share a result or a build, or queue.

    Raises:
        Invalid: its requirements make no sense.
    """
    spec = spec_of(row)
    row.key, row.same_as = identity.key_of(spec), None
    row.queue = queues.queue_of(spec.arch, spec.requires)
    if not spec.fresh:
        if identity.is_pinned(spec):
            made = _same(change, row, (TaskState.SUCCESS,))
            if made is not None and all(change.has(output.digest) for output in outputs_of(made)):
                _share(change, row, made, f"the same as task {made.id}, which was built before")
                return
        leader = _same(change, row, tuple(states.WITH_ENGINE))
        if leader is not None and (identity.is_pinned(spec) or leader.state == TaskState.QUEUED):
            row.same_as = leader.id
            _wait(change, row, f"task {leader.id} builds the same")
            if rank_of(row.priority) > leader.rank:
                put(change, leader, rank=rank_of(row.priority))
            return
    row.lost, row.cores = 0, 0
    if row.rank // rank_of(1) != row.priority:  # else placement knew it while it waited
        row.rank = rank_of(row.priority)
    change.set_state(row, TaskState.QUEUED)
    enqueue(change, row)


def enqueue(change: Change, row: TaskRow) -> None:
    """Give a queued task to the engine, as a new round."""
    row.round += 1
    change.enqueue[run_of(row)] = (row.queue, row.rank)


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
        end(change, row, TaskState.ERROR, f"{row.lost} workers were lost with it; the last: {why}")
        return False
    change.set_state(row, TaskState.QUEUED, f"{why}; another worker will take it")
    return True


def advance(change: Change, group: int) -> None:
    """Start, skip and close what a group's rules say."""
    above = change.session.get_one(GroupRow, group)
    change.session.flush()
    rows = {
        row.member: row
        for row in change.session.scalars(select(TaskRow).where(TaskRow.group_id == group))
    }
    members = [member_of(row) for row in rows.values()]
    following = groups.advance(members, stop=above.stop, cancelled=above.cancelled)
    for name, reason in following.skip.items():
        before = TaskState(rows[name].state)
        change.set_state(rows[name], TaskState.SKIPPED, reason)
        if before is TaskState.QUEUED:
            change.cancel.append(run_of(rows[name]))
        change.ended.append(rows[name])
    for name in following.start:
        if rows[name].state == TaskState.WAITING and rows[name].same_as is None:
            launch(change, rows[name])
    if following.state is not GroupState.RUNNING and above.state == GroupState.RUNNING:
        above.state, above.finished = following.state.value, change.now
        change.tell(f"group.{following.state.value}", above.name, group=above.id)


def rank_of(priority: int, within: int = 0) -> int:
    """The engine's priority: people's, and within one of theirs 0 to 999 of placement's."""
    return priority * 1000 + within


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
        elif row.state == TaskState.FAILED:
            follower.exit_code = row.exit_code
            end(change, follower, TaskState.FAILED, f"task {row.id} builds the same: {row.reason}")
        else:
            launch(change, follower)  # the first takes over, the others wait for that one


def _same(change: Change, row: TaskRow, wanted: tuple[TaskState, ...]) -> TaskRow | None:
    """The newest other task that makes the same and stands so."""
    change.session.flush()
    query = (
        select(TaskRow)
        .where(TaskRow.key == row.key, TaskRow.state.in_(wanted), TaskRow.id != row.id)
        .where(TaskRow.same_as.is_(None))
        .order_by(TaskRow.id.desc())
        .limit(1)
    )
    return change.session.scalars(query).first()


def _share(change: Change, row: TaskRow, made: TaskRow, reason: str) -> None:
    row.outputs, row.version, row.same_as = made.outputs, made.version, made.id
    row.exit_code = 0
    end(change, row, TaskState.SUCCESS, reason)


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
    """A new task; a group's member waits for the others at once."""
    state = TaskState.NEW if group is None else TaskState.WAITING
    row = TaskRow(
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
    )
    change.session.add(row)
    change.session.flush()
    change.tell(f"task.{state.value}", spec.name, task=row)
    return row


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
        change.tell("group.running", group.name, group=group.id)
    group.state, group.finished, group.cancelled = GroupState.RUNNING.value, 0.0, False
    change.groups.add(group.id)
