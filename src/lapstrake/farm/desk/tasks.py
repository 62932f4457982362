"""The desk's counter for tasks: to make, fill in, start, look at, cancel and retry them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select

from lapstrake.farm.desk import flow, specs
from lapstrake.farm.desk.base import DeskBase
from lapstrake.farm.desk.change import Change
from lapstrake.farm.desk.memory import remembered
from lapstrake.farm.desk.paging import number_after, page_of
from lapstrake.farm.desk.values import dump, member_of, spec_of, task_of
from lapstrake.farm.model import groups, states
from lapstrake.farm.problems import Invalid, WrongState
from lapstrake.farm.tables.rows import GroupRow, TaskRow
from lapstrake.farm.values.lists import Page
from lapstrake.farm.values.tasks import Task, TaskFilter, TaskSpec, TaskState


class TaskDesk(DeskBase):
    """Tasks."""

    def new_task(
        self, owner: str, *, priority: int = 0, arch: str = "", name: str = "", key: str = ""
    ) -> Task:
        """Make a task that lacks everything still.

        Args:
            owner: who asks: a token's name.
            priority: -100 to 100, the larger the sooner.
            arch: the machine that builds; empty for the server's own.
            name: what people call it.
            key: the request's ``Idempotency-Key``: the same one gives the same task again.

        Raises:
            Invalid: a value is wrong, or the key was used for another request.
        """
        spec = specs.checked(TaskSpec(name=name, arch=arch), self.config, whole=False)
        content = {"spec": dump(spec), "priority": specs.checked_priority(priority)}
        with self._change() as change:
            made = remembered(change, owner, key, content)
            if not made:
                row = flow.new_row(change, spec, owner=owner, priority=priority)
                flow.add(change, [row])
                change.session.flush()
                made.append(row.id)
            return task_of(change.task(made[0]))

    def submit(self, spec: TaskSpec, owner: str, *, priority: int = 0, key: str = "") -> Task:
        """Make a task and start it.

        Raises:
            Invalid: the spec lacks or has what it must not; nothing is made.
        """
        return self.submit_many([spec], owner, priority=priority, key=key)[0]

    def submit_many(
        self,
        wanted: Sequence[TaskSpec],
        owner: str,
        *,
        priority: int | Sequence[int] = 0,
        key: str = "",
    ) -> tuple[Task, ...]:
        """Make several tasks and start them: all or none.

        Args:
            wanted: what is to be built.
            owner: who asks.
            priority: of all, or of each.
            key: see `new_task`.

        Raises:
            Invalid: one of them is wrong; the detail says which.
        """
        checked = specs.checked_all(wanted, self.config, self.contents)
        priorities = [priority] * len(checked) if isinstance(priority, int) else list(priority)
        for each in priorities:
            specs.checked_priority(each)
        content = {"specs": [dump(spec) for spec in checked], "priority": priorities}
        with self._change() as change:
            made = remembered(change, owner, key, content)
            if not made:
                rows = [
                    flow.new_row(change, spec, owner=owner, priority=each)
                    for spec, each in zip(checked, priorities, strict=True)
                ]
                flow.expect(change, rows)
                flow.add(change, rows)
                for row in rows:
                    flow.launch(change, row)
                change.session.flush()
                made.extend(row.id for row in rows)
            return tuple(task_of(change.task(number)) for number in made)

    def set_bundle(self, task: int, *, digest: str = "", source: str = "", name: str = "") -> Task:
        """Say what a new task builds: an uploaded archive, or where its source is.

        Args:
            task: which.
            digest: of an archive in the content store.
            source: ``apt:NAME``, or an address in the server's trees.
            name: what people call it; empty leaves it.

        Raises:
            Unknown: no such task.
            WrongState: it was started already.
            Invalid: there is no such content or source.
        """
        if bool(digest) == bool(source):
            raise Invalid("give the digest of an upload or a source: one of the two")

        def fill(spec: TaskSpec) -> TaskSpec:
            called = name or spec.name or (source.partition("=")[0] if source else "")
            return replace(spec, bundle=digest, source=source, name=called)

        return self._fill(task, fill)

    def set_branch(self, task: int, branch: str) -> Task:
        """Say for which branch a new task builds.

        Raises:
            Unknown: no such task.
            WrongState: it was started already.
            Invalid: no such branch; those that there are are named.
        """
        specs.check_branch(branch, self.config)
        return self._fill(task, lambda spec: replace(spec, branch=branch))

    def start(self, task: int, **overrides: object) -> Task:
        """Start a new task.

        Args:
            task: which.
            overrides: fields of its `TaskSpec`.

        Raises:
            Unknown: no such task.
            WrongState: it lacks something (the detail says what), or was started already.
            Invalid: a field is wrong.
        """
        before = self.task(task)
        spec = specs.overridden(before.spec, overrides)
        lacking = specs.lacks(spec)
        if lacking and before.state is TaskState.NEW:
            raise WrongState(
                f"task {task} lacks {' and '.join(lacking)}",
                resolution="Put what it lacks first, then start it.",
                fields={"lacks": lacking, "state": before.state.value},
            )
        if before.state is TaskState.NEW:
            spec = specs.checked(spec, self.config, self.contents)  # may pack a bundle: no lock
        with self._change() as change:
            row = self._open(change, task)
            if spec_of(row) != before.spec:
                raise WrongState(f"task {task} was changed meanwhile", resolution="Start it again.")
            _write(row, spec)
            flow.launch(change, row)
            return task_of(row)

    def cancel(self, task: int, *, reason: str = "", by: str = "", key: str = "") -> Task:
        """End a task before it is done; what it runs is killed.

        Args:
            task: which.
            reason: why, for those who look later.
            by: who asks.
            key: of the request, see `lapstrake.farm.desk.memory`.

        Raises:
            Unknown: no such task.
            WrongState: it has ended, or is being published.
        """
        with self._change() as change:
            row = change.task(task)
            made = remembered(change, by, key, {"cancel": task})
            if made:
                return task_of(row)
            made.append(task)
            said = " ".join(filter(None, [f"by {by}" if by else "", reason]))
            flow.end(change, row, TaskState.CANCELLED, said)
            return task_of(row)

    def retry(self, task: int, *, by: str = "", key: str = "", keep_failed: bool = False) -> Task:
        """Try a task again that ended badly; members of its group that it held up come back.

        Args:
            task: which.
            by: who asks.
            key: of the request, see `lapstrake.farm.desk.memory`.
            keep_failed: keep the build folder if it fails once more.

        Raises:
            Unknown: no such task.
            WrongState: it has not ended, or went well.
        """
        with self._change() as change:
            row = change.task(task)
            asked = {"retry": task, "keep_failed": True} if keep_failed else {"retry": task}
            made = remembered(change, by, key, asked)
            if made:
                return task_of(row)
            made.append(task)
            if keep_failed:
                _write(row, replace(spec_of(row), keep_failed=True))
            flow.again(change, row, f"tried again by {by}" if by else "tried again")
            if row.group_id is None:
                if not specs.lacks(spec_of(row)):  # else it ended before it was ever started
                    flow.launch(change, row)
            else:
                query = select(TaskRow).where(TaskRow.group_id == row.group_id)
                rows = {member.member: member for member in change.session.scalars(query)}
                members = [member_of(member) for member in rows.values()]
                for name in groups.revived(members, row.member):
                    flow.again(change, rows[name], f"{row.member} is tried again")
                flow.reopen(change, change.session.get_one(GroupRow, row.group_id))
            flow.settle(change)
            return task_of(row)

    def set_priority(self, task: int, priority: int) -> Task:
        """Let a task go sooner or later.

        Raises:
            Unknown: no such task.
            WrongState: it has ended.
            Invalid: not from -100 to 100.
        """
        specs.checked_priority(priority)
        with self._change() as change:
            row = change.task(task)
            if row.state in states.ENDED:
                raise WrongState(f"task {task} has ended: {row.state}", fields={"state": row.state})
            row.priority, row.changed = priority, change.now
            flow.put(change, row, rank=flow.rank_of(priority), cores=row.cores)
            return task_of(row)

    def tasks(
        self, wanted: TaskFilter | None = None, *, after: str = "", limit: int = 50
    ) -> Page[Task]:
        """Tasks, the newest first.

        Args:
            wanted: which; all when ``None``.
            after: what the page before said.
            limit: 1 to 200.

        Raises:
            Invalid: `after` or `limit` makes no sense.
        """
        wanted = wanted or TaskFilter()
        query = select(TaskRow).order_by(TaskRow.id.desc())
        last = number_after(after)
        if last is not None:
            query = query.where(TaskRow.id < last)
        for field in ("branch", "name", "owner", "worker", "kind"):
            value = getattr(wanted, field)
            if value:
                query = query.where(getattr(TaskRow, field) == value)
        if wanted.group is not None:
            query = query.where(TaskRow.group_id == wanted.group)
        if wanted.states:
            query = query.where(TaskRow.state.in_(wanted.states))
        with self.database.read() as session:
            return page_of(session.scalars, query, limit, task_of, lambda row: row.id)

    def _open(self, change: Change, task: int) -> TaskRow:
        """A task that can still be filled in."""
        row = change.task(task)
        if row.state != TaskState.NEW:
            raise WrongState(
                f"task {task} was started already: it is {row.state}",
                resolution="Make a new task.",
                fields={"state": row.state},
            )
        return row

    def _fill(self, task: int, fill: specs.Fill) -> Task:
        with self._change() as change:
            row = self._open(change, task)
            spec = fill(spec_of(row))
            _write(row, specs.checked(spec, self.config, self.contents, whole=False))
            row.changed = change.now
            return task_of(row)


def _write(row: TaskRow, spec: TaskSpec) -> None:
    row.spec = dump(spec)
    row.name, row.branch, row.arch = spec.name, spec.branch, spec.arch
