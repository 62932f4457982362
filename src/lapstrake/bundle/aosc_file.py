"""One file of an AOSC bundle (``spec`` or ``defines``), evaluated."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from lapstrake.bundle.aosc_arch import for_machine
from lapstrake.errors import BundleError
from lapstrake.formats.shell import NeedsShell, Value, evaluate
from lapstrake.host.files import read_regular

MAX_SIZE = 1 << 20
"""Bytes of a file; the largest real one has 20 KiB."""

_TRUE = frozenset({"1", "y", "yes", "t", "true"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """What evaluating a file gave.

    Attributes:
        values: the variables it assigns.
        said: what bash and the file printed meanwhile, such as that a command is not there.
    """

    values: Mapping[str, Value]
    said: str = ""


EvaluateInRoot: TypeAlias = Callable[[str, Mapping[str, Value], str], Evaluated]
"""Evaluates a file with bash inside a root: its text, the variables set beforehand, its name for
messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentFile:
    """An evaluated file.

    Attributes:
        origin: its name within the bundle, for messages.
        text: its content.
        values: the variables it assigns.
        machine: AOSC's name of the machine, for ``NAME__MACHINE``.
        groups: whether ``NAME__GROUP`` counts too.
        said: what bash said when it evaluated the file; empty when that went without it.
    """

    origin: str
    text: str
    values: Mapping[str, Value]
    machine: str
    groups: bool
    said: str = ""

    def value(self, name: str) -> Value | None:
        """The variable's value for this machine, ``None`` when it is not set."""
        return self._chosen(name)[1]

    def string(self, name: str) -> str:
        """The variable as text without blanks around it; empty when it is not set."""
        value = self.value(name)
        return (" ".join(value) if isinstance(value, tuple) else value or "").strip()

    def words(self, name: str) -> tuple[str, ...]:
        """The variable as words: an array's elements, or text split at blanks."""
        value = self.value(name)
        return value if isinstance(value, tuple) else tuple((value or "").split())

    def is_true(self, name: str) -> bool:
        """Whether the variable says yes; anything unknown is no, as in Autobuild."""
        return self.string(name).lower() in _TRUE

    def at(self, name: str) -> str:
        """Where the variable is assigned first, for messages: ``spec:3``."""
        chosen = self._chosen(name)[0]
        found = re.search(rf"^[ \t]*{re.escape(chosen)}\+?=", self.text, re.MULTILINE)
        if found is None:
            return self.origin
        return f"{self.origin}:{self.text.count(chr(10), 0, found.start()) + 1}"

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Put what bash said into the details of an error about the file's values.

        A command that failed leaves a variable empty, and only bash's words tell why.
        """
        try:
            yield
        except BundleError as problem:
            problem.details = problem.details or self.said
            raise

    def _chosen(self, name: str) -> tuple[str, Value | None]:
        return for_machine(self.values, name, self.machine, groups=self.groups, origin=self.origin)


def read_file(
    bundle: Path,
    name: str,
    *,
    variables: Mapping[str, Value],
    machine: str,
    groups: bool,
    evaluate_in_root: EvaluateInRoot | None,
) -> AssignmentFile:
    """Read and evaluate a file of a bundle.

    Args:
        bundle: the bundle's folder.
        name: the file's name in it.
        variables: what is set beforehand.
        machine: AOSC's name of the machine.
        groups: whether ``NAME__GROUP`` counts too.
        evaluate_in_root: what evaluates a file that needs a shell.

    Raises:
        BundleError: it is not there, is not text, or is wrong.
        NeedsShell: it needs a shell, and `evaluate_in_root` is ``None``.
    """
    text = _read_text(bundle, name)
    origin = f"{bundle.name}/{name}"
    try:
        found = Evaluated(values=evaluate(text, variables=variables, origin=origin))
    except NeedsShell:
        if evaluate_in_root is None:
            raise
        found = evaluate_in_root(text, variables, origin)
    return AssignmentFile(
        origin=origin,
        text=text,
        values=found.values,
        machine=machine,
        groups=groups,
        said=found.said,
    )


def _read_text(bundle: Path, name: str) -> str:
    path = bundle / name
    try:
        data = read_regular(path, limit=MAX_SIZE + 1)
    except OSError as problem:
        raise BundleError(
            f"{path}: {problem.strerror or problem}",
            resolution="An AOSC bundle has a spec, and autobuild/defines or NN-name/defines.",
        ) from problem
    if len(data) > MAX_SIZE:
        raise BundleError(f"{path}: this file is larger than {MAX_SIZE} bytes")
    if b"\r\n" in data:
        line = data[: data.index(b"\r\n")].count(b"\n") + 1
        raise BundleError(
            f"{path}:{line}: the line ends as on Windows (CR LF)",
            resolution="Convert the file: sed -i 's/\\r$//' FILE",
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as problem:
        line = data[: problem.start].count(b"\n") + 1
        raise BundleError(f"{path}:{line}: this is not UTF-8 text") from problem
