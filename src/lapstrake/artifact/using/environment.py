"""The cross environment of a project: its artifacts, its packages' variables, its toolchain."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from lapstrake.artifact.base import Project
from lapstrake.artifact.depot import Depot
from lapstrake.errors import ProjectError, StaleError, ToolchainError
from lapstrake.toolchain.base import CrossEnvironment, FlagPolicy, without_ours
from lapstrake.toolchain.facts import Facts
from lapstrake.toolchain.look import look_at, look_at_debian
from lapstrake.toolchain.make import ProfileName, make_environment

DISABLED = "NERVES_ENV_DISABLED"
"""Set to anything, even to nothing: no environment is made, as Nerves has it."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_USERS_OWN = re.compile(
    r"PATH|IFS|ENV|CDPATH|HOME|SHELL|USER|LOGNAME|PWD|OLDPWD|TERM|PS[0-4]|PROMPT_COMMAND|BASH_\w+"
    r"|BASHOPTS|SHELLOPTS|ZDOTDIR|FPATH|fish_\w+|LD_(PRELOAD|AUDIT)|GIT_\w+|SSH_\w+|SUDO_\w+|EDITOR"
    r"|VISUAL|PAGER|BROWSER|PYTHONSTARTUP|LAPSTRAKE_\w+"
)
"""What shells and other programs of the user obey: whoever compiles something has no use for it."""
_REFERENCE = re.compile(r"\$\{([^}]*)\}")
_EPOCH = "SOURCE_DATE_EPOCH"
_COMMAND_SECONDS = 30.0
_COMMAND_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants of an environment.

    Attributes:
        profiles: the tools it is for; empty for all.
        policy: what becomes of the user's own flags.
    """

    profiles: Collection[ProfileName] = ()
    policy: FlagPolicy = FlagPolicy.APPEND


def target_environment(target: str, depot: Depot, wish: Wish) -> CrossEnvironment:
    """The environment of Debian's cross compiler for a target, without any project.

    Raises:
        ToolchainError: the compiler is not installed.
    """
    facts = look_at_debian(target, environ=without_ours(depot.environment))
    return _made(facts, depot, wish, given=(epoch_of(depot, {}),))


def project_environment(
    project: Project, depot: Depot, wish: Wish, *, held: ExitStack | None = None
) -> CrossEnvironment:
    """The environment of a project.

    Args:
        project: the project; its artifacts are here already.
        depot: where artifacts are.
        wish: what is wanted.
        held: until it is closed nobody removes the artifacts; a program that takes our place has
            them on.

    Raises:
        StaleError: artifacts are missing, or not what their packages now say.
        ToolchainError: no environment can be made of them.
        ProjectError: a variable of a package is wrong.
    """
    depot = replace(depot, environment=without_ours(depot.environment))
    homes = _homes(project, depot, held)
    facts = _facts(project, homes, depot)
    exports = _exports(project, facts)
    given = [exports]
    for each in project.packages:
        given.append(_filled(each.env, _merged(given), where=each.file or each.name))
    given.append(_filled(project.env, _merged(given), where=project.file or project.name))
    given.append(epoch_of(depot, _merged(given)))
    made = _made(facts, depot, wish, given=given)
    told = _told_by_platform(project, made, depot)
    return _made(facts, depot, wish, given=[*given, told]) if told else made


def _made(
    facts: Facts, depot: Depot, wish: Wish, *, given: Collection[Mapping[str, str]]
) -> CrossEnvironment:
    return make_environment(
        facts,
        files=(depot.config.work_dir / "cross").absolute(),
        given=tuple(given),
        profiles=wish.profiles or tuple(ProfileName),
        policy=wish.policy,
    )


def _homes(project: Project, depot: Depot, held: ExitStack | None) -> dict[str, Path]:
    """The artifacts' folders, by package.

    Raises:
        StaleError: names all that are missing, each with its reason.
    """
    from lapstrake.artifact.keeping.cache import ArtifactCache
    from lapstrake.artifact.keeping.status import Where, status_of

    cache = ArtifactCache(depot.artifacts)
    homes: dict[str, Path] = {}
    missing = []
    for package in project.packages:
        if package.type.is_platform:
            continue
        status = status_of(project, package, depot)
        if held and status.path:
            held.enter_context(cache.use_folder(status.path, inherited=True))
            if not status.path.exists():  # it was removed just before
                status = status_of(project, package, depot)
        if status.path is None or status.stale or status.where is Where.DOWNLOADED:
            missing.append(f"{package.name} {package.version}: {status.reason}")
        else:
            homes[package.name] = status.path
    if missing:
        raise StaleError(
            f"the environment of {project.name} lacks artifacts",
            details="\n".join(missing),
            resolution="Get them: lapstrake artifact get. If no site has them, build them:"
            " lapstrake artifact build",
        )
    return homes


def _facts(project: Project, homes: Mapping[str, Path], depot: Depot) -> Facts:
    system, toolchain = project.system, project.toolchain
    environ = depot.environment
    home = homes.get(system.name) if system else None
    target = (toolchain.target if toolchain else "") or (system.target if system else "")
    if toolchain is None and home is None:
        if not target:
            raise ToolchainError(
                f"{project.name} depends on neither a system nor a toolchain",
                resolution="Add them to [dependencies], or use Debian's: --target TUPLE",
            )
        return look_at_debian(target, environ=environ)
    return look_at(
        home,
        homes.get(toolchain.name) if toolchain else None,
        environ=environ,
        target=target,
    )


def _exports(project: Project, facts: Facts) -> dict[str, str]:
    """Row B9."""
    exports = {"NERVES_APP": str(project.folder), "NERVES_ENV_BOOTSTRAP": "1"}
    if facts.system:
        exports["NERVES_SYSTEM"] = str(facts.system)
    if facts.toolchain:
        exports["NERVES_TOOLCHAIN"] = str(facts.toolchain)
    return exports


def _merged(given: Collection[Mapping[str, str]]) -> dict[str, str]:
    return {name: value for each in given for name, value in each.items()}


def _filled(env: Mapping[str, str], known: Mapping[str, str], where: Path | str) -> dict[str, str]:
    """Fill in ``${NAME}``: what packages set before, ``NERVES_SYSTEM`` and the like."""

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name not in known:
            raise ProjectError(
                f"{where}: env: nothing sets {found[0]} before",
                resolution="Known here are: " + ", ".join(sorted(known)),
            )
        return known[name]

    for name in filter(_USERS_OWN.fullmatch, env):
        raise ProjectError(
            f"{where}: env: {name} is the user's own, and not for packages to set",
            resolution="Give the folder of a program a variable of its own."
            if name == "PATH"
            else "",
        )
    return {name: _REFERENCE.sub(value, text) for name, text in env.items()}


def epoch_of(depot: Depot, given: Mapping[str, str]) -> dict[str, str]:
    """``SOURCE_DATE_EPOCH`` (row B12): our own environment's, the project's, the configuration's.

    Args:
        depot: whose environment and configuration.
        given: the packages' and the project's variables.

    Returns:
        the variable, if anybody sets it.

    Raises:
        ProjectError: it is no number of seconds.
    """
    configured = depot.config.build.epoch
    own = depot.environment.get(_EPOCH)
    text = own or given.get(_EPOCH) or (None if configured is None else str(configured))
    if text is None:
        return {}
    if not re.match(r"\d+\Z", text, re.ASCII):
        raise ProjectError(
            f"{_EPOCH}: {text!r} is no number of seconds since 1970",
            resolution="See https://reproducible-builds.org/specs/source-date-epoch/",
        )
    return {_EPOCH: text}


def _told_by_platform(project: Project, made: CrossEnvironment, depot: Depot) -> dict[str, str]:
    """The variables that the system's platform prints.

    Raises:
        ToolchainError: its command failed, took too long, or printed something else.
    """
    system = project.system
    if system is None or system.platform is None or not system.platform.environment:
        return {}
    from lapstrake.host.process import run

    what = f"the platform's environment of {system.name}"
    machinery = project.platform_of(system) or system
    done = run(
        ("sh", "-e", "-c", system.platform.environment),
        timeout=_COMMAND_SECONDS,
        error=ToolchainError,
        doing=what,
        cwd=machinery.folder,
        env={**made.applied(_public(depot)), "LAPSTRAKE_PACKAGE_DIR": str(system.folder)},
    )
    return read_variables(done.stdout, what)


def _public(depot: Depot) -> dict[str, str]:
    """What a package's own program may see of our environment: not the user's tokens."""
    from lapstrake.host.process import PASSED_ON

    return {name: text for name, text in depot.environment.items() if name in PASSED_ON}


def read_variables(data: bytes, what: str) -> dict[str, str]:
    """Read variables that a program printed: a JSON object of texts.

    Args:
        data: what it printed.
        what: the program, for messages.

    Raises:
        ToolchainError: it is something else; names the variable.
    """
    import json  # only platforms that print variables need it

    try:
        if len(data) > _COMMAND_BYTES:
            raise ValueError(f"more than {_COMMAND_BYTES} bytes")
        found = json.loads(data)
    except (ValueError, RecursionError) as wrong:
        raise ToolchainError(f"{what} printed no JSON: {wrong}") from wrong
    if not isinstance(found, dict):
        raise ToolchainError(f"{what} printed no JSON object")
    for name, value in found.items():
        if not _NAME.match(name):
            raise ToolchainError(f"{what}: {name!r} is no name of a variable")
        if _USERS_OWN.fullmatch(name):
            raise ToolchainError(f"{what}: {name} is the user's own, and not for packages to set")
        if not isinstance(value, str) or re.search("[\0\ud800-\udfff]", value):
            raise ToolchainError(f"{what}: {name} is no text that a variable can hold")
    return found
