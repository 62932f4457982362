"""What a platform does, as three steps that any builder can run: a pure function of a `Job`.

Each step is a script for ``sh -e``, started in the build directory; its words (``"$@"``) are the
package's ``make_args``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from lapstrake.artifact.builders.base import Job
from lapstrake.artifact.builders.places import Places
from lapstrake.artifact.builders.platforms import commands_of

STAMP = ".lapstrake-prepared"
"""The file in the build directory that says for which inputs it was prepared."""
_REFERENCE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to run in the build directory.

    Attributes:
        name: ``prepare``, ``build`` or ``archive``.
        argv: a shell, its script, and the script's words.
    """

    name: str
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """All that a platform does.

    Attributes:
        prepare: makes the build directory ready; does nothing where that was done before.
        build: compiles.
        archive: leaves `output`.
        environment: what all of them see, besides PATH, HOME and the like.
        output: the archive, or the folder to be packed, relative to the build directory.
    """

    prepare: Step
    build: Step
    archive: Step
    environment: Mapping[str, str]
    output: str


def steps_of(job: Job, places: Places) -> Steps:
    """Say what is run to make an artifact.

    Args:
        job: what is made; its package has a platform.
        places: where things are in the builder.

    Raises:
        ProjectError: the platform is unknown, or lacks what it needs.
    """
    commands = commands_of(job.package, places, job.identity)
    platform = job.package.platform
    return Steps(
        prepare=_step("prepare", _once(commands.prepare, _stamp(job, places, commands)), job),
        build=_step("build", commands.build, job),
        archive=_step("archive", commands.archive, job),
        environment=_environment(job, places),
        output=(platform.output if platform else "") or job.identity.file_name,
    )


def input_variable(name: str) -> str:
    """The variable with the folder of an artifact that a build needs."""
    return "LAPSTRAKE_INPUT_" + re.sub(r"\W", "_", name.upper())


def _step(name: str, script: str, job: Job) -> Step:
    words = job.package.runner.make_args
    return Step(name=name, argv=("sh", "-e", "-c", script, "sh", *words))


def _once(script: str, stamp: str) -> str:
    """Run a script, unless it ended well for the same stamp before."""
    return (
        f'if [ "$(cat {STAMP} 2>/dev/null)" != {stamp} ]; then\n'
        f"rm -f {STAMP}\n(\n{script or ':'}\n)\necho {stamp} > {STAMP}\nfi"
    )


def _stamp(job: Job, places: Places, commands: object) -> str:
    """A hash of what preparing reads; changed places count, since tools write paths down.

    What a root or an image is made of counts too: preparing finds other programs there.
    """
    inputs = sorted((name, str(folder)) for name, folder in job.inputs.items())
    runner = job.package.runner
    around = (runner.branch, runner.packages, runner.dockerfile, runner.tag, runner.make_args)
    read = (commands, job.identity, job.machinery, around, places, inputs)
    return hashlib.sha256(repr(read).encode()).hexdigest()


def _environment(job: Job, places: Places) -> dict[str, str]:
    """The variables of every step."""
    variables = {
        "LAPSTRAKE_PACKAGE": job.package.name,
        "LAPSTRAKE_VERSION": job.package.version,
        "LAPSTRAKE_TARGET": job.package.target,
        "LAPSTRAKE_PACKAGE_DIR": places.package,
        "LAPSTRAKE_PLATFORM_DIR": places.platform,
        "LAPSTRAKE_BUILD_DIR": places.work,
        "LAPSTRAKE_DL_DIR": places.downloads,
        "LAPSTRAKE_ARTIFACTS_DIR": places.artifacts,
        "LAPSTRAKE_ARTIFACT_NAME": job.identity.download_name,
        "LAPSTRAKE_ARTIFACT_FILE": job.identity.file_name,
        "LAPSTRAKE_JOBS": str(job.jobs),
        "NERVES_BR_DL_DIR": places.downloads,
        "SOURCE_DATE_EPOCH": str(job.epoch),
    }
    variables |= {input_variable(name): folder for name, folder in places.inputs.items()}
    if job.toolchain:
        variables["NERVES_TOOLCHAIN"] = places.inputs[job.toolchain]
    if job.system:
        variables["NERVES_SYSTEM"] = places.inputs[job.system]
    for name, text in job.environment.items():
        _set(variables, name, text)
    return variables


def _set(variables: dict[str, str], name: str, text: str) -> None:
    """Set one more, with ``${NAME}`` filled in by those before it.

    One that speaks of what is not there, as a system's own of ``${NERVES_SYSTEM}`` while that is
    made, is for those that are compiled with it: it is left out.
    """
    if all(known in variables for known in _REFERENCE.findall(text)):
        variables[name] = _REFERENCE.sub(lambda found: variables[found[1]], text)
