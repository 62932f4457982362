"""How much one user may have begun to upload and not finished: the rest of the disk is others'."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from lapstrake.farm.contents.base import Contents
from lapstrake.farm.problems import NoRoom, Problem, TooMany, Unknown, WrongState
from lapstrake.formats.amounts import size_text
from lapstrake.registry.problems import Problem as UploadProblem
from lapstrake.registry.protocol.uploads import Uploads

MOST = 256
"""Uploads."""
LIMITS = 8
"""How often the bytes of one upload they may have together."""


def check_share(uploads: Uploads, owner: str, size: int, *, new: int, limit: int) -> None:
    """See whether an owner may begin one more upload, or go on with one.

    Args:
        uploads: all that are not finished.
        owner: a token's name.
        size: bytes that are to come.
        new: how many uploads are to begin.
        limit: bytes that one upload may have.

    Raises:
        TooMany: too many uploads.
        NoRoom: too many bytes.
    """
    sizes = uploads.sizes(owner)
    whose = f"of {owner}" if owner else "here"
    if len(sizes) + new > MOST:
        raise TooMany(
            f"{len(sizes)} uploads {whose} are not finished",
            resolution="Finish them; those that nobody goes on with are removed after a day.",
        )
    if sum(sizes) + size > LIMITS * limit:
        raise NoRoom(
            f"unfinished uploads {whose} may have {size_text(LIMITS * limit)} together",
            resolution="Finish those that are begun, or raise farm.upload_limit on the server.",
            fields={"limit": LIMITS * limit},
        )


@contextmanager
def one_upload(contents: Contents, size: int | None = None, *, owner: str = "") -> Iterator[str]:
    """An upload that is finished in the block, or gone: nobody else knows its id.

    Raises: as `Contents.begin_upload`.
    """
    upload = contents.begin_upload(size, owner=owner)
    try:
        yield upload
    except BaseException:
        with suppress(Problem):  # it is gone already
            contents.drop_upload(upload, owner=owner)
        raise


def no_room(floor: int) -> NoRoom:
    """What is said when there is too little room."""
    return NoRoom(
        f"the server's disk has less than {size_text(floor)} left",
        resolution="Make room on the server (lapstrake store gc), or lower farm.disk_low.",
    )


@contextmanager
def translated() -> Iterator[None]:
    """Turn the registry's problems into ours."""
    try:
        yield
    except UploadProblem as problem:
        kind: type[Problem] = Unknown if problem.status == 404 else WrongState
        raise kind(problem.message, resolution="Ask for a new one: POST /api/v1/uploads.") from None
