"""The layer of what ``dpkg --configure`` writes once the layers of packages lie on a branch."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from lapstrake.compose import triggers
from lapstrake.compose.below import read_text
from lapstrake.compose.closure import read_status
from lapstrake.compose.content import Content
from lapstrake.compose.doubt import Mend
from lapstrake.compose.status import STATUS, parse_status, unpacked_stanza
from lapstrake.errors import DependencyError
from lapstrake.host.confined import read_confined
from lapstrake.layer.store import Layer
from lapstrake.names import GuestPath
from lapstrake.place.apt import Apt
from lapstrake.place.workplace import Workplace

_AUTOMATIC = "var/lib/apt/extended_states"
_CONFIGURE = "dpkg --force-confold --force-unsafe-io"
_SCRIPT = GuestPath("/var/lib/lapstrake/configure.sh")
_LIMIT = 256 << 20


def configure(
    place: Workplace,
    below: Sequence[Layer],
    packages: Sequence[Layer],
    contents: Sequence[Content],
    *,
    mends: Sequence[Mend],
    automatic: Sequence[tuple[str, str]],
    early: Sequence[Sequence[str]],
    tree: Path,
) -> None:
    """Configure packages whose files are in place.

    Args:
        place: where.
        below: the branch's layers, and what preinst scripts wrote.
        packages: the packages' layers, lowest first.
        contents: the same packages, in the order in which apt would have unpacked them.
        mends: folders whose mode and owner must stay what they were.
        automatic: names and architectures of those that nobody asked for by name.
        early: names of those that apt configures before the others, call by call.
        tree: becomes the layer's tree; it does not exist yet.

    Raises:
        DependencyError: a package could not be configured.
    """
    with (
        place.store.lease([*below, *packages]) as leased,
        place.store.workspace("configured") as workspace,
        place.layer_runner.open(leased.trees, workspace) as session,
    ):
        script = "\n".join(["set -e", *_mending(mends), *_configuring(early)])
        apt = Apt(
            session=session,
            progress=place.progress,
            error=DependencyError,
            limits=place.limits,
            files={_SCRIPT: script.encode()},
        )
        apt.write(_files(below, contents, automatic))
        apt.run(("sh", str(_SCRIPT)))
        session.capture(tree)
    _require_configured(tree, contents)


def _files(
    layers: Sequence[Layer], contents: Sequence[Content], automatic: Sequence[tuple[str, str]]
) -> Mapping[GuestPath, bytes]:
    """What dpkg and apt would have written down when these packages were unpacked."""
    stanzas = (unpacked_stanza(content.control, content.conffiles) for content in contents)
    marks = (
        f"Package: {name}\nArchitecture: {arch}\nAuto-Installed: 1\n\n" for name, arch in automatic
    )
    new = [
        interest
        for content in contents
        for interest in triggers.interests(content.stanza.qualified, content.triggers)
    ]
    names = {triggers.PATHS, triggers.WOKEN, *(name for name, _ in new if name[0] != "/")}
    before = {name: read_text(layers, f"{triggers.FOLDER}/{name}") for name in names}
    after = triggers.added_interests(new, before)
    listed = [content.paths for content in contents]
    after[triggers.WOKEN] = before[triggers.WOKEN] + triggers.woken(before[triggers.PATHS], listed)
    texts = {
        STATUS: read_status(layers).rstrip("\n") + "\n\n" + "".join(stanzas),
        _AUTOMATIC: read_text(layers, _AUTOMATIC) + "".join(marks),
        **{f"{triggers.FOLDER}/{name}": text for name, text in after.items()},
    }
    return {
        GuestPath("/", path): text.encode("utf-8", "surrogateescape")
        for path, text in texts.items()
    }


def _mending(mends: Sequence[Mend]) -> list[str]:
    """Give folders back the owner and mode that the branch's own had."""
    lines = []
    for mend in mends:
        path, entry = shlex.quote(mend.path), mend.entry
        lines.append(f"chown {entry.uid}:{entry.gid} {path}; chmod {entry.mode:o} {path}")
    return lines


def _configuring(early: Sequence[Sequence[str]]) -> list[str]:
    """Call dpkg as often as apt does: users get their numbers in the order of the scripts."""
    calls = (" ".join(map(shlex.quote, names)) for names in early)
    return [
        *(f"{_CONFIGURE} --no-triggers --configure {names}" for names in calls),
        f"{_CONFIGURE} --configure --pending",
    ]


def _require_configured(tree: Path, contents: Sequence[Content]) -> None:
    """What dpkg says is good, its list is better."""
    data = read_confined(tree, STATUS, limit=_LIMIT, error=DependencyError) or b""
    states = {
        (stanza.name, stanza["architecture"]): stanza.state
        for stanza in parse_status(data.decode("utf-8", "replace"))
    }
    for content in contents:
        stanza = content.stanza
        state = states.get((stanza.name, stanza["architecture"]), "lost")
        if state != "installed":
            raise DependencyError(f"{stanza.name} is {state} after dpkg configured it")
