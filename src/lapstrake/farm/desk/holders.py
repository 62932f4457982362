"""Who may speak for a worker: the token that it came with, and no other worker's."""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from lapstrake.farm.desk.base import DeskBase
from lapstrake.farm.desk.change import known_attempt
from lapstrake.farm.problems import NotAllowed
from lapstrake.farm.tables.access_rows import TokenRow
from lapstrake.farm.tables.rows import WorkerRow


class HolderDesk(DeskBase):
    """Looks whether whoever speaks is the worker that they speak for."""

    def check_worker(self, name: str, token: str) -> None:
        """Refuse another worker's token; who is not known at all is told so later.

        Args:
            name: the worker's.
            token: the name of the token that was shown.

        Raises:
            NotAllowed: the worker came with another token.
        """
        with self.database.read() as session:
            row = session.get(WorkerRow, name)
        if row is not None and row.token != token:
            raise _foreign(name)

    def check_attempt(self, task: int, attempt: int, token: str) -> None:
        """Refuse whoever has not claimed an attempt.

        Args:
            task: its number.
            attempt: the attempt's.
            token: the name of the token that was shown.

        Raises:
            Unknown: no such task or attempt.
            NotAllowed: it is another worker's.
        """
        with self.database.read() as session:
            name = known_attempt(session, task, attempt).worker
            row = session.get(WorkerRow, name)
        if row is None or row.token != token:
            raise _foreign(name)


def check_owner(session: Session, row: WorkerRow, token: str, now: float) -> None:
    """Refuse a worker under the name of one that came with another token, if that still holds.

    Raises:
        NotAllowed: it does.
    """
    if row.token in {"", token}:
        return
    good = or_(TokenRow.expires == 0, TokenRow.expires > now)
    query = select(TokenRow.name).where(TokenRow.name == row.token, good)
    if session.scalar(query) is not None:
        raise NotAllowed(
            f"the worker {row.name} is the token {row.token}'s",
            resolution="Give this worker another name, or remove that token or worker first.",
        )


def _foreign(name: str) -> NotAllowed:
    return NotAllowed(
        f"this is the business of the worker {name}, which came with another token",
        resolution="A worker speaks for itself only: show the token that it registered with.",
    )
