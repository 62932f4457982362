"""The image that steps run in: named, or built from the package's Dockerfile, or the platform's."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lapstrake.artifact.builders import snapshot
from lapstrake.artifact.builders.base import Job
from lapstrake.artifact.builders.log import BuildLog, open_log
from lapstrake.errors import ProjectError, RunnerError
from lapstrake.host import sandbox, supervise
from lapstrake.host.engine import Engine
from lapstrake.host.process import PASSED_ON
from lapstrake.host.sandbox import SandboxPlan
from lapstrake.host.usage import Limits, Outcome

LABEL = "lapstrake.context"
"""The label of images that we built; its value is the digest of what they were built from."""
_LOG = "image.log"
_PULL_SECONDS = 3600.0
_PROXIES = tuple(name for name in PASSED_ON if name.lower().endswith("_proxy"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What image a package asks for.

    Attributes:
        tag: what it is called.
        dockerfile: what it is built from where it cannot be had otherwise.
        content: the digest of the Dockerfile's folder, and which file it is.
        ours: the tag is made of the content: nobody else has the image.
    """

    tag: str
    dockerfile: Path | None = None
    content: str = ""
    ours: bool = False


def wanted_image(job: Job, registry: str) -> Wanted:
    """Say which image a package is built in.

    Its own tag; else one made from its Dockerfile, a new one whenever that, or what lies beside
    it, changes; else the platform's: ``REGISTRY/PLATFORM:VERSION``.

    Raises:
        ProjectError: there is nothing to go by, or the Dockerfile is missing.
    """
    package, platform = job.package, job.platform
    spec = package.runner
    if spec.dockerfile:
        file = package.folder / spec.dockerfile
        if not file.is_file():
            raise ProjectError(
                f"{package.file or package.name}: docker.dockerfile: {file} is not there",
                resolution="Name it relative to the package's folder.",
            )
        content = snapshot.digest_of(file.parent) + f"-{file.name}"
        made = f"localhost/lapstrake/{_safe(package.name)}:{content[:20]}-{_safe_tag(file.name)}"
        return Wanted(tag=spec.tag or made, dockerfile=file, content=content, ours=not spec.tag)
    if spec.tag:
        return Wanted(tag=spec.tag)
    if platform is not None and registry:
        return Wanted(tag=f"{registry}/{_safe(platform.name)}:{_safe_tag(platform.version)}")
    raise ProjectError(
        f"{package.file or package.name}: no image is named to build {package.name} in",
        resolution='Set docker = { dockerfile = "..." } or docker = { tag = "..." } in [runner].',
    )


def have_image(engine: Engine, job: Job, wanted: Wanted, *, offline: bool) -> Mapping[str, Any]:
    """See to it that the engine has an image: it has it already, or it is pulled, or built.

    Nothing is asked. An image that we built from something else is built anew.

    Returns:
        what the engine knows of it.

    Raises:
        BuildError: it cannot be built; the details are the log's last lines.
        RunnerError: it cannot be had, or the engine does not answer.
    """
    facts = engine.inspect("image", wanted.tag)
    if facts is not None:
        made_from = ((facts.get("Config") or {}).get("Labels") or {}).get(LABEL, "")
        taken = made_from == wanted.content or (not made_from and not wanted.ours)
        if not wanted.dockerfile or taken:
            return facts
    with open_log(job.log.with_name(_LOG), job.progress) as log:
        tried = _pull(engine, job, wanted, log) if not facts and not offline else False
        if not tried and wanted.dockerfile is not None:
            _build(engine, job, wanted, wanted.dockerfile, log)
        elif not tried:
            raise _not_to_be_had(job, wanted, log, offline=offline)
    facts = engine.inspect("image", wanted.tag)
    if facts is None:
        raise RunnerError(f"{engine.kind} has no image {wanted.tag} after all")
    return facts


def _pull(engine: Engine, job: Job, wanted: Wanted, log: BuildLog) -> bool:
    """Try to get it from its registry."""
    if wanted.ours:
        return False
    job.progress.headline(f"{job.package.name}: pulling the image {wanted.tag}")
    return _run(engine, ["pull", wanted.tag], log, seconds=_PULL_SECONDS).ok


def _build(engine: Engine, job: Job, wanted: Wanted, dockerfile: Path, log: BuildLog) -> None:
    """Build it; the context is the Dockerfile's folder."""
    job.progress.headline(f"{job.package.name}: building the image {wanted.tag}")
    words = [
        "build", f"--tag={wanted.tag}", f"--file={dockerfile}",
        *(("--network=none",) if job.package.runner.network is False else ()),
        "--force-rm",  # also the container of what failed
        f"--label={LABEL}={wanted.content}",
        *(f"--build-arg={name}" for name in _PROXIES if name in os.environ),
        str(dockerfile.parent),
    ]  # fmt: skip
    outcome = _run(engine, words, log)
    if not outcome.ok:
        raise log.failed(f"{job.package.name}: building an image from {dockerfile}", outcome)


def _run(
    engine: Engine, words: list[str], log: BuildLog, *, seconds: float | None = None
) -> Outcome:
    """Run the client; what it starts (podman builds by itself) ends with it, and with us."""
    plan = SandboxPlan(
        argv=(str(engine.program), *words),
        env=engine.whole_environment,
        confined=False,
        adopts=True,
    )
    return supervise.watch(
        sandbox.spawn(plan), limits=Limits(seconds=seconds), on_output=log.output
    )


def _not_to_be_had(job: Job, wanted: Wanted, log: BuildLog, *, offline: bool) -> RunnerError:
    why = "and we are offline" if offline else "and could not be pulled"
    return RunnerError(
        f"{job.package.name}: the image {wanted.tag} is not here, {why}",
        details=log.tail,
        resolution="Load it (docker load), name another one (docker.tag), or a docker.dockerfile "
        "to build it from.",
    )


def _safe(name: str) -> str:
    """A name as repositories of images may have it."""
    return re.sub(r"[^a-z0-9_.-]+", "-", name.lower()).strip("-._") or "image"


def _safe_tag(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "-", text)
