"""Webhooks and their deliveries in the database: each event arrives at least once."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from lapstrake.farm.desk.values import event_of
from lapstrake.farm.problems import Invalid, Unknown
from lapstrake.farm.tables.access_rows import DeliveryRow, WebhookRow
from lapstrake.farm.tables.database import Database
from lapstrake.farm.tables.rows import EventRow
from lapstrake.farm.values.history import Event
from lapstrake.farm.values.lists import Page
from lapstrake.farm.webhooks.addresses import check_url
from lapstrake.farm.webhooks.base import PING, Delivery, Webhook, wants

_AT_ONCE = 500
_MOST = 100
"""Webhooks of a farm."""


class Webhooks:
    """All webhooks of a farm. Any thread may call.

    Args:
        database: has them.
        clock: the time.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def add(
        self, url: str, events: Sequence[str] = (), *, owner: str = "", secret: str = ""
    ) -> tuple[Webhook, str]:
        """Tell somebody of events from now on; gives the webhook and its secret.

        Args:
            url: where deliveries go.
            events: see `Webhook`.
            owner: who asks for it.
            secret: what deliveries are signed with; made when it is empty.

        Raises:
            Invalid: the address is none, or there are too many webhooks.
        """
        check_url(url)
        secret = secret or secrets.token_urlsafe(32)
        with self._database.write() as session:
            if (session.scalar(select(func.count(WebhookRow.id))) or 0) >= _MOST:
                raise Invalid(f"there are {_MOST} webhooks", resolution="Remove one first.")
            row = WebhookRow(
                url=url,
                events=list(events),
                secret=secret,
                owner=owner,
                created=self._clock(),
                told=session.scalar(select(func.max(EventRow.id))) or 0,
            )
            session.add(row)
            session.flush()
            return _webhook(row), secret

    def all(self) -> tuple[Webhook, ...]:
        """All webhooks, oldest first."""
        with self._database.read() as session:
            rows = session.scalars(select(WebhookRow).order_by(WebhookRow.id))
            return tuple(_webhook(row) for row in rows)

    def remove(self, id: int) -> None:
        """Tell somebody no more; what is on its way is dropped.

        Raises:
            Unknown: there is no such webhook.
        """
        with self._database.write() as session:
            _known(session, id)
            session.execute(delete(DeliveryRow).where(DeliveryRow.webhook == id))
            session.execute(delete(WebhookRow).where(WebhookRow.id == id))

    def ping(self, id: int) -> Delivery:
        """Send something, to see whether it arrives.

        Raises:
            Unknown: there is no such webhook.
        """
        with self._database.write() as session:
            _known(session, id)
            row = self._row(id, event=0, kind=PING, body={"kind": PING})
            session.add(row)
            session.flush()
            return _delivery(row)

    def deliveries(self, id: int, *, after: str = "", limit: int = 50) -> Page[Delivery]:
        """A webhook's deliveries, newest first.

        Raises:
            Unknown: there is no such webhook.
            Invalid: `after` makes no sense.
        """
        if not (after.isascii() and (after.isdigit() or not after)) or len(after) > 18:
            raise Invalid(f"after: {after!r}", resolution="Give `next` of the page before.")
        query = select(DeliveryRow).where(DeliveryRow.webhook == id)
        if after:
            query = query.where(DeliveryRow.id < int(after))
        with self._database.read() as session:
            _known(session, id)
            rows = session.scalars(query.order_by(DeliveryRow.id.desc()).limit(limit + 1)).all()
        more = str(rows[limit - 1].id) if len(rows) > limit else None
        return Page(items=tuple(_delivery(row) for row in rows[:limit]), next=more)

    def gather(self) -> None:
        """Make deliveries of the events that have happened since."""
        with self._database.read() as session:
            newest = session.scalar(select(func.max(EventRow.id))) or 0
            behind = session.scalar(select(func.min(WebhookRow.told)))
        if behind is None or behind >= newest:
            return
        with self._database.write() as session:
            for webhook in session.scalars(select(WebhookRow)).all():
                query = select(EventRow).where(EventRow.id > webhook.told)
                rows = session.scalars(query.order_by(EventRow.id).limit(_AT_ONCE)).all()
                for event in map(event_of, rows):
                    webhook.told = event.id
                    if wants(tuple(webhook.events), event):
                        session.add(self._of_event(webhook.id, event))

    def due(self, limit: int) -> Sequence[tuple[DeliveryRow, WebhookRow]]:
        """What is to be sent now, the longest waiting first."""
        query = (
            select(DeliveryRow, WebhookRow)
            .join(WebhookRow, WebhookRow.id == DeliveryRow.webhook)
            .where(DeliveryRow.due > 0, DeliveryRow.due <= self._clock())
            .order_by(DeliveryRow.due, DeliveryRow.id)
            .limit(limit)
        )
        with self._database.read() as session:
            return [(delivery, webhook) for delivery, webhook in session.execute(query).all()]

    def note(self, id: int, *, status: int, error: str, again: float) -> None:
        """Remember how a try went.

        Args:
            id: the delivery's.
            status: of the answer.
            error: why it failed; empty when it arrived.
            again: seconds until the next try; 0 for no more.
        """
        with self._database.write() as session:
            row = session.get(DeliveryRow, id)
            if row is not None:  # its webhook may have been removed
                row.tries += 1
                row.status, row.error = status, error[:500]
                row.due = self._clock() + again if again else 0.0

    def prune(self, before: float) -> None:
        """Forget deliveries that were over before a moment."""
        old = (DeliveryRow.due == 0) & (DeliveryRow.created < before)
        with self._database.write() as session:
            session.execute(delete(DeliveryRow).where(old))

    def _of_event(self, webhook: int, event: Event) -> DeliveryRow:
        return self._row(webhook, event=event.id, kind=event.kind, body=asdict(event))

    def _row(self, webhook: int, *, event: int, kind: str, body: object) -> DeliveryRow:
        now = self._clock()
        return DeliveryRow(
            webhook=webhook,
            event=event,
            kind=kind,
            body=json.dumps(body).encode(),
            created=now,
            tries=0,
            due=now,
            status=0,
            error="",
        )


def _known(session: Session, id: int) -> WebhookRow:
    row = session.get(WebhookRow, id)
    if row is None:
        raise Unknown(f"there is no webhook {id}", resolution="See the list of webhooks.")
    return row


def _webhook(row: WebhookRow) -> Webhook:
    return Webhook(
        id=row.id, url=row.url, events=tuple(row.events), owner=row.owner, created=row.created
    )


def _delivery(row: DeliveryRow) -> Delivery:
    return Delivery(
        id=row.id,
        event=row.event,
        kind=row.kind,
        created=row.created,
        tries=row.tries,
        due=row.due,
        status=row.status,
        error=row.error,
    )
