"""What a failed build's last lines tell, as advice."""

from __future__ import annotations

import re
from collections.abc import Sequence

_HINTS = (
    (
        r"no space left on device|disk quota exceeded",
        "The disk is full: free some space where builds are kept (`lapstrake artifact prune`; for "
        "containers `docker system df` tells what uses it).",
    ),
    (
        r"could not resolve host|name resolution|name or service not known"
        r"|unable to resolve host|no such host",
        "Names of hosts cannot be resolved in the build: check the host's resolver, and "
        "`network` of the package's runner.",
    ),
    (
        r"/dev/net/tun",
        "podman gives users' containers their network through /dev/net/tun, which is root's alone "
        "here: as root, chmod 0666 /dev/net/tun; or set `network = false` in the package's runner.",
    ),
    (
        r"network is unreachable|connection timed out|failed to connect",
        "The network cannot be reached from the build: check proxies and `network` of the "
        "package's runner.",
    ),
    (
        r"out of memory|cannot allocate memory|virtual memory exhausted|oom-kill"
        r"|fatal error: killed|(^|: |\d )killed\b",
        "The memory may have run out: give the runner more (`memory`), or build with fewer jobs.",
    ),
    (
        r"cannot connect to the docker daemon|error during connect|cannot connect to podman",
        "The container engine does not answer any more: start it, then build again.",
    ),
    (r"volume is in use", "Another container uses the volume: end it, then build again."),
    (
        r"read-only file system",
        "The package and its platform are read-only in a build: write into $LAPSTRAKE_BUILD_DIR.",
    ),
    (
        r"you should not run configure as root|force_unsafe_configure",
        "Parts of it refuse to be built by root: build as a user, or set FORCE_UNSAFE_CONFIGURE=1 "
        "in the package's env.",
    ),
    (
        r"\(new\)(\s|$)|configuration (is )?(incomplete|out of date)|restart config",
        "A configuration has questions that nobody answers here: answer them in "
        "`lapstrake artifact shell` and keep the result in the package.",
    ),
    (r"exec format error", "A program is for another kind of machine: look at the image's."),
    (
        r"permission denied|operation not permitted",
        "Something may not be read, written or run by the user that builds: look at its "
        "permissions.",
    ),
    (r"(command )?not found$", "The build lacks a program: install it where the build runs."),
)
_PATTERNS = tuple((re.compile(pattern, re.IGNORECASE), hint) for pattern, hint in _HINTS)


def hint_of(lines: Sequence[str]) -> str:
    """The advice for what failed, or nothing; the first that fits any of the last lines."""
    for pattern, hint in _PATTERNS:
        if any(pattern.search(line) for line in lines):
            return hint
    return ""
