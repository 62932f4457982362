"""One build, from a bundle to packages in the branch's repository."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lapstrake.build import outputs
from lapstrake.build.buildroot import BUILDROOT, build_environment, source_epoch, stage_buildroot
from lapstrake.build.dependencies import Dependencies, install_dependencies
from lapstrake.build.log import BuildLog
from lapstrake.build.outcome import STEPS, bounds, failure
from lapstrake.build.prepare import Prepared, prepare
from lapstrake.build.record import BuildRecord, Records, finished
from lapstrake.build.remains import take_remains
from lapstrake.build.request import BuildRequest, settled
from lapstrake.build.secrets import read_secrets
from lapstrake.errors import LapstrakeError, RunnerError, StoreError
from lapstrake.host import terminal
from lapstrake.host.usage import Limits
from lapstrake.names import GuestPath
from lapstrake.place.workplace import Workplace
from lapstrake.repository.open import repository_of
from lapstrake.runner.base import Command, Network, Session
from lapstrake.runner.choose import outward

_SECRETS = GuestPath("/run/secrets")


def build(
    place: Workplace,
    request: BuildRequest,
    *,
    on_end: Callable[[BuildRecord], None] = lambda _record: None,
) -> BuildRecord:
    """Build a bundle on a branch, and publish its packages.

    The workspace is removed whatever happens, and the record says how it went.

    Args:
        place: where.
        request: what, and how.
        on_end: told of the final record, however the build ended.

    Raises:
        LapstrakeError: it failed; the class names the stage (see `lapstrake.errors`).
    """
    request = settled(request, place.config.arch)
    records = Records(place.builds)
    record = BuildRecord(
        id=records.new_id(Path(request.bundle).name.removeprefix("apt:")),
        bundle=request.bundle,
        branch=request.branch.text,
        arch=(request.target or place.config.arch).value,
        runner=place.runner.name,
    )
    with (
        records.running(record.id),
        BuildLog(records.log_path(record.id), place.progress) as log,
    ):
        records.write(record)
        log.note(f"build {record.id}: {request.bundle} on {request.branch}")
        job = _Job(
            place=replace(place, progress=log),
            request=request,
            records=records,
            log=log,
            record=record,
        )
        ended: BaseException | None = None
        try:
            job.run()
        except BaseException as error:
            ended = error
            raise
        finally:
            record = finished(job.record, ended)
            with suppress(StoreError):  # the record says the same, and needs the room more
                log.note(f"{record.state} after {record.seconds:.1f} s  {record.error}".rstrip())
            records.write(record)
            on_end(record)
    return record


@dataclass(kw_only=True)
class _Job:
    """A build on its way; `record` is what is known of it so far."""

    place: Workplace
    request: BuildRequest
    records: Records
    log: BuildLog
    record: BuildRecord

    def run(self) -> None:
        """Everything, in order."""
        place, request = self.place, self.request
        prepared = prepare(place, request)
        repository = repository_of(place, request.branch)
        needed = install_dependencies(
            place,
            prepared.branch,
            prepared.bundle,
            repository,
            target=request.target,
            compilers=not request.toolchain,
        )
        self._note(
            name=prepared.bundle.name,
            version=prepared.bundle.version,
            inputs=_inputs(request, prepared, needed),
        )
        with ExitStack() as held:
            built = self._build_once(prepared, needed, held)
            described = outputs.describe(built)
            if request.check:
                self.log.headline("building a second time, to compare")
                again = self._build_once(prepared, needed, held)
                outputs.compare(described, outputs.describe(again))
            self._note(step="publish")
            if request.publish:
                described = outputs.publish(repository, built, described, self.record.id)
            if request.results:
                outputs.keep_all(built, request.results)
            else:
                outputs.keep_others(built, self.records.folder / self.record.id / "output")
        self._note(step="", outputs=described)
        if needed.made or prepared.branch.refreshed:
            from lapstrake.branch.room import collect_over_budget  # a warm build needs no room

            collect_over_budget(place)

    def _note(self, **facts: Any) -> None:  # noqa: ANN401 - the record's own fields
        """Add to what is known, also for those who look from outside."""
        self.record = replace(self.record, **facts)
        self.records.write(self.record)

    def _build_once(
        self, prepared: Prepared, needed: Dependencies, held: ExitStack
    ) -> tuple[Path, ...]:
        """Build in a workspace of its own; the files live until `held` is closed."""
        place = self.place
        toolchain = [prepared.toolchain] if prepared.toolchain else []
        layers = (*prepared.branch.layers, *needed.layers, *toolchain)
        stack = held.enter_context(place.store.lease(layers))
        results = held.enter_context(place.store.workspace("results"))
        with place.store.workspace("build") as workspace:
            entered = workspace / "entered"
            entered.mkdir()
            with place.runner.open(stack.trees, entered) as session:
                try:
                    self._drive(session, prepared, workspace)
                    outputs.take(session, results / "output")
                    built = outputs.collect(results / "output", prepared.bundle)
                except LapstrakeError:
                    if self.request.remains is not None:
                        take_remains(session, self.request.remains, place.limits, self.log)
                    self._keep(entered, wanted=place.config.build.keep_failed)
                    raise
            self._keep(entered, wanted=False)
        return built

    def _drive(self, session: Session, prepared: Prepared, workspace: Path) -> None:
        """Fill the build root, run the driver in it, and judge how it ended."""
        command = self._command(session, prepared, workspace)
        self.log.headline(f"building {prepared.bundle.name} {prepared.bundle.version}")
        outcome = session.run(command, on_output=self.log.output)
        self._note(step=_step(session, workspace), usage=outcome.usage)
        if outcome.ok:
            return
        if self.request.shell_on_fail:
            self._open_shell(session, command)
        raise failure(
            outcome,
            step=self.record.step,
            limits=command.limits,
            log_tail=self.log.tail,
            log=str(self.log.path),
        )

    def _open_shell(self, session: Session, command: Command) -> None:
        """Let the user look at a failed build with its own environment."""
        if not terminal.has_terminal():
            self.log.warning("there is no terminal for a shell")
            return
        self.log.warning("the build failed: here is a shell in its workspace (exit to go on)")
        self.log.rest()
        session.interact(replace(command, argv=("/bin/bash",), limits=Limits()))

    def _command(self, session: Session, prepared: Prepared, workspace: Path) -> Command:
        """The driver's command line, environment and bounds."""
        place, bundle = self.place, prepared.bundle
        limits = bounds(place.limits, bundle.needs)
        srcdir = stage_buildroot(
            session, bundle, prepared.sources, scratch=workspace, disk=limits.disk
        )
        secrets = read_secrets(bundle.needs.secrets, place.config.secrets)
        self.log.hide(secrets.values())
        networked = bundle.needs.network or self.request.network
        return Command(
            argv=("/bin/bash", str(BUILDROOT / "toolbox" / bundle.driver)),
            env=build_environment(
                bundle,
                place.config,
                branch=self.request.branch,
                srcdir=srcdir,
                sources=prepared.sources,
                epoch=source_epoch(bundle, place.config),
                target=self.request.target,
            ),
            cwd=BUILDROOT,
            user=bundle.user,
            network=outward(place.config.runner) if networked else Network.NONE,
            limits=limits,
            secrets={_SECRETS / name: value for name, value in secrets.items()},
        )

    def _keep(self, entered: Path, *, wanted: bool) -> None:
        """Keep a workspace for the user to look at, where that is wanted."""
        if wanted or self.request.keep:
            kept = self.place.kept / self.record.id
            while kept.exists():  # of the first of two builds
                kept = kept.with_name(f"{kept.name}-again")
            kept.parent.mkdir(mode=0o700, exist_ok=True)
            entered.rename(kept)
            self.log.headline(f"the workspace is kept in {kept}")


def _step(session: Session, workspace: Path) -> str:
    """The step that the driver had begun last; what it wrote is only believed if it is one."""
    text = b""
    with suppress(OSError, RunnerError):  # it may be missing, a link, a folder, too large
        session.get(BUILDROOT / "step", workspace / "step")
        with (workspace / "step").open("rb") as file:
            text = file.read(20)
    step = text.decode("utf-8", "replace").strip()
    return step if step in STEPS else "prepare"


def _inputs(request: BuildRequest, prepared: Prepared, needed: Dependencies) -> dict[str, Any]:
    """What a build was made from, with the reason of each part, for the record."""
    branch, bundle = prepared.branch, prepared.bundle
    return {
        "format": bundle.format.value,
        "kind": request.kind.value,
        "profiles": list(request.profiles),
        "network": bundle.needs.network or request.network,
        "base": branch.base.key.hex,
        "instance": branch.instance.key.hex,
        "instance_reason": branch.refreshed or "nothing changed upstream",
        **({"foreign": branch.foreign.key.hex} if branch.foreign else {}),
        **({"toolchain": prepared.toolchain.key.hex} if prepared.toolchain else {}),
        "dependencies": needed.key,
        "layers": [layer.key.hex for layer in needed.layers],
        "dependencies_reason": needed.reason,
        "packages": [f"{name}={version}" for name, version in needed.packages],
        "sources": {source.spec.name: str(source.digest) for source in prepared.sources},
    }
