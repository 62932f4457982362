"""What all tables share."""

from __future__ import annotations

from sqlalchemy import Dialect, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """A row; constraints have names, so that migrations can speak of them."""

    metadata = MetaData(naming_convention=NAMES)


class Words(TypeDecorator[str]):
    """Text of any length, from anybody: what databases cannot hold is left out of it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Drop NUL characters and halves of surrogate pairs."""
        return None if value is None else _clean(value)


class Word(Words):
    """Text of a bounded length; see `Words`."""

    impl = String  # type: ignore[assignment]
    cache_ok = True  # SQLAlchemy asks each class itself


def _clean(text: str) -> str:
    if text.isascii():
        return text.replace("\0", "")
    return text.replace("\0", "").encode("utf-8", "replace").decode()
