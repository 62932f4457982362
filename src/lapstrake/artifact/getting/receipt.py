"""What a project's artifacts were the last time, told again while nothing of it has changed.

Reading the configuration and the project takes most of the time of a command that finds all of it
kept. A receipt holds what the answer depended on: the question, the variables, the bytes of the
manifests, the artifacts. The inputs of each package are read and summed anew, as ever; so what it
says is what the whole way would say. There is one per project folder, and any may be deleted.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lapstrake import __version__
from lapstrake.artifact.inputs.checksum import checksum_of
from lapstrake.config.places import FILE_NAME, find_config_dir, xdg_dir
from lapstrake.errors import LapstrakeError

if TYPE_CHECKING:
    from lapstrake.artifact.base import Project
    from lapstrake.artifact.depot import Depot
    from lapstrake.artifact.getting.found import Got

_OURS = ("LAPSTRAKE_", "NERVES_", "HOST_", "XDG_", "HOME")
"""How the variables begin that say where things are, or what this host is."""


class Question:
    """What was asked, and from where.

    Args:
        folder: the folder that it was asked in; absolute.
        config_dir: the folder of ``-c``, or ``None``.
        settings: of ``--set``.
        names: the packages that were asked for.
    """

    def __init__(
        self,
        folder: Path,
        *,
        config_dir: Path | None,
        settings: Mapping[str, str],
        names: Sequence[str],
    ) -> None:
        self._folder, self._config_dir = folder, config_dir
        self._words = [list(names), sorted(settings.items()), str(config_dir)]

    def recall(self) -> list[dict[str, str]] | None:
        """The answer of the last time, if the whole way would give it again."""
        try:
            known = json.loads(self._file().read_bytes())
            if known["facts"] != self._facts() or not _holds(known):
                return None
            for artifact in known["artifacts"]:
                os.utime(artifact["record"])
            return [artifact["row"] for artifact in known["artifacts"]]
        except (OSError, ValueError, KeyError, TypeError, LapstrakeError):
            return None

    def remember(
        self, project: Project, depot: Depot, found: Sequence[tuple[Got, dict[str, str]]]
    ) -> None:
        """Keep an answer.

        Args:
            project: what was read.
            depot: where the artifacts are.
            found: all artifacts that were asked for, kept in the depot, and what is said of each.
        """
        from lapstrake.artifact.identity import override_variable
        from lapstrake.artifact.keeping.cache import ArtifactCache
        from lapstrake.host.files import write_atomic

        cache = ArtifactCache(depot.artifacts)
        artifacts = [
            {
                "inputs": [str(got.package.folder), list(got.package.checksum)],
                "checksum": got.identity.checksum,
                "path": str(got.path),
                "record": str(cache.layout.record(got.identity.download_name)),
                "row": row,
            }
            for got, row in found
        ]
        with suppress(OSError, LapstrakeError):
            known = {
                "facts": self._facts(),
                "files": {str(file): _sum(file) for file in project.files},
                "unset": [override_variable(package) for package in project.packages],
                "artifacts": artifacts,
            }
            file = self._file()
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(file, json.dumps(known).encode(), mode=0o600, durable=False)

    def _file(self) -> Path:
        digits = hashlib.sha256(os.fsencode(self._folder)).hexdigest()[:32]
        return xdg_dir("XDG_CACHE_HOME", ".cache") / "lapstrake" / "answers" / f"{digits}.json"

    def _facts(self) -> list[Any]:
        """All around the project that the answer depends on, as JSON gives it back."""
        named = sorted(each for each in os.environ.items() if each[0].startswith(_OURS))
        variables = hashlib.sha256(json.dumps(named).encode()).hexdigest()  # some are secrets
        config = find_config_dir(self._config_dir)
        places = (self._folder, *self._folder.parents)
        return [
            __version__,
            str(self._folder),
            json.loads(json.dumps(self._words)),
            variables,
            os.geteuid(),
            str(config),
            _sum(config / FILE_NAME) if config else "",
            str(next((each for each in places if (each / "lapstrake.toml").is_file()), "")),
        ]


def _holds(known: Mapping[str, Any]) -> bool:
    """Whether the project and its artifacts are as they were."""
    return (
        not any(os.environ.get(name) for name in known["unset"])
        and all(_sum(Path(file)) == digits for file, digits in known["files"].items())
        and all(_is_kept(artifact) for artifact in known["artifacts"])
    )


def _is_kept(artifact: Mapping[str, Any]) -> bool:
    """Whether an artifact is there, and still the one of its package's inputs."""
    folder, entries = artifact["inputs"]
    said = Path(artifact["path"], "CHECKSUM").read_text(encoding="ascii").strip()
    return bool(said == artifact["checksum"] == checksum_of(folder, entries))


def _sum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
