"""Which version of the 32-bit ARM architecture is compiled for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lapstrake.toolchain.targets import Target

_CORES = {"arm1176": 6, "arm1136": 6, "arm926": 5, "cortex-a": 7}


def arm_version(target: Target, flags: Sequence[str]) -> int:
    """The version, 5 to 8.

    Args:
        target: ``arm...``.
        flags: of the compiler: ``-march=`` and ``-mcpu=`` say it best.
    """
    for flag in reversed(flags):
        option, _, value = flag.partition("=")
        if option == "-march" and (found := re.match(r"armv(\d)", value)):
            return int(found[1])
        if option == "-mcpu":
            for core, version in _CORES.items():
                if value.startswith(core):
                    return version
    if found := re.match(r"armv(\d)", target.cpu):
        return int(found[1])
    # Debian's armhf is for version 7; another maker's tuple promises no more than 6.
    if target.abi.endswith("hf"):
        return 7 if target.text == "arm-linux-gnueabihf" else 6
    return 5
