"""How a bundle is cross-compiled with Debian's own compilers: what its steps see of them."""

from __future__ import annotations

from dataclasses import replace

from lapstrake.build.buildroot import BUILDROOT
from lapstrake.bundle.base import Bundle, BundleFormat
from lapstrake.names import Arch, GuestPath
from lapstrake.toolchain.facts import Facts
from lapstrake.toolchain.make import ProfileName, make_environment
from lapstrake.toolchain.targets import parse_target

_PROFILES = (
    ProfileName.AUTOTOOLS, ProfileName.CMAKE, ProfileName.MESON, ProfileName.RUST, ProfileName.GO,
)  # fmt: skip
_PLAN = BUILDROOT / "plan"
_PROGRAMS = GuestPath("/usr/bin")


def with_cross_tools(bundle: Bundle, *, own: Arch, target: Arch) -> Bundle:
    """The bundle with variables and files of the cross compiler, where its driver has none itself.

    Args:
        bundle: the bundle; dpkg-buildpackage and debhelper find the compilers without us.
        own: the root's architecture.
        target: what is compiled for.
    """
    if bundle.format is not BundleFormat.NATIVE:
        return bundle
    machine = parse_target(target)
    facts = Facts(
        target=machine, build=parse_target(own), prefix=_PROGRAMS / machine.text, sysroot=None
    )
    made = make_environment(facts, files=_PLAN / "cross", profiles=_PROFILES)
    files = {
        str(GuestPath(name).relative_to(_PLAN)): text.encode() for name, text in made.files.items()
    }
    known = {"LAPSTRAKE_CONFIG_SITE": f"/etc/dpkg-cross/cross-config.{target}"}
    return replace(
        bundle,
        files={**bundle.files, **files},
        environment={**made.applied({}), **known, **bundle.environment},
    )
