"""``/packages/BRANCH/``: the branches' repositories, for apt on other machines.

What a branch publishes is served as it lies in ``output/BRANCH``: packages, other artifacts, the
index. Names with a dot in front are ours alone. ``/packages/BRANCH.sources`` is the file by which
another machine's apt takes packages from here, its key included.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from lapstrake.config.model import Config
from lapstrake.registry.pages.page import page
from lapstrake.registry.problems import Problem
from lapstrake.web.pages import address
from lapstrake.web.sending import send_file

_TYPES = {
    "": "text/plain; charset=utf-8",  # Packages, Release, InRelease
    ".asc": "application/pgp-keys",
    ".deb": "application/vnd.debian.binary-package",
    ".gpg": "application/pgp-keys",
    ".gz": "application/gzip",
    ".sources": "text/plain; charset=utf-8",
    ".xz": "application/x-xz",
    ".zst": "application/zstd",
}


def artifact_routes(config: Config) -> list[BaseRoute]:
    """The routes below ``/packages``."""
    output = config.work_dir / "output"

    async def folder(request: Request) -> Response:
        return await run_in_threadpool(_answer, request, output, request.path_params["path"])

    async def sources(request: Request) -> Response:
        return await run_in_threadpool(_sources, request, output, request.path_params["branch"])

    return [
        Route("/packages/{branch}.sources", sources, methods=["GET", "HEAD"]),
        Route("/packages/{path:path}", folder, methods=["GET", "HEAD"]),
    ]


def published(output: Path) -> tuple[str, ...]:
    """The branches that have a repository."""
    return tuple(sorted(file.parent.name for file in output.glob("*/InRelease")))


def _answer(request: Request, output: Path, path: str) -> Response:
    parts = [part for part in path.split("/") if part not in {"", "."}]  # apt asks for ./InRelease
    file = output.joinpath(*parts)
    if any(part.startswith(".") or "\0" in part for part in parts) or not _is_inside(file, output):
        raise _unknown(request)
    if file.is_dir():
        if path and not path.endswith("/"):
            return RedirectResponse(request.url.path + "/", status_code=301)
        return _listing(request, file, parts)
    if path.endswith("/") or not file.is_file():
        raise _unknown(request)
    if _is_unchanged(request, file):
        return Response(status_code=304)
    try:
        return send_file(request, file, media_type=_media_type(file))
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):  # it was replaced just now
        raise _unknown(request) from None


def _sources(request: Request, output: Path, branch: str) -> Response:
    """The ``.sources`` file that lies in the repository, with the address the client uses."""
    file = output / branch / f"{branch}.sources"
    if branch.startswith(".") or not _is_inside(file, output) or not file.is_file():
        raise _unknown(request)
    lines = file.read_text("utf-8").splitlines()
    uri = f"URIs: {address(request)}/packages/{branch}"
    changed = [uri if line.startswith("URIs:") else line for line in lines]
    return PlainTextResponse("\n".join(changed) + "\n")


def _listing(request: Request, folder: Path, parts: list[str]) -> Response:
    entries = []
    for each in sorted(folder.iterdir()):
        with suppress(FileNotFoundError):  # it was withdrawn just now, or is a link to nothing
            if not each.name.startswith("."):
                entries.append({"facts": each.stat(), "name": each.name + "/" * each.is_dir()})
    return page(request, "folder.html", parts=parts, entries=entries)


def _is_inside(file: Path, output: Path) -> bool:
    """Whether no link leads out of the folder of repositories."""
    try:
        return file.resolve(strict=True).is_relative_to(output.resolve())
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, links in a circle
        return False


def _is_unchanged(request: Request, file: Path) -> bool:
    """What apt asks: ``If-Modified-Since`` (RFC 9110, 13.1.3)."""
    headers: Mapping[str, str] = request.headers
    if "if-none-match" in headers or "if-modified-since" not in headers:
        return False
    try:
        since = parsedate_to_datetime(headers["if-modified-since"]).timestamp()
    except (ValueError, OverflowError):
        return False
    return int(file.stat().st_mtime) <= since


def _media_type(file: Path) -> str:
    guessed = mimetypes.guess_type(file.name, strict=True)[0]
    return _TYPES.get(file.suffix) or guessed or "application/octet-stream"


def _unknown(request: Request) -> Problem:
    return Problem(404, "NAME_UNKNOWN", f"there is no {request.url.path}")
