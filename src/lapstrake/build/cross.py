"""How a bundle is cross-compiled: what its steps see of the compilers."""

from __future__ import annotations

from dataclasses import replace

from lapstrake.build.buildroot import BUILDROOT
from lapstrake.bundle.base import Bundle, BundleFormat
from lapstrake.errors import BundleError
from lapstrake.names import Arch, GuestPath
from lapstrake.toolchain.facts import Facts
from lapstrake.toolchain.look import debian_facts
from lapstrake.toolchain.make import ProfileName, make_environment
from lapstrake.toolchain.targets import parse_target

_PROFILES = (
    ProfileName.AUTOTOOLS, ProfileName.CMAKE, ProfileName.MESON, ProfileName.RUST, ProfileName.GO,
)  # fmt: skip
_PLAN = BUILDROOT / "plan"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def with_cross_tools(
    bundle: Bundle, *, own: Arch, target: Arch, toolchain: Facts | None = None
) -> Bundle:
    """The bundle with variables and files of the cross compiler, where its driver has none itself.

    Args:
        bundle: the bundle; dpkg-buildpackage and debhelper find the compilers without us.
        own: the root's architecture.
        target: what is compiled for.
        toolchain: what compiles, if that is not Debian's.

    Raises:
        BundleError: the bundle can use no other toolchain than Debian's.
    """
    if bundle.format is not BundleFormat.NATIVE:
        if toolchain:
            raise BundleError(
                f"{bundle.name}: Debian's sources are cross-compiled with Debian's compilers only",
                resolution="Build it without --toolchain.",
            )
        return bundle
    facts = toolchain or debian_facts(parse_target(target), build=parse_target(own))
    made = make_environment(facts, files=_PLAN / "cross", profiles=_PROFILES)
    files = {
        str(GuestPath(name).relative_to(_PLAN)): text.encode() for name, text in made.files.items()
    }
    known = {"LAPSTRAKE_CONFIG_SITE": f"/etc/dpkg-cross/cross-config.{target}"}
    return replace(
        bundle,
        files={**bundle.files, **files},
        environment={**made.applied({"PATH": _PATH}), **known, **bundle.environment},
    )
