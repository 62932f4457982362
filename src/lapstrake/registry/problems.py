"""What a registry answers when it cannot do what was asked."""

from __future__ import annotations


class Problem(Exception):  # noqa: N818 - what RFC 9457 calls it
    """An error as the OCI distribution specification 1.1 shapes it (section "Error Codes").

    Args:
        status: the HTTP status.
        code: one of the specification's words, such as ``MANIFEST_UNKNOWN``.
        message: one line for people.
        detail: whatever JSON can hold, for programs.
    """

    def __init__(self, status: int, code: str, message: str, detail: object = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.detail = detail
