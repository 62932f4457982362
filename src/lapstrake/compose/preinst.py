"""Scripts that run before a package is unpacked (``preinst``, deb-preinst(5)).

They run over the branch alone, in apt's order, before any package layer is there, and what they
write lies below all package layers. That is what dpkg makes of it, too, unless a script looks at
what another new package brings, or touches it. What a script really did is told by its trace: to
judge its text, one would have to understand it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from lapstrake.branch.instance import Branch
from lapstrake.compose.doubt import Entry, Kind, Unpacked
from lapstrake.compose.entries import walk
from lapstrake.errors import DependencyError
from lapstrake.host.confined import read_confined
from lapstrake.names import GuestPath
from lapstrake.place.apt import Apt
from lapstrake.place.workplace import Workplace

Lookup = Callable[[str], Entry | None]
"""What lies at an absolute path of the branch."""

_NOTHING = (
    re.compile(r"^[ \t]*#.*$", re.MULTILINE),  # no \s: blank lines would cost their square
    re.compile(r'^[ \t]*dpkg-maintscript-helper\b[^;&|`$\n]* -- "\$@"$', re.MULTILINE),
    re.compile(
        r'^if \[ "\$1" = "install" \] && \[ -n "\$2" \] && \[ -e "[\w./-]+" \] ; then\n'
        r'\tchmod \+x "[\w./-]+" >/dev/null \|\| true\nfi$',
        re.MULTILINE,
    ),
    re.compile(r"^[ \t]*(?:set -[eu]+|exit 0|true|:)[ \t]*$", re.MULTILINE),
)
"""What debhelper writes does nothing in a first installation: it asks for an older version."""

_SHELL = re.compile(r"#! ?(/bin/(?:ba|da)?sh(?: -[eu]+)?)\s*\n")
_MARK = "lapstrake-preinst"
_SCRIPTS = GuestPath("/var/lib/lapstrake/preinst")
_WORD = re.compile(r"[\w.+@%:,/-]+")
_DIVERSIONS = Path("var/lib/dpkg/diversions")
_LIMIT = 64 << 20
_OVERRIDES = Path("var/lib/dpkg/statoverride")
_PROGRAMS = ("/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/")
_RECORDS = re.compile(r"^\++ update-alternatives --(?:auto|remove|remove-all) ")
"""Asks records of its own, in which no package is that is only unpacked."""


def is_inert(preinst: str) -> bool:
    """Whether a script does nothing when its package is installed for the first time.

    True only where nothing is left but what debhelper writes for upgrades.
    """
    for pattern in _NOTHING:
        preinst = pattern.sub("", preinst)
    return not preinst.strip()


def run_preinsts(
    place: Workplace, branch: Branch, packages: Sequence[Unpacked], lookup: Lookup, tree: Path
) -> str:
    """Run the scripts of new packages over a branch.

    Args:
        place: where.
        branch: the root below.
        packages: all new ones, in apt's order.
        lookup: what the branch has at a path.
        tree: becomes a layer's tree of what the scripts wrote; not made when none has to run.

    Returns:
        why the packages cannot be composed; empty when they can.
    """
    active = [package for package in packages if not is_inert(package.preinst)]
    if not active:
        return ""
    for package in active:
        if not _SHELL.match(package.preinst) or "confmodule" in package.preinst:
            return f"the preinst of {package.name} is not a plain shell script"
    with (
        place.store.lease(branch.layers) as stack,
        place.store.workspace("preinst") as workspace,
        place.layer_runner.open(stack.trees, workspace) as session,
    ):
        scripts = {_SCRIPTS / str(n): each.preinst.encode() for n, each in enumerate(active)}
        apt = Apt(
            session=session,
            progress=place.progress,
            error=DependencyError,
            limits=place.limits,
            files={**scripts, _SCRIPTS / "all": _driver(active).encode()},
        )
        try:
            output = apt.run(("/bin/sh", str(_SCRIPTS / "all")))
        except DependencyError as failed:  # apt, which configures in between, may fare better
            said = failed.details.splitlines()[-1:]
            return f"a preinst failed over the branch alone: {' '.join(said)}"
        session.capture(tree)
    return judge(packages, _traces(active, output.decode("utf-8", "replace")), lookup, tree)


def judge(
    packages: Sequence[Unpacked], traces: Mapping[str, str], lookup: Lookup, tree: Path
) -> str:
    """Say why what scripts did is not what they would have done under dpkg.

    Args:
        packages: all new ones, in apt's order.
        traces: what the shell said it ran, by package.
        lookup: what the branch has at a path.
        tree: what the scripts wrote.

    Returns:
        the first reason, for people; empty when there is none.
    """
    return next(_doubts(packages, traces, lookup, tree), "")


def _driver(active: Sequence[Unpacked]) -> str:
    """A script that runs the others, each traced, each after a line that names it."""
    lines = ["set -e", "export DPKG_MAINTSCRIPT_NAME=preinst DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1"]
    lines.append("export DPKG_ROOT= DPKG_ADMINDIR=/var/lib/dpkg")
    for number, package in enumerate(active):
        shell = package.preinst.partition("\n")[0].removeprefix("#!").strip()
        lines += [
            f"export DPKG_MAINTSCRIPT_PACKAGE={package.name.partition(':')[0]}",
            f"export DPKG_MAINTSCRIPT_ARCH={package.arch}",
            f"echo '{_MARK} {number}' >&2",
            f"{shell} -x {_SCRIPTS / str(number)} install",
        ]
    return "\n".join(lines)


def _traces(active: Sequence[Unpacked], output: str) -> dict[str, str]:
    """Divide the output: what each package's script ran."""
    pieces = re.split(rf"^{_MARK} \d+\n", output, flags=re.MULTILINE)[1:]
    return {package.name: piece for package, piece in zip(active, pieces, strict=False)}


def _doubts(
    packages: Sequence[Unpacked], traces: Mapping[str, str], lookup: Lookup, tree: Path
) -> Iterator[str]:
    earlier: dict[str, str] = {}
    for package in packages:
        for used in _used(traces.get(package.name, "")):
            if used in earlier and lookup(used) is None:
                yield f"the preinst of {package.name} uses {used}, which {earlier[used]} brings"
        earlier |= dict.fromkeys(package.entries, package.name)
    yield from _writing_doubts(packages, walk(tree))
    yield from _rule_doubts(packages, tree)


def _used(trace: str) -> Iterator[str]:
    """Paths and programs that a trace mentions, as paths that a package might bring."""
    for line in trace.splitlines():
        if not line.startswith("+") or _RECORDS.match(line):
            continue
        for word in _WORD.findall(line):
            if word.startswith("/"):
                path = word.rstrip("/")
                yield from (path, f"/usr{path}")  # of a merged root, packages are listed so
            elif "/" not in word:
                yield from (folder + word for folder in _PROGRAMS)


def _writing_doubts(packages: Sequence[Unpacked], written: Mapping[str, Entry]) -> Iterator[str]:
    """What lies below the packages' files must not have been meant to replace them."""
    for package in packages:
        for path in package.entries.keys() & written.keys():
            if not (written[path].kind is package.entries[path].kind is Kind.FOLDER):
                yield f"a preinst deals with {path}, which {package.name} brings"


def _rule_doubts(packages: Sequence[Unpacked], tree: Path) -> Iterator[str]:
    """New rules of dpkg's that hold for what is unpacked after them."""
    if (tree / _OVERRIDES).exists():
        yield "a preinst sets modes or owners of its own (dpkg-statoverride)"
    diversions = read_confined(tree, str(_DIVERSIONS), limit=_LIMIT, error=DependencyError)
    lines = (diversions or b"").decode("utf-8", "replace").splitlines()
    for path, _, by in zip(lines[::3], lines[1::3], lines[2::3], strict=False):
        for package in packages:
            if path in package.entries and package.name != by:
                yield f"{path} of {package.name} is diverted by {by}"
