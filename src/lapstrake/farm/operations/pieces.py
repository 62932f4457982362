"""What a server has that cannot be made anew, and the form of a backup."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from lapstrake.errors import FarmError

TREES = ("farm/contents", "farm/logs", "farm/artifacts", "output", "keys")
"""The folders below ``work_dir``: bundles and results, logs, published artifacts, the branches'
repositories, the keys that sign them.

Not among them: the engine's tables (the server gives the engine what it does not know), roots and
downloads (they are made again), the configuration (it is in the administrator's hands), images
(they are made again when they are pulled; pushed ones are told of in the documentation).
"""

MANIFEST, SQLITE, POSTGRESQL = "manifest.json", "farm.db", "farm.dump"

_FORM = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The first member of a backup.

    Attributes:
        form: of the archive; other versions may have others.
        version: of Lapstrake.
        made: when.
        database: the name of the member that has the tables.
    """

    version: str
    made: float
    database: str
    form: int = _FORM

    def dump(self) -> bytes:
        """As JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def read(cls, data: bytes, origin: Path) -> Manifest:
        """Read what `dump` wrote.

        Raises:
            FarmError: it is something else, or of a later version.
        """
        try:
            manifest = cls(**json.loads(data))
        except (ValueError, TypeError) as wrong:
            raise FarmError(f"{origin} is no backup of a farm") from wrong
        if manifest.form != _FORM or manifest.database not in {SQLITE, POSTGRESQL}:
            raise FarmError(
                f"{origin} was made by Lapstrake {manifest.version}, in a form unknown here",
                resolution="Restore it with that version, then upgrade.",
            )
        return manifest
