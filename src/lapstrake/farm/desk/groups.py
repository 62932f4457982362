"""The desk's counter for groups."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from lapstrake.farm.desk import bundles, flow, specs
from lapstrake.farm.desk.base import DeskBase
from lapstrake.farm.desk.change import known_group
from lapstrake.farm.desk.memory import remembered
from lapstrake.farm.desk.paging import number_after, page_of
from lapstrake.farm.desk.values import dump, member_of
from lapstrake.farm.model import groups, states
from lapstrake.farm.problems import WrongState
from lapstrake.farm.tables.rows import GroupRow, TaskRow
from lapstrake.farm.values.groups import Group, GroupSpec, GroupState
from lapstrake.farm.values.lists import Page
from lapstrake.farm.values.tasks import TaskState


class GroupDesk(DeskBase):
    """Groups."""

    def submit_group(self, spec: GroupSpec, owner: str, *, key: str = "") -> Group:
        """Make a group and start what waits for nothing.

        Raises:
            Invalid: a member is wrong, needs what is not there, or they need each other in a
                circle; nothing is made.
        """
        specs.checked_priority(spec.priority)
        members = specs.checked_all(
            [replace(m.spec, branch=m.spec.branch or spec.branch) for m in spec.members],
            self.config,
            self.contents,
        )
        named = [replace(m, spec=s) for m, s in zip(spec.members, members, strict=True)]
        groups.check_names(named)
        found = bundles.needs_of(named, self.config, self.contents)
        groups.check_needs(found.needs)
        with self._change() as change:
            made = remembered(change, owner, key, dump(spec))
            if not made:
                row = GroupRow(
                    name=spec.name,
                    branch=spec.branch,
                    state=GroupState.RUNNING.value,
                    owner=owner,
                    stop=spec.stop,
                    priority=spec.priority,
                    created=change.now,
                )
                change.session.add(row)
                change.session.flush()
                change.tell("group.running", f"made by {owner or 'nobody'}", group=row.id)
                for name, reason in found.unread.items():
                    text = f"what {name} needs is not known: {reason}"
                    change.tell("group.unread", text, group=row.id)
                rows = [
                    flow.new_row(
                        change,
                        member.spec,
                        owner=owner,
                        priority=max(-100, min(100, spec.priority + member.priority)),
                        group=row.id,
                        member=member.name,
                        needs=found.needs[member.name],
                    )
                    for member in named
                ]
                flow.add(change, rows)
                made.append(row.id)
                change.groups.add(row.id)
            flow.settle(change)
            return _group(change.session, change.session.get_one(GroupRow, made[0]))

    def group(self, group: int) -> Group:
        """A group as it stands.

        Raises:
            Unknown: no such group.
        """
        with self.database.read() as session:
            return _group(session, known_group(session, group))

    def groups(self, *, after: str = "", limit: int = 50) -> Page[Group]:
        """Groups, the newest first.

        Raises:
            Invalid: `after` or `limit` makes no sense.
        """
        query = select(GroupRow).order_by(GroupRow.id.desc())
        last = number_after(after)
        if last is not None:
            query = query.where(GroupRow.id < last)
        with self.database.read() as session:
            return page_of(
                session.scalars, query, limit, lambda row: _group(session, row), lambda row: row.id
            )

    def cancel_group(self, group: int, *, reason: str = "", by: str = "", key: str = "") -> Group:
        """Cancel all members that have not ended; what is being published is still published.

        Args:
            group: which.
            reason: why, for those who look later.
            by: who asks.
            key: of the request, see `lapstrake.farm.desk.memory`.

        Raises:
            Unknown: no such group.
            WrongState: it has ended.
        """
        with self._change() as change:
            row = known_group(change.session, group)
            made = remembered(change, by, key, {"cancel_group": group})
            if made:
                return _group(change.session, row)
            made.append(group)
            if row.state != GroupState.RUNNING:
                raise WrongState(f"group {group} has ended: it is {row.state}")
            row.cancelled = True
            said = " ".join(
                filter(None, ["the group was cancelled", f"by {by}" * bool(by), reason])
            )
            query = select(TaskRow).where(TaskRow.group_id == group)
            for member in change.session.scalars(query).all():
                if TaskState.CANCELLED in states.MOVES[TaskState(member.state)]:
                    flow.end(change, member, TaskState.CANCELLED, said)
            flow.settle(change)
            return _group(change.session, row)

    def resume_group(self, group: int, *, by: str = "", key: str = "") -> Group:
        """Try all members again that ended badly; what is published stays.

        Args:
            group: which.
            by: who asks.
            key: of the request, see `lapstrake.farm.desk.memory`.

        Raises:
            Unknown: no such group.
            WrongState: nothing of it ended badly.
        """
        with self._change() as change:
            row = known_group(change.session, group)
            made = remembered(change, by, key, {"resume_group": group})
            if made:
                return _group(change.session, row)
            made.append(group)
            query = select(TaskRow).where(TaskRow.group_id == group)
            rows = [m for m in change.session.scalars(query) if m.state in states.RETRIED]
            if not rows:
                raise WrongState(f"nothing of group {group} ended badly: it is {row.state}")
            for member in rows:
                flow.again(change, member, f"resumed by {by}" if by else "resumed")
            flow.reopen(change, row)
            flow.settle(change)
            return _group(change.session, row)


def _group(session: Session, row: GroupRow) -> Group:
    query = select(TaskRow).where(TaskRow.group_id == row.id).order_by(TaskRow.id)
    return Group(
        id=row.id,
        name=row.name,
        branch=row.branch,
        state=GroupState(row.state),
        owner=row.owner,
        stop=row.stop,
        priority=row.priority,
        created=row.created,
        finished=row.finished,
        members=tuple(member_of(member) for member in session.scalars(query)),
    )
