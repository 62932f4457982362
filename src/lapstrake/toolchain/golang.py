"""Go, with cgo."""

from __future__ import annotations

from lapstrake.toolchain.arm import arm_version
from lapstrake.toolchain.part import Known, Part


def golang(known: Known) -> Part:
    """``GOOS``, ``GOARCH``, ``GOARM`` and cgo's flags, which are not C's own."""
    target = known.facts.target
    if not target.machine.go or target.system != "linux":
        return Part()
    variables = {"GOOS": "linux", "GOARCH": target.machine.go, "CGO_ENABLED": "1"}
    if target.machine.go == "arm":
        variables["GOARM"] = str(min(arm_version(target, known.machine_flags), 7))
    flags = {f"CGO_{name}": text for name, text in known.flags.items() if text}
    return Part(variables=variables, flags=flags)
