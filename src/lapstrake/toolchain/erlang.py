"""Erlang's and Rebar's variables (Nerves' rows I6, I9, I10); only if the sysroot has Erlang."""

from __future__ import annotations

from lapstrake.errors import ToolchainError
from lapstrake.toolchain.facts import Erlang
from lapstrake.toolchain.part import Known, Part

_OF_A_RUNNING_ERLANG = ("BINDIR", "PROGNAME", "ROOTDIR", "MIX_HOME")
"""What the host's Erlang leaves in the environment of what it starts; builds mistake it."""


def erlang(known: Known) -> Part:
    """What Rebar, erlang.mk and makefiles of Elixir's packages read.

    Raises:
        ToolchainError: the host's Erlang has another major version than the target's.
    """
    found = known.facts.erlang
    variables = {"REBAR_TARGET_ARCH": known.facts.prefix.name}
    if found is None:
        return Part(variables=variables)
    _check_versions(found)
    variables |= {
        "REBAR_PLT_DIR": str(found.folder),
        "ERL_LIB_DIR": str(found.folder),
        "ERL_SYSTEM_LIB_DIR": str(found.folder / "lib"),
    }
    includes = []
    if found.erts is not None:
        include = str(found.erts / "include")
        includes.append(f"-I{include}")
        variables |= {"ERTS_DIR": str(found.erts), "ERTS_INCLUDE_DIR": include}
    if found.interface is not None:
        include, library = str(found.interface / "include"), str(found.interface / "lib")
        includes.append(f"-I{include}")
        variables |= {
            "ERL_INTERFACE_DIR": str(found.interface),
            "ERL_INTERFACE_LIB_DIR": library,
            "ERL_INTERFACE_INCLUDE_DIR": include,
            "ERL_EI_LIBDIR": library,
            "ERL_EI_INCLUDE_DIR": include,
            "ERL_LDFLAGS": f"-L{library} -lei",
        }
    variables["ERL_CFLAGS"] = " ".join(includes)
    return Part(variables=variables, unset=_OF_A_RUNNING_ERLANG, notes=_minor(found))


def _check_versions(found: Erlang) -> None:
    if not found.version or not found.host_version or _same(found, 1):
        return
    raise ToolchainError(
        f"the target has Erlang/OTP {found.version}, this host {found.host_version}: what is"
        " compiled here would not run there",
        resolution=f"Install Erlang/OTP {found.version.split('.')[0]} on this host, or take a"
        " system that has this host's; without Erlang's part: `--profile compiler`.",
    )


def _minor(found: Erlang) -> tuple[str, ...]:
    if not found.version or not found.host_version or _same(found, 2):
        return ()
    return (f"Erlang/OTP {found.version} of the target, {found.host_version} of this host",)


def _same(found: Erlang, fields: int) -> bool:
    return found.version.split(".")[:fields] == found.host_version.split(".")[:fields]
