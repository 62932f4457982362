"""A container's command, run to its end by the engine's client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lapstrake.host import sandbox, supervise, terminal
from lapstrake.host.engine import ContainerMeter, Engine
from lapstrake.host.sandbox import SandboxPlan
from lapstrake.host.usage import Ending
from lapstrake.runner.base import Limits, OnOutput, Outcome

_SAID_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What became of a container's command.

    Attributes:
        outcome: how it ended.
        refusal: the engine's words when the command never began; ``None`` when it did.
    """

    outcome: Outcome
    refusal: str | None


def run_attached(
    engine: Engine,
    container: str,
    *,
    limits: Limits,
    on_output: OnOutput,
    workspace: Path | None = None,
) -> Ran:
    """Start a container that was made, and wait for its end.

    Args:
        engine: whose it is.
        container: its id.
        limits: what it may use besides what it was made with.
        on_output: hears what it says, as it comes.
        workspace: the folder whose size is watched.

    Raises:
        RunnerError: the engine went away.
    """
    said = bytearray()

    def listen(data: bytes) -> None:
        if len(said) < _SAID_BYTES:
            said.extend(data)
        on_output(data)

    meter = ContainerMeter(engine=engine, container=container)
    process = sandbox.spawn(_plan(engine, container, interactive=False))
    outcome = supervise.watch(
        process, limits=limits, on_output=listen, group=meter, workspace=workspace
    )
    state = meter.ended()
    refusal = _refusal(state, said.decode("utf-8", "replace").strip())
    if refusal is None and outcome.ending is Ending.EXITED:
        outcome = replace(outcome, status=state["ExitCode"])
    return Ran(outcome=outcome, refusal=refusal)


def talk_attached(engine: Engine, container: str) -> tuple[int, str | None]:
    """Start a container on our terminal, and wait for its end.

    Returns:
        its exit status, and as `Ran.refusal`.

    Raises:
        RunnerError: the engine went away.
    """
    status = terminal.converse(_plan(engine, container, interactive=True))
    state = ContainerMeter(engine=engine, container=container).ended()
    return int(state.get("ExitCode", status)), _refusal(state, "")


def _plan(engine: Engine, container: str, *, interactive: bool) -> SandboxPlan:
    """The client, attached; the container itself is killed by the plan's farewell."""
    program = str(engine.program)
    attach = ("--attach", "--interactive") if interactive else ("--attach",)
    return SandboxPlan(
        argv=(program, "start", *attach, container),
        env=engine.whole_environment,
        confined=False,
        terminal=interactive,
        farewell=(program, "kill", container),
    )


def _refusal(state: Mapping[str, Any], said: str) -> str | None:
    """Tell a command that never began from one that failed, by the engine's account of it."""
    began = bool(state) and not str(state.get("StartedAt", "")).startswith("0001-")
    return None if began and not state.get("Error") else str(state.get("Error") or said)
