"""The program nix on a store of our own: the host's ``/nix`` is neither read nor written.

The store is a folder (``--store DIR``, what nix calls a chroot store): paths in it are named as on
any machine, ``/nix/store/...``, and builds see it there, so substitutes fit. Nix builds in such a
store only in its sandbox: without network, without the host's files.
"""

from __future__ import annotations

import errno
import grp
import json
import os
import re
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lapstrake.errors import ImageError, LapstrakeError, LimitError
from lapstrake.host.children import Children
from lapstrake.host.files import disk_error
from lapstrake.host.process import clean_environment, find_program, require_program, run, tail
from lapstrake.names import GuestPath
from lapstrake.progress import Progress

STORE = GuestPath("/nix/store")
"""Where the paths of a store are, for what is in it and for images."""

_PASSED_ON = ("NIX_CONFIG", "NIX_SSL_CERT_FILE", "NIX_USER_CONF_FILES")
_FEATURES = "nix-command flakes"
_FAILED = re.compile(r"(?:builder for|build of) '([^']+\.drv)' failed|'([^']+\.drv)'.* failed")
_ERROR = re.compile(r"^ *error: +(\S.*?)(?:\n *\n|\Z)", re.M | re.S)
_DISK_FULL = os.strerror(errno.ENOSPC)
_LOG_SECONDS = 60.0
_REMEMBERED_LINES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PathInfo:
    """What nix knows of a store path.

    Attributes:
        path: the store path.
        size: bytes of it as a NAR.
        closure_size: bytes of all it refers to, itself included.
        references: store paths it refers to, sorted; itself may be among them.
        nar_hash: hash of its content, as nix writes it.
    """

    path: str
    size: int
    closure_size: int
    references: tuple[str, ...]
    nar_hash: str


class Nix:
    """Nix with a store of its own, until a deadline.

    Args:
        folder: holds the store and nix's caches; made when missing.
        progress: hears its log.
        timeout: seconds for everything that is asked of this object together.
    """

    def __init__(self, folder: Path, progress: Progress, *, timeout: float) -> None:
        self._folder = folder
        self._progress = progress
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        for name in ("store", "cache"):
            (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)

    def on_host(self, path: str | GuestPath) -> Path:
        """Where a path of the store's world is on the host."""
        return self._folder / "store" / str(path).lstrip("/")

    def evaluate(self, expression: Path, **arguments: str) -> object:
        """Evaluate a function of named texts to JSON; derivations it looks at get into the store.

        Raises:
            ImageError: nix refused; the details are its own words.
        """
        words = [word for name, value in arguments.items() for word in ("--argstr", name, value)]
        mode = ("--eval", "--strict", "--json", "--read-write-mode", "--show-trace")
        output = self._run("nix-instantiate", *mode, *words, str(expression))
        return json.loads(output)

    def realise(self, outputs: Sequence[str], *, roots: Path) -> tuple[str, ...]:
        """Fetch or build outputs, several at a time; gives their store paths, in order.

        Args:
            outputs: each a derivation and an output of it, ``/nix/store/...drv!out``.
            roots: an empty folder; while what is put there is there, nix's garbage collector keeps
                these paths and all they refer to.

        Raises:
            ImageError: one could not be built; the brief names it, the details end with its log.
        """
        keep = ("--add-root", str(roots / "root"), "--indirect")
        printed = self._run("nix-store", "--realise", "--max-jobs", "auto", *keep, *outputs)
        return tuple(str(Path(link).readlink()) for link in printed.decode().splitlines())

    def closure(self, paths: Sequence[str]) -> tuple[PathInfo, ...]:
        """Ask for paths with all they refer to, sorted by path."""
        asked = ("path-info", "--json", "--recursive", "--closure-size", *paths)
        document = json.loads(self._run("nix", *asked))
        # A list of objects; since Nix 2.19 an object of them by path.
        entries = document if isinstance(document, list) else [
            {"path": path, **facts} for path, facts in document.items()
        ]  # fmt: skip
        found = (
            PathInfo(
                path=entry["path"],
                size=entry["narSize"],
                closure_size=entry["closureSize"],
                references=tuple(sorted(entry["references"])),
                nar_hash=entry["narHash"],
            )
            for entry in entries
        )
        return tuple(sorted(found, key=lambda info: info.path))

    def _run(self, program: str, *words: str) -> bytes:
        """Run one of nix's programs; gives its standard output."""
        binary = require_program(program, package="nix-bin", error=ImageError)
        argv = [*_dies_with_us(), str(binary), *words, *self._options()]
        log: deque[bytes] = deque(maxlen=_REMEMBERED_LINES)
        with Children() as children:
            children.start(program, argv, env=self._environment())
            while len(children):
                left = self._deadline - time.monotonic()
                if left <= 0:
                    raise self._late(b"\n".join(log))
                for event in children.events(timeout=left):
                    if event.status is None:
                        log.append(event.line)
                        self._progress.output(event.line + b"\n")
                    elif event.status == 0:
                        output = event.output
                    else:
                        raise self._failure(program, b"\n".join(log).decode("utf-8", "replace"))
        return output

    def _environment(self) -> dict[str, str]:
        """Ours, with nix's settings; what a package set could read of this host is left out."""
        passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        return clean_environment({**passed, "XDG_CACHE_HOME": str(self._folder / "cache")})

    def _options(self) -> tuple[str, ...]:
        return ("--store", str(self._folder / "store"), *_settings())

    def _late(self, log: bytes) -> LapstrakeError:
        return LimitError(
            f"nix: no end after {self._timeout:.0f} s",
            details=tail(log),
            resolution="Raise `timeout` in [nix], or use a substituter that has these packages.",
        )

    def _failure(self, program: str, log: str) -> LapstrakeError:
        """Name the derivation that failed, if one did, and show the end of its log."""
        if _DISK_FULL in log:
            return disk_error(OSError(errno.ENOSPC, _DISK_FULL), doing=f"running {program}")
        failed = next(filter(None, (a or b for a, b in _FAILED.findall(log))), "")
        if not failed:
            brief, details = _complaint(log, program)
            return ImageError(f"nix: {brief}", details=details, resolution=_remedy(brief))
        argv = ("nix-store", "--read-log", failed, *self._options())
        env = self._environment()
        read = run(argv, timeout=_LOG_SECONDS, error=ImageError, env=env, allowed=(0, 1))
        name = package_label(failed.removesuffix(".drv"))
        return ImageError(
            f"nix: {name} could not be built",
            details=f"{failed}\n{_readable(tail(read.stdout) or tail(log.encode()))}",
        )


def package_label(path: str) -> str:
    """A store path's name, without its hash: name and version.

    >>> package_label("/nix/store/575qkmr3gdalddsgzc4jzpia803i36xi-greeting-1.0")
    'greeting-1.0'
    """
    return GuestPath(path).name.partition("-")[2]


def _dies_with_us() -> tuple[str, ...]:
    """What ends nix, and with it its builds, when we are killed (setpriv(1) of util-linux)."""
    setpriv = find_program("setpriv")
    return (str(setpriv), "--pdeathsig", "TERM") if setpriv else ()


def _settings() -> tuple[str, ...]:
    """Settings that hold whatever the host's nix.conf says."""
    options = {
        "extra-experimental-features": _FEATURES,
        "sandbox": "true",
        "log-lines": "0",  # the log is shown from the log
        "auto-optimise-store": "false",  # links between files must not depend on what else is here
    }
    if os.geteuid() == 0 and not _has_build_users():
        options["build-users-group"] = ""
    return tuple(word for name, value in options.items() for word in ("--option", name, value))


def _has_build_users() -> bool:
    """Whether the users exist that nix, run by root, gives builds to."""
    try:
        return bool(grp.getgrnam("nixbld").gr_mem)
    except KeyError:
        return False


def _complaint(log: str, program: str) -> tuple[str, str]:
    """What nix said was wrong, in a line and in all its words, without its trace.

    The package is the one that `nix_lookup.nix` looked at.
    """
    found = _ERROR.search(log)
    if found is None:
        return f"{program} failed", tail(log.encode())
    package = re.search(r"while looking at the package '([^']+)'", log)
    what = found[1].splitlines()[0].strip()
    return (f"{package[1]}: {what}" if package else what), found[1].strip()


def _readable(log: str) -> str:
    r"""Leave out colours, and the binary frame that nix puts around an error of its own sandbox.

    >>> _readable("\x01\n\x05\x00\x00Error\x00D\x00executing '\x1b[35;1m/bin/sh\x1b[0m'\x00")
    "Error D executing '/bin/sh'"
    """
    plain = re.sub(r"\x1b\[[0-9;]*m", "", log)
    return re.sub(r"[\x00-\x08\x0e-\x1f]+", " ", plain).strip()


def _remedy(complaint: str) -> str:
    if " is required to build " in complaint:
        return (
            "Use a substituter that has these packages for that machine, or let this host run its "
            "programs (apt install qemu-user-static, and extra-platforms in nix.conf)."
        )
    return ""
