"""apt inside a root: how it is called, and what its complaints mean."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lapstrake.errors import LapstrakeError
from lapstrake.host.process import PASSED_ON, clean_environment, tail
from lapstrake.names import GuestPath
from lapstrake.progress import Progress
from lapstrake.runner.base import Bind, Command, Ending, Limits, Network, Session

OPTIONS = (
    "-y",
    "--allow-downgrades",  # a package that was built anew has the version that was there
    "-q",
    "-oAcquire::Languages=none",
    "-oAcquire::Retries=3",
    "-oAPT::Update::Error-Mode=any",  # else a list that could not be fetched is only a warning
    "-oAPT::Install-Recommends=false",
    "-oAPT::Get::AllowUnauthenticated=false",
    "-oDpkg::Use-Pty=false",
    "-oDpkg::Options::=--force-confold",
    "-oDpkg::Options::=--force-unsafe-io",
)
"""What every call of apt-get in a root gets; flushing is ours, when a layer is published."""

_ENVIRONMENT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBCONF_NONINTERACTIVE_SEEN": "true",
    "APT_LISTCHANGES_FRONTEND": "none",
}
_PROXIES = {name for name in PASSED_ON if name.lower().endswith("_proxy")}
_POLICY = (GuestPath("/usr/sbin/policy-rc.d"), b"#!/bin/sh\nexit 101\n")
_COMPLAINT = re.compile(rb"^(?:E: |.* : (?:Depends|PreDepends|Conflicts|Breaks): ).*$", re.M)
_BROKEN = re.compile(rb"^dpkg: error processing (?:package|archive) (\S+)", re.M)


@dataclass(frozen=True, slots=True, kw_only=True)
class Apt:
    """apt-get in an entered root.

    Attributes:
        session: the root.
        progress: hears it.
        error: raised when it fails.
        limits: of each call.
        binds: folders of the host it sees (a branch's own repository).
        files: what it sees besides the files of the root; they do not stay.
    """

    session: Session
    progress: Progress
    error: type[LapstrakeError]
    limits: Limits
    binds: tuple[Bind, ...] = ()
    files: Mapping[GuestPath, bytes] | None = None

    def get(self, *words: str, network: bool = True) -> bytes:
        """Run apt-get.

        Returns:
            its output.

        Raises:
            LapstrakeError: of the class `error`; the details are apt's own complaints.
        """
        return self.run(("apt-get", *OPTIONS, *words), network=network)

    def write(self, contents: Mapping[GuestPath, bytes]) -> None:
        """Write files into the root that stay there, root's own, mode 644."""
        with tempfile.TemporaryDirectory(prefix="lapstrake-") as scratch:
            for number, (target, content) in enumerate(contents.items()):
                file = Path(scratch, str(number))
                file.write_bytes(content)
                file.chmod(0o644)
                self.session.put(file, target)

    def install(self, *words: str) -> None:
        """Download what a call of apt-get needs, then make it without any network.

        What packages do when they are installed is theirs: among them may be one that a bundle
        made, which could not reach the network either.
        """
        self.get("--download-only", *words)
        self.get(*words, network=False)

    def run(self, argv: Sequence[str], *, network: bool = False) -> bytes:
        """Run a program beside apt-get, with the same environment."""
        output = bytearray()

        def listen(data: bytes) -> None:
            output.extend(data)
            self.progress.output(data)

        env = {name: value for name, value in clean_environment().items() if name in _PROXIES}
        command = Command(
            argv=tuple(argv),
            env=env | _ENVIRONMENT,
            network=Network.HOST if network else Network.NONE,
            limits=self.limits,
            binds=self.binds,
            files={_POLICY[0]: _POLICY[1]} | dict(self.files or {}),
        )
        outcome = self.session.run(command, on_output=listen)
        if not outcome.ok:
            raise self._failure(argv, outcome.status, outcome.ending, bytes(output))
        return bytes(output)

    def _failure(
        self, argv: Sequence[str], status: int, ending: Ending, output: bytes
    ) -> LapstrakeError:
        """What dpkg failed at, or apt's complaints, or the last lines when there are none."""
        broken = dict.fromkeys(_BROKEN.findall(output))
        if broken:
            names = b", ".join(broken).decode("utf-8", "replace")
            return self.error(f"dpkg could not install {names}", details=tail(output))
        if argv[1:2] == ("-c",):  # a script: what its messages call it
            argv = argv[3:4] or argv[:1]
        words = [word for word in argv if not word.startswith("-")]
        complaints = b"\n".join(line.strip() for line in _COMPLAINT.findall(output))
        how = f"status {status}" if ending is Ending.EXITED else str(ending)
        return self.error(
            f"`{' '.join(words[:2])}` failed in the root: {how}",
            details=complaints.decode("utf-8", "replace") or tail(output),
        )
