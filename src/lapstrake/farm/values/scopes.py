"""What tokens allow, and where programs find theirs."""

from __future__ import annotations

from enum import StrEnum

TOKEN_VARIABLE = "LAPSTRAKE_TOKEN"  # noqa: S105 - the variable's name
"""The variable that has the token; it wins over ``farm.token_file``, and no build gets it."""


class Scope(StrEnum):
    """What a token allows; each includes those before it, but for `WORKER`, which stands apart."""

    READ = "read"
    SUBMIT = "submit"
    ADMIN = "admin"
    WORKER = "worker"
