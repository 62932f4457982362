"""The process of one build: everything from the bundle to results that the server has.

All that builds need is imported here at once: the process is started before there is a build.

It is started by the slot (``python -m lapstrake.farm.worker.building``), and killed with all
that came of it when the slot ends. How it went is in the attempt's folder at its end.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import httpx2  # noqa: F401 - others import it when they need it, which is late

from lapstrake.build.record import BuildRecord
from lapstrake.build.request import BuildRequest, parse_target
from lapstrake.build.run import build
from lapstrake.bundle.debian_binaries import BuildKind
from lapstrake.config.model import Config
from lapstrake.errors import FarmError, LapstrakeError, StoreError
from lapstrake.farm.client.answer import read, write
from lapstrake.farm.client.http import Connection
from lapstrake.farm.contents.bundles import find_bundle, unpack_bundle
from lapstrake.farm.values.attempts import Result
from lapstrake.farm.values.tasks import OutputFile, TaskKind
from lapstrake.farm.worker.leftovers import labels
from lapstrake.farm.worker.link import Link
from lapstrake.farm.worker.results import failed_result, recorded
from lapstrake.farm.worker.setup import LOCAL, AttemptFolder, BuildSetup, bounded
from lapstrake.farm.worker.sync import prepare_place
from lapstrake.farm.worker.telling import AttemptLog
from lapstrake.formats.amounts import size_text
from lapstrake.host import cgroup, files
from lapstrake.names import Arch, BranchName
from lapstrake.place.foreign import place_for
from lapstrake.place.workplace import Workplace
from lapstrake.progress import Progress
from lapstrake.runner.choose import choose

_PATIENCE = 3600.0
"""Seconds that transfers wait for a server that is away or full: what was built is worth it."""


_LITTLE_PATIENCE = 60.0


def main() -> int:
    """Read the setup, do the work, write the result."""
    said = sys.stdin.buffer.read()
    if not said:
        return 0  # the slot ended without a build
    setup = read(BuildSetup, said)
    folder = AttemptFolder(path=setup.folder)
    log_all(folder)
    with AttemptLog(folder) as log:
        result = _guarded(setup, folder, log)
        if not result.ok:
            with suppress(StoreError):  # the result says the same, and has its room
                log.tell_failure(result)
    with folder.result.open("r+b") as file:  # JSON may be followed by spaces, as they are there
        file.write(write(result))
    return 0


def log_all(folder: AttemptFolder) -> None:
    """Let the log have what anything of ours says on its own: it would tell of a mistake."""
    log = os.open(folder.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(log, stream.fileno())
    os.close(log)


def _guarded(setup: BuildSetup, folder: AttemptFolder, log: AttemptLog) -> Result:
    """The work, whose errors are results too."""
    try:
        return _Work(setup, folder, log).run()
    except LapstrakeError as failed:
        return failed_result(failed, folder)
    except OSError as refused:
        full = files.disk_error(refused, doing=f"building task {setup.job.task}")
        return Result(ok=False, error=full.brief, exit_code=full.exit_code)
    except Exception as bug:  # noqa: BLE001 - the farm goes on, and somebody reads the log
        traceback.print_exc()
        brief = f"an error in Lapstrake itself: {type(bug).__name__}: {bug}"
        return Result(ok=False, error=brief, exit_code=LapstrakeError.exit_code)


class _Work:
    """One job on its way.

    Args:
        setup: what to do, and where.
        folder: the attempt's.
        log: hears everything.
    """

    def __init__(self, setup: BuildSetup, folder: AttemptFolder, log: AttemptLog) -> None:
        self.job, self.folder, self.log = setup.job, folder, log
        self.worker, self.executor = setup.worker, setup.executor
        self.capabilities = setup.capabilities
        self.link = Link(
            Connection(
                setup.worker.server, setup.worker.token, patience=_PATIENCE, awaits_room=True
            )
        )

    def run(self) -> Result:
        """Bring together what is needed, build, share what came out."""
        config = bounded(self.worker.config(), self.job, self.capabilities)
        config = labelled(config, labels(self.worker.name, self.executor, self.job))
        if self.job.spec.kind is TaskKind.ARTIFACT:
            return self._build_artifact(config)
        return self._build_bundle(config)

    def _build_bundle(self, config: Config) -> Result:
        place = self._place(config)
        records: list[BuildRecord] = []
        try:
            build(place, self._request(config), on_end=records.append)
        except LapstrakeError as failed:
            if not records:
                raise
            result = failed_result(failed, self.folder, records[0])
            return replace(result, outputs=self._remains(records[0].name))
        return recorded(Result(ok=True, outputs=self._shared()), records[0])

    def _place(self, config: Config) -> Workplace:
        """The place to build in, with the branch as the server has it."""
        if self.worker.embedded:
            arch = self.job.spec.arch
            home = own_place(config, self.log)
            place = place_for(home, Arch(arch)) if arch else home
        else:
            place = prepare_place(self.job, self.link, config, self.log)
        place.store.recover()  # what killed builds left
        cgroup.sweep()
        return place

    def _request(self, config: Config) -> BuildRequest:
        """The job as the build understands it."""
        spec = self.job.spec
        return BuildRequest(
            bundle=str(self._sources(config)) if spec.bundle else spec.source,
            branch=BranchName(spec.branch),
            cwd=self.folder.path,
            network=spec.network,
            kind=BuildKind(spec.build_kind),
            profiles=spec.profiles,
            publish=False,
            results=self.folder.output,
            remains=self.folder.remains if spec.keep_failed else None,
            target=parse_target(spec.target) if spec.target else None,
        )

    def _sources(self, config: Config) -> Path:
        """The uploaded bundle or project, unpacked."""
        name = Path(self.job.spec.name).name or "bundle"
        archive = self.folder.path / "archive"
        self.log.headline(f"fetching {name}")
        self.link.fetch(self.job.spec.bundle, archive, size=self.job.bundle_size)
        found = unpack_bundle(archive, self.folder.bundle / name, limit=config.farm.bundle_limit)
        archive.unlink()
        return find_bundle(found).path if self.job.spec.kind is TaskKind.BUNDLE else found

    def _build_artifact(self, config: Config) -> Result:
        from lapstrake.farm.worker.artifacts import build_archives, own_artifacts

        project = self._sources(config)
        branch = self.job.spec.branch or config.artifacts.branch  # whose root it is built in
        self.job = replace(self.job, spec=replace(self.job.spec, branch=branch))
        config = self._place(config).config
        config = replace(config, artifacts=replace(config.artifacts, branch=branch))
        config = own_artifacts(config, self.job.owner)
        version = build_archives(
            project,
            self.job.spec,
            config,
            self.log,
            target=self.folder.output,
            trusting=LOCAL in self.capabilities,
        )
        return Result(ok=True, outputs=self._shared(), version=version)

    def _shared(self) -> tuple[OutputFile, ...]:
        """Upload what was made, and the server lacks."""
        made = sorted(self.folder.output.iterdir()) if self.folder.output.is_dir() else []
        return tuple(
            OutputFile(name=file.name, digest=self.link.share(file), size=file.stat().st_size)
            for file in made
        )

    def _remains(self, name: str) -> tuple[OutputFile, ...]:
        """Upload the build folder of a failed build, if it was kept; it is worth no long wait."""
        file = self.folder.remains
        if not file.is_file():
            return ()
        link = Link(Connection(self.worker.server, self.worker.token, patience=_LITTLE_PATIENCE))
        size = file.stat().st_size
        try:
            digest = link.share(file)
        except FarmError as refused:
            self.log.warning(f"the build folder ({size_text(size)}) is not kept: {refused.brief}")
            return ()
        return (OutputFile(name=f"{name}.buildroot.tar.gz", digest=digest, size=size),)


def own_place(config: Config, progress: Progress) -> Workplace:
    """The place of the configuration: the server's own."""
    runner = choose(config.runner.name.value, config.runner)
    return Workplace(config=config, runner=runner, progress=progress)


def labelled(config: Config, labels: Mapping[str, str]) -> Config:
    """The configuration, whose containers all get labels."""
    options = tuple(f"--label={name}={text}" for name, text in labels.items())
    runner = replace(config.runner, docker_options=(*config.runner.docker_options, *options))
    return replace(config, runner=runner)


if __name__ == "__main__":
    sys.exit(main())
