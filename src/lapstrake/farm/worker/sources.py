"""The server's download cache as a worker asks it: sources by their checksums."""

from __future__ import annotations

from pathlib import Path

from lapstrake.errors import FarmError, LapstrakeError
from lapstrake.farm.problems import Unknown
from lapstrake.farm.worker.link import Link
from lapstrake.names import Digest
from lapstrake.progress import Progress


class ServerSources:
    """A `lapstrake.source.rules.Elsewhere`: the server, which keeps what anybody fetched.

    Args:
        link: to the server.
        progress: hears what could not be shared.
    """

    def __init__(self, link: Link, progress: Progress) -> None:
        self._link = link
        self._progress = progress

    def find(self, digest: Digest, target: Path) -> bool:
        """Download a source; False also when the server cannot be asked: others may have it."""
        try:
            path = f"/api/v1/sources/{digest}"
            with self._link.connection.open("GET", path) as answer, target.open("xb") as file:
                for piece in answer.iter_raw():
                    file.write(piece)
        except Unknown:
            return False
        except FarmError as failed:
            self._progress.warning(f"{digest}: {failed.brief}")
            target.unlink(missing_ok=True)
            return False
        return True

    def offer(self, file: Path, digest: Digest) -> None:
        """Give the server what was fetched, for the next worker."""
        try:
            name = self._link.share(file, str(digest))
            self._link.connection.call("POST", "/api/v1/sources", json={"digest": name})
        except LapstrakeError as failed:
            self._progress.warning(f"the server does not take {digest}: {failed.brief}")
