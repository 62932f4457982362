"""What tokens allow."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    """What a token allows; each includes those before it, but for `WORKER`, which stands apart."""

    READ = "read"
    SUBMIT = "submit"
    ADMIN = "admin"
    WORKER = "worker"
