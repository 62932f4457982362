"""The server's tables of those who may ask, and of those who are told."""

from __future__ import annotations

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from lapstrake.farm.tables.base import Base, Word, Words
from lapstrake.farm.tables.rows import Number


class TokenRow(Base):
    """A token; see `lapstrake.farm.access.tokens`. Its secret is nowhere, only the secret's hash.

    Attributes:
        hash: SHA-256 of the secret, hexadecimal.
        expires: when it ends; 0 for never.
        used: when it was last seen; about a minute's accuracy.
    """

    __tablename__ = "tokens"

    name: Mapped[str] = mapped_column(Word(64), primary_key=True)
    hash: Mapped[str] = mapped_column(Word(64), unique=True)
    scope: Mapped[str] = mapped_column(Word(16))
    created: Mapped[float]
    expires: Mapped[float] = mapped_column(default=0.0)
    used: Mapped[float] = mapped_column(default=0.0)


class WebhookRow(Base):
    """Somebody who is told of events; see `lapstrake.farm.webhooks`.

    Attributes:
        secret: what deliveries are signed with: both sides need it as it is.
        told: the newest event that deliveries were made of.
    """

    __tablename__ = "webhooks"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    url: Mapped[str] = mapped_column(Words)
    events: Mapped[list[str]] = mapped_column(JSON)
    secret: Mapped[str] = mapped_column(Words)
    owner: Mapped[str] = mapped_column(Words, default="")
    created: Mapped[float]
    told: Mapped[int] = mapped_column(Number, default=0)


class DeliveryRow(Base):
    """An event on its way to a webhook.

    Attributes:
        due: when it is tried next; 0 when it is over.
        status: of the last answer, 0 for none.
        error: why the last try failed; empty when it went well.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("ix_deliveries_due", "due"),
        Index("ix_deliveries_webhook_id", "webhook", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    webhook: Mapped[int] = mapped_column(Number, ForeignKey("webhooks.id", ondelete="CASCADE"))
    event: Mapped[int] = mapped_column(Number)
    kind: Mapped[str] = mapped_column(Word(32))
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created: Mapped[float]
    tries: Mapped[int] = mapped_column(default=0)
    due: Mapped[float]
    status: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(Words, default="")
