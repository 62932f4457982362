"""The words of ``docker create`` (they are podman's too) for the steps of a build."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lapstrake.artifact.builders.agent import AGENT, agent_socket
from lapstrake.artifact.builders.base import ARTIFACTS, DOWNLOADS, ENV, PLATFORM, WORK, Job
from lapstrake.artifact.builders.places import sources_folder
from lapstrake.artifact.builders.volume import Volume
from lapstrake.host.engine import Engine
from lapstrake.host.engine_version import EngineKind
from lapstrake.host.process import PASSED_ON
from lapstrake.host.sandbox import CAPABILITIES
from lapstrake.names import GuestPath
from lapstrake.runner.docker_options import mount_option, ulimit_options, volume_option
from lapstrake.runner.docker_owner import OWNER, own_name

HOME = GuestPath("/nerves/home")
"""The home folder of whoever builds, in memory; a volume may be mounted in it (``.ccache``)."""
_PROXIES = tuple(name for name in PASSED_ON if name.lower().endswith("_proxy"))
_CLIENTS_OWN = re.compile(
    r"(PATH|HOME|TMPDIR|TZ|IFS|ENV|BASH_\w+|SSL_CERT_\w+|LC_\w+|HOSTALIASES|RES_OPTIONS|LOCALDOMAIN"
    r"|(DOCKER|BUILDKIT|BUILDX|BUILDAH|CONTAINER|PODMAN|STORAGE|REGISTR|NETAVARK|AARDVARK|CONMON"
    r"|NOTIFY|LISTEN|XDG|LD|GO|SSH|GLIBC|MALLOC|GCONV|LOCPATH|NLSPATH|_)\w*)\Z"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who runs the steps: the caller, by number."""

    uid: int
    gid: int

    @classmethod
    def caller(cls) -> User:
        """Whoever runs us."""
        return cls(uid=os.geteuid(), gid=os.getegid())


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerPlan:
    """What all containers of a build have in common.

    Attributes:
        name: of each of them in turn, so that there is one at a time.
        image: what they are made of.
        options: of ``create``.
        environment: what steps see, besides what the image sets.
    """

    name: str
    image: str
    options: tuple[str, ...]
    environment: Mapping[str, str]

    def words(self, argv: Sequence[str], *, terminal: bool) -> list[str]:
        """The whole command line behind ``create``; its output is one stream.

        A shell waits for the step, so that the step is not PID 1 (which ignores signals) and
        orphans are reaped. The image's entry point is run.
        """
        script = '"$@"\nexit $?' if terminal else 'exec 2>&1\n"$@"\nexit $?'
        interactive = ("--interactive", "--tty") if terminal else ()
        named = environment_options(self.environment)
        shell = ("sh", "-c", script, "sh")
        return [*self.options, *named, *interactive, "--", self.image, *shell, *argv]


def plan_container(
    engine: Engine,
    job: Job,
    *,
    image: str,
    facts: Mapping[str, Any],
    volumes: Sequence[Volume],
    variables: Mapping[str, str],
    user: User,
    more: Sequence[str] = (),
) -> ContainerPlan:
    """Say how the containers of a job are made.

    Args:
        engine: docker or podman.
        job: what is built.
        image: what in.
        facts: what the engine knows of the image.
        volumes: the volumes, the build directory's first.
        variables: of the steps.
        user: who builds.
        more: further options, from the configuration.

    Raises:
        RunnerError: ssh-agent is asked for, and there is none.
    """
    spec = job.package.runner
    agent = agent_socket(job.package)
    name = f"lapstrake-{volumes[0].name}"
    options = [
        f"--name={name}",
        f"--label={OWNER}={own_name()}",
        f"--workdir={WORK}",
        *(("--network=none",) if spec.network is False else ()),
        "--log-driver=none",  # the output goes to us; a copy would only fill the disk
        "--security-opt=no-new-privileges",
        f"--tmpfs={HOME}:rw,exec,mode=1777",
        *user_options(engine, facts, user),
        *mounts_of(job, volumes),
        *((mount_option(agent, AGENT, True),) if agent else ()),
    ]
    if spec.cpus is not None:
        options.append(f"--cpus={spec.cpus}")
    if spec.memory is not None:
        options += [f"--memory={spec.memory}", f"--memory-swap={spec.memory}"]
    if engine.kind is EngineKind.PODMAN:
        options += ulimit_options()
    environment = environment_of(variables, user=user, agent=agent is not None)
    return ContainerPlan(name=name, image=image, options=(*options, *more), environment=environment)


def user_options(engine: Engine, facts: Mapping[str, Any], user: User) -> list[str]:
    """As whom steps run: as the caller.

    An image whose user is root and that has an entry point is left to it: images made for Nerves
    make the user that ``UID`` and ``GID`` name, and become it.
    """
    config = facts.get("Config") or {}
    switches = bool(config.get("Entrypoint")) and _is_root(str(config.get("User") or ""))
    if user.uid == 0 or switches:
        options = ["--user=0:0", "--cap-drop=ALL", *(f"--cap-add={name}" for name in CAPABILITIES)]
    else:
        options = [f"--user={user.uid}:{user.gid}", "--cap-drop=ALL"]
    if engine.kind is EngineKind.PODMAN and user.uid != 0:
        options.append("--userns=keep-id")
    return options


def mounts_of(job: Job, volumes: Sequence[Volume]) -> list[str]:
    """Everything a step sees besides its image; what is no volume and no download is read-only."""
    binds = {ENV / job.package.name: job.package.folder}
    if job.platform is not None:
        binds[PLATFORM] = job.platform.folder
    binds |= {ARTIFACTS / name: folder for name, folder in job.inputs.items()}
    for volume in volumes:
        binds.pop(volume.target, None)
    return [
        *(volume_option(each.name, each.target) for each in volumes),
        *(mount_option(source, target, False) for target, source in binds.items()),
        mount_option(sources_folder(job), DOWNLOADS, True),
    ]


def environment_of(variables: Mapping[str, str], *, user: User, agent: bool) -> dict[str, str]:
    """All that steps find in their environment, besides what the image sets."""
    return {
        **{name: os.environ[name] for name in _PROXIES if name in os.environ},
        "UID": str(user.uid),
        "GID": str(user.gid),
        "HOME": str(HOME),
        "TERM": os.environ.get("TERM") or "xterm-256color",
        **({"SSH_AUTH_SOCK": str(AGENT)} if agent else {}),
        **variables,
    }


def environment_options(environment: Mapping[str, str]) -> list[str]:
    """Options that hand variables on by their names: anybody may read a command line.

    Only what would change the client itself is written out; no secret is called so.
    """
    return [
        f"--env={name}" if _is_harmless(name, value) else f"--env={name}={value}"
        for name, value in environment.items()
    ]


def client_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that the client must have for `environment_options`."""
    return {name: value for name, value in environment.items() if _is_harmless(name, value)}


def _is_harmless(name: str, value: str) -> bool:
    """Whether the client may have a variable: a package's proxy would get what it sends."""
    if name in _PROXIES:
        return os.environ.get(name) == value
    return not _CLIENTS_OWN.match(name)


def _is_root(user: str) -> bool:
    return user.partition(":")[0] in ("", "0", "root")
