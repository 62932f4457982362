"""Evaluate what only a shell can: with bash, inside a root of the branch, with no network."""

from __future__ import annotations

from collections.abc import Mapping

from lapstrake.branch.instance import Branch
from lapstrake.bundle.aosc_file import Evaluated
from lapstrake.errors import BundleError
from lapstrake.formats import shell_dump
from lapstrake.formats.shell import Value
from lapstrake.host.process import tail
from lapstrake.names import GuestPath
from lapstrake.place.workplace import Workplace
from lapstrake.runner.base import Command, Limits

_TEXT = GuestPath("/evaluate/text")
_SCRIPT = GuestPath("/evaluate/script")
_LIMITS = Limits(seconds=60.0, memory=1 << 30, processes=200)


def evaluate_in(
    place: Workplace, branch: Branch, text: str, variables: Mapping[str, Value], *, origin: str
) -> Evaluated:
    """Evaluate a file's text with bash inside a root.

    Args:
        place: where.
        branch: whose root.
        text: the file.
        variables: what is set beforehand.
        origin: the file's name, for messages.

    Returns:
        the variables that it sets, and what bash said.

    Raises:
        BundleError: bash failed; the details are its last lines.
    """
    output = bytearray()
    command = Command(
        argv=("/bin/bash", "--norc", str(_SCRIPT), str(_TEXT)),
        limits=_LIMITS,
        files={_TEXT: text.encode(), _SCRIPT: shell_dump.script(variables).encode()},
    )
    with (
        place.store.lease(branch.layers) as stack,
        place.store.workspace("evaluate") as workspace,
        place.layer_runner.open(stack.trees, workspace) as session,
    ):
        outcome = session.run(command, on_output=output.extend)
    said = tail(shell_dump.said(bytes(output))).replace(str(_TEXT), origin)
    if not outcome.ok:
        raise BundleError(f"{origin}: bash could not evaluate it in the root", details=said)
    values = shell_dump.parse(bytes(output), variables=variables, origin=origin)
    return Evaluated(values=values, said=said)
